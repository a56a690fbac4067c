"""Where clients and peers come from, as limits count them."""

from ipaddress import ip_address, ip_network


def source_group(source: str) -> str:
    """What counts as one source: an IPv4 address, the /64 of an IPv6 address; text that is neither, by itself."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if address.version == 4:
        return source
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
