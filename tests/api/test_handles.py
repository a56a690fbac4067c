"""The names of messages: they lead back to what they name, and nothing else does."""

from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from bmgate.api.handles import (
    ACK_DIGITS,
    ack_data_of,
    content_of,
    msgid_of_content,
    msgid_of_row,
    row_of_ack_data,
    row_of_msgid,
)
from bmgate.domain.outbox import OutgoingMessage

QUEUE_IDS = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=6, max_size=6)


class Named:
    """As much of a row as it takes."""

    def __init__(self, name: str) -> None:
        self.name = name


@given(QUEUE_IDS, st.integers(1, 1000), st.binary(min_size=16, max_size=16))
def test_names_lead_back(queue_id: str, number: int, uuid: bytes) -> None:
    name = f"{queue_id}-{number}"
    ack = ack_data_of(cast(OutgoingMessage, Named(name)))
    assert len(ack.hex()) == ACK_DIGITS
    assert row_of_ack_data(ack) == name
    assert row_of_msgid(msgid_of_row(name)) == name
    assert content_of(msgid_of_content(uuid)) == uuid
    assert len(msgid_of_row(name)) == len(msgid_of_content(uuid)) == 32
    assert content_of(msgid_of_row(name)) is None
    assert row_of_msgid(msgid_of_content(uuid)) is None


@given(st.binary(max_size=80))
def test_other_bytes_name_nothing(data: bytes) -> None:
    assert (content_of(data), row_of_msgid(data), row_of_ack_data(data)) == (None, None, None)
