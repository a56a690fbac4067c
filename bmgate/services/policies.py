"""Options in force: the gateway's defaults, narrowed by what an account set for itself, its identities and contacts.

All within the caller's unit of work, except for the commands that set and show them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.domain.account import AccountId
from bmgate.domain.identity import IdentityId
from bmgate.domain.mailbox import TAKE_MAIL
from bmgate.domain.policy import Option, Policy, Scope, option, options_of
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Database, Store
from bmgate.errors import BadOption
from bmgate.services.behavior import SHOWN, behavior_of


@dataclass(frozen=True, slots=True)
class Shown:
    """An option as it is told: its words in force, and whether they were set here or come from further out."""

    option: Option
    words: str
    is_set: bool


@dataclass(frozen=True, slots=True)
class Policies:
    """What is in force for whom; `defaults` are the gateway's."""

    defaults: Policy

    def of(
        self,
        mine: AccountStore,
        identity: IdentityId | None = None,
        contact: Address | None = None,
        membership: int | None = None,
    ) -> Policy:
        """The options for one of the account's identities (or chans), towards one of its contacts."""
        refs = _refs(mine, identity, contact, membership)
        return self.defaults.narrowed(mine.settings.narrowed(refs))

    def set(
        self,
        mine: AccountStore,
        name: str,
        words: str | None,
        identity: IdentityId | None = None,
        contact: Address | None = None,
        membership: int | None = None,
    ) -> None:
        """Set an option for the narrowest of those given, with None go back to what is wider; raises BadOption."""
        scope = _narrowest(identity, contact, membership)
        wanted = option(name, scope)
        value = None if words is None else wanted.checked(words)
        if value and wanted.name == "deliver_to":
            _check_takes_mail(mine, value)
        if contact is not None:
            mine.contacts.make_ref(contact)
        ref = _refs(mine, identity, contact, membership).get(scope, 0)
        mine.settings.put(scope, ref, wanted.name, value)
        if wanted.name in SHOWN:
            self.show_behavior(mine)

    def show_behavior(self, mine: AccountStore) -> None:
        """Let the account's addresses show what is in force for them."""
        for identity in mine.identities.all():
            mine.identities.set_behavior(identity.id, behavior_of(self.of(mine, identity.id)))

    def shown(
        self,
        mine: AccountStore,
        identity: IdentityId | None = None,
        contact: Address | None = None,
        membership: int | None = None,
    ) -> list[Shown]:
        """Every option that can be set for the narrowest of those given."""
        scope = _narrowest(identity, contact, membership)
        here = mine.settings.values(scope, _refs(mine, identity, contact, membership).get(scope, 0))
        policy = self.of(mine, identity, contact, membership)
        return [Shown(each, policy.words(each.name), each.name in here) for each in options_of(scope)]


class AccountOptions:
    """`bmgate account set` and `show`. `changed` is called when pubkeys may say something else now."""

    def __init__(self, database: Database, policies: Policies, changed: Callable[[], None]) -> None:
        self._database, self._policies, self._changed = database, policies, changed

    async def set(self, account: AccountId, name: str, words: str) -> list[Shown]:
        """Set an option; empty words go back to the gateway's default. Raises BadOption."""

        def change(store: Store) -> list[Shown]:
            mine = store.account(account)
            self._policies.set(mine, name, words or None)
            return self._policies.shown(mine)

        shown = await self._database.transact(change)
        self._changed()
        return shown

    async def show(self, account: AccountId) -> list[Shown]:
        """Every option an account has."""
        return await self._database.read(lambda store: self._policies.shown(store.account(account)))


def _check_takes_mail(mine: AccountStore, name: str) -> None:
    """Raises BadOption for a mailbox that is not there or holds something else."""
    mailbox = mine.mailboxes.find(name)
    if mailbox is None or mailbox.kind not in TAKE_MAIL:
        there = ", ".join(each.name for each in mine.mailboxes.all() if each.kind in TAKE_MAIL)
        raise BadOption(f"deliver_to: no mailbox {name!r} takes mail; those that do: {there}")


def _narrowest(identity: IdentityId | None, contact: Address | None, membership: int | None) -> Scope:
    if contact is not None:
        return Scope.CONTACT
    if membership is not None:
        return Scope.MEMBERSHIP
    return Scope.ACCOUNT if identity is None else Scope.IDENTITY


def _refs(
    mine: AccountStore, identity: IdentityId | None, contact: Address | None, membership: int | None
) -> Mapping[Scope, int]:
    refs = {Scope.ACCOUNT: 0}
    if identity is not None:
        refs[Scope.IDENTITY] = identity
    if membership is not None:
        refs[Scope.MEMBERSHIP] = membership
    if contact is not None and (ref := mine.contacts.ref_of(contact)):
        refs[Scope.CONTACT] = ref
    return refs
