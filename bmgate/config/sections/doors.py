"""The doors: where each listens and how much it takes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bmgate.config.sections.base import Positive, Section, setting
from bmgate.config.values import FixedPort, Hosts, LoopbackHost, Port, Size, SocketPath, is_loopback


class DoorSection(Section):
    """A server that faces users: where it listens."""

    listen: Hosts = setting("127.0.0.1", "Addresses to listen on. 0.0.0.0 and :: are all of this machine's.")
    allow_plaintext: bool = setting("off", "Accept passwords without TLS from other machines. Do not.")
    connections: Positive = setting("200", "Connections in all.")
    connections_per_source: Positive = setting("20", "Connections from one source (IPv4 address, IPv6 /64).")


class SmtpSection(DoorSection):
    """Submission of mail."""

    tls_port: Port = setting("auto", "TLS from the start. auto: 465 if it may be bound, else 10465. 0: any free one.")
    starttls_port: Port = setting("auto", "TLS by STARTTLS. auto: 587 if it may be bound, else 10587.")
    loopback_port: FixedPort = setting(
        "off",
        "No TLS at all, for programs of this machine that cannot speak it; they log in all the same. It listens on "
        "the loopback addresses of listen, or on 127.0.0.1. 0: any free one.",
    )
    lmtp_socket: SocketPath = setting(
        "off",
        "Path of a Unix socket for a mail server (MTA) in front that has authenticated the sender: it hands mail over "
        "by LMTP, and the address in From names the account. Whoever may open the socket writes as anybody here.",
    )
    lmtp_group: str = setting("", "Group that may open it (mode 0660), such as postfix. Empty: the gateway's own.")
    connections_per_user: Positive = setting("10", "Connections of one account.")
    submission_limit: Annotated[Size, Field(ge=1 << 16, le=32 << 20)] = setting(
        "4 MiB",
        "Largest mail accepted, 64 KiB to 32 MiB; what travels is its text, at most 261644 bytes with the subject.",
    )
    recipients: Annotated[int, Field(ge=1, le=1000)] = setting("100", "Recipients of one mail.")
    queue_limit: Positive = setting("500", "Mails of one account that may wait to be sent.")

    @property
    def loopback_hosts(self) -> tuple[str, ...]:
        """Where `loopback_port` listens."""
        if self.loopback_port is None:
            return ()
        return tuple(host for host in self.listen if is_loopback(host)) or ("127.0.0.1",)


class ImapSection(DoorSection):
    """Reading mail."""

    tls_port: Port = setting("auto", "TLS from the start. auto: 993 if it may be bound, else 10993. 0: any free one.")
    starttls_port: Port = setting("auto", "TLS by STARTTLS. auto: 143 if it may be bound, else 10143.")
    connections: Positive = setting("1000", "Connections in all.")
    connections_per_user: Positive = setting("20", "Connections of one account.")
    append_limit: Size = setting("100 MiB", "Largest message a client may store.")
    mailbox_limit: Positive = setting("1000", "Mailboxes of one account.")


class Pop3Section(DoorSection):
    """Fetching mail, one program at a time."""

    tls_port: Port = setting("auto", "TLS from the start. auto: 995 if it may be bound, else 10995. 0: any free one.")
    starttls_port: Port = setting("auto", "TLS by STLS. auto: 110 if it may be bound, else 10110.")


class WebSection(DoorSection):
    """Web pages: used from a later version."""

    tls_port: Port = setting("off", "HTTPS.")
    plain_port: Port = setting("off", "HTTP, for a reverse proxy on this machine.")


class ApiSection(Section):
    """PyBitmessage's API over HTTP, for scripts and tools on this machine. They log in as an account."""

    listen: LoopbackHost = setting("127.0.0.1", "Loopback address to listen on.")
    port: FixedPort = setting("off", "Port, or off. PyBitmessage's own is 8442. 0: any free one.")
    variant: Literal["legacy", "xml", "json"] = setting(
        "legacy",
        "How calls and answers are written. legacy: XML-RPC with answers as JSON in strings, as most tools expect. "
        "xml: plain XML-RPC. json: JSON-RPC.",
    )
    connections: Annotated[int, Field(ge=1, le=1000)] = setting("20", "Connections in all.")


class TlsSection(Section):
    """The certificate shown to mail programs."""

    certificate: str = setting("", "PEM file with the chain. Empty: a self-signed one, made in the data folder.")
    key: str = setting("", "PEM file with its private key.")

    @model_validator(mode="after")
    def _is_a_pair(self) -> "TlsSection":
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key come together, or neither")
        return self
