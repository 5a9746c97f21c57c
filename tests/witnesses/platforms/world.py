"""The processes of a run: each on a free port of this machine, each ended with this script."""

import atexit
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

#: Longer than any of them takes to be there, also on a busy machine.
STARTS_WITHIN = 60

FOLDER = tempfile.mkdtemp(prefix="itsmc-platforms-")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(name, command, environment=None, folder=None):
    """A process whose output goes to a file; the file's path and the process."""
    log = os.path.join(FOLDER, f"{name}.log")
    with open(log, "wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment,
            cwd=folder or FOLDER, start_new_session=True,
        )
    atexit.register(end, process)
    return process, log


def end(process):
    """With all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(5)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def wait_for(what, found, within=STARTS_WITHIN):
    """What `found` gives as soon as it gives something."""
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        seen = found()
        if seen:
            return seen
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {within} s")


def listens(port):
    def look():
        with socket.socket() as one:
            one.settimeout(1)
            return one.connect_ex(("127.0.0.1", port)) == 0

    return look


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def ask(method, url, body=None, headers=None, within=30):
    address = urllib.parse.urlsplit(url)
    client = http.client.HTTPConnection(address.hostname, address.port, timeout=within)
    try:
        client.request(method, address.path, body, headers or {})
    except BrokenPipeError:
        # Who refuses by the head alone may be gone before the body is; the answer is there all the same.
        pass
    try:
        reply = client.getresponse()
        return Reply(reply.status, dict(reply.headers), reply.read())
    finally:
        client.close()


class ServiceNow:
    """The product, as our simulator."""

    def __init__(self, name):
        _, log = start(name, [os.environ["SERVICENOW_SIMULATOR"]])
        self.url = wait_for(name, lambda: text_of(log).strip())
        self.address = self.url.split("://", 1)[1]

    def incidents(self):
        return ask("GET", f"{self.url}/__simulator/records/incident").json()


def definition(product):
    """The connection of every run."""
    return {
        "name": "contoso",
        "partner_type": "servicenow",
        "server_url": product.url,
        "client_id": "d0c5a3e1b7f84c0a9e2b6d4f8a1c3e5f",
        "client_secret": "demo-client-secret",
        "actions": {"default": {}, "counted": {"storm": {}}},
    }


class FileVault:
    """Connections in a folder."""

    def __init__(self, name, product):
        folder = os.path.join(FOLDER, name)
        os.mkdir(folder, 0o700)
        path = os.path.join(folder, "itsm-connection-contoso.json")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            json.dump(definition(product), file)
        self.addresses = []
        self.environment = {"ITSMC_VAULT": f"file://{folder}"}
