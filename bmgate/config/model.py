"""Every setting of `gateway.ini`: its type, its default as written in the file, and the text that explains it there.

`file` makes the file's comments from these, so help exists once. Defaults are checked like any other value.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bmgate.bm.network import NETWORKS, NetworkParameters
from bmgate.config.values import (
    Domain,
    Domains,
    Duration,
    HostPort,
    HostPorts,
    Hosts,
    OptionalHostPort,
    Port,
    Quota,
    Size,
    Ttl,
    is_loopback,
    parse_list,
)
from bmgate.domain.account import Level
from bmgate.mail.addresses import DEFAULT_SYNONYMS

Role = Literal["node", "receive", "send", "solve", "smtp", "imap", "pop3", "web", "api"]
Notify = Literal["success", "failure", "delay", "never"]
T = TypeVar("T")
Listed = Annotated[tuple[T, ...], BeforeValidator(parse_list)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]


def setting(default: str, text: str, later: bool = False) -> Any:
    """A setting with its default as the file would say it; `later`: read and checked, used from a later version."""
    return Field(default=default, validate_default=True, description=text, json_schema_extra={"later": later})


class Section(BaseModel):
    """One section of the file; values cannot be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GatewaySection(Section):
    """The gateway as a whole."""

    profile: Literal["home", "service"] = setting(
        "home", "home: one person or family on one machine. service: accounts of strangers; asks for stricter settings."
    )
    domain: Domain = setting("bm.internal", "What stands behind the @ of every address that this gateway writes.")
    extra_domains: Domains = setting("", "Further domains of this gateway, such as one it had before.")
    synonym_domains: Domains = setting(
        ", ".join(DEFAULT_SYNONYMS),
        "Domains under which other gateways write Bitmessage addresses: understood in recipients, never looked up.",
    )
    operator: str = setting("", "Account whose default identity takes mail to postmaster, abuse and admin.", later=True)
    local_delivery: Literal["account", "gateway"] = setting(
        "account",
        "account: only mail between identities of one account skips the network. gateway: mail between accounts does "
        "too; it arrives at once, but tells senders who lives here.",
        later=True,
    )
    roles: Listed[Role] = setting(
        "node, receive, send, solve, smtp, imap, pop3, web, api",
        "What this process does. With SQLite one process does it all.",
        later=True,
    )
    user: str = setting("", "User to become once the ports are bound, when started as root.", later=True)


class StorageSection(Section):
    """Where accounts, mail and the inventory are kept."""

    url: Literal["sqlite"] = setting("sqlite", "sqlite: bmgate.db in the data folder. PostgreSQL: in a later version.")
    inventory_limit: Size = setting(
        "2 GiB", "Room for objects of the network; when full, those expiring first go.", later=True
    )
    backups: Count = setting("3", "How many automatic backups are kept.", later=True)


class SecuritySection(Section):
    """Passwords, and limits on guessing them; all doors count together."""

    argon2: Literal["normal", "low_memory"] = setting(
        "normal", "Cost of checking a password. normal: 64 MiB for a tenth of a second. low_memory: 19 MiB."
    )
    failures_per_minute: Positive = setting("10", "Wrong passwords that one source (IPv4 address, IPv6 /64) may give.")
    failures_per_day: Positive = setting("50", "The same, in a day.")


