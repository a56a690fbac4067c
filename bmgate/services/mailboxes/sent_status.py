"""The status of a mail as keywords: of its copy in Sent (mail conversion 5.1), and of a row in the Outbox.

Keywords that begin with `bm-` are the gateway's; clients change none of them in these two mailboxes.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from bmgate.bm.network import NetworkParameters
from bmgate.domain.mailbox import FlagChange, Flags, MailboxId, MailboxKind
from bmgate.domain.outbox import HELD, UNBUILT, UNPUBLISHED, OutgoingMessage, Reason, State, Submission
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.services.objects.keys import demand_for
from bmgate.services.objects.pricing import Pricing

PENDING = "bm-pending"  # of a mail that was just accepted
WORKING = "bm-pow"  # beside bm-pending, with one of:
QUARTERS = ("bm-pow25", "bm-pow50", "bm-pow75")
STATUS_KEYWORDS = (PENDING, "bm-sent", "bm-noack", "bm-acked", "bm-cancelled", "bm-failed", WORKING, *QUARTERS)

_IN_OUTBOX = {
    State.ACCEPTED: "bm-queued",
    State.NEED_PUBKEY: "bm-needkey",
    State.REQUESTED: "bm-needkey",
    State.READY: WORKING,
    State.ACK_POW: WORKING,
    State.BUILT: WORKING,
    State.TOO_DIFFICULT: "bm-toohard",
    State.PUBLISHED: "bm-sent",
}


def sent_keywords(rows: Iterable[OutgoingMessage]) -> set[str]:
    """The status of a mail as keywords of its copy in Sent, from its rows (mail conversion 5.1)."""
    every = list(rows)
    others = [row for row in every if row.state is not State.FAILED]
    states = {row.state for row in others}
    failed = {"bm-failed"} if len(others) < len(every) else set()
    if not others:
        return failed
    if any(_is_unpublished(row) for row in others):
        return failed | {PENDING}
    for state, keyword in (
        (State.PUBLISHED, "bm-sent"),
        (State.NO_ACK_EXPECTED, "bm-noack"),
        (State.ACKED, "bm-acked"),
    ):
        if state in states:
            return failed | {keyword}
    return failed | {"bm-cancelled"}


def _is_unpublished(row: OutgoingMessage) -> bool:
    """Also of what stands in the inventory, and nobody has it yet."""
    return row.state in UNPUBLISHED or (row.state is State.PUBLISHED and row.reason is Reason.NO_PEERS)


def outbox_keyword(row: OutgoingMessage) -> str:
    """The one status keyword of a row that is not final, in the Outbox."""
    return "bm-held" if row.reason in HELD else _IN_OUTBOX[row.state]


def show_status(
    mine: AccountStore, submission: Submission, before: dict[int, OutgoingMessage], rows: Collection[OutgoingMessage]
) -> tuple[MailboxId, ...]:
    """Put the status of a submission on its mail in Sent where it changed; tells in which mailboxes.

    Most events do not change it, and looking costs a fifth of their transaction. `before` are the rows that moved on.
    """
    shown = sent_keywords(rows)
    former = sent_keywords([before.get(row.id, row) for row in rows])
    undone = any(row.id in before and before[row.id].saved_nonce > 0 and row.state in UNBUILT for row in rows)
    if submission.sent_content is None or (shown == former and not undone):
        return ()
    return tuple(mine.messages.status_keywords(submission.sent_content, set(STATUS_KEYWORDS) - shown, shown))


@dataclass(frozen=True, slots=True)
class ProgressShown:
    """Shows how far the work for a mail is, in quarters: on its copy in Sent, and in the Outbox."""

    network: NetworkParameters

    def show(self, store: Store, before: OutgoingMessage, after: OutgoingMessage, now: int) -> tuple[MailboxId, ...]:
        """Put it there when another quarter is reached; tells in which mailboxes.

        Work that nobody has to wait for never comes here.
        """
        submission = store.outbox.submission(after.submission)
        mine = store.account(submission.account)
        if submission.sent_content is None and not after.shown_uid:
            return ()
        size, pricing = submission.size, Pricing(self.network)
        rows = mine.outbox.rows_of(submission.id)
        demands = {row.id: demand_for(store, row.kind, row.recipient, self.network) for row in rows}

        def quarter(shown: OutgoingMessage, of: Iterable[OutgoingMessage]) -> int:
            now_shown = [shown if row.id == shown.id else row for row in of]
            shares = [pricing.share_done(row, size, demands[row.id], now) for row in now_shown]
            return int(sum(shares) / len(shares) * (len(QUARTERS) + 1))

        changed = _show_in_outbox(mine, after, quarter(before, [after]), quarter(after, [after]))
        former, reached = quarter(before, rows), quarter(after, rows)
        if submission.sent_content is None or not former < reached <= len(QUARTERS):
            return changed
        word = QUARTERS[reached - 1]
        return (
            *changed,
            *mine.messages.status_keywords(submission.sent_content, set(QUARTERS) - {word}, {WORKING, word}),
        )


def _show_in_outbox(mine: AccountStore, row: OutgoingMessage, former: int, reached: int) -> tuple[MailboxId, ...]:
    if not row.shown_uid or not former < reached <= len(QUARTERS):
        return ()
    outbox, word = mine.mailboxes.by_kind(MailboxKind.OUTBOX).id, QUARTERS[reached - 1]
    others = sorted(set(QUARTERS) - {word})
    mine.messages.set_flags(outbox, [row.shown_uid], FlagChange.REMOVE, Flags.NONE, others)
    mine.messages.set_flags(outbox, [row.shown_uid], FlagChange.ADD, Flags.NONE, [word])
    return (outbox,)
