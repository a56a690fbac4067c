"""Which identity is meant: by address, alias or label, among those that an account has."""

from collections.abc import Iterable
from dataclasses import dataclass

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.identity import Identity, IdentityId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.errors import Missing
from bmgate.mail.text import clean_line
from bmgate.services.identities.requests import AddressRequest

MAX_LABEL = 64  # characters


@dataclass(frozen=True, slots=True)
class Named:
    """An identity with its aliases; `is_new` as opposed to there before."""

    identity: Identity
    aliases: tuple[str, ...]
    is_new: bool = False


def find_identity(mine: AccountStore, text: str) -> Named:
    """An identity by address or alias; raises Missing, BadAddress for what is neither."""
    aliases = mine.identities.aliases()
    wanted: Address | None = None if text.lower() in aliases else parse_address(text)
    for identity in mine.identities.all():
        if identity.address == wanted or aliases.get(text.lower()) == identity.id:
            return named(mine, identity)
    raise Missing(f"the account has no address {text}; see: bmgate address list")


def named(mine: AccountStore, identity: Identity) -> Named:
    """With its aliases, in alphabetical order."""
    names = (name for name, owner in mine.identities.aliases().items() if owner == identity.id)
    return Named(identity, tuple(sorted(names)))


def already_there(mine: AccountStore, request: AddressRequest) -> list[Named]:
    """What a request would make anew, as far as names tell: by alias, else by label."""
    identities = mine.identities.all()
    if request.alias:
        owner = mine.identities.aliases().get(request.alias.lower())
        return [named(mine, each) for each in identities if each.id == owner]
    label = clean_line(request.label)[:MAX_LABEL]
    if not label or request.passphrase:
        return []
    found = [named(mine, each) for each in identities if each.label == label]
    return found if len(found) >= request.number else []


def choose_default(mine: AccountStore) -> None:
    """The oldest that is enabled, where there is none."""
    enabled: Iterable[IdentityId] = (each.id for each in mine.identities.all() if each.enabled)
    if mine.identities.default() is None and (oldest := next(iter(enabled), None)) is not None:
        mine.identities.set_default(oldest)
