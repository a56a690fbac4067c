"""Mail commands that look around and on outgoing mail: list, status, cancel, retry, force, ttl."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.account import AccountId
from bmgate.domain.outbox import OutgoingMessage
from bmgate.domain.ports.world import Solver
from bmgate.errors import BadAddress, Missing
from bmgate.mail.causes import duration_words, time_words
from bmgate.mail.command_line import CommandLine
from bmgate.mail.wishes import read_exact_ttl
from bmgate.services.commands.network import NetworkCommands
from bmgate.services.commands.own import OwnCommands
from bmgate.services.commands.table import Handler, told
from bmgate.services.outbound.queue import Queue, QueueEntry

MAX_TOLD = 20  # messages to one address


@dataclass(frozen=True, slots=True)
class QueueCommands:
    """Outgoing mail of an account, and how the gateway is. `peers` counts those that are connected."""

    queue: Queue
    solver: Solver
    peers: Callable[[], int]
    own: OwnCommands
    network: NetworkCommands

    def table(self) -> Mapping[str, Handler]:
        """Each under the name of its command."""
        return {
            "list": self._list,
            "status": self._status,
            "cancel": self._cancel,
            "retry": self._retry,
            "force": self._force,
            "ttl": self._ttl,
        }

    async def _list(self, account: AccountId, line: CommandLine) -> str:
        lists = {
            "addresses": self.own.addresses,
            "aliases": self.own.aliases,
            "contacts": self.network.list_contacts,
            "chans": self.network.list_chans,
            "subs": self.network.list_subscriptions,
            "queue": self._queue,
        }
        wanted = line.words[0].lower() if line.words else "addresses"
        if wanted not in lists:
            raise Missing(f"there is no list of {line.words[0]}; there are {', '.join(lists)}")
        return await lists[wanted](account)

    async def _queue(self, account: AccountId) -> str:
        rows = await self.queue.rows(account, unfinished_only=True)
        return told([_row(row.message) for row in rows], "Nothing waits to be sent.")

    async def _status(self, account: AccountId, line: CommandLine) -> str:
        if not line.words:
            return await self._gateway(account)
        address = _address_or_none(line.words[0])
        if address is None:
            return "\n\n".join(map(_history, await self.queue.show(account, line.words[0])))
        rows = [row.message for row in await self.queue.rows(account) if row.message.recipient == address]
        return told([_row(row) for row in rows[:MAX_TOLD]], f"Nothing was sent to {address} lately.")

    async def _gateway(self, account: AccountId) -> str:
        backlog, waiting = self.solver.backlog(), await self.queue.rows(account, unfinished_only=True)
        work = f"about {duration_words(round(backlog.mean_seconds))} of work" if backlog.jobs else "nothing to do"
        return (
            f"Peers: {self.peers()} connected.\n"
            f"Proof of work: {self.solver.trials_per_second:,.0f} trials per second; "
            f"{backlog.jobs} jobs of all accounts, {work}.\n"
            f"Your queue: {len(waiting)} messages on their way."
        )

    async def _cancel(self, account: AccountId, line: CommandLine) -> str:
        return _told(
            "Cancelled, or sent no further time where it is published", await self.queue.cancel(account, _id(line))
        )

    async def _retry(self, account: AccountId, line: CommandLine) -> str:
        return _told("Tried again", await self.queue.retry(account, _id(line)))

    async def _force(self, account: AccountId, line: CommandLine) -> str:
        return _told("The work is done whatever it takes", await self.queue.force(account, _id(line)))

    async def _ttl(self, account: AccountId, line: CommandLine) -> str:
        seconds = read_exact_ttl(line.words[1])
        rows = await self.queue.set_ttl(account, _id(line), seconds)
        return _told(f"It lives {duration_words(seconds)} on the network", rows)


def _id(line: CommandLine) -> str:
    return line.words[0].upper()


def _told(what: str, rows: Sequence[OutgoingMessage]) -> str:
    return f"{what}:\n\n" + "\n".join(map(_row, rows))


def _row(row: OutgoingMessage) -> str:
    reason = f" ({row.reason.value})" if row.reason.value else ""
    return f"{row.name}  {row.recipient}  {_words(row.state.value)}{reason}"


def _history(entry: QueueEntry) -> str:
    row = entry.row.message
    lines = [_row(row)]
    lines += [f"Subject: {entry.subject}"] if entry.subject else []
    lines += [f"Next attempt: {time_words(row.next_attempt)}"] if row.next_attempt else []
    lines += [f"Work left: about {duration_words(max(1, round(entry.price_seconds)))}"] if entry.price.trials else []
    lines += [f"  {time_words(each.at)}  {_words(each.state.value)}  {each.detail}".rstrip() for each in entry.history]
    return "\n".join(lines)


def _words(state: str) -> str:
    return state.lower().replace("_", " ")


def _address_or_none(text: str) -> Address | None:
    try:
        return parse_address(text.partition("@")[0]) if text[:3].upper() == "BM-" else None
    except BadAddress:
        return None
