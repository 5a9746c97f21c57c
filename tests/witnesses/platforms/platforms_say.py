"""A real alert, fired and resolved, on each platform over each store; and the same journal bytes everywhere."""

import json
import os
import sys
import traceback

import platforms
import stores
from world import KeyVault, ServiceNow, wait_for

FIXTURES = os.path.join(os.environ["ROOT"], "tests", "fixtures", "common_alert_schema")


def alert(name):
    with open(os.path.join(FIXTURES, f"{name}.json"), "rb") as file:
        return file.read()


def states(product):
    return sorted(one["state"] for one in product.incidents())


def taken(reply):
    """503 asks for it once more, as long as nobody has seen that the store is sound."""
    return reply if reply.status != 503 else None


def run(platform, store, vault, product):
    """What is seen of one platform, as facts; the first that does not hold ends it."""
    where = f"{platform.name}, {store.name}"
    # That the store honours create-only writes is seen by the first tick; until then no alert is taken from a server that is not
    # the cloud's own.
    platform.tick()

    early = json.loads(alert("metric_fired"))
    early["data"]["essentials"]["alertId"] += "8"
    reply = wait_for("the store", lambda: taken(platform.deliver(json.dumps(early).encode())))
    said = platforms.said(platform)[-2000:]
    assert (reply.status, reply.json()["outcome"]) == (202, "pending"), (where, reply.status, reply.body, said)
    assert product.incidents() == []
    vault.comes_back()
    # That it could not be asked is believed for half a minute.
    wait_for("the vault", lambda: platform.tick() or len(product.incidents()) == 1, 120)
    yield f"{where}: an alert that comes while the vault is away is made when it is back ({vault.name})"

    fired = platform.deliver(alert("metric_fired"))
    said = platforms.said(platform)[-2000:]
    assert fired.status == 200, (where, fired.status, fired.body, said)
    assert fired.json()["outcome"] == "created", fired.body
    assert states(product) == ["1", "1"], product.incidents()
    yield f"{where}: a fired alert is an incident"

    again = platform.deliver(alert("metric_fired"))
    assert again.json()["outcome"] == "duplicate" and len(product.incidents()) == 2, again.body
    yield f"{where}: the same alert again makes nothing"

    resolved = platform.deliver(alert("metric_resolved"))
    assert (resolved.status, resolved.json()["outcome"]) == (200, "resolved"), (resolved.status, resolved.body)
    assert states(product) == ["1", "6"], product.incidents()
    yield f"{where}: its end resolves the incident"

    # The alerts of this action are counted before any is made, so that only the timer makes them.
    counted = json.loads(alert("metric_fired"))
    counted["data"]["essentials"]["alertId"] += "9"
    reply = platform.deliver(json.dumps(counted).encode(), "counted")
    assert (reply.status, reply.json()["outcome"]) == (202, "pending"), (reply.status, reply.body)
    platform.tick()
    wait_for("the timer", lambda: len(product.incidents()) == 3, 90)
    yield f"{where}: the timer makes what is pending"

    refused = platform.deliver(b"x" * (1024 * 1024 + 1))
    assert refused.status == 413, (refused.status, refused.body[:200])
    yield f"{where}: a body that is too large is refused"


def main():
    azure, moto, ministack = stores.Azurite(), stores.moto(), stores.ministack()
    in_ministack = stores.S3(ministack)
    # ministack gives its functions keys of a role that nobody else knows, so that AWS's way to Entra is shown on the other.
    places = [
        (platforms.LambdaWatch, stores.S3(moto), KeyVault(0, "aws")),
        (lambda environment: platforms.Ministack(environment, ministack), in_ministack, KeyVault(1, "secret")),
        (platforms.FunctionsHost, azure, KeyVault(2, "managed")),
        (platforms.Desk, stores.Folder(), KeyVault(3, "secret")),
    ]
    failed, journals = 0, {}
    for number, (begin, store, vault) in enumerate(places):
        try:
            product = ServiceNow(f"servicenow-{number}")
            vault.keep(product)
            vault.goes_away()
            # Private, or without TLS: each is named.
            allowed = [product.address, *vault.addresses, *filter(None, [store.address])]
            platform = begin({**store.environment, **vault.environment, "ITSMC_ALLOW_HOSTS": ",".join(allowed)})
            for fact in run(platform, store, vault, product):
                print(f"ok {fact}", flush=True)
            journals[f"{platform.name}, {store.name}"] = store.journal()
        except Exception:  # whatever breaks is a failed check
            failed += 1
            print(f"FAILED {store.name}", flush=True)
            traceback.print_exc(file=sys.stderr)
    first = next(iter(journals.values()), {})
    same = len(journals) == len(places) and len(first) == 4 and all(one == first for one in journals.values())
    names = "; ".join(journals)
    if same:
        print(f"ok the same {len(first)} alerts are the same journal, byte for byte: {names}", flush=True)
    else:
        failed += 1
        print(f"FAILED the journals differ, or are not all there: { {name: sorted(one) for name, one in journals.items()} }", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
