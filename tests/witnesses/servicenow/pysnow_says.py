"""pysnow: OAuth by password and by refresh token, plain CRUD, and a parser that streams."""

import os

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

from datetime import datetime

import ijson
import pysnow
import pysnow.exceptions
import requests
from checks import check, equal, raises, run
from simulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PASSWORD, USER, Simulator

RECORDS = 250
KEY = "00000000000000000000000000000a11"
simulator = Simulator(records=RECORDS, import_sets=[{}], events_take_ms=0)


def oauth(**more):
    return pysnow.OAuthClient(
        client_id=CLIENT_ID, client_secret=CLIENT_SECRET, host=simulator.address, use_ssl=False, **more
    )


def logged_in():
    client = oauth()
    client.set_token(client.generate_token(USER, PASSWORD))
    return client


def incidents():
    return logged_in().resource(api_path="/table/incident")


def as_admin(path):
    client = pysnow.Client(host=simulator.address, user=ADMIN[0], password=ADMIN[1], use_ssl=False)
    return client.resource(api_path=path)


@check("the password grant gives both tokens, and the same ones again")
def _():
    first, second = (oauth().generate_token(USER, PASSWORD) for _ in range(2))
    equal(first["access_token"], second["access_token"])
    equal(first["refresh_token"], second["refresh_token"])
    equal((first["token_type"], first["scope"]), ("Bearer", ["useraccount"]))
    assert 1790 <= second["expires_in"] <= 1800


@check("a wrong password is refused with access_denied")
def _():
    error = raises(pysnow.exceptions.TokenCreateError, lambda: oauth().generate_token(USER, "wrong"))
    equal((error.error, error.description), ("Error creating user token", "access_denied"))


@check("a wrong client secret is refused with the same words")
def _():
    client = pysnow.OAuthClient(client_id=CLIENT_ID, client_secret="wrong", host=simulator.address, use_ssl=False)
    error = raises(pysnow.exceptions.TokenCreateError, lambda: client.generate_token(USER, PASSWORD))
    equal(error.description, "access_denied")


@check("an expired access token is renewed by the refresh token, which stays the same")
def _():
    kept = []
    client = oauth(token_updater=kept.append)
    token = client.generate_token(USER, PASSWORD)
    client.set_token({**token, "expires_at": 1})
    client.resource(api_path="/table/incident").get(limit=1).one()
    equal(len(kept), 1)
    equal(kept[0]["refresh_token"], token["refresh_token"])
    assert kept[0]["access_token"] != token["access_token"]


@check("an unknown access token is a 401")
def _():
    client = oauth()
    token = client.generate_token(USER, PASSWORD)
    client.set_token({**token, "access_token": "unknown"})
    error = raises(requests.HTTPError, client.resource(api_path="/table/incident").get(limit=1).one)
    equal(error.response.status_code, 401)


@check("blank sysparm_fields and sysparm_view mean everything")
def _():
    record = incidents().get(limit=1).one()
    assert {"sys_id", "number", "short_description", "state", "cmdb_ci", "sys_mod_count"} <= set(record)
    equal(set(record), set(simulator.records("incident")[0]))


@check("a stream gives every record, and the count is in the header")
def _():
    reply = incidents().get(stream=True)
    equal(sorted(record["sys_id"] for record in reply.all()), sorted(r["sys_id"] for r in simulator.records("incident")))
    equal(reply.headers["X-Total-Count"], str(RECORDS))


@check("offset pages over a full order meet every record once")
def _():
    seen = []
    for offset in range(0, RECORDS, 40):
        page = incidents().get(query="ORDERBYsys_created_on^ORDERBYsys_id", limit=40, offset=offset, fields=["sys_id"])
        seen += [record["sys_id"] for record in page.all()]
    equal(len(seen), RECORDS)
    equal(len(set(seen)), RECORDS)


