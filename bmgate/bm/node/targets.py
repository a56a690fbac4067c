"""Where nodes listen, which of these places can exist on the public network, and which belong to one network.

A host is an IP address, an onion or I2P name, or any other name (a DNS seed, an explicit peer), always in lower case.
Rules P4, P13. Groups are what an attacker pays for: IPv4 /16, IPv6 /32; names of anonymous networks cost nothing, so
each of these networks is cut into 16 groups by the name's first letter.
"""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from bmgate.bm.hosts import Reach, is_i2p, is_onion, reach_of

IPV4_GROUP_BITS = 16
IPV6_GROUP_BITS = 32
CACHED_GROUPS = 4_096  # asked again for all inbound peers whenever somebody knocks
REFUSED_PORTS = frozenset({0, 22, 25, 110, 143, 465, 587, 993, 995, 6667, 6697})  # nobody makes us knock there (P13)

_EMBEDDED_IPV4 = ipaddress.ip_network("64:ff9b::/96")  # NAT64
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True)
class PeerTarget:
    """Where a peer listens: an IP address, a name, a .onion or .i2p name, and a port (0 for I2P)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def ip_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that `host` is, IPv4 where it is only wrapped into IPv6; None for names."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_public(target: PeerTarget) -> bool:
    """Whether a stranger may have a node there: a routable address or anonymous name, and a port we would knock on."""
    if is_i2p(target.host):  # whose destinations have no ports
        return 0 <= target.port < 65_536
    if target.port in REFUSED_PORTS or not 0 < target.port < 65_536:
        return False
    address = ip_of(target.host)
    return is_onion(target.host) if address is None else address.is_global and not address.is_multicast


def is_private(host: str) -> bool:
    """A private or loopback address; names are not."""
    address = ip_of(host)
    return address is not None and address.is_private


@lru_cache(maxsize=CACHED_GROUPS)
def network_group(host: str) -> str:
    """What counts as one network; an IPv4 address inside an IPv6 one (6to4, Teredo, NAT64) counts as itself."""
    address = ip_of(host)
    if address is None:
        return _group_of_name(host)
    if isinstance(address, ipaddress.IPv6Address):
        address = _embedded_ipv4(address) or address
    bits = IPV4_GROUP_BITS if address.version == 4 else IPV6_GROUP_BITS
    return str(ipaddress.ip_network((address, bits), strict=False))


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _EMBEDDED_IPV4:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    return address.teredo[1] if address.teredo is not None else None


def _group_of_name(host: str) -> str:
    reach = reach_of(host)
    return host if reach is Reach.CLEARNET else f"{reach.value}/{_BASE32.find(host[0]) >> 1}"
