"""A conversation in each of its states hears whatever bytes there are: it never raises, and never loses its head.

Events come from established peers alone, nothing comes after the end, and one end is enough.
"""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from peers import CLIENT, SERVER, Ends, conversation, packed, sent, version
from strategies import commands, packets

from bmgate.bm.commands import Command, Ping, Services, Verack
from bmgate.bm.conversation import MAX_ODDITIES, Conversation
from bmgate.bm.network import TESTNET
from bmgate.bm.packets import HEADER, MAX_PAYLOAD, Packet, encode_packet
from bmgate.bm.peer_events import Established, HangUp, Output, PeerEvent, Send
from bmgate.bm.tls import TlsLayer, tls_works

MIB = 1 << 20
CHUNK = 16_384
START = 1_000.0
EXAMPLES = settings().max_examples // 4  # of the whole run's: there are many states
STAGES = ["new", "version heard", "established", "in TLS handshake", "established in TLS"]


class Peer:
    """The other side of a conversation, brought as far as a stage, and able to speak within TLS where there is one."""

    def __init__(self, stage: str, initiator: bool) -> None:
        self.has_tls = "TLS" in stage
        self.conversation: Conversation = conversation(initiator=initiator, tls=self.has_tls)
        self.outputs: list[Output] = self.conversation.start(START)
        self._tls: TlsLayer | None = None
        self._services = Services.NETWORK | (Services.SSL if self.has_tls else Services(0))
        if stage != "new":
            self.hear(packed(version(services=self._services)), START)
        if stage not in ("new", "version heard"):
            self.hear(packed(Verack()), START)
        if stage == "established in TLS":
            self._shake_tls_hands(initiator)

    def hear(self, data: bytes, now: float) -> list[Output]:
        """What the conversation makes of these bytes."""
        outputs = self.conversation.receive(data, now)
        self.outputs += outputs
        return outputs

    def wrapped(self, data: bytes) -> bytes:
        """As it crosses the wire at this stage."""
        return self._tls.seal(data) if self._tls is not None and data else data

    def _shake_tls_hands(self, initiator: bool) -> None:
        self._tls = TlsLayer(SERVER if initiator else CLIENT, server_side=initiator)
        begun = self._after_handshake() if initiator else b""
        wire = self._tls.receive(begun).wire
        for _ in range(6):
            wire = self._tls.receive(sent(self.hear(wire, START))).wire
        assert self.conversation.established

    def _after_handshake(self) -> bytes:
        """The ClientHello, which follows our conversation's verack."""
        said = sent(self.outputs)
        return said[said.rindex(packed(Verack())) + len(packed(Verack())) :]


def check(outputs: list[Output], was_established: bool, had_ended: bool) -> None:
    """What holds for every step."""
    assert not (had_ended and any(isinstance(output, Send | HangUp | PeerEvent) for output in outputs))
    ends = [at for at, output in enumerate(outputs) if isinstance(output, HangUp)]
    assert len(ends) <= 1
    assert not ends or ends[0] == len(outputs) - 1
    established = was_established
    for output in outputs:
        if isinstance(output, Established):
            assert not established
            established = True
        elif isinstance(output, PeerEvent):
            assert established


def header_of(name: bytes, size: int) -> bytes:
    """What announces a packet of `size` bytes."""
    return HEADER.pack(TESTNET.magic, name, size, bytes(4))


def anything() -> st.SearchStrategy[bytes]:
    """Noise, packets with any name, true commands, and these with a wrong checksum."""
    noise = st.binary(max_size=200)
    framed = packets().map(lambda packet: encode_packet(packet, TESTNET.magic))
    true = commands().map(packed)
    wrong = true.map(lambda data: data[:20] + bytes(4) + data[24:])
    headers = st.builds(
        header_of,
        st.sampled_from([b"inv", b"object", b"version", b"x"]),
        st.integers(0, 2**32 - 1),
    )
    return st.one_of(noise, framed, true, wrong, headers)


class Talk(RuleBasedStateMachine):
    """Bytes, time and our own wishes in any order."""

    @initialize(stage=st.sampled_from(STAGES), initiator=st.booleans())
    def begin(self, stage: str, initiator: bool) -> None:
        self.peer, self.now = Peer(stage if tls_works() else stage.removesuffix(" in TLS"), initiator), START
        self.heard = 0

    def step(self, outputs: list[Output], was_established: bool, had_ended: bool) -> None:
        check(outputs, was_established, had_ended)
        self.heard += sum(len(output.data) for output in outputs if isinstance(output, Send))

    def state(self) -> tuple[bool, bool]:
        return self.peer.conversation.established, self.peer.conversation.ended

    @rule(data=anything(), cut=st.integers(0, 300))
    def hear(self, data: bytes, cut: int) -> None:
        wire = self.peer.wrapped(data)
        for portion in (wire[:cut], wire[cut:]):
            state = self.state()
            self.step(self.peer.conversation.receive(portion, self.now), *state)

    @rule(data=st.binary(min_size=1, max_size=100))
    def hear_past_tls(self, data: bytes) -> None:
        state = self.state()
        self.step(self.peer.conversation.receive(data, self.now), *state)

    @rule(seconds=st.sampled_from([0.0, 1.0, 31.0, 301.0, 700.0]), unsent=st.integers(0, 10_000), hears=st.booleans())
    def wait(self, seconds: float, unsent: int, hears: bool) -> None:
        self.now += seconds
        state = self.state()
        self.step(self.peer.conversation.tick(self.now, unsent, hears), *state)

    @precondition(lambda self: self.peer.conversation.established)
    @rule(command=commands())
    def say(self, command: Command) -> None:
        state = self.state()
        self.step(self.peer.conversation.say([command], self.now), *state)

    @invariant()
    def has_one_opinion(self) -> None:
        if hasattr(self, "peer") and self.peer.conversation.established:
            assert self.peer.conversation.peer is not None


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=EXAMPLES, stateful_step_count=20)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("initiator", [False, True])
@settings(max_examples=EXAMPLES)
@given(portions=st.lists(anything(), max_size=8))
def test_no_bytes_in_any_state_raise(stage: str, initiator: bool, portions: list[bytes]) -> None:
    peer = Peer(stage, initiator)
    for data in portions:
        state = peer.conversation.established, peer.conversation.ended
        check(peer.hear(peer.wrapped(data), START), *state)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("initiator", [False, True])
def test_every_stage_is_reached(stage: str, initiator: bool) -> None:
    peer = Peer(stage, initiator).conversation
    assert (peer.peer is not None) == (stage != "new")
    assert peer.established == stage.startswith("established")
    assert not peer.ended


@pytest.mark.parametrize("stage", ["new", "established", "in TLS handshake", "established in TLS"])
def test_t1_megabytes_of_an_unfinished_packet_stay_within_four(stage: str) -> None:
    """A peer says the largest packets there are, as often as it may."""
    peer = Peer(stage, initiator=False)
    largest = encode_packet(Packet(b"x", bytes(MAX_PAYLOAD)), TESTNET.magic)
    tracemalloc.start()
    for _ in range(MAX_ODDITIES - 1):
        for at in range(0, len(largest), CHUNK):
            peer.conversation.receive(peer.wrapped(largest[at : at + CHUNK]), START)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MIB


def test_pings_without_end_cost_their_pongs_and_nothing_more() -> None:
    ends = Ends(conversation(initiator=True), conversation(initiator=False))
    ends.start()
    outputs = ends.right.receive(packed(*[Ping()] * 10_000), START)
    assert len(sent(outputs)) == len(encode_packet(Packet(b"pong", b""), TESTNET.magic)) * 10_000
