"""snowloader: exports that prove their own completeness."""

import logging
import socket
import urllib.request
from base64 import b64encode
from datetime import datetime, timedelta, timezone

from checks import check, equal, raises, run
from simulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PASSWORD, USER, Simulator
from snowloader import SnowConnection, SnowConnectionError, SweepIncompleteError

# It says on stderr what it tries again; here that is what it is meant to do.
logging.disable(logging.CRITICAL)

RECORDS = 230
HOST = "sn.localhost"

# It insists on a host name with a dot and letters at the end; this one is this machine.
_resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: _resolve("127.0.0.1" if host == HOST else host, *rest, **more)

simulator = Simulator(records=RECORDS)


def connection(of=simulator, **more):
    login = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} if not more.keys() & {"username", "token"} else {}
    return SnowConnection(f"http://{HOST}:{of.port}", page_size=more.pop("page_size", 50), retry_backoff=0.01, **login, **more)


def keys(records):
    return sorted(record["sys_id"] for record in records)


def stored(of=simulator, table="incident"):
    return keys(of.records(table))


def stamp(moment):
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def delete(of, sys_id):
    request = urllib.request.Request(f"{of.url}/api/now/table/incident/{sys_id}", method="DELETE")
    request.add_header("Authorization", "Basic " + b64encode(":".join(ADMIN).encode()).decode())
    with of.opener.open(request) as reply:
        equal(reply.status, 204)


@check("client credentials, password grant, basic and a given token all log in")
def _():
    access = connection()._acquire_oauth_token()
    for login in (
        {},
        {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "username": USER, "password": PASSWORD},
        {"username": USER, "password": PASSWORD},
        {"token": access},
    ):
        equal(connection(**login).get_count("incident"), RECORDS)


@check("a wrong password is a 401 with access_denied")
def _():
    wrong = connection(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, username=USER, password="wrong")
    error = raises(SnowConnectionError, lambda: wrong.get_count("incident"))
    equal(error.status_code, 401)
    assert "access_denied" in error.detail, error.detail


@check("an export by offset is complete")
def _():
    equal(keys(connection().get_records("incident", verify=True)), stored())


