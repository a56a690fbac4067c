"""From what people write as a mail address to whom they mean: one function for every door (rules A1 and A3 to A10).

Pure: whom an account knows comes from a `Directory`. Doors tell the refusals apart so: BadAddress is 553 5.1.3, but
553 5.6.7 with the status `nonascii` and 550 5.1.1 with one in `UNUSABLE`; ForeignDomain is 550 5.1.2, any other
RecipientMissing 550 5.1.1, Ambiguous 550 5.1.4.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bmgate.bm.addresses import PREFIX, Address, parse_address
from bmgate.bm.network import STREAM
from bmgate.errors import Ambiguous, BadAddress, ForeignDomain, NotAllowed, RecipientMissing
from bmgate.mail.text import clean_line
from bmgate.mail.uris import is_uri, split_uri
from bmgate.mail.wishes import read_ttl

DEFAULT_SYNONYMS = ("bm.addr", "bitmessage", "bmaddr.lan", "bitmessage.ch", "bm.agent")
COMMAND_DOMAIN = "bm.agent"
RELAY_LABEL = "relay"  # of the domain below ours
COMMANDS = frozenset({
    "help", "list", "status", "createaddr", "enable", "disable", "label", "alias", "unalias", "delete",
    "sub", "usub", "subscribe", "unsubscribe", "join", "leave", "contact", "uncontact", "block", "allow", "reads",
    "cancel", "retry", "force", "ttl", "set", "show",
})  # fmt: skip
UNUSABLE = frozenset({"versiontoohigh", "versiontoolow", "streamoutofrange"})  # statuses of correctly typed addresses
NON_ASCII = "nonascii"

_ALIAS = re.compile(r"[a-z0-9][a-z0-9._-]{0,29}")
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{25,}")
_HOST_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_INTERNET_ADDRESS = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@{_HOST_LABEL}(?:\.{_HOST_LABEL})*")
_BAD_DOTS = re.compile(r"^\.|\.\.|\.@")
_MAX_LOCAL = 128  # characters; more is neither an address nor a name
_MAX_CANDIDATES_TOLD = 3


class RecipientKind(StrEnum):
    """What a recipient turns out to be."""

    ADDRESS = "address"
    BROADCAST = "broadcast"  # to the subscribers of the sending identity
    COMMAND = "command"  # a mail command to the gateway
    RANDOM = "random"  # as sender only: a new identity
    POSTMASTER = "postmaster"  # the operator's identity


_RESERVED: dict[str, RecipientKind | None] = {  # None: takes no mail
    "broadcast": RecipientKind.BROADCAST,
    "random": RecipientKind.RANDOM,
    "bmgate": RecipientKind.COMMAND,
    "cmd": RecipientKind.COMMAND,
    "mailer-daemon": None,
    "noreply": None,
    "subscribers": None,
    "chan": None,
    "welcome": None,
    "postmaster": RecipientKind.POSTMASTER,
    "abuse": RecipientKind.POSTMASTER,
    "admin": RecipientKind.POSTMASTER,
}


class Directory(Protocol):
    """Whom one account knows; nothing of other tenants but the gateway's public aliases."""

    def alias(self, name: str) -> Address | None:
        """The address behind an alias of this gateway (lower case), an account's own name included."""

    def nickname(self, name: str) -> Address | None:
        """The account's contact with this nickname (lower case); raises Ambiguous where several have it."""

    def relay(self, label: str) -> Address | None:
        """The account's contact that carries mail to the Internet: of this label (lower case), or any for none."""

    def candidates(self) -> Iterable[Address]:
        """All addresses the account has to do with: own, chans, subscriptions, contacts, correspondents (A9)."""


@dataclass(frozen=True, slots=True)
class Domains:
    """The mail domains that mean this gateway, all in lower case; `synonyms` serve addresses but no names."""

    own: str = "bm.internal"
    extra: frozenset[str] = frozenset()
    synonyms: frozenset[str] = frozenset(DEFAULT_SYNONYMS)

    def is_own(self, domain: str) -> bool:
        """Whether names (nicknames, aliases) are looked up here; an address without domain is ours."""
        return domain in ("", self.own) or domain in self.extra

    def is_served(self, domain: str) -> bool:
        """Whether addresses and special local parts are understood here."""
        return self.is_own(domain) or domain in self.synonyms


@dataclass(frozen=True, slots=True)
class Resolved:
    """Whom an addr-spec means. `address` is set for ADDRESS only, `word` is the special local part or the command.

    `tag` is what stood behind the first `+`, `ttl_seconds` its `ttl=...`; `is_repaired` after case repair (A9).
    `internet` is the address that a relay, whose own is `address`, carries the mail on to (O17). `is_chan`, which is
    for whoever knows the account to set, says that it takes part in a chan of this address.
    """

    kind: RecipientKind
    address: Address | None = None
    word: str = ""
    tag: str = ""
    ttl_seconds: int | None = None
    is_repaired: bool = False
    internet: str = ""
    is_chan: bool = False


