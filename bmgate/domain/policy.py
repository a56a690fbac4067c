"""Options: everything an account may decide for itself, for one of its addresses, for a chan or for a contact.

One registry says how each is written, where it may be set and what it does. They narrow: the gateway's default, then
the account, then the identity or the membership, then the contact. What costs the machine or touches other tenants is
the gateway's alone and not here.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from bmgate.errors import BadOption
from bmgate.mail.text import clean_line
from bmgate.mail.wishes import MAX_TTL, MIN_TTL
from bmgate.units import DAY

MAX_GIVE_UP = 28 * DAY
MAX_DELAY = 7 * DAY
MAX_KEEP = 3_650 * DAY
MAX_LIST_NAME = 40  # characters
MAX_FOOTER = 1_000  # characters
MAX_TEXT = 4_000  # characters of an automatic answer
DIFFICULTY = "difficulty"  # set as an option of an address, but kept with its pubkey
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": DAY, "w": 7 * DAY}
_NOTICES = ("success", "failure", "delay", "never")


class Scope(StrEnum):
    """What an option is set for."""

    ACCOUNT = "account"
    IDENTITY = "identity"
    MEMBERSHIP = "membership"  # of a chan
    CONTACT = "contact"


NARROWING = (Scope.ACCOUNT, Scope.IDENTITY, Scope.MEMBERSHIP, Scope.CONTACT)
"""From wide to narrow; the narrowest wins."""

_PLACES = {
    Scope.ACCOUNT: "an account",
    Scope.IDENTITY: "an address",
    Scope.MEMBERSHIP: "a chan",
    Scope.CONTACT: "a contact",
}


class Attachments(StrEnum):
    """What happens to attachments for somebody who is not known to read them (O12)."""

    REFUSE = "refuse"
    EXTENDED = "extended"
    INLINE = "inline"
    OMIT = "omit"


class Reads(StrEnum):
    """What a contact reads: as learnt, or as the account says (O11)."""

    AUTO = "auto"
    FILES = "files"
    MIME = "mime"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Policy:
    """All options in force. Times are seconds; `notify` holds the words of RFC 3461."""

    ttl: int = 4 * DAY
    give_up: int = MAX_GIVE_UP
    send_delay: int = 0
    ack: Literal["all", "contacts", "never"] = "all"
    notify: tuple[str, ...] = ("FAILURE", "DELAY")
    sent_copy: Literal["auto", "client"] = "auto"
    attachments: Attachments = Attachments.REFUSE
    reads: Reads = Reads.AUTO
    reads_files_bit: bool = True
    relay: bool = False
    identity_guard: Literal["refuse", "off"] = "refuse"
    disclose_recipients: bool = False
    subaddress_identities: bool = False
    requests: Literal["off", "on", "junk"] = "off"
    junk_blocks: bool = False
    post_as: Literal["chan", "identity"] = "chan"
    keep: int = 0  # for ever
    mute: bool = False
    junk: Literal["off", "flood", "anonymous", "strangers"] = "flood"
    recognise: bool = True
    thread_by_subject: bool = True
    incoming_html: Literal["off", "sanitised"] = "off"
    quotes: Literal["keep", "dashes"] = "keep"
    quotes_in: Literal["keep", "gt"] = "keep"
    deliver_to: str = "INBOX"
    footer: str = ""
    list: str = ""
    moderate: bool = False
    autoreply: Literal["off", "echo", "vacation"] = "off"
    autoreply_subject: str = ""
    autoreply_text: str = ""

    def narrowed(self, settings: Mapping[str, str]) -> "Policy":
        """With these options in place of its own; what an older version wrote and nobody reads now is passed over."""
        if not settings:
            return self
        values: dict[str, Any] = {}
        for name, words in settings.items():
            try:
                values[name] = OPTIONS[name].read(words)
            except (KeyError, BadOption):
                continue
        return replace(self, **values)

    def words(self, name: str) -> str:
        """The value of an option as it is written; raises KeyError."""
        return OPTIONS[name].write(getattr(self, name))


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `read` turns its words into the value of the field of `Policy`, or raises BadOption.

    `choices` are all words it can be, where these are few.
    """

    name: str
    scopes: frozenset[Scope]
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    hoped: str
    help: str
    choices: tuple[str, ...] = ()

    def checked(self, words: str) -> str:
        """The words as they are kept; raises BadOption for those it cannot be."""
        return self.write(self.read(words))


