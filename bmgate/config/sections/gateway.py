"""The gateway as a whole, what it keeps, and what it tells of its doings."""

from typing import Literal

from bmgate.config.sections.base import Count, Listed, Positive, Section, setting
from bmgate.config.values import Domain, Domains, OptionalHostPort, Size
from bmgate.mail.addresses import DEFAULT_SYNONYMS

Role = Literal["node", "receive", "send", "solve", "smtp", "imap", "pop3", "web", "api"]
METRICS_PORT = 9464  # the one that exporters share by custom


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
    operator: str = setting(
        "",
        "Account whose default identity takes mail to postmaster, abuse and admin; the API tells it the peers by name.",
    )
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