def mail_address(address: Address, domain: str) -> str:
    """The one written form of an address (A1), without angle brackets."""
    return f"{address}@{domain.lower()}"


def address_in(text: str) -> Address | None:
    """The address that a text is, with or without `BM-` and a domain, or as a link; None for any name."""
    try:
        text = split_uri(text)[0]
        return parse_address(text.rpartition("@")[0] or text)
    except BadAddress:
        return None


def resolve_recipient(addr_spec: str, domains: Domains, directory: Directory) -> Resolved:
    """Whom a recipient means; raises BadAddress, BadTtl, RecipientMissing, ForeignDomain or Ambiguous."""
    name = _read_name(addr_spec)
    ttl_seconds = _ttl_in(name.tag)
    if name.base.lower() in _RESERVED and domains.is_served(name.domain):
        kind = _RESERVED[name.base.lower()]
        if kind in (None, RecipientKind.RANDOM):
            raise RecipientMissing(f"{name}: this address takes no mail")
        return Resolved(kind, word=name.base.lower(), tag=name.tag, ttl_seconds=ttl_seconds)
    if name.domain == COMMAND_DOMAIN and COMMAND_DOMAIN in domains.synonyms and name.base.lower() in COMMANDS:
        return Resolved(RecipientKind.COMMAND, word=name.base.lower(), tag=name.tag)
    label = None if name.has_prefix else _relay_label(name, domains)
    if label is not None:
        return _relayed(name, label, domains, directory, ttl_seconds)
    address, is_repaired = _find(name, domains, directory)
    return Resolved(RecipientKind.ADDRESS, address, tag=name.tag, ttl_seconds=ttl_seconds, is_repaired=is_repaired)


def resolve_sender(addr_spec: str, domains: Domains, directory: Directory) -> Resolved:
    """Whom a reverse-path or From means (1.3, M10); whether the account owns it is for services to say.

    Raises what `resolve_recipient` raises, and NotAllowed for local parts that nobody sends as.
    """
    name = _read_name(addr_spec)
    word = name.base.lower()
    if word in _RESERVED and domains.is_served(name.domain):
        kind = _RESERVED[word]
        if kind not in (RecipientKind.RANDOM, RecipientKind.POSTMASTER):
            raise NotAllowed(f"{name}: nobody sends as {word}")
        return Resolved(kind, word=word, tag=name.tag)
    address, is_repaired = _find(name, domains, directory, as_sender=True)
    return Resolved(RecipientKind.ADDRESS, address, tag=name.tag, is_repaired=is_repaired)


def bare_name(text: str, domain: str) -> str:
    """A name or address of one's own without our domain, if that is behind it; the address of a `bitmessage:` link.

    Raises as `split_uri`.
    """
    if is_uri(text):
        return split_uri(text)[0]
    local, at, behind = text.rpartition("@")
    return local if at and behind.lower() == domain else text


def is_reserved(name: str) -> bool:
    """Whether a name is a special local part in every account (1.3)."""
    return name.lower() in _RESERVED


def is_alias(name: str) -> bool:
    """Whether a name may be given to an account or identity: by its letters, not reserved, and no address."""
    if not _ALIAS.fullmatch(name) or name in _RESERVED or name.startswith(PREFIX.lower()):
        return False
    return _decoded_or_none(name) is None


@dataclass(frozen=True, slots=True)
class _Name:
    """An addr-spec taken apart: the local part up to the first `+`, what follows it, the domain in lower case."""

    base: str
    tag: str
    domain: str

    def __str__(self) -> str:
        base = clean_line(self.base)[:_MAX_LOCAL]
        return f"<{base}@{clean_line(self.domain)[:_MAX_LOCAL]}>" if self.domain else f"<{base}>"

    @property
    def has_prefix(self) -> bool:
        return self.base[: len(PREFIX)].upper() == PREFIX

    @property
    def letters(self) -> str:
        return self.base[len(PREFIX) :] if self.has_prefix else self.base

    @property
    def looks_like_address(self) -> bool:
        return self.has_prefix or _BASE58.fullmatch(self.base) is not None


def _read_name(addr_spec: str) -> _Name:
    local, at, domain = addr_spec.rpartition("@")
    if not at:
        local, domain = addr_spec, ""
    if not addr_spec.isascii():
        raise BadAddress(NON_ASCII, f"{clean_line(addr_spec)[:_MAX_LOCAL]}: only ASCII addresses lead to Bitmessage")
    if len(local) >= 2 and local[0] == local[-1] == '"':
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    base, _, tag = local.partition("+")
    return _Name(base, tag, domain.lower().removesuffix("."))