def option(name: str, scope: Scope) -> Option:
    """The option of this name; raises BadOption that tells which there are in this scope, or where it is set."""
    wanted = name.strip().lower().replace("-", "_")
    found = OPTIONS.get(wanted)
    if found is not None and scope in found.scopes:
        return found
    scopes = found.scopes if found else {Scope.IDENTITY} if wanted == DIFFICULTY else ()
    if scopes:
        places = _listed(tuple(_PLACES[each] for each in NARROWING if each in scopes))
        raise BadOption(f"{wanted} is set for {places}, not for {_PLACES[scope]}")
    names = [each.name for each in options_of(scope)] + [DIFFICULTY] * (scope is Scope.IDENTITY)
    raise BadOption(f"there is no option {clean_line(name)[:40]}; for {_PLACES[scope]} there are {', '.join(names)}")


def options_of(scope: Scope) -> Iterable[Option]:
    """Those that may be set in a scope."""
    return (each for each in OPTIONS.values() if scope in each.scopes)


def duration_text(seconds: int) -> str:
    """Seconds in the largest unit that says them exactly: `4d`, `36h`, `0s`."""
    for unit in ("w", "d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0 and (unit != "w" or seconds > 4 * _UNITS[unit]):
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


# --- the registry ---


def _choice(name: str, scopes: Iterable[Scope], words: Iterable[str], text: str) -> Option:
    known = tuple(words)
    hoped = _listed(known)

    def read(given: str) -> str:
        word = given.strip().lower()
        if word not in known:
            raise BadOption(f"{name} is {hoped}, not {_shown(given)}")
        return word

    return Option(name, frozenset(scopes), read, str, hoped, text, known)


def _enum(name: str, scopes: Iterable[Scope], kind: type[StrEnum], text: str) -> Option:
    plain = _choice(name, scopes, [member.value for member in kind], text)
    return replace(plain, read=lambda given: kind(plain.read(given)))


def _switch(name: str, scopes: Iterable[Scope], text: str) -> Option:
    plain = _choice(name, scopes, ("on", "off"), text)
    return replace(plain, read=lambda given: plain.read(given) == "on", write=lambda value: "on" if value else "off")


def _duration(name: str, scopes: Iterable[Scope], least: int, most: int, text: str) -> Option:
    hoped = f"a time from {duration_text(least)} to {duration_text(most)}"

    def read(given: str) -> int:
        match = re.fullmatch(r"([0-9]{1,9})\s*([smhdw]?)", given.strip().lower())
        seconds = int(match[1]) * _UNITS[match[2]] if match else -1
        if not least <= seconds <= most:
            raise BadOption(f"{name} is {hoped}, such as 30s, 10m, 12h or 2d, not {_shown(given)}")
        return seconds

    return Option(name, frozenset(scopes), read, duration_text, hoped, text)


def _text(name: str, scopes: Iterable[Scope], most: int, text: str, one_line: bool = False) -> Option:
    hoped = f"a text of at most {most} characters"

    def read(given: str) -> str:
        value = clean_line(given) if one_line else given.replace("\0", "").strip()
        if len(value) > most:
            raise BadOption(f"{name} is {hoped}, not {len(value)}")
        return value

    return Option(name, frozenset(scopes), read, str, hoped, text)


def _read_keep(given: str) -> int:
    if given.strip().lower() == EVER:
        return 0
    try:
        return _KEEP_DAYS.read(given)  # type: ignore[no-any-return]
    except BadOption as error:
        raise BadOption(f"keep is {_KEEP_HOPED}, not {_shown(given)}") from error


def _read_notices(given: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word for word in re.split(r"[,\s]+", given.strip().lower()) if word))
    if not words or any(word not in _NOTICES for word in words) or ("never" in words and len(words) > 1):
        raise BadOption(f"notify is never, or some of success, failure and delay, not {_shown(given)}")
    return tuple(word.upper() for word in words)


