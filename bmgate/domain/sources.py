"""Where clients and peers come from, as limits count them."""

from ipaddress import ip_address, ip_network

ONION_SOURCE = "onion"
"""Where mail programs come from that call our onion service: nobody can be told from another."""


def source_group(source: str) -> str:
    """What counts as one source: an IPv4 address, the /64 of an IPv6 address; text that is neither, by itself."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if address.version == 4:
        return source
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


def login_source(source: str, name: str) -> str:
    """What failed logins are counted by: the source, and for the onion service the name that is tried (E10)."""
    return f"{ONION_SOURCE} {name.strip().lower()}" if source == ONION_SOURCE else source


def is_banned_for_failures(source: str) -> bool:
    """Whether failures ever shut a source out: not loopback, nor a name tried over onion, whose owner could not log in
    any more.
    """
    if source.startswith(ONION_SOURCE):
        return False
    try:
        address = ip_address(source)
    except ValueError:
        return True
    return not (getattr(address, "ipv4_mapped", None) or address).is_loopback
