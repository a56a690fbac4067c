"""SEARCH and its answers: SEARCH and ESEARCH, with what is saved for `$` (RFC 9051 6.4.4, RFC 4731, RFC 5182)."""

import asyncio
from itertools import islice

from bmgate.domain.mailbox import MessageHead
from bmgate.errors import GatewayError, MessageMissing
from bmgate.imap.batches import HEADERS_AT_ONCE, ROWS_AT_ONCE, Batches
from bmgate.imap.data_items import Depth, StoredMail
from bmgate.imap.features import Feature
from bmgate.imap.pieces import LargeMessage
from bmgate.imap.replies import NO, Refusal, Reply
from bmgate.imap.search import Judge, asks_modseq, depths_of
from bmgate.imap.search_keys import BadCharset
from bmgate.imap.search_values import SearchKey, Subject
from bmgate.imap.session import Session, ok
from bmgate.imap.sets import write_set
from bmgate.imap.values import Search, UnreadableSearch
from bmgate.imap.view import MailboxView
from bmgate.mail.imaptext import string
from bmgate.services.mailboxes.lazy_mail import LazyMail


async def search(session: Session, command: Search | UnreadableSearch) -> Reply:
    """SEARCH, UID SEARCH; there is an answer also when nothing is found."""
    if isinstance(command, UnreadableSearch):
        return await unreadable_search(session, command)
    view, has_modseq = session.view, asks_modseq(command.key)
    if has_modseq:
        session.enable(Feature.CONDSTORE)
    try:
        found = await find(session, command.key)
    except GatewayError:
        if "SAVE" in (command.returns or ()):
            view.saved = []  # RFC 5182 2.1
        raise
    answer_search(session, command, found, has_modseq)
    return ok("Done")


async def unreadable_search(session: Session, command: UnreadableSearch) -> Reply:
    """A SEARCH that is refused, and with it what it was to save."""
    if command.saves:
        session.view.saved = []  # RFC 5182 2.1
    raise BadCharset("Unknown charset")


def answer_search(session: Session, command: Search, found: list[int], has_modseq: bool) -> None:
    """SEARCH, or ESEARCH where RETURN or IMAP4rev2 asks for it; `found` are places, ascending."""
    view = session.view
    uids = [view.uids[place] for place in found]
    numbers = uids if command.uid else [place + 1 for place in found]
    returns = command.returns
    if returns is None and Feature.REV2 in session.enabled:
        returns = frozenset({"ALL"})
    if returns is None:
        modseq = b" (MODSEQ %d)" % _highest(view, uids) if has_modseq and uids else b""
        session.channel.write(b"* SEARCH" + _joined(numbers) + modseq + b"\r\n")
        return
    chosen = _chosen(returns, uids)
    if "SAVE" in returns:
        view.saved = chosen
        if returns == {"SAVE"}:
            return
    modseq = b" MODSEQ %d" % _highest(view, chosen) if has_modseq and chosen else b""
    words = esearch_words(returns, numbers, write_set(numbers))
    session.channel.write(esearch_line(session, command.uid, words + modseq))


def esearch_line(session: Session, uid: bool, words: bytes) -> bytes:
    """ESEARCH (RFC 4731 3.1)."""
    return b"* ESEARCH (TAG %b)%b%b\r\n" % (string(session.tag), b" UID" if uid else b"", words)


def esearch_words(returns: frozenset[str], numbers: list[int], written: bytes) -> bytes:
    """The return data, in the order of RFC 4731; nothing but COUNT where nothing is found."""
    words = b""
    if numbers and "MIN" in returns:
        words += b" MIN %d" % numbers[0]
    if numbers and "MAX" in returns:
        words += b" MAX %d" % numbers[-1]
    if numbers and "ALL" in returns:
        words += b" ALL " + written
    return words + (b" COUNT %d" % len(numbers) if "COUNT" in returns else b"")


