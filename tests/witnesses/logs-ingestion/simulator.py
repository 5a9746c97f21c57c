"""The simulated endpoint as a process of its own, over TLS by a throw-away authority, and its control surface."""

import atexit
import json
import os
import ssl
import subprocess
import tempfile
import urllib.request

RULE = "dcr-00000000000000000000000000000001"
NO_ROLE = "dcr-00000000000000000000000000000002"
STREAM = "Custom-Demo_CL"
TOKEN = "demo-token"
COLUMNS = {"TimeGenerated": "datetime", "Text": "string", "Count": "long", "Flag": "boolean"}


class Simulator:
    """Runs until this script ends."""

    def __init__(self):
        rule = {"streams": {STREAM: COLUMNS}}
        config = {
            "rules": {RULE: rule, NO_ROLE: {**rule, "role_from_ms": 2**53}},
            "tokens": [TOKEN],
        }
        self.folder = tempfile.mkdtemp(prefix="witness-")
        path = os.path.join(self.folder, "config.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.ca = os.path.join(self.folder, "ca.pem")
        command = [os.environ["LOGS_INGESTION_SIMULATOR"], "--config", path, "--tls-ca-out", self.ca]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.terminate)
        self.url = self.process.stdout.readline().strip()
        assert self.url, "the simulator did not start"
        handler = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.ca))
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)

    def _control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/__simulator/{path}", data=data, method=method)
        with self.opener.open(request, timeout=30) as reply:
            return json.load(reply)

    def journal(self):
        """What was asked, oldest first."""
        return self._control("GET", "journal")

    def rows(self):
        """What is stored."""
        return self._control("GET", f"records/{STREAM}")

    def forget(self):
        """Empties the journal and drops the faults."""
        self._control("POST", "reset-journal")
        self._control("DELETE", "faults")

    def fault(self, fault, **rule):
        self._control("POST", "faults", {"kind": "create", "fault": fault, **rule})
