"""Whom one account knows, as the address rules ask for it."""

from collections.abc import Iterable
from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.domain.account import AccountId
from bmgate.domain.policy import Scope
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import Ambiguous

_TOLD = 3  # contacts


@dataclass(frozen=True, slots=True)
class AccountDirectory:
    """The `mail.addresses.Directory` of one account, within one unit of work."""

    store: Store
    account: AccountId

    def alias(self, name: str) -> Address | None:
        """The address behind an alias of this gateway."""
        identity = self.store.identities.by_alias(name)
        return None if identity is None else identity.address

    def nickname(self, name: str) -> Address | None:
        """The contact whose label, folded, is `name`; raises Ambiguous where several have it."""
        contacts = self.store.account(self.account).contacts.all()
        fitting = [contact.address for contact in contacts if contact.label.lower() == name]
        if len(fitting) > 1:
            told = tuple(map(str, fitting[:_TOLD]))
            raise Ambiguous(f"{name} is the label of several contacts: {', '.join(told)}", told)
        return fitting[0] if fitting else None

    def relay(self, label: str) -> Address | None:
        """The first of the contacts with the option `relay`, by its label, folded, if one is given."""
        mine = self.store.account(self.account)
        for contact in mine.contacts.all():
            if label in ("", contact.label.lower()) and _is_relay(mine, contact.address):
                return contact.address
        return None

    def candidates(self) -> Iterable[Address]:
        """Own addresses, chans, subscriptions, contacts and correspondents."""
        mine = self.store.account(self.account)
        yield from (identity.address for identity in mine.identities.all())
        yield from (membership.address for membership in mine.chans.all())
        yield from (subscription.address for subscription in mine.subscriptions.all())
        yield from (contact.address for contact in mine.contacts.all())
        yield from mine.contacts.correspondents()


def _is_relay(mine: AccountStore, address: Address) -> bool:
    return mine.settings.values(Scope.CONTACT, mine.contacts.ref_of(address)).get("relay") == "on"
