"""Another name for an account: names of accounts and aliases are one namespace (mail conversion 1.2).

The former name is given up as a removed alias is, so that for a year nobody else gets what was sent to it; or it stays
as an alias of the default address, and goes on to send, receive and log in.
"""

from bmgate.domain.account import Account, AccountId
from bmgate.domain.ports.database import Store
from bmgate.errors import Conflict, Missing


def rename(store: Store, account: AccountId, new: str, now: int, *, keep_alias: bool) -> Account:
    """Within a transaction; `new` is folded, and the name it has already changes nothing.

    Raises Conflict when the name is taken, Missing when there is no address to keep the former one.
    """
    former = store.accounts.get(account).name
    if new == former:
        return store.accounts.get(account)
    _free_own_alias(store, account, new, now)
    store.accounts.rename(account, new, now)
    if keep_alias:
        identities = store.account(account).identities
        default = identities.default()
        if default is None:
            raise Missing(f"{former} has no address that could keep the name; make one, or give the name up")
        identities.add_alias(former, default.id, now)
    return store.accounts.get(account)


def _free_own_alias(store: Store, account: AccountId, name: str, now: int) -> None:
    """An alias of the default address may become the name: it goes on to mean the same. Raises Conflict for another."""
    identities = store.account(account).identities
    owner, default = identities.aliases().get(name), identities.default()
    if owner is None:
        return
    if default is None or owner != default.id:
        address = identities.get(owner).address
        raise Conflict(f"{name!r} is the alias of {address}, and would mean another address; remove it first")
    identities.remove_alias(name, now)
