"""Every setting of `gateway.ini`: its type, its default as written in the file, and the text that explains it there.

`file` makes the file's comments from these, so help exists once. Defaults are checked like any other value.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bmgate.bm.hosts import Reach, is_onion, reach_of
from bmgate.bm.network import NETWORKS, NetworkParameters
from bmgate.config.values import (
    DaySpans,
    Domain,
    Domains,
    Duration,
    FixedPort,
    HostPort,
    HostPorts,
    Hosts,
    LocalPlace,
    LoopbackHost,
    Onion,
    OptionalHostPort,
    Port,
    Quota,
    Size,
    SocketPath,
    Ttl,
    is_loopback,
    parse_list,
)
from bmgate.domain.account import Level
from bmgate.domain.policy import OPTIONS, Attachments, Policy
from bmgate.mail.addresses import DEFAULT_SYNONYMS

Role = Literal["node", "receive", "send", "solve", "smtp", "imap", "pop3", "web", "api"]
Notify = Literal["success", "failure", "delay", "never"]
T = TypeVar("T")
METRICS_PORT = 9464  # the one that exporters share by custom
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
    operator: str = setting("", "Account whose default identity takes mail to postmaster, abuse and admin.")
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
    inventory_limit: Size = setting("2 GiB", "Room for objects of the network; when full, those expiring first go.")
    keep_free: Size = setting(
        "200 MiB",
        "Room that is left free on the disk: below it no objects of the network are taken, below a quarter of it no "
        "mail either.",
    )
    backups: Count = setting("3", "How many automatic backups are kept.", later=True)


class SecuritySection(Section):
    """Passwords, and limits on guessing them; all doors count together."""

    argon2: Literal["normal", "low_memory"] = setting(
        "normal", "Cost of checking a password. normal: 64 MiB for a tenth of a second. low_memory: 19 MiB."
    )
    failures_per_minute: Positive = setting("10", "Wrong passwords that one source (IPv4 address, IPv6 /64) may give.")
    failures_per_day: Positive = setting("50", "The same, in a day.")
    lookups: Literal["constant_time", "fast"] = setting(
        "constant_time",
        "How keys are tried on a msg. fast: up to 1.5 times as fast, but programs of others on this machine may learn "
        "keys from how its caches are used.",
    )


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
    only_peers: bool = setting("off", "Connect to no other nodes than these.")
    bootstrap: bool = setting(
        "on", "Ask the well-known names and addresses of the main network for first peers, when no others are known."
    )
    outbound: Count = setting("8", "Connections this node makes by itself, each to another network (IPv4 /16).")
    inbound: Count = setting("128", "Connections it accepts.")
    dandelion: bool = setting("on", "Send own objects over a few hops first, so that nobody sees where they began.")
    socks: LocalPlace = setting(
        "off",
        "SOCKS5 proxy (such as Tor's: 127.0.0.1:9050) for all connections to peers. Nothing else is contacted then: no "
        "name is looked up here, and automatic listening is off.",
    )
    sam: LocalPlace = setting(
        "off",
        "SAM bridge of an I2P router (127.0.0.1:7656): connects to peers in I2P and is reached from there. Without "
        "socks, and unless mixed, nothing else is contacted.",
    )
    reach: Literal["auto"] | Listed[Reach] = setting(
        "auto", "Where peers are: clearnet (the Internet), onion, i2p. auto: wherever socks and sam lead."
    )
    mixed: bool = setting(
        "off",
        "on: connect to the Internet directly beside socks (then for onion peers alone), sam and Tor's service. Others "
        "can find out that the address and the hidden name are one node.",
    )
    tls_inbound: bool = setting(
        "off", "Offer TLS to peers that connect to us. Many cannot complete it and would go away."
    )
    publish_pubkeys: Literal["on_create", "on_request", "never"] = setting(
        "on_create", "When the key of a new address goes out, so that others can write to it."
    )
    lan: bool = setting("off", "Accept private and loopback addresses as peers.")
    ack_delay: Duration = setting("60s", "Mean of the random delay before an acknowledgement leaves.")
    acks_per_sender: Positive = setting(
        "20", "Acknowledgements a day for mail of one sender who is no contact. What comes beyond arrives unconfirmed."
    )
    pubkey_delay: Duration = setting("10m", "Mean of the random delay before a pubkey leaves.")
    pubkey_work: Duration = setting(
        "1h",
        "Work of this machine, in a day, on pubkeys that are asked for or outdated, of all addresses together. Whoever "
        "asks beyond it hears nothing; half of it is kept for addresses whose last pubkey has left the network.",
    )
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
        auto = () if self.is_hidden else {"main": ("0.0.0.0", "::"), "test": ("127.0.0.1",)}[self.network]
        places = tuple(HostPort(host, None) for host in auto) if self.listen == "auto" else self.listen
        return self._with_ports(places)

    @property
    def fixed_peers(self) -> tuple[tuple[str, int], ...]:
        """Host and port of `peers`."""
        return self._with_ports(self.peers)

    @property
    def is_hidden(self) -> bool:
        """Whether nothing but the proxies may be contacted, and only this machine connects to us (V18)."""
        return not self.mixed and bool(self.socks or self.sam)

    @property
    def reached(self) -> frozenset[Reach]:
        """The networks whose peers are dialled."""
        leads = frozenset(
            reach
            for reach, leads_there in (
                (Reach.CLEARNET, self.mixed or self.socks or not self.sam),
                (Reach.ONION, self.socks),
                (Reach.I2P, self.sam),
            )
            if leads_there
        )
        return leads if self.reach == "auto" else leads & frozenset(self.reach)

    @model_validator(mode="after")
    def _reaches_what_it_names(self) -> "NodeSection":
        needs = {Reach.CLEARNET: "socks, or mixed = on", Reach.ONION: "socks", Reach.I2P: "sam"}
        if not self.reach:
            raise ValueError("reach: hoped for clearnet, onion, i2p or several of them")
        for wanted in () if self.reach == "auto" else self.reach:
            if wanted not in self.reached:
                raise ValueError(f"reach: {wanted} can be reached with {needs[wanted]} only")
        for peer in self.peers:
            network = reach_of(peer.host)
            if network not in self.reached:
                raise ValueError(
                    f"peers: {peer.host} is in {network}, which needs {needs[network]}, and to be in reach"
                )
            if network is Reach.ONION and not is_onion(peer.host):
                raise ValueError(f"peers: {peer.host} is misspelt: no onion service (version 3) has this name")
        return self

    @model_validator(mode="after")
    def _shows_no_address_when_hidden(self) -> "NodeSection":
        outside = [] if self.listen == "auto" else [place.host for place in self.listen if not is_loopback(place.host)]
        if self.is_hidden and outside:
            raise ValueError(
                f"listen: {outside[0]} shows where this node is, beside socks or sam: listen on 127.0.0.1, or set "
                "mixed = on"
            )
        return self

    @model_validator(mode="after")
    def _has_somebody_to_talk_to(self) -> "NodeSection":
        if self.only_peers and not self.peers:
            raise ValueError("only_peers = on needs nodes in peers")
        return self

    def _with_ports(self, places: Iterable[HostPort]) -> tuple[tuple[str, int], ...]:
        return tuple((place.host, self.parameters.port if place.port is None else place.port) for place in places)


class TorSection(Section):
    """Onion services of this gateway, one for its node and another for mail programs: nobody can tell they are one."""

    control: LocalPlace = setting("off", "Tor's control port (such as 127.0.0.1:9051), for services made through it.")
    password: str = setting("", "Its password. Empty: by the cookie file, which this user must be able to read.")
    node_service: Literal["off", "control", "torrc"] = setting(
        "off",
        "Be reached by peers as an onion service. control: made while the gateway runs, its key kept in the data "
        "folder. torrc: written there by you; bmgate tor torrc says what.",
    )
    mail_service: Literal["off", "control", "torrc"] = setting(
        "off", "The same for mail programs: IMAP, POP3 and SMTP."
    )
    node_name: Onion = setting("", "Name of the node's service, with torrc: Tor wrote it into the file hostname.")
    host: LoopbackHost = setting(
        "127.0.0.1", "Loopback address on which this gateway takes over from Tor; with torrc on fixed ports."
    )

    @model_validator(mode="after")
    def _can_be_made(self) -> "TorSection":
        if "control" in (self.node_service, self.mail_service) and self.control is None:
            raise ValueError("a service by control needs control = host:port")
        return self


class PowSection(Section):
    """Proof of work."""

    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = setting("auto", "auto: one for each processor.")
    nice: Annotated[int, Field(ge=0, le=19)] = setting("10", "How far the work steps back for other programs.")
    schedule: DaySpans = setting(
        "",
        "Hours of the day in which large work is done, such as 22:00-06:00, by the clock of this machine. Outside of "
        "them only work runs that is expected to take less than a minute; the rest waits. Empty: always.",
    )
    on_battery: Literal["continue", "pause"] = setting(
        "continue", "pause: while this machine runs on its battery, large work waits as it does outside of schedule."
    )
    opencl: str = setting(
        "off",
        "Work on an OpenCL device instead (install bmgate[opencl]). auto: a graphics processor. Anything else: the "
        "first device whose name holds it, processors included. Where none works, the processors do, with a warning.",
    )
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


class LogSection(Section):
    """What is written about the gateway's doings; never texts, passwords or keys."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "The least important kind that is written.")
    format: Literal["console", "json"] = setting("console", "console: for people. json: one object a line.")
    file: str = setting("", "File to append to. Empty: standard error.")
    privacy: Literal["normal", "strict"] = setting("normal", "strict: not even hashed client addresses.", later=True)