def _listed(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _shown(given: str) -> str:
    return repr(clean_line(given)[:40])


_ACCOUNT = (Scope.ACCOUNT,)
_CHAN = (Scope.MEMBERSHIP,)
_OWN = (Scope.ACCOUNT, Scope.IDENTITY)
_ANY = (Scope.ACCOUNT, Scope.IDENTITY, Scope.CONTACT)

EVER = "ever"
_KEEP_DAYS = _duration("keep", _CHAN, DAY, MAX_KEEP, "")
_KEEP_HOPED = f"{EVER}, or {_KEEP_DAYS.hoped}"

OPTIONS: dict[str, Option] = {
    each.name: each
    for each in (
        _duration(
            "ttl", _ANY, MIN_TTL, MAX_TTL, "How long a sent message stays on the network before it is sent again."
        ),
        _duration("give_up", _ACCOUNT, 3_600, MAX_GIVE_UP, "No new attempt is made after this time."),
        _duration("send_delay", _OWN, 0, MAX_DELAY, "How long a mail can be called back before work on it begins."),
        _choice("ack", _OWN, ("all", "contacts", "never"), "Whose messages are acknowledged."),
        Option(
            "notify",
            frozenset(_OWN),
            _read_notices,
            lambda value: ", ".join(word.lower() for word in value),
            "never, or some of success, failure and delay",
            "Which notices come when the mail program asks for none.",
        ),
        _choice("sent_copy", _ACCOUNT, ("auto", "client"), "auto: the gateway files the copy in Sent. client: you do."),
        _enum("attachments", _ANY, Attachments, "What to do with attachments for readers not known to take them."),
        _enum("reads", (Scope.CONTACT,), Reads, "What this contact reads; auto: as his program showed."),
        _switch("relay", (Scope.CONTACT,), "This contact carries mail to and from the Internet."),
        _switch("reads_files_bit", _OWN, "Tell other gateways that this one reads attachments."),
        _choice(
            "identity_guard",
            _ACCOUNT,
            ("refuse", "off"),
            "refuse: no answer to mail for one of your addresses is sent under another.",
        ),
        _switch("disclose_recipients", _OWN, "Tell recipients who else got the mail."),
        _switch("subaddress_identities", _ACCOUNT, "name+tag as sender is an address of its own, made on first use."),
        _choice(
            "requests",
            _ACCOUNT,
            ("off", "on", "junk"),
            "What becomes of mail of strangers: off: it goes where all mail goes. on: it waits in Requests,"
            " unconfirmed, for you to move it. junk: it goes to Junk, unconfirmed.",
        ),
        _switch("junk_blocks", _ACCOUNT, "Moving mail to Junk blocks its sender."),
        _choice("post_as", (Scope.ACCOUNT, Scope.MEMBERSHIP), ("chan", "identity"), "Whose key signs posts to a chan."),
        Option(
            "keep",
            frozenset(_CHAN),
            _read_keep,
            lambda value: duration_text(value) if value else EVER,
            _KEEP_HOPED,
            "How long posts stay in the chan's mailbox; what is flagged stays.",
        ),
        _switch("mute", _CHAN, "Posts arrive as read."),
        _choice(
            "junk",
            _CHAN,
            ("off", "flood", "anonymous", "strangers"),
            "Whose posts go to Junk besides those of blocked senders: nobody's, what is too much at once, also what"
            " the chan's own key signed, also all that is not by a contact.",
        ),
        _switch("recognise", (Scope.ACCOUNT, Scope.CONTACT), "Read the ways in which other gateways wrap mail."),
        _switch("thread_by_subject", _ACCOUNT, "Join answers to threads by their subject."),
        _choice("incoming_html", _ACCOUNT, ("off", "sanitised"), "sanitised: show cleaned HTML beside the text."),
        _choice("quotes", _ANY, ("keep", "dashes"), "dashes: write quotes as PyBitmessage does."),
        _choice(
            "quotes_in",
            (Scope.ACCOUNT, Scope.CONTACT),
            ("keep", "gt"),
            "gt: show PyBitmessage's quotes with >.",
        ),
        _text("footer", _OWN, MAX_FOOTER, "Text put under every mail that is sent; not under posts that a chan signs."),
        _text(
            "deliver_to", (Scope.IDENTITY,), 200, "Mailbox that mail to this address is delivered to.", one_line=True
        ),
        _text(
            "list",
            (Scope.IDENTITY,),
            MAX_LIST_NAME,
            "Name of the mailing list this address is: what it receives is broadcast to its subscribers. Empty: none.",
            one_line=True,
        ),
        _switch(
            "moderate", (Scope.IDENTITY,), "Mail to the list waits in Requests; what you move to INBOX is passed on."
        ),
        _choice(
            "autoreply",
            (Scope.IDENTITY,),
            ("off", "echo", "vacation"),
            "echo: send every mail back, for trying out. vacation: answer with autoreply_text. Tells that you are up.",
        ),
        _text("autoreply_subject", (Scope.IDENTITY,), 200, "Subject of that answer.", one_line=True),
        _text("autoreply_text", (Scope.IDENTITY,), MAX_TEXT, "Text of that answer."),
    )
}
