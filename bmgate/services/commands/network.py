"""Mail commands on others: subscriptions, chans and contacts."""

from collections.abc import Mapping
from dataclasses import dataclass

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.account import AccountId
from bmgate.errors import BadAddress, NotAllowed
from bmgate.mail.command_line import CommandLine
from bmgate.mail.uris import is_uri, read_uri, split_uri
from bmgate.services.chans.chans import Chan, Chans, Joining
from bmgate.services.chans.subscriptions import Subscriptions
from bmgate.services.commands.table import Handler, told
from bmgate.services.contacts.contacts import Contacts, Entry
from bmgate.services.mailboxes.mailbox_names import fitting


@dataclass(frozen=True, slots=True)
class NetworkCommands:
    """Subscriptions, chans and contacts of an account."""

    chans: Chans
    subscriptions: Subscriptions
    contacts: Contacts

    def table(self) -> Mapping[str, Handler]:
        """Each under the name of its command."""
        return {
            "sub": self._subscribe,
            "usub": self._unsubscribe,
            "join": self._join,
            "leave": self._leave,
            "contact": self._contact,
            "uncontact": self._remove,
            "block": self._block,
            "allow": self._allow,
            "reads": self._reads,
        }

    # -- for `list` ------------------------------------------------------------------------------------------------

    async def list_subscriptions(self, account: AccountId) -> str:
        rows = [
            f"{each.stored.address}  {each.label}{'' if each.stored.enabled else '  (paused)'}"
            for each in await self.subscriptions.all(account)
        ]
        return told(rows, "You have no subscription.")

    async def list_chans(self, account: AccountId) -> str:
        rows = [f"{each.membership.address}  {each.label}" for each in await self.chans.all(account)]
        return told(rows, "You take part in no chan.")

    async def list_contacts(self, account: AccountId) -> str:
        rows = [f"{each.address}  {_words(each)}".rstrip() for each in await self.contacts.all(account)]
        return told(rows, "You have no contact.")

    # -- commands --------------------------------------------------------------------------------------------------

    async def _subscribe(self, account: AccountId, line: CommandLine) -> str:
        written, proposed = split_uri(line.words[0])
        address = await self.contacts.find(account, written)
        label = " ".join(line.words[1:]) or fitting(proposed)
        made = await self.subscriptions.subscribe(account, address, label, if_missing=True)
        return (
            f"You read the broadcasts of {address}. They come to the mailbox Subscriptions/{made.label}.\n"
            f'To end that, mail "usub {address}".'
        )

    async def _unsubscribe(self, account: AccountId, line: CommandLine) -> str:
        ended = await self.subscriptions.unsubscribe(account, " ".join(line.words))
        mailbox = f"Subscriptions/{ended.label}"
        return f"You read the broadcasts of {ended.stored.address} no more. The mailbox {mailbox} is gone."

    async def _join(self, account: AccountId, line: CommandLine) -> str:
        """The name is what stands in the subject, but for an address at its end; else the first line of the body.

        From there it is a secret: neither the mailbox nor the answer tells it.
        """
        words, wanted, label = list(line.words), None, ""
        if words and (wanted := _address_or_none(words[-1])) is not None:
            label = fitting(split_uri(words.pop())[1])
        passphrase, is_secret = " ".join(words) or line.body_line, not words
        if not passphrase:
            raise NotAllowed("the name is missing: it stands behind the command, or in the first line of the body")
        joining = Joining(account, passphrase, wanted, label, is_secret)
        chan, is_new = await self.chans.put(joining, if_missing=True)
        if not is_new:
            return _taken_part(chan, wanted, is_secret)
        if is_secret:
            return f"You joined {chan.membership.address}. Its mailbox is Chans/{chan.label}; rename it as you like."
        return f'You joined the chan "{chan.label}", {chan.membership.address}. Its mailbox is Chans/{chan.label}.'

    async def _leave(self, account: AccountId, line: CommandLine) -> str:
        left = await self.chans.leave(account, " ".join(line.words))
        return f'You left the chan "{left.label}", {left.membership.address}. Its mailbox is gone.'

    async def _contact(self, account: AccountId, line: CommandLine) -> str:
        written, proposed = split_uri(line.words[0])
        entry = await self.contacts.label(account, written, " ".join(line.words[1:]) or proposed)
        return f'{entry.address} is your contact "{entry.contact.label}".'

    async def _remove(self, account: AccountId, line: CommandLine) -> str:
        entry = await self.contacts.remove(account, line.words[0])
        return f"{entry.address} is none of your contacts any more."

    async def _block(self, account: AccountId, line: CommandLine) -> str:
        entry = await self.contacts.block(account, line.words[0])
        return f"Mail from {entry.address} goes to Junk from now on, and is not confirmed."

    async def _allow(self, account: AccountId, line: CommandLine) -> str:
        entry = await self.contacts.allow(account, line.words[0])
        return f"Mail from {entry.address} is welcome; what waited in Requests is in INBOX now."

    async def _reads(self, account: AccountId, line: CommandLine) -> str:
        name, words = line.words
        entry = await self.contacts.set(account, name, "reads", words)
        return f"{entry.address} reads {entry.reads.value}."


def _taken_part(chan: Chan, wanted: Address | None, is_secret: bool) -> str:
    """Under which address: a chan has two, and one takes part under one of them. The label may be the secret."""
    joined = chan.membership.address
    place = "" if is_secret else f" Its mailbox is Chans/{chan.label}."
    same = "" if wanted in (None, joined) else f"\n{wanted} has the same keys: what is posted there comes to you too."
    return f"You take part in this chan already, as {joined}.{place}{same}"


def _words(entry: Entry) -> str:
    parts = [entry.contact.label, entry.contact.standing.value, "relay" if entry.is_relay else ""]
    return ", ".join(part for part in parts if part)


def _address_or_none(text: str) -> Address | None:
    """What is written as an address of any domain, or as a link; raises BadAddress for a link to none."""
    if is_uri(text):
        return read_uri(text).address
    try:
        return parse_address(text.partition("@")[0]) if text[:3].upper() == "BM-" else None
    except BadAddress:
        return None
