"""An alert that comes and goes, through the real program, over each server and over a folder: one incident, made and resolved,
and the same bytes in each journal, as the clients of the servers' makers read them."""

import base64
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "servicenow"))

from servers import servers  # noqa: E402
from simulator import ADMIN, CLIENT_ID, CLIENT_SECRET, Simulator  # noqa: E402

FIXTURES = pathlib.Path(__file__).parents[2] / "fixtures" / "common_alert_schema"
LISTENS_WITHIN = 20
PROVEN_WITHIN = 30


class Folder:
    def __init__(self, folder):
        self.folder = folder
        self.settings = {"ITSMC_STATE": folder.as_uri()}

    def objects(self, prefix):
        below = self.folder / prefix.removeprefix("product/")
        files = [path for path in below.rglob("*") if path.is_file()]
        return {str(path.relative_to(below)): path.read_bytes() for path in files}


class Program:
    def __init__(self, settings, servicenow, folder):
        vault = folder / "vault"
        vault.mkdir(mode=0o700)
        connection = vault / "itsm-connection-contoso.json"
        definition = {
            "name": "contoso",
            "partner_type": "servicenow",
            "server_url": servicenow.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "actions": {"default": {"work_item_type": "incident"}},
        }
        connection.write_text(json.dumps(definition), encoding="utf-8")
        connection.chmod(0o600)
        environment = {
            "ITSMC_VAULT": vault.as_uri(),
            "ITSMC_WEBHOOK_AUTH": "none",
            "ITSMC_ALLOW_HOSTS": servicenow.address,
            "ITSMC_LISTEN": "127.0.0.1:0",
            **settings,
        }
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([os.environ["CREATE_WORK_ITEM"]], env=environment, stdout=log)
        self.address = self._listening()

    def _listening(self):
        ends_at = time.monotonic() + LISTENS_WITHIN
        while time.monotonic() < ends_at:
            for line in self.log.read_text(encoding="utf-8").splitlines():
                said = json.loads(line)
                if said.get("message") == "listening":
                    return said["address"]
            time.sleep(0.05)
        raise SystemExit(f"error: it does not listen:\n{self.log.read_text(encoding='utf-8')}")

    def deliver(self, fixture):
        """The status and the answer, once the store is proven: until then it is 503, which Azure sends again."""
        body = (FIXTURES / fixture).read_bytes()
        ends_at = time.monotonic() + PROVEN_WITHIN
        while True:
            client = http.client.HTTPConnection(self.address, timeout=20)
            headers = {"Content-Type": "application/json"}
            client.request("POST", "/api/create-work-item/contoso", body, headers)
            reply = client.getresponse()
            answer = json.loads(reply.read())
            if reply.status != 503 or time.monotonic() > ends_at:
                return reply.status, answer
            time.sleep(0.2)

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=20)


def incident_of(servicenow, number):
    url = f"{servicenow.url}/api/now/table/incident?sysparm_query=number={number}"
    key = base64.b64encode(":".join(ADMIN).encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {key}"})
    with servicenow.opener.open(request, timeout=10) as reply:
        (found,) = json.load(reply)["result"]
    return found


def comes_and_goes(store, folder):
    servicenow = Simulator()
    program = Program(store.settings, servicenow, folder)
    try:
        status, fired = program.deliver("metric_fired.json")
        assert (status, fired["outcome"]) == (200, "created"), (status, fired)
        number = fired["work_items"][0]["number"]
        status, again = program.deliver("metric_fired.json")
        assert (status, again["outcome"]) == (200, "duplicate"), (status, again)
        status, resolved = program.deliver("metric_resolved.json")
        assert (status, resolved["outcome"]) == (200, "resolved"), (status, resolved)
        incident = incident_of(servicenow, number)
        assert incident["state"] == "6", incident["state"]
    finally:
        program.end()
        servicenow.process.terminate()
    return store.objects("product/journal/")


def main():
    failed = 0
    with tempfile.TemporaryDirectory(prefix="witness-") as base:
        base = pathlib.Path(base)
        stores = [("folder", Folder(base / "state")), *servers()]
        expected = None
        for name, store in stores:
            folder = base / name
            folder.mkdir()
            try:
                journal = comes_and_goes(store, folder)
                expected = expected or journal
                assert len(journal) == 2, list(journal)
                assert journal == expected, f"another journal than the folder's: {list(journal)}"
                if name != "folder":
                    assert store.objects("product/soundness/"), "nobody wrote down that the store is sound"
                print(f"ok {name}: one incident, made and resolved; the journal is the folder's, byte by byte")
            except AssertionError as error:
                failed += 1
                print(f"FAILED {name}: {error!r}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
