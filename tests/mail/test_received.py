"""Messages as programs in the wild send them, each with the mail it becomes, byte for byte: `tests/received`."""

import base64
import email
import json
from pathlib import Path

import pytest

from bmgate.bm.addresses import parse_address
from bmgate.mail.incoming import IncomingMail, render
from bmgate.mail.incoming_body import parts_of
from bmgate.mail.read import read_message
from bmgate.mail.reading import Kind, Manner

RECEIVED = Path(__file__).parents[1] / "received"
ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
BOB = parse_address("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")
GENERAL = parse_address("BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r")
CONTENT_ID = bytes.fromhex("2bc2f47d600e01cebbd18115ccded454e59f3b0973f78bae195540a02796cf69")
NAMES = sorted(path.stem for path in RECEIVED.glob("*.json"))


def shown(name: str) -> bytes:
    """The mail that a message becomes for bob: from alice, or from a chan or a list of hers."""
    case = json.loads((RECEIVED / f"{name}.json").read_text())
    given = case["manner"]
    manner = Manner(**given | {"kind": Kind(given.get("kind", Kind.MSG))})
    reading = read_message(case["encoding"], base64.b64decode(case["data"]), manner)
    sender, recipient = {
        Kind.CHAN: (GENERAL, GENERAL),
        Kind.BROADCAST: (ALICE, ALICE),
        Kind.LIST: (ALICE, ALICE),
    }.get(reading.kind, (ALICE, BOB))
    mail = IncomingMail(
        sender=sender,
        recipient=recipient,
        encoding=case["encoding"],
        reading=reading,
        parts=parts_of(reading),
        content_id=CONTENT_ID,
        received_at=1795292131,
        sender_label="Alice" if sender == ALICE else "general",
        recipient_label={BOB: "", ALICE: "News"}.get(recipient, "general"),
    )
    return render(mail, bytes(range(32)), "bm.internal")


@pytest.mark.parametrize("name", NAMES)
def test_a_message_becomes_its_mail_byte_for_byte(name: str) -> None:
    raw = shown(name)
    assert raw == (RECEIVED / f"{name}.eml").read_bytes()
    mail = email.message_from_bytes(raw)
    assert not any(part.defects for part in mail.walk())
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 200


@pytest.mark.parametrize("name", NAMES)
def test_only_what_follows_a_rule_is_converted(name: str) -> None:
    rules = (email.message_from_bytes(shown(name))["X-Bitmessage-Converted"] or "").split()
    if (name.startswith("i0") and name[:3] < "i05") or "-near-" in name or name.endswith(("-off", "-kept")):
        assert rules == []
    elif name[1:3].isdigit():
        assert rules[:1] == [f"I{int(name[1:3])}"]
