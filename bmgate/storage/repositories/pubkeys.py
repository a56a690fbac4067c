"""The cache of others' pubkeys. Whose they are is sealed; an HMAC tag finds one by its address."""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select

from bmgate.bm.addresses import Address
from bmgate.bm.plaintext import Pubkey, encode_pubkey_record, read_pubkey_record
from bmgate.storage.repositories.scope import GatewayScope
from bmgate.storage.schema import outbox
from bmgate.storage.schema import pubkey as pubkeys
from bmgate.storage.statements import Prepared
from bmgate.storage.vault import Purpose, Vault

MAX_PUBKEYS = 10_000  # P25


def address_tag(vault: Vault, address: Address) -> bytes:
    """Finds rows of the whole gateway that concern `address`."""
    return vault.tag(b"address", str(address).encode())


_BY_TAG = Prepared(select(pubkeys.c.sealed_record).where(pubkeys.c.address_tag == bindparam("tag")))


@dataclass(frozen=True, slots=True)
class PubkeyRepository:
    """The newest pubkey of each address; when there are too many, those learnt longest ago go.

    Never those of whom we wrote to: strangers who write to us cannot push them out (P25).
    """

    scope: GatewayScope

    def find(self, address: Address) -> Pubkey | None:
        tag = address_tag(self.scope.vault, address)
        sealed = _BY_TAG.scalar(self.scope.connection, {"tag": tag})
        return None if sealed is None else read_pubkey_record(self.scope.vault.open(Purpose.CACHE, sealed, tag))

    def save(self, pubkey: Pubkey, now: int) -> None:
        """In place of the one known before."""
        tag, connection = address_tag(self.scope.vault, pubkey.address), self.scope.connection
        sealed = self.scope.vault.seal(Purpose.CACHE, encode_pubkey_record(pubkey), tag)
        connection.execute(delete(pubkeys).where(pubkeys.c.address_tag == tag))
        connection.execute(insert(pubkeys).values(address_tag=tag, sealed_record=sealed, learnt_at=now))
        surplus = connection.execute(select(func.count()).select_from(pubkeys)).scalar_one() - MAX_PUBKEYS
        if surplus > 0:
            others = pubkeys.c.address_tag.not_in(select(outbox.c.recipient_tag))
            oldest = select(pubkeys.c.address_tag).where(others).order_by(pubkeys.c.learnt_at).limit(surplus)
            connection.execute(delete(pubkeys).where(pubkeys.c.address_tag.in_(oldest)))