def _ttl_in(tag: str) -> int | None:
    wishes = (word[4:] for word in tag.split("+") if word[:4].lower() == "ttl=")
    return next((read_ttl(wish) for wish in wishes), None)


def _relay_label(name: _Name, domains: Domains) -> str | None:
    """What stands before `relay.D` (A8), empty for nothing; None for any other domain."""
    labels, behind = f".{name.domain}", f".{RELAY_LABEL}.{domains.own}"
    return labels.removesuffix(behind).removeprefix(".") if labels.endswith(behind) else None


def _relayed(name: _Name, label: str, domains: Domains, directory: Directory, ttl_seconds: int | None) -> Resolved:
    """An Internet address behind a relay, `local=domain@relay.D` (O17).

    Raises ForeignDomain without a relay; BadAddress where no address is in it.
    """
    text = name.base if "=" in name.base else f"{name.base}+{name.tag}"
    local, _, domain = text.rpartition("=")
    address = f"{local}@{domain}"
    if not _INTERNET_ADDRESS.fullmatch(address) or _BAD_DOTS.search(address):
        raise BadAddress("relay", f"{name}: an Internet address is written local=domain@{RELAY_LABEL}.{domains.own}")
    relay = directory.relay(label)
    if relay is None:
        raise ForeignDomain(f"{name}: no relay is known that would carry mail to the Internet")
    return Resolved(RecipientKind.ADDRESS, relay, ttl_seconds=ttl_seconds, internet=address)


def _find(name: _Name, domains: Domains, directory: Directory, *, as_sender: bool = False) -> tuple[Address, bool]:
    """The address a name means, and whether its letters had to be repaired (A6 to A10). Nobody sends as a contact."""
    is_eligible = name.has_prefix or domains.is_served(name.domain)
    if is_eligible and (address := _decoded_or_none(name.letters)) is not None:
        return address, False
    if domains.is_own(name.domain):
        word = name.base.lower()
        known = (None if as_sender else directory.nickname(word)) or directory.alias(word)
        if known is not None:
            return known, False
    if not is_eligible:
        raise ForeignDomain(f"{name}: mail to the Internet is not carried", _suggestion(name, domains))
    near = _repaired(name, domains, directory)
    if near is not None:
        return near, True
    if name.looks_like_address:
        _check_address(name)
    if domains.is_own(name.domain):
        raise RecipientMissing(f"{name}: nobody has this name here")
    raise ForeignDomain(f"{name}: only Bitmessage addresses are served in this domain")


def _repaired(name: _Name, domains: Domains, directory: Directory) -> Address | None:
    """The one known address with the same letters in another case (A9); near misses are told, never taken."""
    fold = name.letters.lower()
    if not fold or len(fold) > _MAX_LOCAL:
        return None
    folds: dict[str, set[str]] = {}
    known = {str(address): address for address in directory.candidates()}
    for text in known:
        folds.setdefault(text[len(PREFIX) :].lower(), set()).add(text)
    same = sorted(folds.get(fold, ()))
    if len(same) == 1:
        return known[same[0]]
    if same:
        told = tuple(same[:_MAX_CANDIDATES_TOLD])
        raise Ambiguous(f"{name} fits several addresses: {', '.join(told)}", told)
    near = [text for other, texts in folds.items() if _is_one_edit(fold, other) for text in sorted(texts)]
    if len(near) == 1:
        suggestion = f"<{near[0]}@{domains.own}>"
        raise RecipientMissing(f"{name} is not known, did you mean {suggestion}?", suggestion)
    return None


def _check_address(name: _Name) -> None:
    """Raise BadAddress with the reason why something like an address is none."""
    try:
        address = parse_address(PREFIX + name.letters)
    except BadAddress as error:
        raise BadAddress(error.status, f"{name}: {error}") from error
    raise BadAddress("streamoutofrange", f"{name}: there is no stream {address.stream} yet")


def _suggestion(name: _Name, domains: Domains) -> str:
    address = _decoded_or_none(name.letters)
    return f"<{mail_address(address, domains.own)}>" if address is not None else ""


def _decoded_or_none(letters: str) -> Address | None:
    """The address these letters spell, when it is one that can be written to."""
    if not letters.isalnum() or len(letters) > _MAX_LOCAL:
        return None
    try:
        address = parse_address(PREFIX + letters)
    except BadAddress:
        return None
    return address if address.stream == STREAM else None


def _is_one_edit(first: str, second: str) -> bool:
    """Whether one letter changed, added or left out makes the one the other."""
    if abs(len(first) - len(second)) > 1 or first == second:
        return False
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    rest, other = first[start:], second[start:]
    return rest[1:] == other[1:] or rest[1:] == other or rest == other[1:]
