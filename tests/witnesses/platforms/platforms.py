"""Where the function runs: each takes an alert as that platform brings it, and ticks as its timer does."""

import hashlib
import io
import json
import os
import subprocess
import zipfile

from world import FOLDER, Reply, ask, free_port, listens, start, text_of, wait_for

KEY = "a key that only the action group knows"

#: What every platform has in common.
COMMON = {
    "ITSMC_WEBHOOK_AUTH": "key",
    "ITSMC_WEBHOOK_KEYS": hashlib.sha256(KEY.encode()).hexdigest(),
    "RUST_LOG": "info",
}

HEADERS = {"Content-Type": "application/json; charset=utf-8", "x-itsmc-key": KEY}

#: A schedule's event, as EventBridge sends it.
SCHEDULED = {
    "version": "0", "id": "99999999-0001-4000-8000-000000000001", "detail-type": "Scheduled Event", "source": "aws.events",
    "account": "123456789012", "time": "2026-03-01T10:00:00Z", "region": "eu-central-1",
    "resources": ["arn:aws:events:eu-central-1:123456789012:rule/drain"], "detail": {},
}


def function():
    return os.environ["CREATE_WORK_ITEM"]


def path(action):
    return "/api/create-work-item/contoso" + (f"/{action}" if action else "")


class Desk:
    """Plain HTTP on this machine, with timers of its own."""

    name = "the desk"

    def __init__(self, environment):
        port = free_port()
        _, self.log = start("desk", [function()], {**COMMON, **environment, "ITSMC_LISTEN": f"127.0.0.1:{port}"})
        wait_for("the desk", listens(port))
        self.url = f"http://127.0.0.1:{port}"

    def deliver(self, alert, action=""):
        return ask("POST", self.url + path(action), alert, HEADERS)

    def tick(self):
        """Its timer ticks once a minute: the checks wait for it."""


class LambdaWatch:
    """AWS Lambda's runtime API and function URLs, as cargo-lambda has them."""

    name = "cargo lambda watch"

    def __init__(self, environment):
        port = free_port()
        # It wants a manifest around it, and builds nothing of it.
        folder = os.path.join(os.environ["ROOT"], "functions", "create-work-item")
        command = [os.environ["CARGO_LAMBDA"], "lambda", "watch", "--only-lambda-apis", "-A", "127.0.0.1", "-P", str(port)]
        start("cargo-lambda", command, {**os.environ, "CARGO_NET_OFFLINE": "true"}, folder)
        wait_for("cargo lambda", listens(port))
        runtime = {
            "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{port}/.rt", "AWS_LAMBDA_FUNCTION_NAME": "_",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_FUNCTION_VERSION": "1",
        }
        _, self.log = start("lambda", [function()], {**COMMON, **environment, **runtime})
        self.url = f"http://127.0.0.1:{port}"

    def deliver(self, alert, action=""):
        return ask("POST", self.url + path(action), alert, HEADERS)

    def invoke(self, event):
        # Direct invocations, as the SDK makes them.
        url = f"{self.url}/2015-03-31/functions/_/invocations"
        return ask("POST", url, json.dumps(event).encode(), {"Content-Type": "application/json"})

    def tick(self):
        reply = self.invoke(SCHEDULED)
        assert reply.status == 200, (reply.status, reply.body)


class Ministack:
    """AWS Lambda as ministack has it: a zip with a bootstrap in it, a function URL, invocations by the SDK."""

    name = "ministack"

    def __init__(self, environment, stack):
        self.stack = stack
        stripped = os.path.join(FOLDER, "bootstrap")
        subprocess.run(["strip", "-o", stripped, function()], check=True)
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package_file:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            with open(stripped, "rb") as file:
                package_file.writestr(entry, file.read(), zipfile.ZIP_DEFLATED, 1)
        self.client = stack.client("lambda")
        self.client.create_function(
            FunctionName="create-work-item", Runtime="provided.al2023", Role="arn:aws:iam::000000000000:role/create-work-item",
            Handler="bootstrap", Code={"ZipFile": package.getvalue()}, Timeout=60, MemorySize=128,
            Environment={"Variables": {**COMMON, **environment}},
        )
        url = self.client.create_function_url_config(FunctionName="create-work-item", AuthType="NONE")["FunctionUrl"]
        self.host = url.split("://", 1)[1].strip("/")

    def deliver(self, alert, action=""):
        return ask("POST", self.stack.url + path(action), alert, {**HEADERS, "Host": self.host})

    def invoke(self, event):
        reply = self.client.invoke(FunctionName="create-work-item", Payload=json.dumps(event).encode())
        body = reply["Payload"].read()
        assert "FunctionError" not in reply, body
        return Reply(reply["StatusCode"], {}, body)

    def tick(self):
        self.invoke(SCHEDULED)


class FunctionsHost:
    """The host of Azure Functions as its custom handler meets it (custom handlers' documented contract): it names a port,
    asks there until anything answers, forwards HTTP as it came with headers of its own, and brings timers in an envelope.
    Strict where the host is: a timer's answer must be 2xx JSON with `Outputs`, `Logs` and `ReturnValue`.
    """

    name = "the functions host"

    def __init__(self, environment):
        port = free_port()
        _, self.log = start("functions", [function()], {**COMMON, **environment, "FUNCTIONS_CUSTOMHANDLER_PORT": str(port)})
        self.url = f"http://127.0.0.1:{port}"
        wait_for("the custom handler", listens(port), 60)
        assert ask("GET", self.url + "/").status

    def deliver(self, alert, action=""):
        added = {
            "User-Agent": "Azure-Functions-Host/4.1040.0", "X-Azure-Functions-HostVersion": "4.1040.0",
            "X-Azure-Functions-InvocationId": "99999999-0001-4000-8000-000000000001",
            "X-Forwarded-For": "192.0.2.1:50000", "X-Original-URL": path(action), "Was-Default-Hostname": "contoso-func.azurewebsites.net",
        }
        return ask("POST", self.url + path(action), alert, {**HEADERS, **added})

    def tick(self):
        envelope = {
            "Data": {"timer": {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}},
            "Metadata": {"sys": {"MethodName": "drain", "UtcNow": "2026-03-01T10:00:00Z", "RandGuid": "99999999-0002-4000-8000-000000000002"}},
        }
        reply = ask("POST", self.url + "/drain", json.dumps(envelope).encode(), {"Content-Type": "application/json"}, 90)
        assert 200 <= reply.status < 300, (reply.status, reply.body)
        answer = reply.json()
        assert isinstance(answer["Logs"], list) and "Outputs" in answer and "ReturnValue" in answer, answer


def said(platform):
    """What the function has logged, if it runs here."""
    return text_of(platform.log) if hasattr(platform, "log") else ""
