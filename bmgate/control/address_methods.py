"""The methods on addresses and their names: `address.*`, `alias.*`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bmgate.control.batch import BATCH_PARAMS, made, read_entries, tell_entries
from bmgate.control.protocol import Tell
from bmgate.control.table import ACCOUNT, IF_MISSING, IF_PRESENT, FindAccount, Method, Param, ended
from bmgate.control.values import options_value
from bmgate.domain.account import Account
from bmgate.domain.identity import Identity
from bmgate.domain.policy import DIFFICULTY
from bmgate.errors import Missing, NotAllowed
from bmgate.mail.addresses import bare_name
from bmgate.mail.uris import write_uri
from bmgate.services.accounts.aliasing import AliasEntry, Aliasing
from bmgate.services.batch import Report
from bmgate.services.identities import AddressEntry, AddressRequest, Identities, Named
from bmgate.services.identities.key_search import Progress, Wish

_ADDRESS, _NAME = Param("address", str), Param("name", str)
REQUEST = (
    Param("label", str, ""),
    Param("alias", str, ""),
    Param("passphrase", str, ""),
    Param("version", int, 4),
    Param("leading_zeros", int, 1),
    Param("number", int, 1),
)
"""What new addresses shall be."""


@dataclass(frozen=True, slots=True)
class AddressValues:
    """Addresses as they are told. `domain` stands behind the @ of the mail addresses."""

    domain: str
    difficulty_of: Callable[[Identity], float]

    def named(self, named: Named) -> dict[str, Any]:
        """With its names."""
        identity, aliases = named.identity, list(named.aliases)
        mail = [f"{name}@{self.domain}" for name in (*aliases, identity.address)]
        return {**self.value(identity), "aliases": aliases, "mail": mail}

    def value(self, identity: Identity) -> dict[str, Any]:
        """All but its names."""
        return {
            "address": str(identity.address),
            "label": identity.label,
            "uri": write_uri(identity.address, identity.label),
            "version": identity.address.version,
            "default": identity.is_default,
            "enabled": identity.enabled,
            "nonce_trials_per_byte": identity.nonce_trials_per_byte,
            "payload_length_extra_bytes": identity.payload_length_extra_bytes,
            "difficulty": self.difficulty_of(identity),
            "created_at": identity.created_at,
            "pubkey_sent_at": identity.pubkey_sent_at,
            "pubkey_outdated": identity.is_pubkey_outdated,
            "deleted_at": identity.deleted_at,
        }

    def local_part(self, name: str) -> str:
        """An address or alias without our domain, if that is behind it; a URI's address."""
        return bare_name(name, self.domain)


@dataclass(frozen=True, slots=True)
class AddressMethods:
    """`address.*`."""

    identities: Identities
    values: AddressValues

    def table(self, find: FindAccount) -> Mapping[str, Method]:
        """Each under its name."""

        async def new(tell: Tell, account: str, if_missing: bool, **wanted: Any) -> Any:
            owner, request = await find(account), AddressRequest(**wanted)
            named = await self.identities.new_some(owner.id, request, _telling(tell), if_missing=if_missing)
            values = [{**self.values.named(each), **made(each.is_new, if_missing)} for each in named]
            return values[0] if request.number == 1 else values

        async def new_all(tell: Tell, account: str, entries: list[Any], if_missing: bool) -> Any:
            wanted = await self._entries(find, account, entries)
            named = await self.identities.add_all(wanted, _telling(tell), if_missing=if_missing)
            return await tell_entries(tell, ((self.values.named(each), each.is_new) for each in named))

        async def price(passphrase: bool, number: int, leading_zeros: int) -> Any:
            wish = Wish(b"-" if passphrase else b"", number, leading_zeros)
            if not (1 <= number <= 1_000 and 1 <= leading_zeros <= 3):
                raise NotAllowed("addresses have 1 to 3 leading zero bytes, and 1 to 1000 are made at once")
            return _progress_value(await self.identities.search.price(wish))

        async def every(account: str, deleted: bool) -> Any:
            owner = (await find(account)).id
            listed = await (self.identities.deleted(owner) if deleted else self.identities.all(owner))
            return [self.values.value(identity) for identity in listed]

        async def show(account: str, address: str) -> Any:
            """Without `address` the default one."""
            owner = await find(account)
            return await self._shown(owner, address or await self._default_address(owner))

        async def options(account: str, address: str) -> Any:
            return await self._options(await find(account), address)

        async def change(account: str, address: str, option: str, value: str) -> Any:
            """Without `value` back to what holds for the account."""
            owner = await find(account)
            await self.identities.set(owner.id, self.values.local_part(address), option, value)
            return {**await self._shown(owner, address), "options": await self._options(owner, address)}

        async def label(account: str, address: str, label: str) -> Any:
            owner = (await find(account)).id
            return self.values.named(await self.identities.label(owner, self.values.local_part(address), label))

        async def enable(account: str, address: str) -> Any:
            owner = (await find(account)).id
            return self.values.named(await self.identities.enable(owner, self.values.local_part(address), True))

        async def disable(account: str, address: str) -> Any:
            owner = (await find(account)).id
            return self.values.named(await self.identities.enable(owner, self.values.local_part(address), False))

        async def default(account: str, address: str) -> Any:
            owner = (await find(account)).id
            return self.values.named(await self.identities.make_default(owner, self.values.local_part(address)))

        async def delete(account: str, address: str, if_present: bool) -> Any:
            owner = (await find(account)).id

            async def end() -> dict[str, Any]:
                return self.values.named(await self.identities.delete(owner, self.values.local_part(address)))

            return await ended(end(), if_present)

        async def undelete(account: str, address: str) -> Any:
            owner = (await find(account)).id
            return self.values.named(await self.identities.undelete(owner, self.values.local_part(address)))

        one = (ACCOUNT, _ADDRESS)
        return {
            "address.new": Method(new, (ACCOUNT, *REQUEST, IF_MISSING), tells=True),
            "address.new_all": Method(new_all, (ACCOUNT, *BATCH_PARAMS), tells=True),
            "address.price": Method(price, (Param("passphrase", bool, False), *reversed(REQUEST[4:]))),
            "address.list": Method(every, (ACCOUNT, Param("deleted", bool, False))),
            "address.show": Method(show, (ACCOUNT, Param("address", str, ""))),
            "address.options": Method(options, one),
            "address.set": Method(change, (*one, Param("option", str), Param("value", str, ""))),
            "address.label": Method(label, (*one, Param("label", str, ""))),
            "address.enable": Method(enable, one),
            "address.disable": Method(disable, one),
            "address.default": Method(default, one),
            "address.delete": Method(delete, (*one, IF_PRESENT)),
            "address.undelete": Method(undelete, one),
        }

    async def _entries(self, find: FindAccount, account: str, entries: list[Any]) -> list[AddressEntry]:
        wanted, report = list[AddressEntry](), Report()
        for line, entry in read_entries("an address", (Param("account", str, account), *REQUEST), entries):
            with report.line(line):
                owner = await find(entry.pop("account"))
                wanted.append(AddressEntry(line, owner.id, AddressRequest(**entry)))
        report.check()
        return wanted

    async def _options(self, owner: Account, address: str) -> list[dict[str, Any]]:
        name = self.values.local_part(address)
        identity, _ = await self.identities.show(owner.id, name)
        difficulty = self.identities.difficulty_of(identity)
        demand = {"name": DIFFICULTY, "value": f"{difficulty:g}", "is_set": difficulty != 1}
        return [demand, *options_value(await self.identities.options(owner.id, name))]

    async def _default_address(self, owner: Account) -> str:
        for identity in await self.identities.all(owner.id):
            if identity.is_default:
                return str(identity.address)
        raise Missing(f"{owner.name} has no address yet; make one: bmgate address new --account {owner.name}")

    async def _shown(self, owner: Account, name: str) -> dict[str, Any]:
        identity, aliases = await self.identities.show(owner.id, self.values.local_part(name))
        return self.values.named(Named(identity, tuple(aliases)))


