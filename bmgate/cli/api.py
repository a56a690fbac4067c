"""What the API works with, over a gateway."""

import os
from collections.abc import Callable
from functools import partial

from bmgate import __version__
from bmgate.api.ports import ApiServices
from bmgate.app import Gateway
from bmgate.services.status import NodeView
from bmgate.services.texts.dissemination import Dissemination
from bmgate.services.texts.places import TextPlaces
from bmgate.services.texts.received import ReceivedTexts
from bmgate.services.texts.sending import Texts
from bmgate.services.texts.sent import SentTexts


def services_of(gateway: Gateway, node: Callable[[], NodeView | None]) -> ApiServices:
    """Made when the API is on; `node` tells of the node while it runs."""
    database, clock = gateway.database, gateway.clock
    places = TextPlaces(database, gateway.mailboxes)
    return ApiServices(
        identities=gateway.identities,
        chans=gateway.chans,
        subscriptions=gateway.subscriptions,
        contacts=gateway.contacts,
        texts=Texts(database, gateway.submissions, clock, os.urandom, gateway.config.gateway.domain),
        received=ReceivedTexts(places, gateway.mailboxes, gateway.parsing),
        sent=SentTexts(database, places, gateway.parsing),
        dissemination=Dissemination(
            database, gateway.solver, gateway.node, clock, gateway.network, gateway.config.pow.max_work
        ),
        node=node,
        processed=lambda: gateway.receiving.processed,
        is_operator=partial(gateway.accounts.is_called, name=gateway.config.gateway.operator),
        version=__version__,
    )
