"""Queue ids: six characters by which people name a mail that was given to us."""

from bmgate.bm.keys import Entropy
from bmgate.domain.ports.account_store import AccountOutbox

QUEUE_ID_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32
QUEUE_ID_LENGTH = 6


def new_queue_id(outbox: AccountOutbox, entropy: Entropy) -> str:
    """One that no mail of the gateway has."""
    while True:
        queue_id = "".join(QUEUE_ID_LETTERS[byte % len(QUEUE_ID_LETTERS)] for byte in entropy(QUEUE_ID_LENGTH))
        if not outbox.has_queue_id(queue_id):
            return queue_id
