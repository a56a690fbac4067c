"""Where texts lie: messages found in mailboxes, and by the name of their content, for programs that know no mailboxes.

A text has the name of its content, 16 bytes, which it keeps wherever it is copied or moved.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import (
    SPECIAL_MAILBOXES,
    Flags,
    Mailbox,
    MailboxId,
    MailboxKind,
    MessageHead,
    MessageRow,
    StoredMessage,
)
from bmgate.domain.ports.database import Database, Store
from bmgate.errors import BadMail, TooLarge, UnsupportedMedia
from bmgate.mail.headers import decode_header, raw_field
from bmgate.mail.parse import Part, children, parse_header, parse_mail
from bmgate.mail.selection import is_body_text, text_of
from bmgate.services.mailboxes.mailboxes import Mailboxes

MAX_LISTED = 10_000  # messages in one list, the newest
MAX_OCTETS = 16 * 1024 * 1024  # of mail behind one list, the newest
PORTION = 100  # headers read in one go, between which others get their turn

_MARK = "X-Bitmessage-Kind"  # the field of mail that came from the network


@dataclass(frozen=True, slots=True)
class Place:
    """A message in its mailbox."""

    mailbox: MailboxId
    row: MessageRow

    @property
    def seen(self) -> bool:
        """Whether it was read."""
        return bool(self.row.flags & Flags.SEEN)


class TextPlaces:
    """Finds texts of an account and moves them."""

    def __init__(self, database: Database, mailboxes: Mailboxes) -> None:
        self._database, self._mailboxes = database, mailboxes

    async def newest(self, account: AccountId, is_wanted: Callable[[Mailbox], bool]) -> list[Place]:
        """What lies in such mailboxes, newest first, as much as a list may hold."""

        def look(store: Store) -> list[Place]:
            mine = store.account(account)
            wanted = [mailbox.id for mailbox in mine.mailboxes.all() if is_wanted(mailbox)]
            places = [Place(mailbox, row) for mailbox in wanted for row in mine.messages.rows(mailbox)]
            places.sort(key=lambda place: (place.row.internaldate, place.mailbox, place.row.uid), reverse=True)
            return places[:MAX_LISTED]

        return await self._database.read(look)

    async def of(self, account: AccountId, uuid: bytes) -> list[tuple[Mailbox, Place]]:
        """Every place of a text, with its mailbox."""

        def look(store: Store) -> list[tuple[Mailbox, Place]]:
            mine = store.account(account)
            found = []
            for mailbox, uid in mine.messages.places_of_content(uuid):
                rows = (row for row in mine.messages.rows(mailbox) if row.uid == uid)
                found += [(mine.mailboxes.get(mailbox), Place(mailbox, row)) for row in rows]
            return found

        return await self._database.read(look)

    async def heads(self, account: AccountId, places: Collection[Place]) -> dict[Place, MessageHead]:
        """The headers of those that are still there, in the order of the places."""
        by_mailbox: dict[MailboxId, dict[int, Place]] = {}
        for place in places:
            by_mailbox.setdefault(place.mailbox, {})[place.row.uid] = place
        found = {
            uids[head.uid]: head
            for mailbox, uids in by_mailbox.items()
            for head in await self._mailboxes.heads(account, mailbox, sorted(uids))
        }
        return {place: found[place] for place in places if place in found}

    async def message(self, account: AccountId, place: Place) -> StoredMessage | None:
        """The whole message, if it is still there."""
        found = await self._mailboxes.messages(account, place.mailbox, [place.row.uid])
        return found[0] if found else None

    async def move(
        self, account: AccountId, uuid: bytes, target: MailboxKind, is_source: Callable[[Mailbox], bool]
    ) -> None:
        """Move a text from such mailboxes to a special one; nothing happens where it is not there."""
        for mailbox, place in await self.of(account, uuid):
            if is_source(mailbox):
                await self._mailboxes.move(account, mailbox.id, [place.row.uid], SPECIAL_MAILBOXES[target])


def portions(places: list[Place]) -> Iterator[list[Place]]:
    """So many as are looked at in one go."""
    return (places[start : start + PORTION] for start in range(0, len(places), PORTION))


def is_of_network(header: Part) -> bool:
    """Whether the mail came from the network, or would have but for its sender's being here too."""
    return bool(raw_field(header, _MARK))


def header_of(message: MessageHead | StoredMessage) -> Part:
    """The fields of a stored mail."""
    return parse_header(message.header)


def word_of(header: Part, name: str) -> str:
    """A field in one line; empty where it is missing."""
    return decode_header(raw_field(header, name)).strip()


def subject_and_body(raw: bytes) -> tuple[str, str]:
    """What a mail says; its body is the first text in it, with LF line ends. For a thread."""
    try:
        mail = parse_mail(raw)
    except BadMail:
        return "", ""
    return decode_header(raw_field(mail, "Subject")), _first_text(mail)


def _first_text(part: Part) -> str:
    parts = children(part)
    if not parts and is_body_text(part):
        try:
            return text_of(part)
        except (UnsupportedMedia, TooLarge):
            return ""
    return next((text for child in parts if (text := _first_text(child))), "")
