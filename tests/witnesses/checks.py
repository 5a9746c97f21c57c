"""One line per check, and the exit code of all of them."""

import sys
import traceback

_checks = []


def check(fact):
    """Registers a function as the check of a fact."""

    def register(function):
        _checks.append((fact, function))
        return function

    return register


def raises(kind, call):
    """The exception of `kind` that `call` ends with."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"nothing was raised, {kind} was expected")


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def run(client):
    """Runs every check, in the order of the file."""
    failed = 0
    for fact, function in _checks:
        try:
            function()
        except Exception:  # whatever a client throws is a failed check
            failed += 1
            print(f"FAILED {client}: {fact}", flush=True)
            traceback.print_exc(file=sys.stderr)
        else:
            print(f"ok {client}: {fact}", flush=True)
    sys.exit(1 if failed else 0)
