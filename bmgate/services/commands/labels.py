"""The mail command `label`: another word for an address, a chan or a subscription of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass

from bmgate.domain.account import AccountId
from bmgate.errors import BadAddress, Missing
from bmgate.mail.addresses import bare_name
from bmgate.mail.command_line import CommandLine
from bmgate.services.chans.chans import Chans
from bmgate.services.chans.subscriptions import Subscriptions
from bmgate.services.commands.table import Handler
from bmgate.services.identities import Identities


@dataclass(frozen=True, slots=True)
class LabelCommands:
    """What is called something else stays what it is; the mailbox of a chan or subscription goes by its label."""

    identities: Identities
    chans: Chans
    subscriptions: Subscriptions
    domain: str

    def table(self) -> Mapping[str, Handler]:
        """Under the name of the command."""
        return {"label": self._label}

    async def _label(self, account: AccountId, line: CommandLine) -> str:
        """Of what has that name first: addresses, chans, subscriptions."""
        text, label = line.words[0], " ".join(line.words[1:])
        for relabel in (self._address, self._chan, self._subscription):
            try:
                return await relabel(account, text, label)
            except (Missing, BadAddress):
                continue
        raise Missing(f"{line.words[0]} is none of your addresses, chans or subscriptions")

    async def _address(self, account: AccountId, text: str, label: str) -> str:
        named = await self.identities.label(account, bare_name(text, self.domain), label)
        return f'{named.identity.address} is called "{named.identity.label}" now.'

    async def _chan(self, account: AccountId, text: str, label: str) -> str:
        chan = await self.chans.label(account, text, label)
        return f'The chan {chan.membership.address} is called "{chan.label}" now. Its mailbox is Chans/{chan.label}.'

    async def _subscription(self, account: AccountId, text: str, label: str) -> str:
        found = await self.subscriptions.label(account, text, label)
        return (
            f'The subscription to {found.stored.address} is called "{found.label}" now. '
            f"Its mailbox is Subscriptions/{found.label}."
        )