@check("a query builder finds what the records say")
def _():
    query = pysnow.QueryBuilder().field("state").equals(["1", "2"]).AND().field("urgency").equals("1")
    query = query.AND().field("short_description").contains("Site").AND().field("sys_id").order_ascending()
    expected = sorted(
        r["sys_id"]
        for r in simulator.records("incident")
        if r["state"] in ("1", "2") and r["urgency"] == "1" and "Site" in r["short_description"]
    )
    assert expected
    equal([r["sys_id"] for r in incidents().get(query=query, fields=["sys_id"]).all()], expected)


@check("a span of time by gs.dateGenerate is read as UTC for a user in UTC")
def _():
    records = simulator.records("incident")
    start, end = records[50]["sys_created_on"], records[99]["sys_created_on"]
    parse = lambda text: datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    query = pysnow.QueryBuilder().field("sys_created_on").between(parse(start), parse(end))
    expected = [r["sys_id"] for r in records if start <= r["sys_created_on"] <= end]
    equal(len(expected), 50)
    equal(sorted(r["sys_id"] for r in incidents().get(query=query).all()), sorted(expected))


@check("a misspelt field finds everything")
def _():
    equal(len(incidents().get(query={"corelation_id": "x"}, fields=["sys_id"]).all()), RECORDS)


@check("display values come with links, or without")
def _():
    shown = incidents().get(limit=1, query={"state": "1"}, display_value="all").one()
    equal(shown["state"], {"display_value": "New", "value": "1"})
    assert shown["opened_by"]["link"].startswith(f"{simulator.url}/api/now/table/sys_user/")
    equal(shown["opened_by"]["display_value"], "Abel Tuter")
    bare = incidents().get(limit=1, exclude_reference_link=True).one()
    assert isinstance(bare["opened_by"], str) and len(bare["opened_by"]) == 32


@check("a record is created, read, changed and deleted")
def _():
    created = incidents().create({"short_description": "Disk full", "urgency": "1", "correlation_id": "azm-1"}).one()
    assert created["number"].startswith("INC00102")
    equal((created["priority"], created["state"], created["active"]), ("3", "1", "true"))
    changed = incidents().update({"correlation_id": "azm-1"}, {"impact": "1", "work_notes": "still full"}).one()
    equal((changed["priority"], changed["sys_mod_count"], changed["work_notes"]), ("1", "1", ""))
    notes = [r["value"] for r in simulator.records("sys_journal_field") if r["element_id"] == created["sys_id"]]
    equal(notes, ["still full"])
    gone = as_admin("/table/incident").delete({"sys_id": created["sys_id"]})
    equal(gone["status"], "record deleted")
    raises(pysnow.exceptions.NoResults, incidents().get(query={"correlation_id": "azm-1"}).one)
    filed = as_admin("/table/sys_audit_delete").get(query={"documentkey": created["sys_id"]}).one()
    equal((filed["tablename"], filed["display_value"]), ("incident", created["number"]))


@check("resolving without code and notes is refused, with them it is not")
def _():
    created = incidents().create({"short_description": "to resolve"}).one()
    error = raises(requests.HTTPError, incidents().update({"sys_id": created["sys_id"]}, {"state": "6"}).one)
    equal(error.response.status_code, 403)
    assert "Data Policy" in error.response.json()["error"]["detail"]
    fields = {"state": "6", "close_code": "Solution provided", "close_notes": "done"}
    equal(incidents().update({"sys_id": created["sys_id"]}, fields).one()["state"], "6")
    as_admin("/table/incident").delete({"sys_id": created["sys_id"]})


@check("a chosen sys_id is taken once")
def _():
    equal(incidents().create({"sys_id": KEY, "short_description": "first"}).one()["sys_id"], KEY)
    error = raises(requests.HTTPError, incidents().create({"sys_id": KEY, "short_description": "second"}).one)
    equal(error.response.status_code, 403)
    assert "Unique Key violation" in error.response.json()["error"]["detail"]
    equal(incidents().get(query={"sys_id": KEY}).one()["short_description"], "first")
    as_admin("/table/incident").delete({"sys_id": KEY})


