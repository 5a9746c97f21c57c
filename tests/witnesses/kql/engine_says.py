"""duckdb-kql: the queries run over rows whose answers are counted by hand, and repeated rows change none of them."""

import json
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb_kql
from checks import check, equal, run

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
QUERIES = ROOT / "infra" / "kql"
TABLES = json.loads((QUERIES / "tables.json").read_text(encoding="utf-8"))
ROWS = json.loads((HERE / "rows.json").read_text(encoding="utf-8"))
SQL = {"string": "VARCHAR", "datetime": "TIMESTAMP", "long": "BIGINT", "boolean": "BOOLEAN"}
NOW = datetime.now(timezone.utc)

# Counted by hand. INC1 of contoso changed twice in one second; INC3 was deleted in the second in which it was made; the
# change request's rows come in the wrong order.
EXPECTED = {
    "latest-state": {
        ("contoso/incident/1", "In Progress"),
        ("contoso/incident/2", "Resolved"),
        ("fabrikam/incident/1", "New"),
        ("contoso/change_request/9", "Scheduled"),
    },
    "open-incidents": [("fabrikam", "INC1", "2 - High"), ("contoso", "INC1", "2 - High")],
    "incidents-by-priority": [("2026-03-01", "1 - Critical", 1), ("2026-03-01", "2 - High", 2)],
    "by-computer": [("web01", 3, 2), ("mail01", 1, 1)],
    "connector-status": [
        ("contoso", "ServiceNow rate problem", 2, "busy", "second", "wait more"),
        ("fabrikam", "Authentication", 1, "unauthorized", "third", "log in"),
    ],
    "token-expiry": [("contoso",)],
    "sync-lag": [("contoso", "ChangeRequest", 300), ("contoso", "Incident", 120)],
}

# What the retired connector's documentation has is conditions on its two tables and the names of their columns; these are
# the queries that they make up, and how many rows each answers with, counted by hand.
PUBLISHED = json.loads((HERE / "published.json").read_text(encoding="utf-8"))


def database(rows):
    """A database with these rows, in any order."""
    connection = duckdb_kql.connect()
    for table, columns in TABLES.items():
        declared = ", ".join(f'"{name}" {SQL[kind]}' for name, kind in columns.items())
        connection.execute(f'CREATE TABLE "{table}" ({declared})')
        for row in rows[table]:
            values = [moment(row.get(name)) if kind == "datetime" else row.get(name) for name, kind in columns.items()]
            values[0] = values[0] or NOW.replace(tzinfo=None)
            places = ", ".join("?" * len(values))
            connection.execute(f'INSERT INTO "{table}" VALUES ({places})', values)
    return connection


def moment(text):
    """A moment; `-2h` is one as seen from now."""
    if text is None:
        return None
    if text.endswith("h"):
        return (NOW + timedelta(hours=int(text[:-1]))).replace(tzinfo=None)
    return datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None)


def asked(connection, query):
    """The answer as a list of dictionaries."""
    answer = duckdb_kql.kql(connection, query)
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row)) for row in answer.fetchall()]


def told(name, rows):
    """Of an answer what is counted by hand."""
    match name:
        case "latest-state":
            return {(row["RecordKey"], row["IncidentState_s"] or row["CRState_s"]) for row in rows}
        case "open-incidents":
            columns = ("ServiceDeskConnectionName_s", "ServiceDeskId_s", "Priority_s")
        case "incidents-by-priority":
            return [(str(row["Day"])[:10], row["Priority_s"], row["Incidents"]) for row in rows]
        case "by-computer":
            columns = ("Computer", "Records", "Open")
        case "connector-status":
            columns = ("ServiceDeskConnectionName_s", "Category", "Errors", "Code", "Message", "Hint")
        case "token-expiry":
            columns = ("ServiceDeskConnectionName_s",)
        case "sync-lag":
            # A minute may pass while this runs.
            return [
                (row["ServiceDeskConnectionName_s"], row["ServiceDeskWorkItemType_s"], row["LagMinutes"] // 10 * 10)
                for row in rows
            ]
    return [tuple(row[column] for column in columns) for row in rows]


def replayed(seed):
    """Every row once, some of them again and again, under another run and at another time, in any order."""
    dice = random.Random(seed)
    rows = {}
    for table, its in ROWS.items():
        again = [dict(row, RunId=f"again-{n}") for n, row in enumerate(dice.choices(its, k=5 * len(its)))]
        rows[table] = its + again
        dice.shuffle(rows[table])
    return rows


equal(sorted(EXPECTED), sorted(path.stem for path in QUERIES.glob("*.kql")))

for name, expected in EXPECTED.items():
    query = (QUERIES / f"{name}.kql").read_text(encoding="utf-8")

    @check(f"{name} answers what was counted by hand")
    def _(name=name, query=query, expected=expected):
        equal(told(name, asked(database(ROWS), query)), expected)

    @check(f"{name} answers the same however often and in whatever order the rows come")
    def _(name=name, query=query, expected=expected):
        for seed in range(10):
            equal(told(name, asked(database(replayed(seed)), query)), expected)


for query, count in PUBLISHED.items():

    @check(f"the retired connector's query runs as it is: {query[:110]}")
    def _(query=query, count=count):
        equal(len(asked(database(ROWS), query)), count)


run("duckdb-kql")
