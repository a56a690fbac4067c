"""What accounts have where they set nothing for themselves."""

from typing import Annotated, Literal

from pydantic import Field

from bmgate.config.sections.base import Listed, Section, setting
from bmgate.config.values import Duration, Quota, Ttl
from bmgate.domain.policy import OPTIONS, Attachments, Policy

Notify = Literal["success", "failure", "delay", "never"]


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
