"""The methods on contacts. Labels are the account's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bmgate.control.batch import BATCH_PARAMS, made, read_entries, tell_entries, telling
from bmgate.control.protocol import Tell
from bmgate.control.table import ACCOUNT, IF_MISSING, IF_PRESENT, FindAccount, Method, Param, ended
from bmgate.control.values import options_value
from bmgate.domain.account import AccountId
from bmgate.domain.contact import Standing
from bmgate.errors import NotAllowed
from bmgate.mail.addresses import mail_address
from bmgate.services.batch import Report
from bmgate.services.contacts.contacts import Contacts, Entry, NewContact

PAGE = 500
"""As many contacts as `contact.list` tells at once, from `start` on: more are longer than a line may be."""

_CONTACT = Param("contact", str)
_ADD = (Param("address", str), Param("label", str), Param("standing", str, ""), Param("relay", bool, False))


@dataclass(frozen=True, slots=True)
class ContactMethods:
    """`contact.*`. `domain` stands behind the @ of the mail addresses told."""

    contacts: Contacts
    domain: str

    def table(self, find: FindAccount) -> Mapping[str, Method]:
        """Each under its name."""

        async def every(account: str, start: int) -> Any:
            owner = await find(account)
            return [self._value(entry) for entry in await self.contacts.all(owner.id, max(start, 0), PAGE)]

        async def show(account: str, contact: str) -> Any:
            owner = await find(account)
            return await self._with_options(owner.id, await self.contacts.show(owner.id, contact))

        async def add(account: str, address: str, label: str, if_missing: bool) -> Any:
            owner = await find(account)
            entry, is_new = await self.contacts.put(owner.id, NewContact(address, label), if_missing=if_missing)
            return {**self._value(entry), **made(is_new, if_missing)}

        async def remove(account: str, contact: str, if_present: bool) -> Any:
            owner = await find(account)

            async def end() -> dict[str, Any]:
                return self._value(await self.contacts.remove(owner.id, contact))

            return await ended(end(), if_present)

        async def block(account: str, contact: str) -> Any:
            return self._value(await self.contacts.block((await find(account)).id, contact))

        async def allow(account: str, contact: str) -> Any:
            return self._value(await self.contacts.allow((await find(account)).id, contact))

        async def change(account: str, contact: str, option: str, value: str) -> Any:
            owner = await find(account)
            return await self._with_options(owner.id, await self.contacts.set(owner.id, contact, option, value))

        async def add_all(tell: Tell, account: str, entries: list[Any], if_missing: bool) -> Any:
            wanted, report = list[tuple[int, AccountId, NewContact]](), Report()
            for line, entry in read_entries("a contact", (Param("account", str, account), *_ADD), entries):
                with report.line(line):
                    wanted.append((line, (await find(entry["account"])).id, _new(entry)))
            report.check()
            done = await self.contacts.add_all(wanted, telling(tell), if_missing=if_missing)
            return await tell_entries(tell, ((self._value(entry), is_new) for entry, is_new in done))

        return {
            "contact.list": Method(every, (ACCOUNT, Param("start", int, 0))),
            "contact.show": Method(show, (ACCOUNT, _CONTACT)),
            "contact.add": Method(add, (ACCOUNT, Param("address", str), Param("label", str, ""), IF_MISSING)),
            "contact.add_all": Method(add_all, (ACCOUNT, *BATCH_PARAMS), tells=True),
            "contact.remove": Method(remove, (ACCOUNT, _CONTACT, IF_PRESENT)),
            "contact.block": Method(block, (ACCOUNT, _CONTACT)),
            "contact.allow": Method(allow, (ACCOUNT, _CONTACT)),
            "contact.set": Method(change, (ACCOUNT, _CONTACT, Param("option", str), Param("value", str, ""))),
        }

    async def _with_options(self, account: AccountId, entry: Entry) -> dict[str, Any]:
        options = await self.contacts.options(account, str(entry.address))
        return {**self._value(entry), "options": options_value(options)}

    def _value(self, entry: Entry) -> dict[str, Any]:
        label = f"?label={quote(entry.contact.label)}" if entry.contact.label else ""
        return {
            "address": str(entry.address),
            "label": entry.contact.label,
            "mail": mail_address(entry.address, self.domain),
            "uri": f"bitmessage:{entry.address}{label}",
            "standing": entry.contact.standing.value,
            "reads": entry.reads.value,
            "shown": entry.shown.value,
            "relay": entry.is_relay,
        }


def _new(fields: Mapping[str, Any]) -> NewContact:
    try:
        standing = Standing(fields["standing"])
    except ValueError as error:
        raise NotAllowed("standing is allowed, blocked or empty") from error
    return NewContact(fields["address"], fields["label"], standing, fields["relay"])
