"""The errors of bmgate, one tree for all layers.

Raised where the fact is known, caught once per connection or task. They carry facts, never replies: each door's
`replies.py` maps classes to its own codes. Texts are shown to people and logged, so they hold no secret and no body.
"""


class GatewayError(Exception):
    """Everything bmgate raises on purpose."""


class ProtocolError(GatewayError):
    """The other side broke the rules of the Bitmessage protocol or of a mail protocol."""


class BadPacket(ProtocolError):
    """A frame that cannot be one: magic, length or checksum."""


class BadCommand(ProtocolError):
    """A packet whose payload does not follow its command."""


class BadObject(ProtocolError):
    """An object, or the plaintext inside one, that does not follow its type."""


class BadAddress(ProtocolError):
    """Text that is no usable Bitmessage address; `status` is the word PyBitmessage uses for the reason."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class BadMail(ProtocolError):
    """Mail beyond the limits of what is parsed (NUL, nesting, number of parts or header fields)."""


class BadTtl(BadMail):
    """A wish for a TTL that cannot be read."""


class BadImport(ProtocolError):
    """A file of another program, or an archive, that is damaged or not what it should be; nothing of it was taken."""


class Refused(GatewayError):
    """Well-formed, and not wanted."""


class CannotListen(Refused):
    """A port that is taken, or a certificate that cannot be shown; the text says which, and what to do."""


class TooDifficult(Refused):
    """The recipient demands more work than `max_difficulty` allows."""


class TooLarge(Refused):
    """More than a limit admits; the text names the limit."""


class Expired(Refused):
    """Its time has passed."""


class OverQuota(Refused):
    """The account has no room left."""


class LimitReached(Refused):
    """A number that has a bound has reached it: recipients, connections, queued mails, mailboxes."""


class NotAllowed(Refused):
    """This account may not do that."""


class MailboxHasChildren(NotAllowed):
    """A name that is there for the mailboxes below it alone."""


class NotOwner(NotAllowed):
    """An address that this account does not own is given as the sender."""


class IdentityDisabled(NotAllowed):
    """The address is the account's own, and disabled."""


class UnsupportedMedia(Refused):
    """A kind of mail that Bitmessage cannot carry, or that the recipient is not known to read."""


class BadOption(Refused):
    """An option that there is not, or words it cannot be; the text says which were hoped for."""


class BadVcard(Refused):
    """A file that is no address book as vCards; the text names the line."""


class BatchRefused(Refused):
    """Entries of a batch that cannot be carried out, so that none was; `failures` are line numbers with reasons."""

    def __init__(self, detail: str, failures: tuple[tuple[int, str], ...]) -> None:
        super().__init__(detail)
        self.failures = failures


class LoginFailed(Refused):
    """Unknown name, wrong password or disabled account: one error and one text for all three."""


class Missing(GatewayError):
    """What was named does not exist for this account."""


class MailboxMissing(Missing):
    """No such mailbox."""


class MessageMissing(Missing):
    """No such message."""


class RecipientMissing(Missing):
    """An address that names nobody reachable; `suggestion` is a near miss worth telling, or empty."""

    def __init__(self, detail: str, suggestion: str = "") -> None:
        super().__init__(detail)
        self.suggestion = suggestion


class ForeignDomain(RecipientMissing):
    """An address of the Internet: no gateway of ours and no relay takes mail for that domain."""


class Conflict(GatewayError):
    """What was to be made exists already, or something else stands in the way."""


class MailboxExists(Conflict):
    """A mailbox of this name is there."""


class Ambiguous(Conflict):
    """A name that fits several things; `candidates` lists up to three of them."""

    def __init__(self, detail: str, candidates: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.candidates = candidates


class Unavailable(GatewayError):
    """Not now, perhaps later: the only family that is retried."""


class NoPeers(Unavailable):
    """No connection to the Bitmessage network."""


class StorageBusy(Unavailable):
    """The database did not answer in time, or its disk is full."""


class StorageFailed(StorageBusy):
    """The disk or the database broke a promise: nothing more is written until somebody has looked at it (D2, D7)."""


class StorageFull(Unavailable):
    """The disk has too little room left for what grows (D1)."""


class AccountLocked(Unavailable):
    """The account's keys are not at hand: it opens when its owner logs in."""


class ShuttingDown(Unavailable):
    """The gateway is about to stop."""


class ConfigError(GatewayError):
    """A setting that cannot be used; the text names file, section, key, the value found and what was hoped for."""
