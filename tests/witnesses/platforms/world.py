"""The processes of a run: each on a free port of this machine, each ended with this script."""

import atexit
import http.client
import json
import os
import signal
import socket
import ssl
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


class KeyVault:
    """Connections in Azure Key Vault, as our simulator: the vault, Entra, the platform's identity endpoint and AWS's STS."""

    tenant, app = "aaaaaaaa-0001-4000-8000-000000000001", "bbbbbbbb-0001-4000-8000-000000000001"
    region = "us-east-1"

    def __init__(self, number, identity):
        self.port = free_port()
        self.addresses = [f"127.0.0.1:{self.port}"]
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = os.path.join(FOLDER, f"ca-{number}.pem")
        app = {"AZURE_TENANT_ID": self.tenant, "AZURE_CLIENT_ID": self.app, "AZURE_AUTHORITY_HOST": self.url}
        self.name, as_whom = {
            "aws": ("Key Vault by the function's AWS role", {
                **app, "AWS_ENDPOINT_URL_STS": self.url, "AWS_REGION": self.region, "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "test",
            }),
            "managed": ("Key Vault by a managed identity", {
                "IDENTITY_ENDPOINT": f"{self.url}/msi/token", "IDENTITY_HEADER": "demo-identity-header",
            }),
            "secret": ("Key Vault by an app's secret", {**app, "AZURE_CLIENT_SECRET": "demo-app-secret"}),
        }[identity]
        self.environment = {"ITSMC_VAULT": self.url, "SSL_CERT_FILE": self.ca, **as_whom}

        config = os.path.join(FOLDER, f"key-vault-{number}.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"region": self.region, "aws_key": ["test", "test", "test"]}, file)
        command = [
            os.environ["KEY_VAULT_SIMULATOR"], "--listen", self.addresses[0], "--tls-ca-out", self.ca, "--config", config,
        ]
        start(f"key-vault-{number}", command)
        wait_for("the key vault", listens(self.port))

    def keep(self, product):
        """The connection, as `itsmc connection add` would store it."""
        form = {
            "grant_type": "client_credentials", "client_id": self.app, "client_secret": "demo-app-secret",
            "scope": "https://vault.azure.net/.default",
        }
        given = self.call("POST", f"/{self.tenant}/oauth2/v2.0/token", urllib.parse.urlencode(form), {
            "Content-Type": "application/x-www-form-urlencoded",
        })
        self.call("PUT", "/secrets/itsm-connection-contoso?api-version=7.6", json.dumps({"value": json.dumps(definition(product))}), {
            "Content-Type": "application/json", "Authorization": f"Bearer {given['access_token']}",
        })

    def goes_away(self):
        self.call("POST", "/__simulator/faults", json.dumps({"kind": "any", "fault": {"status": {"code": 503}}, "times": "always"}), {})

    def comes_back(self):
        self.call("DELETE", "/__simulator/faults", None, {})

    def call(self, method, path, body, headers):
        context = ssl.create_default_context(cafile=self.ca)
        client = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
        client.request(method, path, body, headers)
        reply = client.getresponse()
        answer = json.loads(reply.read())
        assert reply.status == 200, (method, path, reply.status, answer)
        return answer
