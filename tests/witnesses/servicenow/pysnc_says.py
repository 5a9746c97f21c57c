"""PySNC, ServiceNow's own client: TLS, three ways to log in, records as GlideRecord."""

import os

from simulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PASSWORD, USER, Simulator

RECORDS = 45
simulator = Simulator(records=RECORDS, tls=True)
os.environ["REQUESTS_CA_BUNDLE"] = simulator.ca

from checks import check, equal, raises, run
from pysnc import ServiceNowClient
from pysnc.auth import ServiceNowClientCredentialsFlow, ServiceNowPasswordGrantFlow
from pysnc.exceptions import AuthenticationException, NotFoundException, RequestException, RoleException

KEY = "00000000000000000000000000000b22"


def client(auth=None, **more):
    return ServiceNowClient(simulator.url, auth or (USER, PASSWORD), **more)


def incidents(auth=None, batch_size=10, **more):
    return client(auth, **more).GlideRecord("incident", batch_size=batch_size)


@check("basic, password grant and client credentials log in over TLS")
def _():
    flows = (
        (USER, PASSWORD),
        ServiceNowPasswordGrantFlow(USER, PASSWORD, CLIENT_ID, CLIENT_SECRET),
        ServiceNowClientCredentialsFlow(CLIENT_ID, CLIENT_SECRET),
    )
    for flow in flows:
        record = incidents(flow)
        record.query()
        equal(len(record), RECORDS)
    equal({entry["user"] for entry in simulator.journal("query")}, {USER})


@check("wrong secrets are refused")
def _():
    flow = ServiceNowClientCredentialsFlow(CLIENT_ID, "wrong")
    error = raises(AuthenticationException, lambda: client(flow))
    assert "access_denied" in str(error), error
    raises(AuthenticationException, lambda: incidents((USER, "wrong")).query())


@check("batches walk the whole table in order")
def _():
    simulator.forget()
    record = incidents()
    record.order_by("number")
    record.query()
    numbers = [row.get_value("number") for row in record]
    equal(numbers, sorted(r["number"] for r in simulator.records("incident")))
    equal(len(simulator.journal("query")), 5)


@check("conditions find what the records say")
def _():
    all_records = simulator.records("incident")
    cases = (
        (("urgency", "1"), lambda r: r["urgency"] == "1"),
        (("urgency", "<", "3"), lambda r: int(r["urgency"]) < 3),
        (("state", "IN", "1,2"), lambda r: r["state"] in ("1", "2")),
        (("state", "NOT IN", "1,2"), lambda r: r["state"] not in ("1", "2")),
        (("short_description", "STARTSWITH", "Backup"), lambda r: r["short_description"].startswith("Backup")),
        (("short_description", "ENDSWITH", "web03"), lambda r: r["short_description"].endswith("web03")),
        (("short_description", "CONTAINS", "slow"), lambda r: "slow" in r["short_description"]),
        (("short_description", "DOES NOT CONTAIN", "slow"), lambda r: "slow" not in r["short_description"]),
        (("short_description", "LIKE", "slow"), lambda r: "slow" in r["short_description"]),
    )
    for condition, means in cases:
        record = incidents()
        record.add_query(*condition)
        record.query()
        expected = sorted(r["sys_id"] for r in all_records if means(r))
        assert 0 < len(expected) < RECORDS, condition
        equal((condition, sorted(str(row.sys_id) for row in record)), (condition, expected))


@check("or and emptiness")
def _():
    record = incidents()
    record.add_query("urgency", "1").add_or_condition("urgency", "3")
    record.add_null_query("resolved_at")
    record.query()
    expected = [r for r in simulator.records("incident") if r["urgency"] in "13" and not r["resolved_at"]]
    equal(len(record), len(expected))
    record = incidents()
    record.add_not_null_query("resolved_at")
    record.query()
    equal(len(record), len([r for r in simulator.records("incident") if r["resolved_at"]]))


@check("value, display value and a walk through a reference")
def _():
    record = incidents()
    record.fields = ["state", "opened_by", "opened_by.email"]
    record.add_query("state", "1")
    record.query()
    assert record.next()
    equal((record.get_value("state"), record.get_display_value("state")), ("1", "New"))
    equal((record.get_display_value("opened_by"), len(record.get_value("opened_by"))), ("Abel Tuter", 32))
    equal(record.get_value("opened_by.email"), "abel.tuter@instance.example")


@check("a record is found by its key, one that is not there is not")
def _():
    known = simulator.records("incident")[0]
    record = incidents()
    assert record.get(known["sys_id"])
    equal(str(record.number), known["number"])
    assert not incidents().get("0" * 32)


@check("a record is inserted, changed and deleted")
def _():
    record = incidents(ADMIN)
    record.initialize()
    record.short_description = "made by PySNC"
    record.urgency = "1"
    key = str(record.insert())
    equal(len(key), 32)
    equal((str(record.number), str(record.priority)), ("INC0010046", "3"))
    record.impact = "1"
    record.update()
    equal((str(record.priority), str(record.sys_mod_count)), ("1", "1"))
    assert record.delete()
    assert not incidents().get(key)
    equal([row["documentkey"] for row in simulator.records("sys_audit_delete")], [key])


@check("a chosen key is kept, and is refused the second time")
def _():
    def insert():
        record = incidents(ADMIN)
        record.initialize()
        record.set_new_guid_value(KEY)
        record.short_description = "chosen"
        return record.insert()

    equal(str(insert()), KEY)
    error = raises(RoleException, insert)
    assert "Unique Key violation" in str(error), error
    record = incidents(ADMIN)
    assert record.get(KEY) and record.delete()


@check("who lacks the role is refused")
def _():
    record = incidents(("joe.employee", "joe.employee-password"))
    record.initialize()
    record.short_description = "not allowed"
    error = raises(RoleException, record.insert)
    assert "ACL Exception Insert Failed" in str(error), error


@check("a gateway that is down twice is asked three times")
def _():
    simulator.forget()
    simulator.fault("query", {"status": {"code": 503, "body": "html"}}, times={"n": 2})
    record = incidents()
    record.query()
    equal([entry["status"] for entry in simulator.journal("query")], [503, 503, 200])


@check("a broken document is told as a transaction that took too long")
def _():
    simulator.forget()
    simulator.fault("query", "broken_json_with200")
    error = raises(RequestException, incidents().query)
    assert "Maximum execution time exceeded" in str(error), error


@check("an unknown table is an error, an unknown field is not")
def _():
    error = raises(RequestException, client().GlideRecord("incidentx").query)
    assert "Invalid table incidentx" in str(error), error
    record = incidents()
    record.add_query("corelation_id", "x")
    record.query()
    equal(len(record), RECORDS)


run("pysnc")
