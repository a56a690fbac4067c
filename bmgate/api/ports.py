"""What the API asks of the services."""

from collections.abc import Callable
from dataclasses import dataclass

from bmgate.services.chans.chans import Chans
from bmgate.services.chans.subscriptions import Subscriptions
from bmgate.services.contacts.contacts import Contacts
from bmgate.services.identities import Identities
from bmgate.services.status import NodeView
from bmgate.services.texts.dissemination import Dissemination
from bmgate.services.texts.received import ReceivedTexts
from bmgate.services.texts.sending import Texts
from bmgate.services.texts.sent import SentTexts


@dataclass(frozen=True, slots=True)
class ApiServices:
    """All that calls need of the house. `node` is None while none runs; `msgs` counts those that keys were tried on."""

    identities: Identities
    chans: Chans
    subscriptions: Subscriptions
    contacts: Contacts
    texts: Texts
    received: ReceivedTexts
    sent: SentTexts
    dissemination: Dissemination
    node: Callable[[], NodeView | None]
    msgs: Callable[[], int]
    version: str
