"""Mailboxes with rules of their own: what IMAP, POP3 and web ask before they change one.

A set of rules governs some names. It is asked inside the transaction, on a storage thread, and may read and write
there; what it raises (NotAllowed, mostly) refuses the command and undoes all of it. What must happen after the commit
it returns as effects, called in the loop, which bear repetition.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import FlagChange, Flags, Mailbox, NewMail
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

    def of(self, name: str) -> MailboxRules:
        """The rules for a mailbox of that name."""
        return next((rules for rules in self._rules if rules.governs(name)), _PERMISSIVE)


_PERMISSIVE: MailboxRules = Permissive()
