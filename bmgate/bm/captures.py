"""Captures: what one peer and we said to each other, with times, in a form that a conversation can hear again.

A text of JSON objects, one a line: a head, then each packet in clear, also where it crossed the wire within TLS. Peers'
packets hold no secrets of ours; packets that could not be read are not in it. A replay tells what this version of the
conversation makes of the same words; what the node adds to a conversation of its own is taken from the capture.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bmgate.bm.commands import (
    Command,
    ErrorCommand,
    ObjectCommand,
    Pong,
    Services,
    Verack,
    VersionCommand,
    encode_command,
    read_command,
)
from bmgate.bm.conversation import Conversation, Direction
from bmgate.bm.handshake import Refusal
from bmgate.bm.hashes import inventory_vector
from bmgate.bm.network import NETWORKS, NetworkParameters
from bmgate.bm.packets import PacketReader
from bmgate.bm.peer_events import HangUp, Output, PeerEvent
from bmgate.errors import ProtocolError

VERSION = 1
MAX_CHARACTERS = 300
MAX_SECONDS = 10**9
_SAID_BY_ITSELF = (VersionCommand, Verack, Pong, ErrorCommand)


@dataclass(frozen=True, slots=True)
class Said:
    """One packet; `at` in seconds since the first."""

    at: float
    direction: Direction
    packet: bytes


@dataclass(frozen=True, slots=True)
class Capture:
    """One connection; `began` in Unix seconds."""

    network: NetworkParameters
    peer: str
    began: int
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in a replay: a packet heard (`<-`) or said (`->`), or what the conversation made of it (`==`)."""

    at: float
    sign: str
    text: str

    def __str__(self) -> str:
        return f"{self.at:10.3f} {self.sign} {self.text}"


def summary(command: object) -> str:
    """One line for people: objects by their name."""
    if isinstance(command, ObjectCommand):
        return f"object {inventory_vector(command.encoded).hex()}, {len(command.encoded)} bytes"
    text = repr(command)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"


def encode_head(network: NetworkParameters, peer: str, began: int) -> str:
    """The first line."""
    return json.dumps({"bmgate_capture": VERSION, "network": network.name, "peer": peer, "began": began}) + "\n"


def encode_said(said: Said) -> str:
    """One more line."""
    return json.dumps({"at": round(said.at, 6), "direction": said.direction, "packet": said.packet.hex()}) + "\n"


def read_capture(text: str) -> Capture:
    """Raises ProtocolError; the last line may be cut off, as by a kill."""
    lines = text.split("\n")
    head = _object(lines[0])
    network = NETWORKS.get(str(head.get("network")))
    if head.get("bmgate_capture") != VERSION or network is None or not isinstance(head.get("began"), int):
        raise ProtocolError("this is no capture of version 1")
    said = tuple(_said(_object(line)) for line in lines[1:-1])
    return Capture(network, str(head.get("peer", "")), head["began"], said)


def replay(capture: Capture) -> Iterator[Step]:
    """What a conversation of today makes of it, step by step; raises ProtocolError where a packet is none."""
    if not capture.said:
        return
    commands = [(said, _command(said, capture.network)) for said in capture.said]
    ours = next((command for said, command in commands if said.direction == "out" and _is_version(command)), None)
    if not isinstance(ours, VersionCommand):
        raise ProtocolError("the capture lacks our own version")
    said_now: list[Command] = []

    def trace(direction: Direction, command: Command) -> None:
        if direction == "out":
            said_now.append(command)

    plain = replace(ours, services=ours.services & ~Services.SSL)  # the capture is in clear
    initiator = commands[0][0].direction == "out"
    conversation = Conversation(capture.network, plain, initiator, _admit, trace=trace)
    for number, (said, command) in enumerate(commands):
        outputs = conversation.start(said.at) if number == 0 else conversation.tick(said.at)
        if said.direction == "in":
            yield Step(said.at, "<-", summary(command))
            outputs += conversation.receive(said.packet, said.at)
        elif conversation.established and not isinstance(command, _SAID_BY_ITSELF):
            outputs += conversation.say([command], said.at)
        yield from (Step(said.at, "->", summary(each)) for each in said_now)
        said_now.clear()
        yield from _told(said.at, outputs)


def _told(at: float, outputs: list[Output]) -> Iterator[Step]:
    for output in outputs:
        match output:
            case HangUp(ending, detail):
                yield Step(at, "==", f"hang up, {ending.name}: {detail}")
            case PeerEvent():
                yield Step(at, "==", type(output).__name__)
            case _:
                pass


def _admit(_: VersionCommand) -> Refusal | None:
    """Whom the node refused then, it refused for reasons that are not in the capture."""
    return None


def _is_version(command: Command) -> bool:
    return isinstance(command, VersionCommand)


def _command(said: Said, network: NetworkParameters) -> Command:
    reader = PacketReader(network.magic)
    reader.feed(said.packet)
    packet = reader.next_packet()
    if packet is None:
        raise ProtocolError(f"the packet at {said.at} s is cut off")
    return read_command(packet)


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("this is no capture: a line is not JSON") from error
    if not isinstance(value, dict):
        raise ProtocolError("this is no capture: a line is no JSON object")
    return value


def _said(line: dict[str, Any]) -> Said:
    at, direction, packet = line.get("at"), line.get("direction"), line.get("packet")
    if (
        not isinstance(at, int | float)
        or not 0 <= at < MAX_SECONDS
        or direction not in ("in", "out")
        or not isinstance(packet, str)
    ):
        raise ProtocolError("a line of the capture lacks at, direction or packet")
    try:
        return Said(float(at), "in" if direction == "in" else "out", bytes.fromhex(packet))
    except (ValueError, OverflowError) as error:
        raise ProtocolError("a packet of the capture is not hexadecimal") from error


def packet_of(command: Command, network: NetworkParameters) -> bytes | None:
    """As it is captured; None for what only others send, such as an empty inv."""
    try:
        return encode_command(command, network.magic)
    except ValueError:
        return None