def _chosen(returns: frozenset[str], uids: list[int]) -> list[int]:
    """What SAVE keeps and MODSEQ speaks of: the ends alone, where only they were asked for (RFC 5182 2.4)."""
    ends = returns & {"MIN", "MAX"}
    if not uids or not ends or returns & {"ALL", "COUNT"}:
        return uids
    return sorted({uids[0] if word == "MIN" else uids[-1] for word in ends})


def _highest(view: MailboxView, uids: list[int]) -> int:
    return max(view.rows[uid].modseq for uid in uids)


def _joined(numbers: list[int]) -> bytes:
    return "".join(f" {number}" for number in numbers).encode("ascii")


async def find(session: Session, key: SearchKey) -> list[int]:
    """Places of what is found, ascending; raises Refusal when it takes too long."""
    try:
        async with asyncio.timeout(session.limits.search_seconds):
            return await _find(session, key)
    except TimeoutError as error:
        raise Refusal(NO, b"LIMIT", "The search took too long") from error


async def _find(session: Session, key: SearchKey) -> list[int]:
    """Places of what is found, ascending: by rows first, then by headers, then by bodies."""
    view, judge = session.view, Judge(key, session.view, session.services.mailboxes.now())
    found: list[int] = []
    unknown: list[Subject] = []
    for place, uid in enumerate(view.uids):
        if place % ROWS_AT_ONCE == ROWS_AT_ONCE - 1:
            await asyncio.sleep(0)
        subject = Subject(place, view.rows[uid])
        _sort_out(subject, judge.verdict(subject), found, unknown)
    depths = depths_of(key)
    if unknown and Depth.HEADER in depths:
        unknown = await _look_deeper(session, judge, Depth.HEADER, unknown, found)
    if unknown and Depth.BODY in depths:
        async with session.body_search:  # one at a time per account (I6)
            await _look_deeper(session, judge, Depth.BODY, unknown, found)
    return sorted(found)


def _sort_out(subject: Subject, verdict: bool | None, found: list[int], unknown: list[Subject]) -> None:
    if verdict is None:
        unknown.append(subject)
    elif verdict:
        found.append(subject.place)


async def _look_deeper(
    session: Session, judge: Judge, depth: Depth, subjects: list[Subject], found: list[int]
) -> list[Subject]:
    """Read more of `subjects` and judge them again, off the loop; what is still unknown comes back without content."""
    unknown: list[Subject] = []
    waiting, places = iter(subjects), [subject.place for subject in subjects]
    batches = Batches(session, places, depth, HEADERS_AT_ONCE, copies=1)
    while (batch := await batches.next()) is not None:
        part = list(islice(waiting, len(batch.rows)))
        if batch.large is None:
            verdicts = await asyncio.to_thread(_judge_all, judge, part, batch.found)
        else:
            verdicts = [False] * (len(part) - 1)  # what stood before it is gone
            verdicts.append(await _judge_large(session, judge, part[-1], batch.large))
        for subject, verdict in zip(part, verdicts, strict=True):
            _sort_out(subject, verdict, found, unknown)
    return unknown


async def _judge_large(session: Session, judge: Judge, subject: Subject, head: MessageHead) -> bool | None:
    """Part by part, of which those that are no text are not read; a message that is gone is not found."""

    def look(octets: LazyMail) -> bool | None:
        return judge.verdict(subject.with_content(LargeMessage(head, octets)))

    try:
        return await session.services.mailboxes.look_into(session.account, head, look)
    except MessageMissing:
        return False


def _judge_all(judge: Judge, subjects: list[Subject], messages: dict[int, StoredMail]) -> list[bool | None]:
    """Verdicts in order; a message that is gone is not found."""
    verdicts: list[bool | None] = []
    for subject in subjects:
        message = messages.get(subject.row.uid)
        verdicts.append(False if message is None else judge.verdict(subject.with_content(message)))
    return verdicts
