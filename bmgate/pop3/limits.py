"""What one POP3 session may cost us; the figures of `gateway.ini` arrive here as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pop3Limits:
    """Sizes in octets, times in seconds. The defaults are those of the I-rows."""

    line: int = 12_288  # a response in base64 may be as long (RFC 4954 section 4)
    read_ahead: int = 64 * 1024  # of commands that wait, before the transport is paused
    bad_commands: int = 20
    failed_logins: int = 5
    login_seconds: float = 60.0  # from connecting to being logged in
    inactive_seconds: float = 10 * 60.0  # RFC 1939 section 3 wants at least 10 minutes
    stall_seconds: float = 120.0  # a client that does not read what it asked for
    connections: int = 200
    connections_per_source: int = 20
    source: str = ""  # of all clients, where a proxy brings them and its address says nothing (E10)
    portion_messages: int = 200  # messages read at once
    portion_octets: int = 512 * 1024  # aimed at for one read of messages, and for one write
