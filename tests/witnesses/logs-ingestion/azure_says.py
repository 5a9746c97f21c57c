"""azure-monitor-ingestion: what it sends is stored, also in several calls, and what is refused is told by its code."""

from datetime import datetime, timedelta, timezone

from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceResponseError,
)
from azure.monitor.ingestion import LogsIngestionClient
from checks import check, equal, raises, run
from simulator import NO_ROLE, RULE, STREAM, TOKEN, Simulator

simulator = Simulator()


class Credential:
    """Has its token, and remembers what for it was asked."""

    def __init__(self, token=TOKEN):
        self.token = token
        self.scopes = []

    def get_token(self, *scopes, **_):
        self.scopes += scopes
        return AccessToken(self.token, 2**40)


def client(credential=None, **more):
    return LogsIngestionClient(
        simulator.url,
        credential or Credential(),
        connection_verify=simulator.ca,
        retry_backoff_factor=0.01,
        **more,
    )


def upload(logs, rule=RULE, stream=STREAM, **more):
    client(**more).upload(rule_id=rule, stream_name=stream, logs=logs)


@check("rows are stored as they were sent, compressed by the client")
def _():
    now = datetime.now(timezone.utc).replace(microsecond=0)
    rows = [
        {"TimeGenerated": now.isoformat(), "Text": "ä \"quoted\"\n", "Count": 2**40, "Flag": True},
        {"TimeGenerated": now.isoformat(), "Text": None},
    ]
    upload(rows)
    stored = simulator.rows()
    equal(stored[-2], rows[0])
    equal(stored[-1], {"TimeGenerated": rows[1]["TimeGenerated"]})
    equal(simulator.journal()[-1]["status"], 204)


@check("the scope that is asked for is that of the public cloud")
def _():
    credential = Credential()
    upload([{"Text": "a"}], credential=credential)
    equal(credential.scopes, ["https://monitor.azure.com/.default"])


@check("a list of more than 1 MB comes in several calls and is stored whole, in order")
def _():
    simulator.forget()
    before = len(simulator.rows())
    upload([{"Text": f"{n:06} " + "x" * 500} for n in range(7000)])
    stored = simulator.rows()[before:]
    equal([row["Text"][:6] for row in stored], [f"{n:06}" for n in range(7000)])
    statuses = [entry["status"] for entry in simulator.journal()]
    equal(statuses, [204] * 4)


@check("a time of three days ago is replaced by that of receipt")
def _():
    old = datetime.now(timezone.utc) - timedelta(days=3)
    upload([{"TimeGenerated": old.isoformat(), "Text": "old"}])
    stored = datetime.fromisoformat(simulator.rows()[-1]["TimeGenerated"].replace("Z", "+00:00"))
    assert datetime.now(timezone.utc) - stored < timedelta(minutes=5), stored


@check("a text of more than 64 KB is cut without a word")
def _():
    upload([{"Text": "x" * 100_000}])
    equal(len(simulator.rows()[-1]["Text"]), 64 * 1024)


@check("a rule without the role is 403 OperationFailed")
def _():
    error = raises(HttpResponseError, lambda: upload([{"Text": "a"}], rule=NO_ROLE))
    equal((error.status_code, error.error.code), (403, "OperationFailed"))


@check("another token is refused")
def _():
    other = Credential("another")
    error = raises(ClientAuthenticationError, lambda: upload([{"Text": "a"}], credential=other))
    equal(error.status_code, 401)


@check("a rule and a stream that are not there are not found")
def _():
    raises(ResourceNotFoundError, lambda: upload([{"Text": "a"}], rule="dcr-9"))
    raises(ResourceNotFoundError, lambda: upload([{"Text": "a"}], stream="Custom-Other_CL"))


@check("a column that the stream does not declare is refused by its name, and nothing of the call is stored")
def _():
    before = len(simulator.rows())
    error = raises(HttpResponseError, lambda: upload([{"Text": "a"}, {"Other": 1}]))
    equal((error.status_code, "'Other'" in error.error.message), (400, True))
    equal(len(simulator.rows()), before)


@check("429 with Retry-After is waited out")
def _():
    simulator.forget()
    status = {"code": 429, "retry_after": "1"}
    simulator.fault({"status": status}, times="once")
    began = datetime.now()
    upload([{"Text": "after the wait"}])
    assert datetime.now() - began >= timedelta(seconds=1)
    equal([entry["status"] for entry in simulator.journal()], [429, 204])


@check("503 is tried again")
def _():
    simulator.forget()
    simulator.fault({"status": {"code": 503}}, times="once")
    upload([{"Text": "again"}])
    equal([entry["status"] for entry in simulator.journal()], [503, 204])


@check("a reply that is lost after the rows were stored is an error to the client, and not tried again")
def _():
    simulator.forget()
    before = len(simulator.rows())
    simulator.fault("drop_reply_after_write", times="once")
    raises(ServiceResponseError, lambda: upload([{"Text": "stored"}]))
    equal(len(simulator.rows()) - before, 1)


run("azure-monitor-ingestion")
