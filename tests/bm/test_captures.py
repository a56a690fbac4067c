"""Captures are heard again as they were heard the first time."""

from dataclasses import replace

import pytest
from peers import Ends, conversation, version

from bmgate.bm.captures import (
    Capture,
    Said,
    Step,
    encode_head,
    encode_said,
    packet_of,
    read_capture,
    replay,
    summary,
)
from bmgate.bm.commands import AddrCommand, Command, ErrorCommand, Getdata, Inv, ObjectCommand, Ping, Verack
from bmgate.bm.conversation import Direction
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.network import TESTNET
from bmgate.errors import ProtocolError

VECTORS = (InventoryVector(bytes(32)),)


class Recorder:
    """Writes down what one side hears and says, with the time of a clock that the test moves."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.now = 0.0

    def __call__(self, direction: Direction, command: Command) -> None:
        packet = packet_of(command, TESTNET)
        assert packet is not None
        self.said.append(Said(self.now, direction, packet))

    @property
    def text(self) -> str:
        return encode_head(TESTNET, "127.0.0.9:18444", 1_795_300_000) + "".join(map(encode_said, self.said))


def recorded(initiator: bool, tls: bool) -> Recorder:
    """Our side of a conversation in which the other one announces, and is asked."""
    recorder = Recorder()
    ours = conversation(initiator, tls, trace=recorder)
    theirs = conversation(not initiator, tls)
    us, them = ("left", "right") if initiator else ("right", "left")
    ends = Ends(ours, theirs) if initiator else Ends(theirs, ours)
    ends.start()
    recorder.now = 2.0
    ends.say(them, Inv(VECTORS))
    ends.say(us, Getdata(VECTORS))
    ends.say(them, ObjectCommand(b"x" * 50), Ping())
    return recorder


@pytest.mark.parametrize("initiator", [True, False])
@pytest.mark.parametrize("tls", [True, False])
def test_a_replay_hears_and_says_the_same(initiator: bool, tls: bool) -> None:
    steps = list(replay(read_capture(recorded(initiator, tls).text)))
    names = [step.text.split("(")[0].split()[0] for step in steps if step.sign != "=="]
    hands = ["VersionCommand", "VersionCommand", "Verack", "Verack"]
    assert sorted(names[:4]) == sorted(hands)
    assert names[4:] == ["Inv", "Getdata", "object", "Ping", "Pong"]
    assert [step.text for step in steps if step.sign == "=="] == ["Established", "Announced", "ObjectArrived"]
    assert steps[-1] == Step(2.0, "->", "Pong()")
    assert "2.000 -> Pong()" in str(steps[-1])


def test_a_replay_ends_as_the_conversation_did() -> None:
    recorder = recorded(initiator=False, tls=False)
    recorder.now = 3.0
    recorder("in", ErrorCommand(2, 0, b"", "you are too many"))
    assert list(replay(read_capture(recorder.text)))[-1].text.startswith("hang up, REFUSED_BY_PEER")


def test_time_passes_in_a_replay_as_it_did() -> None:
    recorder = recorded(initiator=False, tls=False)
    recorder.said.append(replace(recorder.said[-1], at=700.0))
    assert "hang up, TIMEOUT: nothing heard" in [step.text for step in replay(read_capture(recorder.text))]


def test_a_line_that_was_cut_off_by_a_kill_is_left_out() -> None:
    text = recorded(initiator=True, tls=False).text
    assert read_capture(text[:-10]).said == read_capture(text).said[:-1]


def test_nothing_said_is_nothing_replayed() -> None:
    assert list(replay(Capture(TESTNET, "", 0, ()))) == []


HEAD = encode_head(TESTNET, "x", 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON\n",
        "[]\n",
        "[" * 100_000,
        HEAD.replace("test", "none"),
        HEAD.replace(" 1,", " 2,"),
        HEAD + "{}\n",
        HEAD + '{"at": NaN, "direction": "in", "packet": ""}\n',
        HEAD + '{"at": Infinity, "direction": "in", "packet": ""}\n',
        HEAD + '{"at": 1, "direction": "in", "packet": "xyz"}\n',
        HEAD + '{"at": 1, "direction": "in", "packet": "00"}\n',
        HEAD + encode_said(Said(0, "in", packet_of(Verack(), TESTNET) or b"")),
        HEAD + encode_said(Said(0, "out", (packet_of(version(), TESTNET) or b"")[:-1])),
    ],
)
def test_what_is_no_capture_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        list(replay(read_capture(text)))


def test_what_only_others_say_has_no_packet() -> None:
    assert packet_of(AddrCommand(()), TESTNET) is None or packet_of(Inv(()), TESTNET) is None


def test_long_commands_are_summed_up() -> None:
    assert len(summary(Inv(VECTORS * 100))) <= 301
    assert summary(ObjectCommand(b"x" * 50)).endswith(", 50 bytes")
