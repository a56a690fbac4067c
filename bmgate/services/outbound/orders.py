"""Orders: mail to the gateway itself, as submission hands it to whoever carries out commands (1.3, 1.4)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from bmgate.domain.account import AccountId
from bmgate.errors import NotAllowed
from bmgate.mail.addresses import RecipientKind, Resolved
from bmgate.mail.outgoing import OutgoingMail
from bmgate.mail.written import Written

GATEWAY_WORDS = frozenset({"bmgate", "cmd"})


@dataclass(frozen=True, slots=True)
class Order:
    """`word` is the command that the recipient names, empty where the subject does; `sender` gets the answer."""

    word: str
    written: Written
    sender: str
    label: str = ""


class Commands(Protocol):
    """Whoever carries out mail commands."""

    async def run(self, account: AccountId, order: Order, mail: OutgoingMail) -> str:
        """The subject of the answer, which is in INBOX when this returns; raises Unavailable."""
        ...


def check_beside(former: Iterable[Resolved], new: Resolved) -> None:
    """Raises NotAllowed for a recipient beside a command, or a command beside a recipient."""
    kinds = {each.kind for each in former}
    if kinds and (new.kind is RecipientKind.COMMAND or RecipientKind.COMMAND in kinds):
        raise NotAllowed("a command is the only recipient of its mail")


def command_word(recipients: Iterable[Resolved]) -> str | None:
    """The command that the one recipient names, empty for the gateway itself; None for mail to others."""
    for each in recipients:
        if each.kind is RecipientKind.COMMAND:
            return "" if each.word in GATEWAY_WORDS else each.word
    return None
