"""Methods on subscriptions and on the address book."""

import contextlib

from bmgate.api.faults import Code, Fault
from bmgate.api.ports import ApiServices
from bmgate.api.table import Method, Table
from bmgate.api.values import Wire, address, b64, label
from bmgate.domain.account import AccountId
from bmgate.errors import Conflict, Missing
from bmgate.services.contacts.contacts import NewContact
from bmgate.services.mailboxes.mailbox_names import fitting


class ContactMethods:
    """Whose broadcasts are read, and who is known by a label."""

    def __init__(self, services: ApiServices) -> None:
        self._subscriptions, self._contacts = services.subscriptions, services.contacts

    def table(self) -> Table:
        """Each under its name, and under its former names."""
        entries = Method(self._entries, 0, 1, "the address book: label (base64) to look for")
        add = Method(self._add, 2, 2, "put an address into the book: address, label (base64)")
        delete = Method(self._delete, 1, 1, "take an address out of the book: address")
        return {
            "listSubscriptions": Method(self._list, 0, 0, "whose broadcasts are read"),
            "addSubscription": Method(self._subscribe, 1, 2, "read the broadcasts of: address, label (base64)"),
            "deleteSubscription": Method(self._unsubscribe, 1, 1, "read no more broadcasts of: address"),
            "listAddressBookEntries": entries,
            "listAddressbook": entries,
            "addAddressBookEntry": add,
            "addAddressbook": add,
            "deleteAddressBookEntry": delete,
            "deleteAddressbook": delete,
        }

    async def _list(self, account: AccountId) -> Wire:
        return {
            "subscriptions": [
                {"label": b64(each.label), "address": str(each.stored.address), "enabled": each.stored.enabled}
                for each in await self._subscriptions.all(account)
            ]
        }

    async def _subscribe(self, account: AccountId, written: Wire, name: Wire = "") -> Wire:
        try:
            await self._subscriptions.subscribe(account, address(written), fitting(label(name)))
        except Conflict as error:
            raise Fault("You are already subscribed to that address.", Code.ALREADY_THERE) from error
        return "Added subscription."

    async def _unsubscribe(self, account: AccountId, written: Wire) -> Wire:
        wanted = address(written)
        if any(each.stored.address == wanted for each in await self._subscriptions.all(account)):
            await self._subscriptions.unsubscribe(account, str(wanted))
        return "Deleted subscription if it existed."

    async def _entries(self, account: AccountId, name: Wire = None) -> Wire:
        wanted = None if name is None else label(name)
        return {
            "addresses": [
                {"label": b64(entry.contact.label), "address": str(entry.address)}
                for entry in await self._contacts.all(account)
                if entry.contact.label and wanted in (None, entry.contact.label)
            ]
        }

    async def _add(self, account: AccountId, written: Wire, name: Wire) -> Wire:
        wanted = address(written)
        try:
            await self._contacts.put(account, NewContact(str(wanted), label(name), may_be_own=True))
        except Conflict as error:
            raise Fault("You already have this address in your address book.", Code.ALREADY_THERE) from error
        return f"Added address {wanted} to address book"

    async def _delete(self, account: AccountId, written: Wire) -> Wire:
        wanted = address(written)
        with contextlib.suppress(Missing):
            await self._contacts.remove(account, str(wanted))
        return f"Deleted address book entry for {wanted} if it existed"
