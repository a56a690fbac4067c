"""Which identity is meant: by address, alias or label, among those that an account has."""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass

from bmgate.bm.addresses import looks_like_address, parse_address
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity, IdentityId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import Missing
from bmgate.mail.text import clean_line
from bmgate.services.identities.requests import AddressRequest, clean_label


@dataclass(frozen=True, slots=True)
class Named:
    """An identity with its aliases; `is_new` as opposed to there before."""

    identity: Identity
    aliases: tuple[str, ...]
    is_new: bool = False


def find_identity(mine: AccountStore, text: str) -> Named:
    """An identity by address or alias; raises Missing, BadAddress for what is neither."""
    names = Names(mine)
    return names.named(names.find(text))


def named(mine: AccountStore, identity: Identity) -> Named:
    """With its aliases, in alphabetical order."""
    return Names(mine).named(identity)


class Names:
    """The names of one account's addresses: read once, and kept up with those that are given."""

    def __init__(self, mine: AccountStore) -> None:
        self.mine = mine
        self._owners = mine.identities.aliases()
        self._names: dict[IdentityId, list[str]] = {}
        for name, owner in sorted(self._owners.items()):
            self._names.setdefault(owner, []).append(name)

    def owner(self, name: str) -> IdentityId | None:
        """Whose name it is."""
        return self._owners.get(name.lower())

    def find(self, text: str) -> Identity:
        """An identity by address or alias; raises as `find_identity`."""
        owner = self.owner(text)
        if owner is None and not looks_like_address(text):
            raise Missing(f"no address or alias of that name: {clean_line(text)[:40]}; see: bmgate address list")
        found = self.mine.identities.find(parse_address(text)) if owner is None else self.mine.identities.get(owner)
        if found is None:
            raise Missing(f"the account has no address {text}; see: bmgate address list")
        return found

    def named(self, identity: Identity) -> Named:
        """With its aliases, in alphabetical order."""
        return Named(identity, tuple(self._names.get(identity.id, ())))

    def note(self, name: str, owner: IdentityId) -> None:
        """One more."""
        if self._owners.get(name) != owner:
            self._owners[name] = owner
            insort(self._names.setdefault(owner, []), name)


class KnownNames:
    """The names of several accounts, each read once in a unit of work."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._of: dict[AccountId, Names] = {}

    def of(self, store: Store, account: AccountId) -> Names:
        """Those of one account; raises Missing."""
        if store is not self._store:
            self._store, self._of = store, {}
        if account not in self._of:
            self._of[account] = Names(store.account(account))
        return self._of[account]


class Labels:
    """Identities by label: read once in a unit of work, and kept up with what is made in it."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._of: dict[AccountId, dict[str, list[Identity]]] = {}

    def of(self, store: Store, account: AccountId) -> dict[str, list[Identity]]:
        """Those of one account."""
        if store is not self._store:
            self._store, self._of = store, {}
        if account not in self._of:
            by_label = self._of[account] = {}
            for identity in store.account(account).identities.all():
                by_label.setdefault(identity.label, []).append(identity)
        return self._of[account]

    def note(self, store: Store, new: Identity) -> None:
        """One more."""
        self.of(store, new.account).setdefault(new.label, []).append(new)


def already_there(
    store: Store, account: AccountId, request: AddressRequest, labels: Labels, names: KnownNames
) -> list[Named]:
    """What a request would make anew, as far as names tell: by alias, else by label."""
    if request.alias:
        owner = store.identities.by_alias(request.alias)
        return [names.of(store, account).named(owner)] if owner is not None and owner.account == account else []
    label = clean_label(request.label)
    if not label or request.passphrase:
        return []
    found = labels.of(store, account).get(label, [])
    return [names.of(store, account).named(each) for each in found] if len(found) >= request.number else []


def choose_default(mine: AccountStore) -> None:
    """The oldest that is enabled, where there is none."""
    enabled: Iterable[IdentityId] = (each.id for each in mine.identities.all() if each.enabled)
    if mine.identities.default() is None and (oldest := next(iter(enabled), None)) is not None:
        mine.identities.set_default(oldest)
