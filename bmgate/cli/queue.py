"""`bmgate queue`: outgoing mail, as its sender sees it."""

from typing import Any

import click

from bmgate.cli.calls import call
from bmgate.cli.options import account_option, json_option, place_options
from bmgate.cli.output import duration, moment, print_facts, print_json, print_table, printable


@click.group()
@place_options
def queue() -> None:
    """Outgoing mail: what became of it, cancel, retry, force.

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
    _rows(call("queue.list", account=account, all=everything), as_json)


@queue.command()
@click.argument("id")
@account_option
@json_option
@place_options
def show(id: str, account: str, as_json: bool) -> None:  # noqa: A002 - the argument's name
    """Show a mail and its history."""
    result = call("queue.show", account=account, id=id)
    if as_json:
        print_json(result)
        return
    for number, row in enumerate(result):
        click.echo("\n" if number else "", nl=False)
        _show(row)


@queue.command()
@click.argument("id")
@account_option
@json_option
@place_options
def cancel(id: str, account: str, as_json: bool) -> None:  # noqa: A002
    """Stop a mail that is not published yet."""
    _rows(call("queue.cancel", account=account, id=id), as_json)


@queue.command()
@click.argument("id")
@account_option
@json_option
@place_options
def retry(id: str, account: str, as_json: bool) -> None:  # noqa: A002
    """Ask for the key again, or send again, without waiting for the time set."""
    _rows(call("queue.retry", account=account, id=id), as_json)


@queue.command()
@click.argument("id")
@account_option
@json_option
@place_options
def force(id: str, account: str, as_json: bool) -> None:  # noqa: A002
    """Do the work for a recipient who demands more of it than max_difficulty."""
    _rows(call("queue.force", account=account, id=id), as_json)


def _rows(result: list[dict[str, Any]], as_json: bool) -> None:
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
    return f"{row['state']} (no further attempt)" if row["no_retry"] else str(row["state"])


def _show(row: dict[str, Any]) -> None:
    work = f"{row['expected_trials']} trials, about {duration(row['expected_seconds'])}"
    print_facts(
        {
            "id": row["id"],
            "recipient": row["recipient"],
            "subject": row["subject"],
            "state": _state(row),
            "attempt": row["attempt"],
            "time to live": duration(row["ttl_seconds"]),
            "work": work if row["expected_trials"] else "none now",
            "next attempt": moment(row["next_attempt"]),
        }
    )
    click.echo("history:")
    for line in row["history"]:
        click.echo(f"  {moment(line['at'])}  {line['state']:<16} {printable(line['detail'])}".rstrip())
