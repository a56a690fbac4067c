"""The methods on accounts: `account.*`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bmgate.control.address_methods import AddressValues
from bmgate.control.batch import BATCH_PARAMS, made, read_entries, tell_entries
from bmgate.control.protocol import Tell
from bmgate.control.table import IF_PRESENT, FindAccount, Method, Param, ended
from bmgate.control.values import account_value, options_value
from bmgate.domain.account import Account, AccountState
from bmgate.errors import Missing, NotAllowed
from bmgate.services.accounts.accounts import AccountRequest, Accounts
from bmgate.services.accounts.provisioning import AccountEntry, Provided, Provisioning
from bmgate.services.policies import AccountOptions

USUAL, UNLIMITED = 0, -1  # quotas in bytes
_NAME, _QUOTA, _LABEL = Param("name", str), Param("quota_bytes", int, USUAL), Param("label", str, "")
_OPTION, _VALUE = Param("option", str), Param("value", str, "")
FIELDS = (_NAME, Param("password", str), Param("address", bool, True), _LABEL, _QUOTA)
"""Of an entry of a batch."""


@dataclass(frozen=True, slots=True)
class AccountMethods:
    """`account.*`."""

    accounts: Accounts
    options: AccountOptions
    provisioning: Provisioning
    values: AddressValues

    def table(self, find: FindAccount) -> Mapping[str, Method]:
        """Each under its name."""

        async def passwd(name: str, password: str) -> Any:
            account = await find(name, "as NAME")
            await self.accounts.set_password(account.name, password)
            return account_value(account)

        async def show(name: str) -> Any:
            account = await find(name, "as NAME")
            return {**account_value(account), "options": options_value(await self.options.show(account.id))}

        async def change(name: str, option: str, value: str) -> Any:
            """Without `value` back to the gateway's default."""
            account = await find(name)
            return {
                **account_value(account),
                "options": options_value(await self.options.set(account.id, option, value)),
            }

        return {
            "account.add": Method(
                self._add,
                (_NAME, Param("password", str), Param("address", bool, False), _LABEL, _QUOTA, BATCH_PARAMS[1]),
            ),
            "account.add_all": Method(self._add_all, BATCH_PARAMS, tells=True),
            "account.list": Method(self._list, (Param("deleted", bool, False),)),
            "account.passwd": Method(passwd, (Param("name", str, ""), Param("password", str))),
            "account.rename": Method(self._rename, (_NAME, Param("new_name", str), Param("keep_alias", bool, False))),
            "account.disable": Method(self._disable, (_NAME,)),
            "account.enable": Method(self._enable, (_NAME,)),
            "account.delete": Method(self._delete, (_NAME, IF_PRESENT)),
            "account.undelete": Method(self._undelete, (_NAME,)),
            "account.quota": Method(self._quota, (_NAME, _QUOTA)),
            "account.show": Method(show, (Param("name", str, ""),)),
            "account.set": Method(change, (_NAME, _OPTION, _VALUE)),
        }

    async def _add(
        self, name: str, password: str, address: bool, label: str, quota_bytes: int, if_missing: bool
    ) -> dict[str, Any]:
        entry = AccountEntry(1, self._request(name, password, quota_bytes), label if address else None)
        provided = await self.provisioning.add(entry, if_missing=if_missing)
        return {**self._value(provided), **made(provided.is_new, if_missing)}

    async def _add_all(self, tell: Tell, entries: list[Any], if_missing: bool) -> dict[str, int]:
        wanted = [
            AccountEntry(
                line,
                self._request(entry["name"], entry["password"], entry["quota_bytes"]),
                entry["label"] if entry["address"] else None,
            )
            for line, entry in read_entries("an account", FIELDS, entries)
        ]

        async def prepared(done: int, of: int) -> None:
            await tell({"done": done, "of": of})

        provided = await self.provisioning.add_all(wanted, prepared, if_missing=if_missing)
        return await tell_entries(tell, ((self._value(each), each.is_new) for each in provided))

    async def _list(self, deleted: bool) -> list[dict[str, Any]]:
        if deleted:
            return [{**account_value(each), "deleted_at": at} for each, at in await self.accounts.deleted()]
        return [account_value(account) for account in await self.accounts.all()]

    async def _rename(self, name: str, new_name: str, keep_alias: bool) -> dict[str, Any]:
        account = await self.accounts.rename(name, new_name, keep_alias=keep_alias)
        return {**account_value(account), "login": self._login(account)}

    async def _disable(self, name: str) -> dict[str, Any]:
        return await self._set_state(name, AccountState.DISABLED)

    async def _enable(self, name: str) -> dict[str, Any]:
        return await self._set_state(name, AccountState.ACTIVE)

    async def _delete(self, name: str, if_present: bool) -> dict[str, Any]:
        """One that was deleted before is gone, as long as it can be brought back too."""

        async def delete() -> dict[str, Any]:
            if if_present and (await self.accounts.named(name)).state is AccountState.DELETED:
                raise Missing(f"the account {name} was deleted")
            return account_value(await self.provisioning.delete(name))

        return await ended(delete(), if_present)

    async def _undelete(self, name: str) -> dict[str, Any]:
        return account_value(await self.provisioning.undelete(name))

    async def _quota(self, name: str, quota_bytes: int) -> dict[str, Any]:
        return account_value(await self.accounts.set_quota(name, self._room(quota_bytes)))

    async def _set_state(self, name: str, state: AccountState) -> dict[str, Any]:
        await self.accounts.set_state(name, state)
        return account_value(await self.accounts.named(name))

    def _request(self, name: str, password: str, quota_bytes: int) -> AccountRequest:
        return AccountRequest(name, password, self._room(quota_bytes))

    def _room(self, quota_bytes: int) -> int | None:
        """Bytes; 0 is what the gateway gives, -1 no limit."""
        if quota_bytes < UNLIMITED:
            raise NotAllowed("a quota is a number of bytes")
        if quota_bytes == UNLIMITED:
            return None
        return self.accounts.usual_quota if quota_bytes == USUAL else quota_bytes

    def _login(self, account: Account) -> str:
        return f"{account.name}@{self.values.domain}"

    def _value(self, provided: Provided) -> dict[str, Any]:
        account, address = provided.account, provided.address
        return {
            **account_value(account),
            "login": self._login(account),
            "address": None if address is None else self.values.named(address),
        }
