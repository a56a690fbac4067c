"""How far the work on a mail is, in words.

A search for a nonce has no memory: what is shown is how likely it was to be done by now, and what to expect from now
on.
"""

from typing import Any

from bmgate.cli.output import duration, moment

FINAL = ("ACKED", "NO_ACK_EXPECTED", "FAILED", "CANCELLED")
_WITHHELD = {"battery": "waits for mains power", "schedule": "waits for the hours set in [pow] schedule"}


def percentage(row: dict[str, Any]) -> str:
    """How likely its work was to be done by now, `43 %`; "" where there is none. `row` is one of the queue."""
    work = row.get("work")
    return f"{int(100 * work['probability'])} %" if work else ""


def prospect(row: dict[str, Any]) -> str:
    """What is done for the row now, and how long that may take."""
    work = row.get("work")
    if work is None:
        return _waiting(row)
    if work["withheld"]:
        return f"{work['object']}: {_WITHHELD.get(work['withheld'], work['withheld'])}"
    turn = "" if work["running"] else "waits its turn, "
    return f"{work['object']}: {turn}{expectation(work)}"


def expectation(work: dict[str, Any]) -> str:
    """The time to go of a job, or of all of them."""
    return f"about {duration(work['mean_seconds'])} more, 95 % within {duration(work['likely_seconds'])}"


def _waiting(row: dict[str, Any]) -> str:
    if row["state"] == "PUBLISHED":
        return f"waits for its confirmation until {moment(row['next_attempt'])}"
    if row["state"] == "REQUESTED":
        return f"waits for the recipient's key until {moment(row['next_attempt'])}"
    return "" if row["state"] in FINAL else "none now"
