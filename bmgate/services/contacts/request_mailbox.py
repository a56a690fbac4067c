"""The rules of Requests and Junk: what its owner does with mail says what he thinks of its sender (M3).

Mail of strangers waits in Requests. Out of there into INBOX allows its sender, into Junk blocks him. With `junk_blocks`
any mail moved to Junk blocks its sender, and back into INBOX allows him again. COPY counts as MOVE: older programs
move no other way.
"""

from collections.abc import Collection, Sequence
from functools import partial

from bmgate.bm.addresses import Address, parse_address
from bmgate.domain.contact import Standing
from bmgate.domain.mailbox import Mailbox, MailboxId, MailboxKind, NewMail
from bmgate.domain.ports.account_store import AccountStore
from bmgate.errors import BadAddress, NotAllowed
from bmgate.mail.headers import raw_field
from bmgate.mail.parse import parse_header
from bmgate.mail.reading import Kind
from bmgate.services.delivery.held_acks import HeldAcks
from bmgate.services.delivery.strangers import REQUESTS
from bmgate.services.inbound.lists import MailingLists
from bmgate.services.mailboxes.mailbox_rules import Effects, Permissive
from bmgate.services.policies import Policies

_GOVERNED = frozenset({"inbox", "junk", REQUESTS.lower()})
_OF_ONE_WRITER = frozenset({Kind.MSG.value, Kind.CHAN.value})
_NOT_HERE = f"{REQUESTS} takes mail of strangers from the network alone"


class RequestRules(Permissive):
    """Allows and blocks senders, and lets a moderated list pass on what its owner accepts."""

    def __init__(self, policies: Policies, held: HeldAcks, lists: MailingLists) -> None:
        self._policies, self._held, self._lists = policies, held, lists

    def governs(self, name: str) -> bool:
        return name.lower() in _GOVERNED

    def appending(self, mine: AccountStore, mailbox: Mailbox, mails: Sequence[NewMail]) -> Effects:
        if mailbox.name == REQUESTS:
            raise NotAllowed(_NOT_HERE)
        return ()

    def arriving(
        self, mine: AccountStore, mailbox: Mailbox, source: Mailbox, uids: Collection[int], moved: bool
    ) -> Effects:
        if mailbox.name == REQUESTS:
            raise NotAllowed(_NOT_HERE)
        standing = self._said(mine, mailbox, source)
        if standing is Standing.NONE:
            return ()
        senders = writers_of(mine, source.id, uids)
        for sender in senders:
            mine.contacts.set_standing(sender, standing)
        if standing is Standing.BLOCKED:
            return ()
        released = tuple(partial(self._held.wanted, mine.account.id, sender) for sender in senders)
        return released + (self._lists.approved(mine, source.id, uids) if source.name == REQUESTS else ())

    def _said(self, mine: AccountStore, target: Mailbox, source: Mailbox) -> Standing:
        """What the way from one mailbox to another says."""
        if target.kind is MailboxKind.INBOX:
            is_back = source.kind is MailboxKind.JUNK and self._takes_junk_serious(mine)
            return Standing.ALLOWED if source.name == REQUESTS or is_back else Standing.NONE
        if target.kind is MailboxKind.JUNK and (source.name == REQUESTS or self._policies.of(mine).junk_blocks):
            return Standing.BLOCKED
        return Standing.NONE

    def _takes_junk_serious(self, mine: AccountStore) -> bool:
        policy = self._policies.of(mine)
        return policy.junk_blocks or policy.requests == "junk"


def writers_of(mine: AccountStore, mailbox: MailboxId, uids: Collection[int]) -> list[Address]:
    """Who signed these mails, where it was one person and not the account itself.

    A chan's own key is nobody's, a relay's or a list's stands for many.
    """
    writers: dict[Address, None] = {}
    for head in mine.messages.heads(mailbox, uids):
        writer = _writer(head.header)
        if writer is not None and mine.identities.find(writer) is None:
            writers[writer] = None
    return list(writers)


def _writer(header: bytes) -> Address | None:
    fields = parse_header(header)
    kind = raw_field(fields, "X-Bitmessage-Kind").decode("ascii", "replace").strip()
    word, _, address = raw_field(fields, "X-Bitmessage-Key").decode("ascii", "replace").strip().partition(" ")
    if kind not in _OF_ONE_WRITER or word != "verified":
        return None
    try:
        return parse_address(address.strip())
    except BadAddress:
        return None