@check("an export by keyset is complete, and asks once more than there are pages")
def _():
    simulator.forget()
    equal(keys(connection().get_records("incident", verify=True, keyset=True)), stored())
    equal(len(simulator.journal("query")), RECORDS // 50 + 2)


@check("an export by four threads is complete")
def _():
    equal(keys(connection(page_size=20).concurrent_get_records("incident", verify=True, max_workers=4)), stored())


@check("an export with chosen fields in each way of display is complete")
def _():
    for display in ("true", "false", "all"):
        records = list(connection(display_value=display).get_records("incident", fields=["sys_id", "state", "opened_by"], verify=True))
        equal(len(records), RECORDS)
        equal(set(records[0]), {"sys_id", "state", "opened_by"})


@check("a count with a condition agrees with the records")
def _():
    open_ones = [record for record in simulator.records("incident") if record["state"] in ("1", "2")]
    equal(connection().get_count("incident", query="stateIN1,2"), len(open_ones))


hiding = Simulator(records=RECORDS, hidden={"incident": "urgency=2^ORstate=6"}, link_style="older")


def visible():
    return keys(r for r in hiding.records("incident") if r["urgency"] != "2" and r["state"] != "6")


@check("behind access controls pages are short, and the walk to the empty page finds all that is visible")
def _():
    hiding.forget()
    equal(keys(connection(hiding, page_size=20).get_records("incident")), visible())
    assert 0 < len(visible()) < RECORDS
    equal(len(hiding.journal("query")), RECORDS // 20 + 2)


@check("the same by keyset")
def _():
    equal(keys(connection(hiding, page_size=20).get_records("incident", keyset=True)), visible())


@check("the same by four threads")
def _():
    equal(keys(connection(hiding, page_size=20).concurrent_get_records("incident", max_workers=4)), visible())


@check("the completeness check sees what the access controls hide")
def _():
    error = raises(SweepIncompleteError, lambda: list(connection(hiding).get_records("incident", verify=True)))
    equal(error.report.missing, RECORDS - len(visible()))
    equal(error.report.duplicates, 0)


@check("a page of hidden records alone ends a walk too early: the trap is there")
def _():
    walled = Simulator(records=60, hidden={"incident": "number<INC0010041^number>=INC0010021"})
    equal(len(list(connection(walled, page_size=20).get_records("incident"))), 20)
    equal(walled.journal("query")[-1]["status"], 200)
    equal(len(list(connection(walled, page_size=20).concurrent_get_records("incident"))), 40)


@check("a server that repeats a page is noticed")
def _():
    simulator.forget()
    simulator.fault("query", "same_page_twice", nth=3)
    error = raises(SnowConnectionError, lambda: list(connection().get_records("incident")))
    assert "stopped advancing" in str(error), error
    simulator.forget()


@check("broken documents, null, bare lists, maintenance pages, 429 and 503 are retried to completeness")
def _():
    faults = (
        "broken_json_with200",
        "null200",
        "bare_list200",
        "html200",
        "hibernating",
        "semaphore429",
        "reset_before_read",
        {"status": {"code": 503, "body": "html"}},
        {"status": {"code": 429, "retry_after": "0"}},
    )
    for fault in faults:
        simulator.forget()
        simulator.fault("query", fault, nth=2)
        equal(keys(connection().get_records("incident", verify=True)), stored())
        equal(len(simulator.journal("query")), RECORDS // 50 + 3)
    simulator.forget()


@check("a body that is cut is an error, not a short page")
def _():
    simulator.forget()
    simulator.fault("query", {"cut_body": {"after_bytes": 100}}, nth=2)
    error = raises(SnowConnectionError, lambda: list(connection().get_records("incident")))
    assert "ended prematurely" in str(error), error
    simulator.forget()


@check("a token that expires early is asked for again")
def _():
    simulator.forget()
    simulator.fault("query", "token_expired_early", nth=2)
    equal(keys(connection().get_records("incident", verify=True)), stored())
    equal([entry["kind"] for entry in simulator.journal()].count("token"), 2)
    simulator.forget()


@check("what changed since a time is found")
def _():
    records = sorted(simulator.records("incident"), key=lambda r: r["sys_updated_on"])
    cutoff = datetime.strptime(records[100]["sys_updated_on"], "%Y-%m-%d %H:%M:%S")
    expected = keys(r for r in records if r["sys_updated_on"] > stamp(cutoff))
    equal(keys(connection().get_records("incident", since=cutoff, verify=True)), expected)


@check("children of a table are found in sys_db_object")
def _():
    found = connection().get_table_descendants("cmdb_ci")
    assert {"cmdb_ci", "cmdb_ci_computer", "cmdb_ci_server", "cmdb_ci_linux_server", "cmdb_ci_vm_instance"} <= set(found), found
    assert "incident" not in found


@check("deletes are found under the real class, asked for by the parent")
def _():
    changing = Simulator(records=30)
    start = datetime.now(timezone.utc) - timedelta(seconds=5)
    records = changing.records("incident")
    gone = keys(records[:3])
    for key in gone:
        delete(changing, key)
    admin = connection(changing, username=ADMIN[0], password=ADMIN[1])
    rows = list(admin.get_deleted_records("task", since=start, check_horizon=False))
    equal((keys(rows), {row["table"] for row in rows}), (gone, {"incident"}))
    equal(list(admin.get_deleted_records("cmdb_ci", since=start)), [])
    assert admin.get_deletion_horizon() >= start.replace(microsecond=0)
    refused = raises(SnowConnectionError, lambda: list(connection(changing).get_deleted_records("task", since=start)))
    equal(refused.status_code, 403)


def churned(**walk):
    """Walks a table while records that were read are changed and deleted; the keys read, and those that stood throughout."""
    changing = Simulator(records=200)
    before, gone, read = stored(changing), set(), []
    for n, record in enumerate(connection(changing, page_size=20).get_records("incident", **walk)):
        read.append(record["sys_id"])
        if n % 10 == 9 and n < 150:
            changing.edit("incident", read[n - 5], short_description=f"changed {n}")
            changing.edit("incident", before[-1 - n // 10], short_description=f"changed ahead {n}")
            delete(changing, read[n - 8])
            gone.add(read[n - 8])
    return read, [key for key in before if key not in gone]


@check("a table that is changed and shrinks while it is walked by keyset gives every record that stands, once")
def _():
    read, standing = churned(keyset=True)
    equal(len(read), len(set(read)))
    equal([key for key in standing if key not in read], [])


@check("the same by offset loses records: rows move up under it")
def _():
    read, standing = churned()
    lost = [key for key in standing if key not in read]
    assert len(lost) > 0, "the trap is not there"


@check("added, changed and deleted are told apart")
def _():
    changing = Simulator(records=30)
    records = changing.records("incident")
    start = datetime.now(timezone.utc) - timedelta(minutes=5, seconds=30)
    new = keys(r for r in records if r["sys_created_on"] >= stamp(start))
    delete(changing, records[0]["sys_id"])
    changing.edit("incident", records[1]["sys_id"], short_description="by hand")
    report = connection(changing, username=ADMIN[0], password=ADMIN[1]).reconcile("incident", since=start)
    equal(keys(report.added), new)
    equal(keys(report.updated), [records[1]["sys_id"]])
    equal(keys(report.deleted), [records[0]["sys_id"]])


@check("a table that does not exist and a record that does not exist are told")
def _():
    equal(raises(SnowConnectionError, lambda: connection().get_count("incidentx")).status_code, 400)
    equal(raises(SnowConnectionError, lambda: connection().get_record("incident", "0" * 32)).status_code, 404)


run("snowloader")
