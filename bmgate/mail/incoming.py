"""Incoming messages as mail: the bytes a client sees.

Rendering is a pure function of the value and the account's `id_key`, so the bytes of a mail never change. What the
value says, the caller decided: labels, threads, duplicates. Rules A1, A2, I15 to I21, and the order of fields of 4.4.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.mail.dates import write_date
from bmgate.mail.incoming_body import Parts, body_of
from bmgate.mail.message_identity import boundary, inner_boundary, is_message_id, message_id
from bmgate.mail.reading import Claims, Kind, Reading
from bmgate.mail.text import clean_line, truncate_utf8
from bmgate.mail.write import (
    Mailbox,
    encoded_words,
    field,
    mailbox_field,
    plain_field,
    quoted,
    text_field,
    usable_label,
)

MAX_CLAIM = 200  # bytes

_INTERNET_ADDRESS = re.compile(
    r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64})@([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)"
)
_DOTS = re.compile(r"^\.|\.\.|\.@")


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """A message that is to become mail.

    `recipient` is the address it was delivered for: an identity, the chan, or for a broadcast the subscribed address.
    `parts` are those of the reading. Labels are the reader's own words for the two addresses. `received_at` is when the
    first copy was processed, in Unix seconds. `references` are Message-IDs, the last one is the message this one
    answers (`thread_references` makes them).
    """

    sender: Address
    recipient: Address
    encoding: int
    reading: Reading
    parts: Parts
    content_id: bytes
    received_at: int
    sender_label: str = ""
    recipient_label: str = ""
    references: tuple[str, ...] = ()
    first_contact: bool = False

    @property
    def kind(self) -> Kind:
        """How it came."""
        return self.reading.kind

    @property
    def is_signed_by_chan(self) -> bool:
        """Whether any member of the chan could have written it, under whatever version of its address."""
        return self.kind is Kind.CHAN and self.sender.ripe == self.recipient.ripe

    @property
    def author(self) -> Address:
        """Who is shown as its author: the chan itself where that is all one can know."""
        return self.recipient if self.is_signed_by_chan else self.sender


def render(mail: IncomingMail, id_key: bytes, domain: str) -> bytes:
    """The mail as RFC 5322 bytes: ASCII, CRLF, lines of at most 998."""
    marks = boundary(id_key, mail.content_id), inner_boundary(id_key, mail.content_id)
    return b"".join((*_header(mail, id_key, domain), field("MIME-Version", ["1.0"]), body_of(mail.parts, *marks)))


def _header(mail: IncomingMail, id_key: bytes, domain: str) -> Iterator[bytes]:
    sender = Mailbox(f"{mail.author}@{domain}", _display_name(mail))
    recipient = Mailbox(f"{mail.recipient}@{domain}", usable_label(mail.recipient_label))
    yield plain_field("Delivered-To", recipient.spec)
    yield plain_field("Authentication-Results", f"{domain}; {_authentication(mail, sender)}")
    yield plain_field("Date", write_date(mail.received_at // 60 * 60))
    yield mailbox_field("From", [sender])
    is_published = mail.kind in (Kind.BROADCAST, Kind.LIST)
    yield field("To", ["subscribers:;"]) if is_published else mailbox_field("To", [recipient])
    yield from _reply_to(mail, recipient, domain)
    yield text_field("Subject", clean_line(mail.reading.subject))
    yield plain_field("Message-ID", message_id(id_key, mail.content_id, domain))
    references = [name for name in mail.references if is_message_id(name)]
    if references:
        yield plain_field("In-Reply-To", references[-1])
        yield field("References", references)
    yield from _list_fields(mail, recipient, domain)
    yield from _own_fields(mail)


def _display_name(mail: IncomingMail) -> str:
    """The reader's word for the sender (A2), and of what the content claims only an address (I10, I12)."""
    label = usable_label(mail.recipient_label if mail.is_signed_by_chan else mail.sender_label)
    claimed = mail.reading.claims.sender
    if mail.kind is Kind.LIST:
        return f"{label} (claims {claimed[:9]}..{claimed[-5:]})".lstrip()
    if mail.kind is Kind.RELAY and _internet_address(claimed):
        return claimed
    return label


def _reply_to(mail: IncomingMail, recipient: Mailbox, domain: str) -> Iterator[bytes]:
    if mail.kind in (Kind.CHAN, Kind.LIST):
        yield mailbox_field("Reply-To", [recipient])
    elif mail.kind is Kind.RELAY and (address := _internet_address(mail.reading.claims.sender)):
        local, host = address
        yield plain_field("Reply-To", f"<{local}={host}@relay.{domain}>")


def _internet_address(claimed: str) -> tuple[str, str] | None:
    found = _INTERNET_ADDRESS.fullmatch(claimed)
    return None if found is None or _DOTS.search(claimed) else (found[1], found[2])


def _authentication(mail: IncomingMail, sender: Mailbox) -> str:
    if mail.is_signed_by_chan:
        return "x-bitmessage=neutral (chan key is public)"
    if mail.kind is Kind.RELAY:
        return "x-bitmessage=neutral (relayed)"
    if mail.kind is Kind.IMPORT:
        return "x-bitmessage=neutral (imported)"
    return f"x-bitmessage=pass header.from={sender.spec}"


def _list_fields(mail: IncomingMail, recipient: Mailbox, domain: str) -> Iterator[bytes]:
    post = f"<mailto:{recipient.spec}>"
    match mail.kind:
        case Kind.CHAN:
            leave = "leave"
        case Kind.BROADCAST:
            post, leave = "NO", "usub"
        case Kind.LIST:
            leave = "usub"
        case _:
            return
    list_name = f"<{mail.recipient}.{mail.kind}.{domain}>"
    yield field("List-Id", [*_list_label(recipient.label), list_name])
    yield plain_field("List-Post", post)
    yield plain_field("List-Unsubscribe", f"<mailto:bmgate@{domain}?subject={leave}%20{mail.recipient}>")
    yield plain_field("Precedence", "list")


def _list_label(label: str) -> list[str]:
    if not label:
        return []
    return [quoted(label)] if label.isascii() else list(encoded_words(label, len("List-Id: ")))


def _own_fields(mail: IncomingMail) -> Iterator[bytes]:
    yield plain_field("X-Bitmessage-Kind", mail.kind)
    yield plain_field("X-Bitmessage-Encoding", str(mail.encoding))
    if mail.kind is not Kind.IMPORT:
        yield plain_field("X-Bitmessage-Key", f"{'chan' if mail.is_signed_by_chan else 'verified'} {mail.author}")
    for name, claim in _claims(mail.reading.claims):
        if claim := truncate_utf8(clean_line(claim), MAX_CLAIM):
            yield text_field(f"X-Bitmessage-Claimed-{name}", claim)
    if mail.reading.rules:
        yield field("X-Bitmessage-Converted", mail.reading.rules)
    if mail.first_contact:
        yield plain_field("X-Bitmessage-First-Contact", "yes")


def _claims(claims: Claims) -> tuple[tuple[str, str], ...]:
    return ("From", claims.sender), ("To", claims.recipient), ("Date", claims.date), ("Message-ID", claims.message_id)
