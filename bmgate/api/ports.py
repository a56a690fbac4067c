"""What the API asks of the services."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bmgate.domain.account import AccountId
from bmgate.services.chans.chans import Chans
from bmgate.services.chans.subscriptions import Subscriptions
from bmgate.services.contacts.contacts import Contacts
from bmgate.services.identities import Identities
from bmgate.services.inbound.receiving import Processed
from bmgate.services.status import NodeView
from bmgate.services.texts.dissemination import Dissemination
from bmgate.services.texts.received import ReceivedTexts
from bmgate.services.texts.sending import Texts
from bmgate.services.texts.sent import SentTexts


@dataclass(frozen=True, slots=True)
class ApiServices:
    """All that calls need of the house. `node` is None while none runs; `processed` counts objects of all readers.

    `is_operator` tells whose account is the operator's, who may see more of the node than others.
    """

    identities: Identities
    chans: Chans
    subscriptions: Subscriptions
    contacts: Contacts
    texts: Texts
    received: ReceivedTexts
    sent: SentTexts
    dissemination: Dissemination
    node: Callable[[], NodeView | None]
    processed: Callable[[], Processed]
    is_operator: Callable[[AccountId], Awaitable[bool]]
    version: str
