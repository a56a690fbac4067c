"""Hypothesis strategies that several tests share."""

import ipaddress

from hypothesis import strategies as st

from bmgate.bm.addresses import Address
from bmgate.bm.commands import (
    AddrCommand,
    Command,
    Dinv,
    ErrorCommand,
    Getdata,
    Inv,
    NetAddress,
    ObjectCommand,
    PeerAddress,
    Ping,
    Pong,
    Services,
    Verack,
    VersionCommand,
    decode_host,
)
from bmgate.bm.hashes import InventoryVector
from bmgate.bm.packets import MAX_COMMAND, Packet


def uints(bits: int) -> st.SearchStrategy[int]:
    """Unsigned integers of at most `bits` bits."""
    return st.integers(0, 2**bits - 1)


@st.composite
def chunkings(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` in portions, some perhaps empty, as a stream may deliver it."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=20)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def packets() -> st.SearchStrategy[Packet]:
    """Frames with any command name and small payloads."""
    names = st.binary(max_size=MAX_COMMAND).map(lambda name: name.rstrip(b"\0"))
    return st.builds(Packet, names | st.sampled_from([b"ping", b"inv", b"object"]), st.binary(max_size=200))


_STREAM_1 = st.just(1)


def addresses(streams: st.SearchStrategy[int] = _STREAM_1) -> st.SearchStrategy[Address]:
    """Addresses of versions 2 to 4, stream 1 unless told otherwise, whose ripes have up to three leading zeros."""
    zeros = st.integers(0, 3)
    ripes = st.builds(lambda n, tail: bytes(n) + tail[n:], zeros, st.binary(min_size=20, max_size=20))
    ripes = ripes.filter(lambda ripe: any(ripe[:17]))
    return st.builds(Address, st.integers(2, 4), streams, ripes)


def hosts() -> st.SearchStrategy[str]:
    """Hosts that fit into an address field: IPv4, IPv6 and 16-letter onion names."""
    onions = st.binary(min_size=10, max_size=10).map(lambda name: decode_host(b"\xfd\x87\xd8\x7e\xeb\x43" + name))
    return st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).filter(_is_plain).map(str) | onions


def vectors() -> st.SearchStrategy[InventoryVector]:
    """Names of objects."""
    return st.binary(min_size=32, max_size=32).map(InventoryVector)


def commands() -> st.SearchStrategy[Command]:
    """Everything one peer may say to another."""
    services = uints(64).map(Services)
    net_addresses = st.builds(NetAddress, services, hosts(), uints(16))
    some_vectors = st.lists(vectors(), min_size=1, max_size=10).map(tuple)
    versions = st.builds(
        VersionCommand,
        protocol_version=uints(32),
        services=services,
        timestamp=uints(64),
        receiver=net_addresses,
        sender=net_addresses,
        nonce=st.binary(min_size=8, max_size=8),
        user_agent=st.binary(max_size=300),
        streams=st.lists(st.integers(1, 2**63 - 1), max_size=10).map(tuple),
    )
    peers = st.builds(PeerAddress, uints(64), uints(32), services, hosts(), uints(16))
    return st.one_of(
        versions,
        st.sampled_from([Verack(), Ping(), Pong()]),
        st.builds(AddrCommand, st.lists(peers, max_size=10).map(tuple)),
        st.builds(Inv, some_vectors),
        st.builds(Dinv, some_vectors),
        st.builds(Getdata, some_vectors),
        st.builds(ObjectCommand, st.binary(max_size=300)),
        st.builds(ErrorCommand, uints(64), uints(64), st.binary(max_size=32), st.text(max_size=100)),
    )


def _is_plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an IPv6 address is neither an IPv4 address nor an onion name in disguise."""
    return not address.packed.startswith((b"\0" * 10 + b"\xff\xff", b"\xfd\x87\xd8\x7e\xeb\x43"))
