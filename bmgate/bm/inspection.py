"""What a piece of Bitmessage is, told to people: packets, objects, addresses, keys, as far as keys open them.

Pure description: nothing is stored, judged or sent. Private keys that were given are used and never shown.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import IntFlag

from bmgate.bm.acceptance import judge
from bmgate.bm.acks import ack_data_of, read_ack
from bmgate.bm.addresses import Address, parse_address
from bmgate.bm.commands import ObjectCommand, read_command
from bmgate.bm.crypto import decrypt, read_ciphertext
from bmgate.bm.description import Description, Field, Value, moment
from bmgate.bm.encodings import DecodedMessage, decode_message
from bmgate.bm.keys import PublicKeys, decode_wif, public_point
from bmgate.bm.network import MAINNET, NETWORKS, NetworkParameters
from bmgate.bm.objects import BitmessageObject, ObjectType, read_getpubkey, read_object, read_onionpeer
from bmgate.bm.packets import BadChecksum, Packet, PacketReader
from bmgate.bm.plaintext import Behavior, Pubkey, read_broadcast, read_msg
from bmgate.bm.plaintext.broadcasts import parse_broadcast
from bmgate.bm.plaintext.msgs import parse_msg
from bmgate.bm.plaintext.pubkeys import read_pubkey
from bmgate.errors import BadObject, BadPacket, ProtocolError
from bmgate.pow.target import SHORTEST_TTL_SECONDS, expected_trials

DUMMY_SIZE = 32  # bytes after the header of an ack that is no more than a number
MAX_ITEMS = 100  # of a list that are spelled out


def inspect_bytes(data: bytes, keys: tuple[bytes, ...], now: int) -> Description:
    """Packets as they cross the wire, or one object; raises BadObject when it is neither.

    `keys` are 32-byte private keys: encryption keys for msgs, keys derived from addresses for pubkeys and broadcasts.
    """
    for network in NETWORKS.values():
        if data.startswith(network.magic.to_bytes(4, "big")):
            return Description("packets", tuple(_packets(data, network, keys, now)))
    return Description("object", tuple(_object(read_object(data), keys, now)))


def inspect_text(text: str, keys: tuple[bytes, ...], now: int) -> Description:
    """The same in hexadecimal, an address, or a private key in WIF; raises ProtocolError when it is none of them."""
    compact = "".join(text.split())
    data = _from_hex(compact)
    if data:
        return inspect_bytes(data, keys, now)
    try:
        return Description("private key", (Field("public key", public_point(decode_wif(compact)).hex()),))
    except ProtocolError:
        address = parse_address(compact)
    return Description("address", tuple(_address(address)))


# --- packets ---


def _packets(data: bytes, network: NetworkParameters, keys: tuple[bytes, ...], now: int) -> Iterator[Field]:
    yield Field("network", network.name)
    reader, number = PacketReader(network.magic), 0
    reader.feed(data)
    while True:
        number += 1
        try:
            packet = reader.next_packet()
        except BadChecksum as error:
            yield Field(f"packet {number}", (Field("problem", str(error)),))
            continue
        except BadPacket as error:
            yield Field("problem", str(error))
            return
        if packet is None:
            break
        yield Field(f"packet {number}", tuple(_packet(packet, keys, now)))
    if reader.missing:
        yield Field("problem", f"the last packet lacks {reader.missing} bytes")


def _packet(packet: Packet, keys: tuple[bytes, ...], now: int) -> Iterator[Field]:
    yield Field("command", _text_or_hex(packet.command))
    yield Field("payload bytes", len(packet.payload))
    try:
        command = read_command(packet)
        if isinstance(command, ObjectCommand):
            yield Field("object", tuple(_object(read_object(command.encoded), keys, now)))
        else:
            yield from _parts(command)
    except ProtocolError as error:
        yield Field("problem", str(error))


def _parts(value: object) -> Iterator[Field]:
    """The fields of any of our dataclasses, by their names."""
    if not is_dataclass(value):
        return
    for field in fields(value):
        yield Field(field.name.replace("_", " "), _plain(getattr(value, field.name)))


def _plain(value: object) -> Value:
    match value:
        case bytes():
            return _text_or_hex(value)
        case IntFlag():
            return value.name or str(int(value))
        case int() | str():
            return value
        case tuple() | list():
            shown = tuple(Field(str(number), _plain(item)) for number, item in enumerate(value[:MAX_ITEMS], 1))
            return shown if len(value) <= MAX_ITEMS else (*shown, Field("not shown", len(value) - MAX_ITEMS))
        case _:
            return tuple(_parts(value))


# --- objects ---


def _object(obj: BitmessageObject, keys: tuple[bytes, ...], now: int) -> Iterator[Field]:
    yield Field("type", _type_name(obj.object_type))
    yield Field("version", obj.version)
    yield Field("stream", obj.stream)
    yield Field("bytes", len(obj.encoded))
    yield Field("nonce", obj.nonce)
    yield Field("inventory vector", obj.vector.hex())
    yield Field("expires", f"{moment(obj.expires_time)}, {_distance(obj.expires_time - now)}")
    yield Field("received now", tuple(_work(obj, now)))
    try:
        yield from _content(obj, keys)
    except BadObject as error:
        yield Field("problem", str(error))


def _work(obj: BitmessageObject, now: int) -> Iterator[Field]:
    for network in NETWORKS.values():
        ttl = max(obj.expires_time - now, SHORTEST_TTL_SECONDS)
        demand = network.nonce_trials_per_byte, network.payload_length_extra_bytes
        trials = expected_trials(len(obj.encoded), ttl, *demand)
        verdict = judge(obj.encoded, now, network)[0].name.lower().replace("_", " ")
        yield Field(network.name, f"{verdict} ({trials} trials on average)")


def _content(obj: BitmessageObject, keys: tuple[bytes, ...]) -> Iterable[Field]:
    match obj.object_type:
        case ObjectType.GETPUBKEY:
            lookup = read_getpubkey(obj).lookup
            return [Field("tag" if obj.version == 4 else "ripe", lookup.hex())]
        case ObjectType.ONIONPEER:
            return _parts(read_onionpeer(obj))
        case ObjectType.PUBKEY if obj.version < 4:
            return _pubkey(read_pubkey(obj, obj.payload))
        case ObjectType.MSG if len(obj.payload) == DUMMY_SIZE:
            return [Field("ack data", ack_data_of(obj.encoded).hex())]
        case ObjectType.PUBKEY | ObjectType.MSG | ObjectType.BROADCAST:
            return _encrypted(obj, keys)
        case _:
            return [Field("payload", obj.payload[:MAX_ITEMS].hex())]


def _encrypted(obj: BitmessageObject, keys: tuple[bytes, ...]) -> Iterator[Field]:
    if obj.has_tag:
        yield Field("tag", obj.tag.hex())
    ciphertext = read_ciphertext(obj.ciphertext)
    yield Field("encrypted bytes", len(ciphertext.encrypted))
    plaintexts = (plaintext for key in keys if (plaintext := decrypt(obj.ciphertext, key)) is not None)
    plaintext = next(plaintexts, None)
    if plaintext is None:
        yield Field("opened", "no, by none of the keys given" if keys else "no key given")
        return
    yield Field("opened", "yes")
    match obj.object_type:
        case ObjectType.PUBKEY:
            yield from _pubkey(read_pubkey(obj, plaintext))
        case ObjectType.MSG:
            yield from _msg(obj, plaintext)
        case _:
            yield from _broadcast(obj, plaintext)


def _pubkey(pubkey: Pubkey) -> Iterator[Field]:
    yield from _address(pubkey.address)
    yield from _keys(pubkey.keys)
    bits = Behavior(pubkey.behavior)
    yield Field("behavior", f"{pubkey.behavior:#010x} {', '.join(bit.name or '' for bit in Behavior if bit in bits)}")
    yield Field("nonce trials per byte", pubkey.nonce_trials_per_byte)
    yield Field("payload length extra bytes", pubkey.payload_length_extra_bytes)


def _msg(obj: BitmessageObject, plaintext: bytes) -> Iterator[Field]:
    msg = parse_msg(obj, plaintext)
    yield Field("sender", tuple(_pubkey(msg.sender)))
    yield Field("destination ripe", msg.destination_ripe.hex())
    yield Field("signature", _outcome(lambda: read_msg(obj, plaintext, msg.destination_ripe)))
    yield Field("message", tuple(_message(msg.encoding, msg.message)))
    yield Field("ack", tuple(_ack(msg.ack)) if msg.ack else "none")


def _broadcast(obj: BitmessageObject, plaintext: bytes) -> Iterator[Field]:
    broadcast = parse_broadcast(obj, plaintext)
    yield Field("sender", tuple(_pubkey(broadcast.sender)))
    yield Field("signature", _outcome(lambda: read_broadcast(obj, plaintext)))
    yield Field("message", tuple(_message(broadcast.encoding, broadcast.message)))


# --- what they share ---


def _address(address: Address) -> Iterator[Field]:
    yield Field("address", str(address))
    yield Field("address version", address.version)
    yield Field("address stream", address.stream)
    yield Field("ripe", address.ripe.hex())
    if address.version >= 4:
        yield Field("address tag", address.tag.hex())


def _keys(keys: PublicKeys) -> Iterator[Field]:
    yield Field("signing key", keys.signing.hex())
    yield Field("encryption key", keys.encryption.hex())


def _ack(packet: bytes) -> Iterator[Field]:
    network = next((n for n in NETWORKS.values() if packet.startswith(n.magic.to_bytes(4, "big"))), MAINNET)
    try:
        obj = read_ack(packet, network.magic)
    except BadObject as error:
        yield Field("problem", str(error))
        return
    yield Field("network", network.name)
    yield Field("type", _type_name(obj.object_type))
    yield Field("inventory vector", obj.vector.hex())
    yield Field("expires", moment(obj.expires_time))
    yield Field("ack data", ack_data_of(obj.encoded).hex())


def _message(encoding: int, data: bytes) -> Iterator[Field]:
    yield Field("encoding", encoding)
    yield Field("message bytes", len(data))
    try:
        decoded = decode_message(encoding, data)
    except BadObject as error:
        yield Field("problem", str(error))
        return
    yield Field("subject", decoded.subject)
    yield Field("body", decoded.body)
    yield from _attached(decoded)


def _attached(decoded: DecodedMessage) -> Iterator[Field]:
    for number, file in enumerate(decoded.files, 1):
        yield Field(f"file {number}", f"{file.name} ({file.media_type}, {file.disposition}, {len(file.data)} bytes)")
    for number, parent in enumerate(decoded.parents, 1):
        yield Field(f"parent {number}", parent.hex())
    for number, note in enumerate(decoded.notes, 1):
        yield Field(f"note {number}", note)


def _outcome(check: Callable[[], object]) -> str:
    try:
        check()
    except BadObject as error:
        return str(error)
    return "valid"


def _type_name(object_type: int) -> str:
    names = {member.value: member.name.lower() for member in ObjectType}
    return f"{names.get(object_type, 'unknown')} ({object_type:#x})"


def _distance(seconds: int) -> str:
    return f"in {seconds} s" if seconds >= 0 else f"{-seconds} s ago"


def _text_or_hex(data: bytes) -> str:
    if data.isascii() and data.decode("ascii").isprintable():
        return data.decode("ascii")
    return data.hex()


def _from_hex(text: str) -> bytes:
    """The bytes that `text` spells, or none."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