@dataclass(frozen=True, slots=True)
class AliasMethods:
    """`alias.*`."""

    identities: Identities
    aliasing: Aliasing
    values: AddressValues

    def table(self, find: FindAccount) -> Mapping[str, Method]:
        """Each under its name."""

        async def add(account: str, name: str, address: str, if_missing: bool) -> Any:
            owner, target = (await find(account)).id, self.values.local_part(address)
            named = await self.identities.add_alias(owner, name, target, if_missing=if_missing)
            return {**self._value(name, named), **made(named.is_new, if_missing)}

        async def add_all(tell: Tell, account: str, entries: list[Any], if_missing: bool) -> Any:
            wanted, report = list[AliasEntry](), Report()
            for line, entry in read_entries("an alias", (Param("account", str, account), _NAME, _ADDRESS), entries):
                with report.line(line):
                    owner = (await find(entry["account"])).id
                    wanted.append(AliasEntry(line, owner, entry["name"], self.values.local_part(entry["address"])))
            report.check()
            given = await self.aliasing.add_all(wanted, if_missing=if_missing)
            pairs = zip(wanted, given, strict=True)
            return await tell_entries(tell, ((self._value(entry.name, each), each.is_new) for entry, each in pairs))

        async def remove(account: str, name: str, if_present: bool) -> Any:
            owner = (await find(account)).id

            async def end() -> dict[str, Any]:
                return self._value(name, await self.identities.remove_alias(owner, self.values.local_part(name)))

            return await ended(end(), if_present)

        async def every(account: str) -> Any:
            listed = await self.identities.aliases((await find(account)).id)
            return [
                {"name": name, "mail": f"{name}@{self.values.domain}", "address": str(address)}
                for name, address in listed.items()
            ]

        return {
            "alias.add": Method(add, (ACCOUNT, _NAME, _ADDRESS, IF_MISSING)),
            "alias.add_all": Method(add_all, (ACCOUNT, *BATCH_PARAMS), tells=True),
            "alias.remove": Method(remove, (ACCOUNT, _NAME, IF_PRESENT)),
            "alias.list": Method(every, (ACCOUNT,)),
        }

    def _value(self, name: str, named: Named) -> dict[str, Any]:
        folded = name.lower()
        return {
            "name": folded,
            "mail": f"{folded}@{self.values.domain}",
            "address": str(named.identity.address),
        }


def _telling(tell: Tell) -> Callable[[Progress], Any]:
    async def told(progress: Progress) -> None:
        await tell({"search": _progress_value(progress)})

    return told


def _progress_value(progress: Progress) -> dict[str, Any]:
    return {
        "found": progress.found,
        "number": progress.number,
        "tried": progress.tried,
        "expected": progress.expected,
        "seconds": round(progress.seconds, 3),
    }
