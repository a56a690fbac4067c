"""THREAD: what is found, as trees of mails and their answers (RFC 5256 section 3); `imap.thread` makes the trees."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bmgate.imap.cursor import BadSyntax
from bmgate.imap.extension import SELECTED, Extension, Verb
from bmgate.imap.ordering import items_found, read_program
from bmgate.imap.replies import Reply
from bmgate.imap.search_values import SearchKey
from bmgate.imap.session import Session, ok
from bmgate.imap.thread import thread_by_references, thread_by_subject, write_threads
from bmgate.imap.values import Command
from bmgate.imap.vocabulary import CommandCursor

_ALGORITHMS = {"REFERENCES": thread_by_references, "ORDEREDSUBJECT": thread_by_subject}


@dataclass(frozen=True, slots=True)
class Thread(Command):
    """THREAD, or UID THREAD."""

    algorithm: str
    key: SearchKey
    uid: bool


def _read(uid: bool) -> Callable[[CommandCursor], Thread]:
    def read(cursor: CommandCursor) -> Thread:
        cursor.space()
        algorithm = cursor.word()
        if algorithm not in _ALGORITHMS:
            raise BadSyntax("Unknown algorithm")
        return Thread(algorithm, read_program(cursor), uid)

    return read


async def _thread(session: Session, command: Thread) -> Reply:
    view, make = session.view, _ALGORITHMS[command.algorithm]
    items = await items_found(session, command.key)
    numbers = view.uids if command.uid else range(1, view.count + 1)
    written = await asyncio.to_thread(lambda: write_threads(make(items), list(numbers)))
    session.channel.write(b"* THREAD" + (b" " + written if written else b"") + b"\r\n")
    return ok("Done")


THREAD = Extension(
    "THREAD=REFERENCES THREAD=ORDEREDSUBJECT",
    verbs=(
        Verb("THREAD", _read(uid=False), _thread, SELECTED, tells_expunge=False),
        Verb("UID THREAD", _read(uid=True), _thread, SELECTED),
    ),
)