class MetricsSection(Section):
    """Figures for Prometheus, at http://host:port/metrics: sizes, counts and rates, nothing of users."""

    listen: OptionalHostPort = setting(
        "off",
        "host:port (9464 where no port is given), or off. It asks nobody for a password: 127.0.0.1, or an address that "
        "only the monitoring reaches.",
    )

    @property
    def listener(self) -> tuple[str, int] | None:
        """Host and port; None when it is off."""
        if self.listen is None:
            return None
        return self.listen.host, METRICS_PORT if self.listen.port is None else self.listen.port


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
    keep_deleted: Duration = setting(
        "30d", "How long a deleted account or address can be brought back; then its keys are gone."
    )
    ttl: Ttl = setting("4d", "How long a sent message stays on the network before it is sent again (1h to 28d).")
    give_up: Duration = setting("28d", "No new attempt is made after this time.")
    send_delay: Duration = setting("0s", "How long a mail can be called back before work on it begins.")
    ack: Literal["all", "contacts", "never"] = setting("all", "Whose messages are acknowledged.")
    ack_stealth: Annotated[int, Field(ge=0, le=2)] = setting(
        "1", "What acknowledgements look like. 0: 32 random bytes. 1: a request for a key. 2: a small message."
    )
    sent_copy: Literal["auto", "client"] = setting("auto", "auto: the gateway files the copy in Sent. client: you do.")
    notify: Listed[Notify] = setting("failure, delay", "Which notices come when the mail program asks for none.")
    attachments: Literal["refuse", "extended", "inline", "omit"] = setting(
        "refuse", "What to do with attachments for readers not known to take them."
    )
    identity_guard: Literal["refuse", "off"] = setting(
        "refuse", "refuse: no answer to mail for one of your addresses is sent under another."
    )
    disclose_recipients: bool = setting("off", "Tell recipients who else got the mail.")
    subaddress_identities: bool = setting("off", "name+tag as sender is an address of its own.")
    requests: Literal["off", "on", "junk"] = setting(
        "off", "Mail of strangers: on: waits in Requests. junk: goes to Junk. Neither is confirmed."
    )
    junk_blocks: bool = setting("off", "Moving mail to Junk blocks its sender.")
    post_as: Literal["chan", "identity"] = setting("chan", "Whose key signs posts to a chan.", later=True)
    recognise: bool = setting("on", "Read the ways in which other gateways wrap mail.")
    thread_by_subject: bool = setting("on", "Join answers to threads by their subject.")
    incoming_html: Literal["off", "sanitised"] = setting("off", "Show cleaned HTML beside the text.")
    quotes: Literal["keep", "dashes"] = setting("keep", "dashes: write quotes as PyBitmessage does.")
    quotes_in: Literal["keep", "gt"] = setting("keep", "gt: show PyBitmessage's quotes with >.")
    reads_files_bit: bool = setting("on", "Tell other gateways that this one reads attachments.")

    @property
    def policy(self) -> Policy:
        """What is in force where an account sets nothing."""
        own = {name: getattr(self, name) for name in OPTIONS if name in type(self).model_fields}
        own["notify"] = tuple(word.upper() for word in self.notify)
        own["attachments"] = Attachments(self.attachments)
        return Policy(**own)


class Config(Section):
    """All of `gateway.ini`."""

    gateway: GatewaySection = GatewaySection()
    storage: StorageSection = StorageSection()
    security: SecuritySection = SecuritySection()
    node: NodeSection = NodeSection()
    tor: TorSection = TorSection()
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
    def _keeps_identities_apart(self) -> "Config":
        if self.tor.node_service != "off" and not (self.node.socks or self.node.mixed):
            raise ValueError(
                "[tor] node_service: the node would be known by its onion name and by its address at once; set [node] "
                "socks, or mixed = on there if that is wanted"
            )
        return self

    @model_validator(mode="after")
    def _keeps_passwords_from_the_wire(self) -> "Config":
        outside = [host for host in self.web.listen if not is_loopback(host)]
        if outside and self.web.plain_port != "off" and not self.web.allow_plaintext:
            raise ValueError(f"[web] listens on {outside[0]} without TLS: that needs allow_plaintext = on there")
        return self
