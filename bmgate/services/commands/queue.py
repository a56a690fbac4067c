"""Mail commands that look around and on outgoing mail: list, status, cancel, retry, force, ttl."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.account import AccountId
from bmgate.domain.outbox import Kind, OutgoingMessage
from bmgate.domain.ports.world import Solver
from bmgate.errors import BadAddress, Missing
from bmgate.mail.causes import duration_words, time_words
from bmgate.mail.command_line import CommandLine
from bmgate.mail.wishes import read_exact_ttl
from bmgate.services.commands.network import NetworkCommands
from bmgate.services.commands.own import OwnCommands
from bmgate.services.commands.table import Handler, told
from bmgate.services.outbound.queue import Queue, QueueEntry
from bmgate.services.outbound.status_words import STATE_WORDS, StatusWords

MAX_TOLD = 20  # messages to one address


@dataclass(frozen=True, slots=True)
class QueueCommands:
    """Outgoing mail of an account, and how the gateway is. `peers` counts those that are connected."""

    queue: Queue
    solver: Solver
    peers: Callable[[], int]
    own: OwnCommands
    network: NetworkCommands
    words: StatusWords

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
        return told(await self._lines([row.message for row in rows]), "Nothing waits to be sent.")

    async def _status(self, account: AccountId, line: CommandLine) -> str:
        if not line.words:
            return await self._gateway(account)
        address = _address_or_none(line.words[0])
        if address is None:
            entries = await self.queue.show(account, line.words[0])
            lines = await self._lines([entry.row.message for entry in entries])
            return "\n\n".join(map(_history, entries, lines))
        rows = [row.message for row in await self.queue.rows(account) if row.message.recipient == address]
        return told(await self._lines(rows[:MAX_TOLD]), f"Nothing was sent to {address} lately.")

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
        rows = await self.queue.cancel(account, _id(line))
        return await self._told("Cancelled, or sent no further time where it is published", rows)

    async def _retry(self, account: AccountId, line: CommandLine) -> str:
        return await self._told("Tried again", await self.queue.retry(account, _id(line)))

    async def _force(self, account: AccountId, line: CommandLine) -> str:
        return await self._told("The work is done whatever it takes", await self.queue.force(account, _id(line)))

    async def _ttl(self, account: AccountId, line: CommandLine) -> str:
        seconds = read_exact_ttl(line.words[1])
        rows = await self.queue.set_ttl(account, _id(line), seconds)
        return await self._told(f"It lives {duration_words(seconds)} on the network", rows)

    async def _told(self, what: str, rows: Sequence[OutgoingMessage]) -> str:
        return f"{what}:\n\n" + "\n".join(await self._lines(rows))

    async def _lines(self, rows: Sequence[OutgoingMessage]) -> list[str]:
        """Each row on one line, with the words for its status that mail uses (5.1)."""
        words = await self.words.of(rows)
        return [f"{row.name}  {_recipient(row)}  {each}" for row, each in zip(rows, words, strict=True)]


def _id(line: CommandLine) -> str:
    return line.words[0].upper()


def _recipient(row: OutgoingMessage) -> str:
    return "your subscribers" if row.kind is Kind.BROADCAST else str(row.recipient)


def _history(entry: QueueEntry, line: str) -> str:
    row, lines = entry.row.message, [line]
    lines += [f"Subject: {entry.subject}"] if entry.subject else []
    lines += [f"Next attempt: {time_words(row.next_attempt)}"] if row.next_attempt else []
    lines += [f"Work left: about {duration_words(max(1, round(entry.price_seconds)))}"] if entry.price.trials else []
    lines += [f"  {time_words(each.at)}  {STATE_WORDS[each.state]}  {each.detail}".rstrip() for each in entry.history]
    return "\n".join(lines)


def _address_or_none(text: str) -> Address | None:
    try:
        return parse_address(text.partition("@")[0]) if text[:3].upper() == "BM-" else None
    except BadAddress:
        return None
