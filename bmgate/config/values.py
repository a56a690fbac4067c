"""How single values are written in `gateway.ini`: durations, sizes, lists, hosts and ports.

Every type takes the text of the file and raises ValueError with what was hoped for.
"""

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from bmgate.bm.hosts import is_onion
from bmgate.mail.wishes import MAX_TTL, MIN_TTL
from bmgate.pow.permission import Span, read_span
from bmgate.units import DAY

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY}
_BYTES = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
MAX_SOCKET_PATH = 107
_HOST_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host name or address and a TCP port; None is the port that belongs to the service."""

    host: str
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def parse_duration(text: str) -> int:
    """Seconds, from a whole number and s, m, h, d or w."""
    match = re.fullmatch(r"([0-9]{1,12})\s*([smhdw]?)", text.lower())
    if match is None:
        raise ValueError("hoped for a duration such as 30s, 10m, 12h, 4d or 2w")
    return int(match[1]) * _SECONDS[match[2]]


def parse_size(text: str) -> int:
    """Bytes, from a whole number and KiB, MiB, GiB or TiB."""
    match = re.fullmatch(r"([0-9]{1,15})\s*(b|[kmgt]ib|)", text.lower())
    if match is None:
        raise ValueError("hoped for a size such as 4194304, 500 KiB, 4 MiB or 2 GiB")
    return int(match[1]) * _BYTES[match[2]]


def parse_list(text: str) -> tuple[str, ...]:
    """What stands between commas or on lines of its own."""
    return tuple(item for part in re.split(r"[,\n]", text) if (item := part.strip()))


def parse_host(text: str) -> str:
    """An IP address or a host name, in lower case."""
    name = text.strip().lower().removeprefix("[").removesuffix("]").rstrip(".")
    if not _is_address(name) and not all(_HOST_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"hoped for an IP address or a host name, not {text!r}")
    return name


def parse_domain(text: str) -> str:
    """A mail domain: a host name in ASCII, in lower case; brackets and addresses are none."""
    name = text.strip().lower().rstrip(".")
    if len(name) > 253 or _is_address(name) or not all(_HOST_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"hoped for a domain such as bm.internal, not {text!r}")
    return name


def parse_host_port(text: str) -> HostPort:
    """`host`, `host:port`, `address`, `[IPv6 address]:port`."""
    text = text.strip()
    bracketed = re.fullmatch(r"(\[[^\]]*\])(?::([0-9]{1,5}))?", text)
    plain = None if _is_address(text) else re.fullmatch(r"([^:\[\]]*)(?::([0-9]{1,5}))?", text)
    match = bracketed or plain
    if match is None and not _is_address(text):
        raise ValueError(f"hoped for host or host:port (IPv6: [address]:port), not {text!r}")
    host, port = (match[1], match[2]) if match else (text, None)
    if port is not None and int(port) > 65535:
        raise ValueError(f"hoped for a port up to 65535, not {port}")
    return HostPort(parse_host(host), None if port is None else int(port))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a listener bound to `host`."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_ttl(seconds: int) -> int:
    if not MIN_TTL <= seconds <= MAX_TTL:
        raise ValueError("hoped for 1h to 28d")
    return seconds


def _parse_port(text: str) -> int | str:
    if text in ("auto", "off"):
        return text
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise ValueError("hoped for auto, off or a port from 0 (any free one) to 65535")
    return int(text)


def _parse_fixed_port(text: str) -> int | None:
    if text == "off":
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise ValueError("hoped for off or a port from 0 (any free one) to 65535")
    return int(text)


def _parse_socket_path(text: str) -> Path | None:
    """Absolute, as other programs have it in their settings; a socket address holds no more than that."""
    if text in ("", "off"):
        return None
    if not text.startswith("/") or len(os.fsencode(text)) > MAX_SOCKET_PATH:
        raise ValueError(f"hoped for off or a path from / of at most {MAX_SOCKET_PATH} bytes")
    return Path(text)


def _parse_address_list(text: str) -> tuple[HostPort, ...]:
    return () if text == "off" else tuple(parse_host_port(item) for item in parse_list(text))


def _parse_hosts(text: str) -> tuple[str, ...]:
    return tuple(parse_host(item) for item in parse_list(text))


def _parse_domains(text: str) -> tuple[str, ...]:
    return tuple(parse_domain(item) for item in parse_list(text))


def _parse_spans(text: str) -> tuple[Span, ...]:
    return tuple(read_span(item) for item in parse_list(text))


def _parse_optional(text: str) -> HostPort | None:
    return None if text in ("", "off") else parse_host_port(text)


def _parse_local_place(text: str) -> HostPort | None:
    """A helper's listener: an address, as its name would have to be looked up."""
    place = _parse_optional(text)
    if place is not None and (not _is_address(place.host) or not place.port):
        raise ValueError("hoped for an IP address and a port, such as 127.0.0.1:9050, or off")
    return place


def _check_loopback(host: str) -> str:
    if not _is_address(host) or not is_loopback(host):
        raise ValueError("hoped for a loopback address such as 127.0.0.1")
    return host


def _check_onion(text: str) -> str:
    if text and not is_onion(text):
        raise ValueError("hoped for the name of an onion service: 56 letters and .onion")
    return text


def _parse_quota(text: str) -> int | None:
    return None if text == "none" else parse_size(text)


Duration = Annotated[int, BeforeValidator(parse_duration)]
Ttl = Annotated[int, BeforeValidator(parse_duration), AfterValidator(_check_ttl)]
Size = Annotated[int, BeforeValidator(parse_size)]
Quota = Annotated[int | None, BeforeValidator(_parse_quota)]
Port = Annotated[int | Literal["auto", "off"], BeforeValidator(_parse_port)]
FixedPort = Annotated[int | None, BeforeValidator(_parse_fixed_port)]
SocketPath = Annotated[Path | None, BeforeValidator(_parse_socket_path)]
Domain = Annotated[str, BeforeValidator(parse_domain)]
Domains = Annotated[tuple[str, ...], BeforeValidator(_parse_domains)]
DaySpans = Annotated[tuple[Span, ...], BeforeValidator(_parse_spans)]
Hosts = Annotated[tuple[str, ...], BeforeValidator(_parse_hosts)]
HostPorts = Annotated[tuple[HostPort, ...], BeforeValidator(_parse_address_list)]
OptionalHostPort = Annotated[HostPort | None, BeforeValidator(_parse_optional)]
LocalPlace = Annotated[HostPort | None, BeforeValidator(_parse_local_place)]
LoopbackHost = Annotated[str, AfterValidator(_check_loopback)]
Onion = Annotated[str, AfterValidator(_check_onion)]
