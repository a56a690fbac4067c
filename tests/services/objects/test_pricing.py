"""Prices: the size of what is not built yet, and shares of work."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_fixtures import NOW

from bmgate.bm.acks import ack_object, ack_packet, build_ack_data
from bmgate.bm.encodings import SIMPLE
from bmgate.bm.keys import random_keys
from bmgate.bm.network import MAINNET
from bmgate.bm.plaintext import Behavior, Pubkey, build_msg
from bmgate.domain.outbox import Kind
from bmgate.services.objects.keys import minimum
from bmgate.services.objects.pricing import Pricing, broadcast_size, msg_size

KEYS = random_keys(os.urandom, leading_zeros=0)
SENDER = Pubkey(4, 1, Behavior.DOES_ACK, KEYS.public, 1000, 1000)


@settings(max_examples=40)
@given(st.integers(1, 300) | st.sampled_from([252, 253, 65_535, 65_536, 100_000]), st.sampled_from([None, 0, 1]))
def test_the_size_of_a_msg_is_known_before_it_is_built(text_size: int, stealth: int | None) -> None:
    ack_data = b"" if stealth is None else build_ack_data(stealth, 1, os.urandom)
    ack = ack_packet(ack_object(ack_data, NOW), MAINNET.magic) if ack_data else b""
    built = build_msg(SENDER, KEYS, SENDER, SIMPLE, b"x" * text_size, ack, NOW, os.urandom)
    assert abs(len(built) - msg_size(text_size, ack_data)) <= 16, "signatures differ by a byte or two, blocks by one"


def test_the_price_is_that_of_the_tables() -> None:
    """30 bytes for four days with an ack of seven, as the mail-conversion rules price it."""
    ack_data = build_ack_data(1, 1, os.urandom)
    price = Pricing(MAINNET).before(30, ack_data, 4 * 86_400, minimum(MAINNET))
    assert msg_size(30, ack_data) == 492
    assert price.msg / 1e6 == pytest.approx(9.36, abs=0.01)
    assert price.ack / 1e6 == pytest.approx(10.78, abs=0.01)
    assert price.trials == price.msg + price.ack
    assert Pricing(MAINNET).before(30, b"", 4 * 86_400, minimum(MAINNET)).ack == 0


def test_a_broadcast_is_priced_as_large_as_it_gets() -> None:
    assert broadcast_size(30) == 428, "protocol specification v3, the worked example"
    price = Pricing(MAINNET).before(30, b"", 4 * 86_400, minimum(MAINNET), Kind.BROADCAST)
    assert price.ack == 0
    assert price.msg == 1000 * (1428 + 345_600 * 1428 // 65_536)
