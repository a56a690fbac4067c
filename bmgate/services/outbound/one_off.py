"""One-off senders: a fresh address for each mail that is sent as `random@` (mail conversion 1.3).

One for each account and Message-ID: a mail that is given again, even to others or after a failure, goes out under the
address it had. Answers reach the account, for the address is its own from then on. Its pubkey is published only when
somebody asks for it: whoever got the mail has it already.
"""

import asyncio
from dataclasses import dataclass

from bmgate.bm.keys import Entropy, PrivateKeys, random_keys
from bmgate.bm.network import STREAM, NetworkParameters
from bmgate.domain.identity import Identity, NewIdentity
from bmgate.domain.ports.account_store import AccountStore
from bmgate.mail.dates import moment_of
from bmgate.services.behavior import behavior_of
from bmgate.services.identities.requests import check_room
from bmgate.services.policies import Policies

ADDRESS_VERSION = 4
LABEL = "random"  # and the day


@dataclass(frozen=True, slots=True)
class OneOffs:
    """Makes the addresses."""

    policies: Policies
    entropy: Entropy
    network: NetworkParameters

    async def draw(self) -> PrivateKeys:
        """Keys for another one; takes some time."""
        return await asyncio.to_thread(random_keys, self.entropy, 1)

    def former(self, mine: AccountStore, message_id: str) -> Identity | None:
        """The one that was made for a mail with this Message-ID, known by its label."""
        if not message_id:
            return None
        sent = (mine.identities.get(each) for each in mine.outbox.senders_of(message_id))
        return next((identity for identity in sent if identity.label.startswith(f"{LABEL} ")), None)

    def make(self, mine: AccountStore, keys: PrivateKeys, now: int) -> Identity:
        """Within the transaction of the mail that is sent as it; raises LimitReached."""
        check_room(mine, 1)
        return mine.identities.add(
            NewIdentity(
                address=keys.public.address(ADDRESS_VERSION, STREAM),
                keys=keys,
                label=f"{LABEL} {moment_of(now):%Y-%m-%d}",
                is_default=False,
                nonce_trials_per_byte=self.network.nonce_trials_per_byte,
                payload_length_extra_bytes=self.network.payload_length_extra_bytes,
                created_at=now,
                behavior=int(behavior_of(self.policies.of(mine))),
                publish_on_request=True,
            )
        )
