"""Every setting of `gateway.ini`, section by section, and what must be true of several sections together.

Each setting stands in `sections` with its type, its default as written in the file, and the text that explains it
there. `file` makes the file's comments from these, so help exists once. Defaults are checked like any other value.
"""

from pydantic import model_validator

from bmgate.config.sections.accounts import AccountsSection
from bmgate.config.sections.base import Section
from bmgate.config.sections.doors import (
    ApiSection,
    ImapSection,
    Pop3Section,
    SmtpSection,
    TlsSection,
    WebSection,
)
from bmgate.config.sections.gateway import (
    GatewaySection,
    LogSection,
    MetricsSection,
    SecuritySection,
    StorageSection,
)
from bmgate.config.sections.node import NodeSection, PowSection, TorSection
from bmgate.config.values import is_loopback
from bmgate.domain.account import Level


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
