"""Mailboxes with rules of their own: what IMAP, POP3 and web ask before they change one.

A set of rules governs some names. It is asked inside the transaction, on a storage thread, and may read and write
there; what it raises (NotAllowed, mostly) refuses the command and undoes all of it. What must happen after the commit
it returns as effects, called in the loop, which bear repetition.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import FlagChange, Flags, Mailbox, MailboxId, NewMail, Transfer
from bmgate.domain.ports.account_store import AccountStore

Effects = tuple[Callable[[], None], ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A mailbox that rules have made themselves."""

    mailbox: Mailbox
    effects: Effects = ()


class MailboxRules(Protocol):
    """Asked on every change of a mailbox it governs. `Permissive` permits all and is there to be inherited from."""

    def governs(self, name: str) -> bool:
        """Whether a mailbox of that name, there or not, is under these rules."""
        ...

    async def prepare(self, account: AccountId, name: str) -> None:
        """Before CREATE's transaction: for what is slow, such as deriving keys. Raises NotAllowed."""
        ...

    async def looking(self, account: AccountId) -> None:
        """Before somebody sees what is in it, or what is new: for messages that are made only then."""
        ...

    async def expunging(self, account: AccountId, mailbox: MailboxId, uids: Collection[int] | None) -> list[int] | None:
        r"""EXPUNGE of an opened mailbox, done by the rules: the UIDs removed, of those that are marked \Deleted.

        Of `uids` only, if given. None lets it be done as any other.
        """
        ...

    async def transferring(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str, moved: bool
    ) -> Transfer | None:
        """COPY or MOVE out of an opened mailbox, done by the rules; None lets it be done as any other."""
        ...

    def creating(self, mine: AccountStore, name: str, now: int) -> Made | None:
        """CREATE; None lets it be made as any other."""
        ...

    def renaming(self, mine: AccountStore, mailbox: Mailbox, new_name: str) -> Effects:
        """RENAME of a governed mailbox, or to a governed name."""
        ...

    def deleting(self, mine: AccountStore, mailbox: Mailbox) -> Effects:
        """DELETE."""
        ...

    def appending(self, mine: AccountStore, mailbox: Mailbox, mails: Sequence[NewMail]) -> Effects:
        """APPEND."""
        ...

    def flagging(
        self,
        mine: AccountStore,
        mailbox: Mailbox,
        uids: Collection[int],
        change: FlagChange,
        flags: Flags,
    ) -> Effects:
        """STORE."""
        ...

    def leaving(self, mine: AccountStore, mailbox: Mailbox, uids: Collection[int], target: Mailbox | None) -> Effects:
        """MOVE to `target`, or EXPUNGE where there is none; the messages are still there."""
        ...

    def arriving(
        self, mine: AccountStore, mailbox: Mailbox, source: Mailbox, uids: Collection[int], moved: bool
    ) -> Effects:
        """COPY or MOVE into the governed `mailbox`; `uids` are those in `source`."""
        ...


class Permissive:
    """Permits everything, and governs nothing."""

    def governs(self, name: str) -> bool:
        return False

    async def prepare(self, account: AccountId, name: str) -> None:
        return

    async def looking(self, account: AccountId) -> None:
        return

    async def expunging(self, account: AccountId, mailbox: MailboxId, uids: Collection[int] | None) -> list[int] | None:
        return None

    async def transferring(
        self, account: AccountId, mailbox: MailboxId, uids: Collection[int], target: str, moved: bool
    ) -> Transfer | None:
        return None

    def creating(self, mine: AccountStore, name: str, now: int) -> Made | None:
        return None

    def renaming(self, mine: AccountStore, mailbox: Mailbox, new_name: str) -> Effects:
        return ()

    def deleting(self, mine: AccountStore, mailbox: Mailbox) -> Effects:
        return ()

    def appending(self, mine: AccountStore, mailbox: Mailbox, mails: Sequence[NewMail]) -> Effects:
        return ()

    def flagging(
        self, mine: AccountStore, mailbox: Mailbox, uids: Collection[int], change: FlagChange, flags: Flags
    ) -> Effects:
        return ()

    def leaving(self, mine: AccountStore, mailbox: Mailbox, uids: Collection[int], target: Mailbox | None) -> Effects:
        return ()

    def arriving(
        self, mine: AccountStore, mailbox: Mailbox, source: Mailbox, uids: Collection[int], moved: bool
    ) -> Effects:
        return ()


class RuleBook:
    """All rules of the gateway; the first that governs a name is asked."""

    def __init__(self, rules: Sequence[MailboxRules] = ()) -> None:
        self._rules = tuple(rules)
        self._opened: dict[MailboxId, MailboxRules] = {}

    def of(self, name: str) -> MailboxRules:
        """The rules for a mailbox of that name."""
        return next((rules for rules in self._rules if rules.governs(name)), _PERMISSIVE)

    def opened(self, mailbox: Mailbox) -> None:
        """Remember whose rules a mailbox is under that was opened: from now on its id is all that is known."""
        rules = self.of(mailbox.name)
        if rules is not _PERMISSIVE:
            self._opened[mailbox.id] = rules

    def of_opened(self, mailbox: MailboxId) -> MailboxRules:
        """The rules for a mailbox that was opened."""
        return self._opened.get(mailbox, _PERMISSIVE)


_PERMISSIVE: MailboxRules = Permissive()
