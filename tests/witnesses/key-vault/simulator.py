"""The simulated vault as a process of its own, over TLS by a throw-away authority, and its control surface."""

import atexit
import json
import os
import ssl
import subprocess
import tempfile
import urllib.request

TENANT = "aaaaaaaa-0001-4000-8000-000000000001"
APP = "bbbbbbbb-0001-4000-8000-000000000001"
SECRET = "demo-app-secret"
USER_ASSIGNED = "bbbbbbbb-0003-4000-8000-000000000001"
HEADER = "demo-identity-header"
ROLE = "arn:aws:iam::000000000000:role/itsm-connector"
REGION = "eu-central-1"
KEYS = ("ASIADEMOKEY", "demo-aws-secret-key", "demo-aws-session-token")


class Simulator:
    """Runs until this script ends."""

    def __init__(self, **config):
        self.folder = tempfile.mkdtemp(prefix="witness-")
        path = os.path.join(self.folder, "config.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.ca = os.path.join(self.folder, "ca.pem")
        command = [os.environ["KEY_VAULT_SIMULATOR"], "--config", path, "--tls-ca-out", self.ca]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.terminate)
        self.url = self.process.stdout.readline().strip()
        assert self.url, "the simulator did not start"
        self.host = self.url.split("://", 1)[1]
        handler = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.ca))
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)

    def _control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/__simulator/{path}", data=data, method=method)
        with self.opener.open(request, timeout=10) as reply:
            return json.load(reply)

    def journal(self):
        """What was asked of the vault, oldest first."""
        return self._control("GET", "journal")

    def forget(self):
        """Empties the journal and drops the faults."""
        self._control("POST", "reset-journal")
        self._control("DELETE", "faults")

    def fault(self, kind, fault, **rule):
        self._control("POST", "faults", {"kind": kind, "fault": fault, **rule})
