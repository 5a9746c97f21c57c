"""A simulator as a process of its own, and its control surface."""

import atexit
import json
import os
import ssl
import subprocess
import tempfile
import urllib.request

CLIENT_ID = "d0c5a3e1b7f84c0a9e2b6d4f8a1c3e5f"
CLIENT_SECRET = "demo-client-secret"
USER = "svc-monitor"
PASSWORD = "svc-monitor-password"
ADMIN = ("admin", "admin-password")


class Simulator:
    """Runs until this script ends."""

    def __init__(self, records=0, tls=False, **config):
        self.folder = tempfile.mkdtemp(prefix="witness-")
        path = os.path.join(self.folder, "config.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        command = [os.environ["SERVICENOW_SIMULATOR"], "--config", path, "--records", str(records)]
        self.ca = None
        if tls:
            self.ca = os.path.join(self.folder, "ca.pem")
            command += ["--tls-ca-out", self.ca]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.process.terminate)
        self.url = self.process.stdout.readline().strip()
        assert self.url, "the simulator did not start"
        self.address = self.url.split("://", 1)[1]
        self.port = int(self.address.rsplit(":", 1)[1])
        context = ssl.create_default_context(cafile=self.ca) if tls else None
        handlers = [urllib.request.ProxyHandler({})]
        if context:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self.opener = urllib.request.build_opener(*handlers)

    def _control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/__simulator/{path}", data=data, method=method)
        with self.opener.open(request, timeout=10) as reply:
            return json.load(reply)

    def journal(self, kind=None):
        """What was asked, oldest first."""
        entries = self._control("GET", "journal")
        return [entry for entry in entries if kind in (None, entry["kind"])]

    def forget(self):
        """Empties the journal and drops the faults."""
        self._control("POST", "reset-journal")
        self._control("DELETE", "faults")

    def fault(self, kind, fault, **rule):
        self._control("POST", "faults", {"kind": kind, "fault": fault, **rule})

    def records(self, table):
        """The records as they are stored, whoever may read them."""
        return self._control("GET", f"records/{table}")

    def edit(self, table, sys_id, **fields):
        """A person changes a record."""
        self._control("POST", f"records/{table}/{sys_id}", fields)