@check("a document that breaks after some rows gives the rows, then an error of the parser")
def _():
    simulator.fault("query", "broken_json_with200")
    rows = incidents().get(stream=True, query="ORDERBYsys_id").all()
    seen = []

    def one_by_one():
        for row in rows:
            seen.append(row["sys_id"])

    raises(ijson.JSONError, one_by_one)
    equal(len(seen), RECORDS // 2)
    equal(seen, sorted(r["sys_id"] for r in simulator.records("incident"))[: RECORDS // 2])


@check("the same document read at once is no JSON")
def _():
    simulator.fault("query", "broken_json_with200")
    raises(ValueError, incidents().get().all)


@check("a dropped request is an empty 202")
def _():
    simulator.fault("query", "empty202")
    raises(pysnow.exceptions.EmptyContent, lambda: list(incidents().get(stream=True).all()))


@check("an error body with 200 is an error")
def _():
    simulator.fault("query", "error_body_with200")
    error = raises(pysnow.exceptions.ResponseError, lambda: list(incidents().get(stream=True).all()))
    assert "maximum execution time exceeded" in error.message


@check("a hibernating instance is HTML with 200")
def _():
    simulator.fault("query", "hibernating")
    raises(ValueError, incidents().get().all)


@check("a reply lost after the write leaves the record")
def _():
    simulator.fault("create", "drop_reply_after_write")
    raises(requests.ConnectionError, lambda: incidents().create({"correlation_id": "azm-lost"}))
    equal(incidents().get(query={"correlation_id": "azm-lost"}).one()["correlation_id"], "azm-lost")
    equal(simulator.journal("create")[-1]["execution"], "executed")


@check("a reset before the request is read leaves none")
def _():
    simulator.fault("create", "reset_before_read")
    raises(requests.ConnectionError, lambda: incidents().create({"correlation_id": "azm-reset"}))
    raises(pysnow.exceptions.NoResults, incidents().get(query={"correlation_id": "azm-reset"}).one)


@check("a 500 may have committed")
def _():
    simulator.fault("create", "commit_then500")
    error = raises(requests.HTTPError, incidents().create({"correlation_id": "azm-500"}).one)
    equal(error.response.status_code, 500)
    assert "maximum execution time exceeded" in error.response.json()["error"]["message"]
    equal(incidents().get(query={"correlation_id": "azm-500"}).one()["correlation_id"], "azm-500")


@check("a table that does not exist is a 400")
def _():
    error = raises(requests.HTTPError, logged_in().resource(api_path="/table/incidentx").get().one)
    equal((error.response.status_code, error.response.json()["error"]["message"]), (400, "Invalid table incidentx"))


@check("an event is taken, becomes an alert under its key, and its end closes the alert")
def _():
    events = logged_in().resource(base_path="/api/global", api_path="/em/jsonv2")
    event = {"source": "witness", "message_key": "witness-1", "node": "web01", "severity": "2", "additional_info": "{}"}
    equal(events.create({"records": [event]}).one(), {"Default Bulk Endpoint": "1 events were inserted"})
    alerts = logged_in().resource(api_path="/table/em_alert")
    found = alerts.get(query={"message_key": "witness-1"}).one()
    equal((found["state"], found["severity"], found["number"][:5]), ("Open", "2", "Alert"))
    events.create({"records": [{**event, "severity": "0"}]})
    equal(alerts.get(query={"message_key": "witness-1"}).one()["state"], "Closed")


@check("an event with a column that events do not have is refused")
def _():
    events = logged_in().resource(base_path="/api/global", api_path="/em/jsonv2")
    refused = events.create({"records": [{"severity": "1", "u_team": "x"}]})
    equal(raises(requests.HTTPError, refused.one).response.status_code, 400)


@check("a row of a staging table is an incident, and a second one with the same key changes it")
def _():
    rows = logged_in().resource(api_path="/import/u_azure_alert")
    made, again = (
        rows.create({"correlation_id": "witness-2", "short_description": text}).all()[0] for text in ("a", "b")
    )
    equal((made["status"], made["table"], made["display_name"]), ("inserted", "incident", "number"))
    equal((again["status"], again["sys_id"]), ("updated", made["sys_id"]))
    found = incidents().get(query={"correlation_id": "witness-2"}).one()
    equal((found["number"], found["short_description"]), (made["display_value"], "b"))


run("pysnow")
