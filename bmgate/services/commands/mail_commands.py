"""Mail commands: what the owner of an account orders by mail to `bmgate@D`, and the letter that answers (1.4).

Only mail that an authenticated client submits comes here. A command runs first and is answered right after, in another
transaction: a crash between the two leaves it done and unanswered, and the client, who was not told 250, gives it
again. That does no harm: only `createAddr` then makes a second address, everything else says that it is so already. A
mail that was answered is known by its Message-ID and text for a day, and is not carried out again.

No copy of a command goes to Sent: it may hold a passphrase. The answer repeats the name of the command, never the body.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bmgate.bm.keys import Entropy
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Flags, MailboxId, MailboxKind
from bmgate.domain.ports.database import Database, Store
from bmgate.domain.ports.world import Clock
from bmgate.errors import GatewayError, Unavailable
from bmgate.mail.command_line import BadCommandLine, CommandLine, read_command
from bmgate.mail.letters import Letter, render_letter
from bmgate.mail.outgoing import MAX_SUBJECT, OutgoingMail, is_cut
from bmgate.mail.text import clean_line
from bmgate.mail.write import Mailbox, usable_label
from bmgate.services.commands.help import help_about, whole_help
from bmgate.services.commands.table import Family, Handler
from bmgate.services.events import MailboxEvents
from bmgate.services.mailboxes.indexed import indexed, to_minute
from bmgate.services.outbound.orders import Order
from bmgate.units import DAY

MEMORY_SECONDS = DAY
_ADVICE = {"bmgate queue list": "list queue", "bmgate address list": "list", "bmgate alias list": "list aliases"}
"""What services advise, which is for the command line, and the mail command that does the same."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a command: the subject and the text of the answer."""

    subject: str
    text: str


class MailCommands:
    """Carries out commands, one mail at a time."""

    def __init__(
        self,
        database: Database,
        events: MailboxEvents,
        clock: Clock,
        entropy: Entropy,
        domain: str,
        families: Iterable[Family],
    ) -> None:
        self._database, self._events, self._clock = database, events, clock
        self._entropy, self._domain = entropy, domain
        self._handlers: dict[str, Handler] = {"help": self._help}
        for family in families:
            self._handlers |= family.table()

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """By the name of the command."""
        return self._handlers

    async def run(self, account: AccountId, order: Order, mail: OutgoingMail) -> str:
        """Carry out a mail's command and answer it in INBOX; the subject of the answer. Raises Unavailable."""
        tag = _tag(mail) if mail.message_id else b""
        if await self._database.read(lambda store: tag != b"" and store.account(account).duplicates.seen(tag)):
            return "answered already"
        outcome = await self._outcome(account, order, mail)
        mailbox = await self._database.transact(lambda store: self._answer(store, account, order, mail, outcome, tag))
        self._events.changed([mailbox])
        return outcome.subject

    async def _outcome(self, account: AccountId, order: Order, mail: OutgoingMail) -> _Outcome:
        try:
            if is_cut(mail.subject, mail.body):
                raise BadCommandLine(f"a command has at most {MAX_SUBJECT} bytes")
            written = order.written
            if written.subject_doubt:
                raise BadCommandLine(written.subject_doubt)
            line = read_command(written.subject, written.text, order.word, written.text_doubt)
        except BadCommandLine as error:
            return _Outcome(f"ERR: {_first_word(mail.subject, order.word)}", f"{_sentence(error)}\n\n{whole_help()}")
        try:
            return _Outcome(f"OK: {line.name}", await self._handlers[line.name](account, line))
        except Unavailable:
            raise
        except GatewayError as error:
            return _Outcome(f"ERR: {line.name}", f"{_sentence(error)}\n\nIt is written: {line.usage.line}")

    def _answer(
        self, store: Store, account: AccountId, order: Order, mail: OutgoingMail, outcome: _Outcome, tag: bytes
    ) -> MailboxId:
        """The letter, which comes even where the quota is used up."""
        mine, now = store.account(account), self._clock.now()
        letter = Letter(
            sender=Mailbox(f"bmgate@{self._domain}", "Bitmessage gateway"),
            to=Mailbox(order.sender, usable_label(order.label)),
            subject=outcome.subject,
            text=outcome.text,
            message_id=f"<{self._entropy(15).hex()}@{self._domain}>",
            date=to_minute(now),
            answers=mail.message_id,
        )
        content = replace(indexed(render_letter(letter)).content(), beyond_quota=True)
        inbox = mine.mailboxes.by_kind(MailboxKind.INBOX).id
        mine.messages.append(inbox, mine.messages.add_content(content), Flags.NONE, (), to_minute(now))
        if tag:
            mine.duplicates.remember(tag, now + MEMORY_SECONDS)
        return inbox

    async def _help(self, _account: AccountId, line: CommandLine) -> str:
        return help_about(line.words[0]) if line.words else whole_help()


def _tag(mail: OutgoingMail) -> bytes:
    """What is remembered of a command that was answered."""
    return hashlib.sha256(b"command\0" + mail.message_id.encode(errors="replace") + mail.content_hash).digest()


def _first_word(subject: str, word: str) -> str:
    """What was taken for the name of a command, shortened."""
    words = clean_line(word or subject).split(" ")
    return words[0][:40] or "no command"


def _sentence(error: GatewayError) -> str:
    text = str(error)
    for advice, command in _ADVICE.items():
        text = text.replace(advice, command)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}"