class NodeSection(Section):
    """The Bitmessage node."""

    network: Literal["main", "test"] = setting(
        "main", "main: the Bitmessage network. test: one of your own, with nearly free work. Fixed for a data folder."
    )
    listen: Literal["auto"] | HostPorts = setting(
        "auto",
        "Where peers reach this node: hosts or host:port, or off. auto: all interfaces on port 8444 (main), "
        "127.0.0.1 on port 18444 (test).",
    )
    peers: HostPorts = setting("", "Nodes to stay connected with: host or host:port. Filters and limits spare them.")
    only_peers: bool = setting("off", "Connect to no other nodes than these.", later=True)
    bootstrap: bool = setting(
        "on", "Ask the well-known names and addresses of the main network for first peers.", later=True
    )
    outbound: Count = setting("8", "Connections this node makes by itself.", later=True)
    inbound: Count = setting("128", "Connections it accepts.")
    dandelion: bool = setting(
        "on", "Send own objects over a few hops first, so that nobody sees where they began.", later=True
    )
    socks: OptionalHostPort = setting("off", "SOCKS5 proxy (such as Tor's) for all connections: host:port.", later=True)
    tls_inbound: bool = setting(
        "off", "Offer TLS to peers that connect to us. Many cannot complete it and would go away."
    )
    publish_pubkeys: Literal["on_create", "on_request", "never"] = setting(
        "on_create", "When the key of a new address goes out, so that others can write to it."
    )
    lan: bool = setting("off", "Accept private and loopback addresses as peers.")
    ack_delay: Duration = setting("60s", "Mean of the random delay before an acknowledgement leaves.")
    pubkey_delay: Duration = setting("10m", "Mean of the random delay before a pubkey leaves.")
    first_getdata: Duration = setting(
        "20s", "Wait after connecting before objects are asked for: peers ignore earlier requests."
    )

    @property
    def parameters(self) -> NetworkParameters:
        """The network's own figures."""
        return NETWORKS[self.network]

    @property
    def listeners(self) -> tuple[tuple[str, int], ...]:
        """Host and port of every listener; none when it is off."""
        auto = {"main": ("0.0.0.0", "::"), "test": ("127.0.0.1",)}[self.network]
        places = tuple(HostPort(host, None) for host in auto) if self.listen == "auto" else self.listen
        return self._with_ports(places)

    @property
    def fixed_peers(self) -> tuple[tuple[str, int], ...]:
        """Host and port of `peers`."""
        return self._with_ports(self.peers)

    @model_validator(mode="after")
    def _has_somebody_to_talk_to(self) -> "NodeSection":
        if self.only_peers and not self.peers:
            raise ValueError("only_peers = on needs nodes in peers")
        return self

    def _with_ports(self, places: Iterable[HostPort]) -> tuple[tuple[str, int], ...]:
        return tuple((place.host, self.parameters.port if place.port is None else place.port) for place in places)


class PowSection(Section):
    """Proof of work."""

    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = setting("auto", "auto: one for each processor.")
    nice: Annotated[int, Field(ge=0, le=19)] = setting("10", "How far the work steps back for other programs.")
    schedule: str = setting("", "Hours in which large work is done, such as 22:00-06:00.", later=True)
    max_work: Duration = setting("2h", "Refuse mail whose work would take longer than this for a recipient.")
    max_difficulty: Positive = setting(
        "10", "Refuse recipients who demand more than so many times the least work of the network."
    )


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
    connections_per_user: Positive = setting("10", "Connections of one account.")
    submission_limit: Size = setting(
        "4 MiB", "Largest mail accepted; what travels is its text, at most 261644 bytes with the subject."
    )
    recipients: Annotated[int, Field(ge=1, le=1000)] = setting("100", "Recipients of one mail.")
    queue_limit: Positive = setting("500", "Mails of one account that may wait to be sent.")


class ImapSection(DoorSection):
    """Reading mail."""

    tls_port: Port = setting("auto", "TLS from the start. auto: 993 if it may be bound, else 10993. 0: any free one.")
    starttls_port: Port = setting("auto", "TLS by STARTTLS. auto: 143 if it may be bound, else 10143.")
    connections: Positive = setting("1000", "Connections in all.")
    connections_per_user: Positive = setting("20", "Connections of one account.")
    append_limit: Size = setting("100 MiB", "Largest message a client may store.")
    mailbox_limit: Positive = setting("1000", "Mailboxes of one account.")


class Pop3Section(DoorSection):
    """Fetching mail: used from a later version."""

    tls_port: Port = setting("auto", "TLS from the start. auto: 995 if it may be bound, else 10995.")
    starttls_port: Port = setting("auto", "TLS by STLS. auto: 110 if it may be bound, else 10110.")
    connections_per_user: Positive = setting("20", "Connections of one account.")


class WebSection(DoorSection):
    """Web pages: used from a later version."""

    tls_port: Port = setting("off", "HTTPS.")
    plain_port: Port = setting("off", "HTTP, for a reverse proxy on this machine.")


class ApiSection(DoorSection):
    """The programming interface over HTTP: used from a later version."""

    tls_port: Port = setting("off", "HTTPS.")
    plain_port: Port = setting("off", "HTTP, for a reverse proxy on this machine.")


class TlsSection(Section):
    """The certificate shown to mail programs."""

    certificate: str = setting("", "PEM file with the chain. Empty: a self-signed one, made in the data folder.")
    key: str = setting("", "PEM file with its private key.")

    @model_validator(mode="after")
    def _is_a_pair(self) -> "TlsSection":
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key come together, or neither")
        return self


