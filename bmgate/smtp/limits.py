"""What one SMTP client may cost us; the figures of `gateway.ini` arrive here as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """Sizes in octets, times in seconds. The defaults are those of the S-rows."""

    submission: int = 4 * 1024 * 1024  # the largest mail, told as SIZE (O3)
    swallow: int = 64 * 1024 * 1024  # octets of a refused mail that are read and thrown away before we hang up
    waiting: int = 32 * 1024 * 1024  # octets of all mails together that are being read or stored
    recipients: int = 100
    text_line: int = 65_536  # within a mail
    command: int = 2048
    auth_command: int = 12_288  # a command or response with base64 in it (RFC 4954 section 4)
    commands: int = 10_000  # without a mail accepted between them
    bad_commands: int = 20
    bare_line_ends: int = 3
    failed_logins: int = 3
    connections: int = 200
    connections_per_source: int = 20
    connections_per_user: int = 10
    source: str = ""  # of all clients, where a proxy brings them and its address says nothing (E10)
    command_seconds: float = 60.0  # for a command to arrive
    handshake_seconds: float = 30.0
    stall_seconds: float = 60.0  # in DATA, without a byte
    data_seconds: float = 300.0  # for a mail to arrive; longer for what keeps above `data_rate`
    data_rate: int = 1024  # octets a second
    finish_seconds: float = 3.0  # for submissions in flight when we shut down
    close_seconds: float = 1.0  # for clients to take our last words
