"""`bmgate failpoints`: where a test can kill the gateway."""

import click

from bmgate.cli.options import json_option

SERVICE_POINTS = {
    "submission.begin": "a mail was read, its transaction has begun",
    "submission.stored": "a mail and its rows are written, nothing is committed",
    "submission.committed": "a mail is on disk, its sender has no answer yet",
    "receiving.recorded": "a batch of objects was judged and delivered, nothing is committed",
    "receiving.committed": "a batch of objects is processed, nobody was told yet",
    "delivery.store": "a message is about to be stored in a mailbox",
    "pubkey.begun": "a pubkey is signed and written, nothing is committed",
    "pubkey.published": "a pubkey stands in the inventory, nothing is committed",
    "append.begin": "a message of a client is about to be stored",
    "append.stored": "a message of a client is written, nothing is committed",
    "append.committed": "a message of a client is on disk, the client has no answer yet",
    "expunge.begin": "messages are about to be expunged",
    "expunge.committed": "messages are gone, the client has no answer yet",
    "move.stored": "messages are copied, not yet gone from where they were",
}
"""Points that the services pass, and what has happened there; storage keeps its own."""


@click.command()
@json_option
def failpoints(as_json: bool) -> None:
    """List the places where a test can kill the gateway.

    BMGATE_FAILPOINT=NAME:N ends the gateway at the N-th pass of a place, as kill -9 would. Refused on the main
    network.
    """
    from bmgate.cli.output import print_facts, print_json
    from bmgate.storage.failpoints import FAILPOINTS

    points = FAILPOINTS | SERVICE_POINTS | _outbox_points()
    if as_json:
        print_json(points)
    else:
        print_facts(points)


def _outbox_points() -> dict[str, str]:
    """Every event of the outbox has two."""
    from bmgate.domain.outbox import Event

    return {f"outbox.{event}": f"{event} is about to be recorded of a row" for event in Event} | {
        f"outbox.{event}.committed": f"{event} of a row is on disk, its effects are not begun" for event in Event
    }