class LogSection(Section):
    """What is written about the gateway's doings; never texts, passwords or keys."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "The least important kind that is written.")
    format: Literal["console", "json"] = setting("console", "console: for people. json: one object a line.")
    file: str = setting("", "File to append to. Empty: standard error.")
    privacy: Literal["normal", "strict"] = setting("normal", "strict: not even hashed client addresses.", later=True)


class MetricsSection(Section):
    """Figures for Prometheus: used from a later version."""

    listen: OptionalHostPort = setting("off", "host:port, or off.")


class AccountsSection(Section):
    """Defaults of what an account may set for itself."""

    level: Literal["auto", "L0"] = setting(
        "auto",
        "How mail is sealed on disk. L0: this server opens it. L1, which only the account's password opens: in a later "
        "version. auto: L0.",
    )
    quota: Literal["auto"] | Quota = setting(
        "auto", "Room for mail: a size or none. auto: none at home, 1 GiB in a service."
    )
    ttl: Ttl = setting("4d", "How long a sent message stays on the network before it is sent again (1h to 28d).")
    give_up: Duration = setting("28d", "No new attempt is made after this time.")
    send_delay: Duration = setting("0s", "How long a mail can be called back before work on it begins.", later=True)
    ack: Literal["all", "contacts", "never"] = setting("all", "Whose messages are acknowledged.")
    ack_stealth: Annotated[int, Field(ge=0, le=2)] = setting(
        "1", "What acknowledgements look like. 0: 32 random bytes. 1: a request for a key. 2: a small message."
    )
    sent_copy: Literal["auto", "client"] = setting("auto", "auto: the gateway files the copy in Sent. client: you do.")
    notify: Listed[Notify] = setting("failure, delay", "Which notices come when the mail program asks for none.")
    attachments: Literal["refuse", "extended", "inline", "omit"] = setting(
        "refuse", "What to do with attachments for readers not known to take them.", later=True
    )
    identity_guard: Literal["refuse", "off"] = setting(
        "refuse", "refuse: no answer to mail for one of your addresses is sent under another.", later=True
    )
    disclose_recipients: bool = setting("off", "Tell recipients who else got the mail.", later=True)
    subaddress_identities: bool = setting("off", "name+tag as sender is an address of its own.", later=True)
    requests: bool = setting("off", "Mail of strangers waits in Requests.", later=True)
    junk_blocks: bool = setting("off", "Moving mail to Junk blocks its sender.", later=True)
    post_as: Literal["chan", "identity"] = setting("chan", "Whose key signs posts to a chan.", later=True)
    recognise: bool = setting("on", "Read the ways in which other gateways wrap mail.", later=True)
    thread_by_subject: bool = setting("on", "Join answers to threads by their subject.", later=True)
    incoming_html: Literal["off", "sanitised"] = setting("off", "Show cleaned HTML beside the text.", later=True)
    quotes: Literal["keep", "dashes"] = setting("keep", "dashes: write quotes as PyBitmessage does.", later=True)
    quotes_in: Literal["keep", "gt"] = setting("keep", "gt: show PyBitmessage's quotes with >.", later=True)
    reads_files_bit: bool = setting("on", "Tell other gateways that this one reads attachments.", later=True)


class Config(Section):
    """All of `gateway.ini`."""

    gateway: GatewaySection = GatewaySection()
    storage: StorageSection = StorageSection()
    security: SecuritySection = SecuritySection()
    node: NodeSection = NodeSection()
    pow: PowSection = PowSection()
    smtp: SmtpSection = SmtpSection()
    imap: ImapSection = ImapSection()
    pop3: Pop3Section = Pop3Section()
    web: WebSection = WebSection()
    api: ApiSection = ApiSection()
    tls: TlsSection = TlsSection()
    log: LogSection = LogSection()
    metrics: MetricsSection = MetricsSection()
    accounts: AccountsSection = AccountsSection()

    @property
    def level(self) -> Level:
        """How new accounts are sealed."""
        return Level.L0

    @property
    def quota_bytes(self) -> int | None:
        """Room of new accounts; None is no limit."""
        if self.accounts.quota != "auto":
            return self.accounts.quota
        return None if self.gateway.profile == "home" else 1 << 30

    @model_validator(mode="after")
    def _keeps_passwords_from_the_wire(self) -> "Config":
        for name in ("web", "api"):
            door: WebSection | ApiSection = getattr(self, name)
            outside = [host for host in door.listen if not is_loopback(host)]
            if outside and door.plain_port != "off" and not door.allow_plaintext:
                raise ValueError(f"[{name}] listens on {outside[0]} without TLS: that needs allow_plaintext = on there")
        return self
