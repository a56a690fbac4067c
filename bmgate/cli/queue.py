"""`bmgate queue`: outgoing mail, as its sender sees it."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from bmgate.cli.calls import call, follow
from bmgate.cli.options import account_option, json_option, place_options
from bmgate.cli.output import duration, moment, print_facts, print_json, print_table, printable
from bmgate.cli.progress import percentage, prospect

F = TypeVar("F", bound=Callable[..., Any])


def mail_options(command: F) -> F:
    """What the commands on one mail take behind its queue id."""
    return account_option(json_option(place_options(command)))


@click.group()
@place_options
def queue() -> None:
    """Outgoing mail: what became of it, what it costs, cancel, retry, force, priority, ttl.

    Each mail has a queue id such as 7KQ2AB and one row per recipient: 7KQ2AB-1, 7KQ2AB-2, ...
    A bare queue id means all of them.
    """


@queue.command("list")
@account_option
@click.option("--all", "everything", is_flag=True, help="Also what has come to its end.")
@json_option
@place_options
def list_queue(account: str, everything: bool, as_json: bool) -> None:
    """List mail on its way, newest first."""
    _print_rows(call("queue.list", account=account, all=everything), as_json)


@queue.command()
@click.argument("id")
@mail_options
def show(id: str, account: str, as_json: bool) -> None:  # noqa: A002 - the argument's name
    """Show a mail, what its proof of work costs, and its history.

    The price is the work still ahead: the message, the acknowledgement inside it, and the question for the recipient's
    key. Before they are built it is an estimate.
    """
    result = call("queue.show", account=account, id=id)
    if as_json:
        print_json(result)
        return
    for number, row in enumerate(result):
        click.echo("\n" if number else "", nl=False)
        _print_row(row)


@queue.command()
@click.argument("id", required=False, default="")
@account_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: rows that changed, and all the work.")
@place_options
def watch(id: str, account: str, as_json: bool) -> None:  # noqa: A002
    """Show the work on a mail, or on all mail on its way, as it goes on.

    A search for a nonce has no memory: the bar is how likely it was to be done by now, and the time is an average from
    now on, never a countdown. Ends when every mail has come to its end, or with Ctrl-C.
    """
    from bmgate.cli.watching import watching

    with watching(as_json) as show:
        follow("queue.watch", show, account=account, id=id)


@queue.command()
@click.argument("id")
@click.argument("level", type=click.Choice(["high", "normal", "low"]))
@mail_options
def priority(id: str, level: str, account: str, as_json: bool) -> None:  # noqa: A002
    """Work on a mail before, or after, the other mail of the account."""
    _print_rows(call("queue.priority", account=account, id=id, priority=level), as_json)


@queue.command()
@click.argument("id")
@click.argument("ttl")
@mail_options
def ttl(id: str, ttl: str, account: str, as_json: bool) -> None:  # noqa: A002
    """Let a mail that is not published yet stay on the network for so long: 12h, 4d, at most 28d.

    The work for a mail grows with that time. Work that is under way begins anew.
    """
    _print_rows(call("queue.ttl", account=account, id=id, ttl=ttl), as_json)


@queue.command()
@click.argument("id")
@mail_options
def cancel(id: str, account: str, as_json: bool) -> None:  # noqa: A002
    """Stop a mail that is not published yet."""
    _print_rows(call("queue.cancel", account=account, id=id), as_json)


@queue.command()
@click.argument("id")
@mail_options
def retry(id: str, account: str, as_json: bool) -> None:  # noqa: A002
    """Ask for the key, or send, without waiting for the time set; also what a send delay holds."""
    _print_rows(call("queue.retry", account=account, id=id), as_json)


@queue.command()
@click.argument("id")
@mail_options
def force(id: str, account: str, as_json: bool) -> None:  # noqa: A002
    """Do the work for a recipient who demands more of it than max_difficulty."""
    _print_rows(call("queue.force", account=account, id=id), as_json)


def _print_rows(result: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    columns = ("ID", "STATE", "RECIPIENT", "ATTEMPT", "GIVEN", "NEXT")
    print_table(columns, [_cells(row) for row in result])


def _cells(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["id"],
        _state(row),
        row["recipient"],
        row["attempt"],
        moment(row["created_at"]),
        moment(row["next_attempt"]),
    )


def _state(row: dict[str, Any]) -> str:
    if row["reason"]:
        return f"{row['state']} ({row['reason']})"
    if row["no_retry"] and row["state"] == "PUBLISHED":
        return f"{row['state']} (no further attempt)"
    return f"{row['state']} {percentage(row)}".rstrip()


def _print_row(row: dict[str, Any]) -> None:
    parts = [f"{name} {trials:,}" for name, trials in row["price"].items() if trials]
    price = f"{', '.join(parts)} trials: about {duration(row['expected_seconds'])} on this machine"
    print_facts(
        {
            "id": row["id"],
            "recipient": row["recipient"],
            "subject": row["subject"],
            **({"left out": ", ".join(row["left_out"])} if row["left_out"] else {}),
            "state": _state(row),
            "attempt": row["attempt"],
            "time to live": duration(row["ttl_seconds"]),
            "priority": row["priority"],
            "price": price if parts else "no work to do",
            "work": prospect(row),
            "next attempt": moment(row["next_attempt"]),
        }
    )
    click.echo("history:")
    for line in row["history"]:
        click.echo(f"  {moment(line['at'])}  {line['state']:<16} {printable(line['detail'])}".rstrip())
