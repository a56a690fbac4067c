"""What the methods tell, as values for JSON: a function for each thing of the domain.

Times are Unix seconds, sizes bytes, work is counted in trials and seconds. A moment that does not come is null.
"""

from collections.abc import Iterable
from typing import Any

from bmgate.domain.account import Account
from bmgate.domain.outbox import HistoryEntry, Kind, OutgoingMessage
from bmgate.domain.peers import FOR_EVER, Standing
from bmgate.domain.ports.world import Backlog, WorkProgress
from bmgate.services.outbound.queue import QueueEntry, QueueRow
from bmgate.services.policies import Shown
from bmgate.services.status import PeerNewsView, PeerView


def account_value(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "state": account.state.value,
        "level": account.level.value,
        "quota_bytes": account.quota_bytes,
    }


def options_value(options: Iterable[Shown]) -> list[dict[str, Any]]:
    return [{"name": each.option.name, "value": each.words, "is_set": each.is_set} for each in options]


def row_value(row: OutgoingMessage) -> dict[str, Any]:
    return {
        "id": row.name,
        "queue_id": row.queue_id,
        "kind": row.kind.value,
        "recipient": "broadcast" if row.kind is Kind.BROADCAST else str(row.recipient),
        "state": row.state.value,
        "reason": row.reason.value,
        "no_retry": row.no_retry,
        "attempt": row.attempt,
        "priority": row.priority.value,
        "ttl_seconds": row.ttl_seconds,
        "next_attempt": row.next_attempt or None,
        "expires_time": row.expires_time or None,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def worked_value(row: QueueRow) -> dict[str, Any]:
    return {**row_value(row.message), "work": row.work and _work_value(row.worked_on, row.work)}


def _work_value(worked_on: str, work: WorkProgress) -> dict[str, Any]:
    return {
        "object": worked_on,
        "tried": work.tried,
        "expected": work.expected,
        "probability": round(work.probability, 4),
        "running": work.running,
        "withheld": work.withheld,
        "mean_seconds": round(work.mean_seconds, 3),
        "likely_seconds": round(work.likely_seconds, 3),
    }


def backlog_value(backlog: Backlog) -> dict[str, Any]:
    return {
        "jobs": backlog.jobs,
        "mean_seconds": round(backlog.mean_seconds, 3),
        "likely_seconds": round(backlog.likely_seconds, 3),
    }


def entry_value(entry: QueueEntry) -> dict[str, Any]:
    return {
        **worked_value(entry.row),
        "subject": entry.subject,
        "left_out": list(entry.left_out),
        "expected_trials": entry.price.trials,
        "expected_seconds": round(entry.price_seconds, 6),
        "price": {"msg": entry.price.msg, "ack": entry.price.ack, "getpubkey": entry.price.getpubkey},
        "history": [_history_value(line) for line in entry.history],
    }


def _history_value(line: HistoryEntry) -> dict[str, Any]:
    return {"at": line.at, "state": line.state.value, "detail": line.detail}


def peer_value(peer: PeerView) -> dict[str, Any]:
    return {
        "host": peer.host,
        "port": peer.port,
        "kind": peer.kind,
        "inbound": peer.inbound,
        "established": peer.established,
        "tls": peer.tls,
        "user_agent": peer.user_agent,
        "bytes_in": peer.bytes_in,
        "bytes_out": peer.bytes_out,
        "since": peer.since,
    }


def standing_value(standing: Standing) -> dict[str, Any]:
    return {
        "source": standing.source,
        "until": standing.until if standing.until < FOR_EVER else None,
        "reason": standing.reason,
        "by_operator": standing.by_operator,
    }


def news_value(news: PeerNewsView) -> dict[str, Any]:
    return {
        "at": news.at,
        "event": news.event,
        "host": news.host,
        "port": news.port,
        "kind": news.kind,
        "detail": news.detail,
    }
