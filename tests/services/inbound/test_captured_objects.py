"""Objects of real peers, captured on the wire: accepted, opened with the keys of their recipients, and delivered."""

import hashlib
import json
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeClock
from stations import MakeStation, Settings, Station, User

from bmgate.bm.acceptance import Verdict
from bmgate.bm.addresses import parse_address
from bmgate.bm.keys import PrivateKeys
from bmgate.bm.network import MAINNET
from bmgate.bm.objects import ObjectType, read_object
from bmgate.domain.identity import NewIdentity
from bmgate.domain.mailbox import StoredMessage

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "objects.json").read_text("utf-8"))
OBJECTS: list[dict[str, Any]] = VECTORS["objects"]
KEYS: dict[str, dict[str, Any]] = {key["address"]: key for key in VECTORS["keys"]}
MSGS = [vector for vector in OBJECTS if vector["name"].startswith("msg ") and vector["to_address"] in KEYS]


def identity_of(address: str) -> NewIdentity:
    key = KEYS[address]
    keys = PrivateKeys(bytes.fromhex(key["signing_privkey_hex"]), bytes.fromhex(key["encryption_privkey_hex"]))
    return NewIdentity(
        parse_address(address), keys, "", True, key["nonce_trials_per_byte"], key["extra_bytes"], 1_700_000_000
    )


def text_of(message: StoredMessage) -> tuple[str, str]:
    parsed = message_from_bytes(message.header + message.body, _class=EmailMessage, policy=policy.default)
    body = parsed.get_body(("plain",))
    assert body is not None
    return str(parsed["Subject"] or ""), str(body.get_content()).replace("\r\n", "\n").strip("\n")


@pytest.fixture
async def mainnet(make_station: MakeStation) -> Station:
    return await make_station(Settings(network=MAINNET))


async def receive(station: Station, clock: FakeClock, vector: dict[str, Any]) -> Verdict:
    clock.jump(vector["captured_at"] - clock.now())
    (verdict,) = await station.add_objects([bytes.fromhex(vector["object_hex"])])
    await station.settle()
    return verdict


@pytest.mark.parametrize("vector", OBJECTS, ids=lambda vector: f"{vector['id']}-{vector['name'].replace(' ', '-')}")
async def test_every_captured_object_is_taken_and_harms_nothing(
    mainnet: Station, clock: FakeClock, vector: dict[str, Any]
) -> None:
    is_ours = vector["type"] <= ObjectType.BROADCAST
    expected = {Verdict.ACCEPT} if is_ours else {Verdict.ACCEPT, Verdict.ACCEPT_UNPROCESSED}
    assert await receive(mainnet, clock, vector) in expected
    assert await mainnet.database.read(lambda store: store.inventory.count()) == (1, 0)
    assert not mainnet.died


def test_there_are_captured_msgs_of_several_encodings() -> None:
    assert {vector["encoding"] for vector in MSGS} >= {1, 2, 3}


@pytest.mark.parametrize("vector", MSGS, ids=lambda vector: f"{vector['id']}-{vector['name'].replace(' ', '-')}")
async def test_captured_msgs_are_delivered_with_their_text(
    mainnet: Station, clock: FakeClock, vector: dict[str, Any]
) -> None:
    account = await mainnet.add_account("recipient")
    user = User(mainnet, account, await mainnet.add_identity(account, identity_of(vector["to_address"])))
    await receive(mainnet, clock, vector)
    messages = await user.messages()
    assert len(messages) == 1
    subject, body = text_of(messages[0])
    assert subject == vector["subject"]
    if vector["body"] is None:
        assert hashlib.sha256(body.encode()).hexdigest() == vector["body_sha256"]
    else:
        assert body == vector["body"].replace("\r\n", "\n").strip("\n")
    assert vector["from_address"].encode() in messages[0].header
    if vector["ack_packet_hex"]:
        ack = bytes.fromhex(vector["ack_packet_hex"])[24:]
        assert mainnet.announcer.announced == [read_object(ack).vector]
    await mainnet.crash()
    await mainnet.start()
    mainnet.services.receiving.wake()
    await mainnet.settle()
    assert len(await user.messages()) == 1
