"""Who sends: which of an account's addresses a mail is written under, and whether it may be (1.2, M10, M12).

All within the caller's unit of work. Making an address takes too long for that, so `AddressWanted` is raised where one
is made on first use, and the caller comes again with its keys.
"""

from dataclasses import dataclass

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.account import AccountId
from bmgate.domain.chan import Membership
from bmgate.domain.identity import Identity
from bmgate.domain.policy import Policy
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import Ambiguous, BadAddress, IdentityDisabled, Missing, NotAllowed, NotOwner
from bmgate.mail.addresses import Domains, RecipientKind, Resolved, mail_address, resolve_sender
from bmgate.mail.headers import raw_field
from bmgate.mail.parse import parse_header
from bmgate.mail.senders import Senders
from bmgate.mail.text import clean_line
from bmgate.services.directory import AccountDirectory
from bmgate.services.policies import Policies

MAX_LABEL = 64  # characters
_TOLD_ADDRESSES = 5


class AddressWanted(Missing):
    """The account sends as an address it does not have yet, and which is to be made with this label."""

    def __init__(self, label: str) -> None:
        super().__init__(f"there is no address {label} yet")
        self.label = label


class OneOffWanted(Missing):
    """The account sends as `random@`, an address that is to be made for this mail."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes: an identity, None for one that is made for the mail; or a chan, and then the identity that is told
    what becomes of it.
    """

    identity: Identity | None
    chan: Membership | None = None


@dataclass(frozen=True, slots=True)
class SenderRules:
    """Decides who sends. `operator` is the account that mail to postmaster goes to, empty for none."""

    domains: Domains
    policies: Policies
    operator: str = ""

    def check(self, store: Store, account: AccountId, addr_spec: str) -> None:
        """Whether the account may send as this address; raises NotOwner, IdentityDisabled, NotAllowed.

        One without an address may give commands under its name: more is refused with the mail.
        """
        try:
            self.author(store, account, addr_spec)
        except AddressWanted:
            return
        except NotOwner:
            if not self._is_name(store, account, addr_spec):
                raise

    def author(self, store: Store, account: AccountId, addr_spec: str) -> Author:
        """The own identity an address names, or a chan the account takes part in (M10).

        Raises NotOwner, which tells those there are, IdentityDisabled, NotAllowed and AddressWanted.
        """
        mine = store.account(account)
        resolved = self._resolved(store, account, addr_spec)
        if resolved is not None and resolved.kind is RecipientKind.RANDOM:
            return Author(None)
        wanted = None if resolved is None else self._address(store, account, resolved)
        identity = None if wanted is None else mine.identities.find(wanted)
        if identity is not None:
            named = self._tagged(mine, addr_spec, resolved) or identity
            if not named.enabled:
                raise IdentityDisabled(f"{named.address} is disabled")
            return Author(named)
        chan = None if wanted is None else mine.chans.find(wanted)
        if chan is not None:
            return Author(_told(mine), chan)
        if resolved is not None and resolved.kind is RecipientKind.POSTMASTER:
            raise NotAllowed(f"<{addr_spec}>: only the operator sends as {resolved.word}")
        owned = mine.identities.all()[:_TOLD_ADDRESSES]
        names = [f"<{mail_address(each.address, self.domains.own)}>" for each in owned]
        raise NotOwner(f"you cannot send as <{addr_spec}>; your addresses: {', '.join(names) or 'none'}")

    def of_mail(self, store: Store, account: AccountId, reverse_path: str, senders: Senders) -> Author:
        """The header's From decides; envelope and Sender must be the account's own too (M10)."""
        by_envelope = self.author(store, account, reverse_path)
        author = senders.author()
        for other in senders.senders:
            self.author(store, account, str(other))
        if author is None or str(author) == reverse_path:
            return by_envelope
        return self.author(store, account, str(author))

    def of_command(self, store: Store, account: AccountId, reverse_path: str, senders: Senders) -> Author:
        """The same of mail to the gateway itself, which an account without an address sends by its name (1.4)."""
        try:
            return self.of_mail(store, account, reverse_path, senders)
        except NotOwner:
            author = senders.author()
            named = [reverse_path, *map(str, senders.senders), *([] if author is None else [str(author)])]
            if not all(self._is_name(store, account, each) for each in named):
                raise
            return Author(None)

    def guard(self, mine: AccountStore, identity: Identity, answered: tuple[str, ...], policy: Policy) -> None:
        """Raise NotAllowed for the answer to a mail that another identity of the account got (M12)."""
        if policy.identity_guard == "off" or not answered:
            return
        reached = _delivered_to(mine, answered[0]) if mine.identities.count() > 1 else ""
        if reached != str(identity.address) and _is_own(mine, reached):
            raise NotAllowed(
                f"this answers a mail to {reached} but is written as {identity.address}; choose the other sender, or "
                "set identity_guard off"
            )

    def operators(self, store: Store) -> Address | None:
        """The address that postmaster, abuse and admin mean."""
        identity = store.identities.by_alias(self.operator.lower()) if self.operator else None
        return None if identity is None else identity.address

    def _is_name(self, store: Store, account: AccountId, addr_spec: str) -> bool:
        """Whether that is the name of the account, which means no address."""
        mine = store.account(account)
        local, at, domain = addr_spec.rpartition("@")
        is_named = (local if at else domain).lower() == mine.account.name and self.domains.is_own(
            domain.lower() if at else ""
        )
        return is_named and mine.identities.default() is None

    def _resolved(self, store: Store, account: AccountId, addr_spec: str) -> Resolved | None:
        try:
            return resolve_sender(addr_spec, self.domains, AccountDirectory(store, account))
        except (BadAddress, Missing, Ambiguous):
            return None

    def _address(self, store: Store, account: AccountId, resolved: Resolved) -> Address | None:
        if resolved.kind is RecipientKind.POSTMASTER:
            return self.operators(store)
        return resolved.address

    def _tagged(self, mine: AccountStore, addr_spec: str, resolved: Resolved | None) -> Identity | None:
        """The identity labelled `alias+tag`, where the account has one for each tag (A3); None without a tag."""
        if resolved is None or not resolved.tag or "=" in resolved.tag:
            return None
        base = addr_spec.rpartition("@")[0].partition("+")[0].strip('"').lower()
        if base not in mine.identities.aliases() or not self.policies.of(mine).subaddress_identities:
            return None
        label = clean_line(f"{base}+{resolved.tag}")[:MAX_LABEL]
        for identity in mine.identities.all():
            if identity.label.lower() == label.lower():
                return identity
        raise AddressWanted(label)


def _told(mine: AccountStore) -> Identity:
    """The identity that hears what becomes of a post the chan's key signs."""
    identity = mine.identities.default() or next(iter(mine.identities.all()), None)
    if identity is None:
        raise NotAllowed("make an address of your own first: notices about your posts are sent to it")
    return identity


def _is_own(mine: AccountStore, text: str) -> bool:
    try:
        return mine.identities.find(parse_address(text)) is not None
    except BadAddress:
        return False


def _delivered_to(mine: AccountStore, message_id: str) -> str:
    """The address a stored mail was delivered to, empty when it is not there or was not."""
    for mailbox, uid in mine.messages.places_of(message_id):
        for head in mine.messages.heads(mailbox, [uid]):
            field = raw_field(parse_header(head.header), "Delivered-To").decode("ascii", "replace")
            if reached := field.strip().partition("@")[0]:
                return reached
    return ""
