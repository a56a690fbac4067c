"""What one IMAP session may cost us; the figures of `gateway.ini` arrive here as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImapLimits:
    """Sizes in octets, times in seconds. The defaults are those of the I-rows."""

    line: int = 64 * 1024
    swallow: int = 1024 * 1024  # octets of a refused line or literal that are read and thrown away before we hang up
    literal: int = 256 * 1024  # after login, other than the mail of APPEND
    literals: int = 1000  # literals in one command after login
    literal_before_login: int = 1024
    literal_sum_before_login: int = 8 * 1024
    append_limit: int = 100 * 1024 * 1024
    append_held: int = 1024 * 1024  # of the mail of one APPEND; what is more waits on disk, sealed
    queued_commands: int = 100
    queued_octets: int = 1024 * 1024
    bad_commands: int = 20
    failed_logins: int = 5
    login_seconds: float = 60.0  # from connecting to being logged in
    idle_seconds: float = 29 * 60.0
    inactive_seconds: float = 30 * 60.0  # RFC 3501 5.4 wants at least 30 minutes
    stall_seconds: float = 120.0  # a client that does not read what it asked for
    mail_rate: float = 64 * 1024 / 30  # octets a second, with which mail too large for memory has to come (T5)
    mail_grace_seconds: float = 60.0  # that it may fall behind
    search_seconds: float = 20.0
    connections: int = 1000
    connections_per_source: int = 20  # not logged in yet
    connections_per_user: int = 20
    source: str = ""  # of all clients, where a proxy brings them and its address says nothing (E10)
    fetch_messages: int = 200  # messages joined into one write
    fetch_octets: int = 512 * 1024  # aimed at for one write


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """The part of the limits that the reader checks in the present state of the session."""

    line: int
    swallow: int
    literal: int
    append_literal: int
    literals: int
    literal_sum: int
    held: int  # octets of literals that one command has in memory
    refusal_is_fatal: bool


def reader_limits(limits: ImapLimits, logged_in: bool) -> ReaderLimits:
    """Narrow before login (I1), wide after it."""
    if not logged_in:
        small, total = limits.literal_before_login, limits.literal_sum_before_login
        return ReaderLimits(limits.line, limits.swallow, small, small, total, total, total, refusal_is_fatal=True)
    return ReaderLimits(
        limits.line,
        limits.swallow,
        limits.literal,
        limits.append_limit,
        limits.literals,
        literal_sum=limits.append_limit + limits.literal * 4,
        held=limits.append_held,
        refusal_is_fatal=False,
    )
