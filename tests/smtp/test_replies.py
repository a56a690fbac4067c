import pytest
from error_tree import made, tree

import bmgate.smtp.parameters  # noqa: F401 - its errors belong to the tree
from bmgate.errors import (
    Ambiguous,
    BadAddress,
    BadTtl,
    ForeignDomain,
    GatewayError,
    IdentityDisabled,
    LimitReached,
    LoginFailed,
    NotAllowed,
    NotOwner,
    RecipientMissing,
    ShuttingDown,
    StorageBusy,
    StorageFull,
    TooDifficult,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
)
from bmgate.services.outbound.submission import Receipt
from bmgate.smtp.replies import SHUTTING_DOWN, TROUBLE, Reply, Stage, accepted, reply_for

FOREIGN = ("bmgate.imap",)  # other doors' own words


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("cls", list(tree(GatewayError, FOREIGN)), ids=lambda cls: cls.__name__)
def test_every_error_has_a_reply(cls: type[GatewayError], stage: Stage) -> None:
    reply = reply_for(made(cls), stage)
    assert 400 <= reply.code <= 599
    assert reply.status[0] == str(reply.code)[0]
    assert reply.status.count(".") == 2


@pytest.mark.parametrize("cls", list(tree(Unavailable, FOREIGN)), ids=lambda cls: cls.__name__)
def test_what_may_work_later_is_told_so(cls: type[GatewayError]) -> None:
    assert 400 <= reply_for(made(cls), Stage.DATA).code <= 499


@pytest.mark.parametrize(
    ("error", "stage", "code", "status"),
    [
        (BadAddress("checksumfailed", ""), Stage.RCPT, 553, "5.1.3"),
        (BadAddress("versiontoohigh", ""), Stage.RCPT, 550, "5.1.1"),
        (BadAddress("nonascii", ""), Stage.RCPT, 553, "5.6.7"),
        (RecipientMissing(""), Stage.RCPT, 550, "5.1.1"),
        (ForeignDomain(""), Stage.RCPT, 550, "5.1.2"),
        (Ambiguous("", ()), Stage.RCPT, 550, "5.1.4"),
        (NotOwner(""), Stage.MAIL, 553, "5.7.1"),
        (NotOwner(""), Stage.DATA, 553, "5.7.1"),
        (IdentityDisabled(""), Stage.DATA, 550, "5.2.1"),
        (NotAllowed(""), Stage.RCPT, 550, "5.7.1"),
        (BadTtl(""), Stage.RCPT, 550, "5.6.0"),
        (TooLarge(""), Stage.DATA, 552, "5.3.4"),
        (TooDifficult(""), Stage.DATA, 550, "5.3.3"),
        (UnsupportedMedia(""), Stage.DATA, 554, "5.6.1"),
        (LimitReached(""), Stage.DATA, 452, "4.5.3"),
        (StorageFull(""), Stage.DATA, 452, "4.3.1"),
        (LimitReached(""), Stage.AUTH, 421, "4.7.0"),
        (LoginFailed(""), Stage.AUTH, 535, "5.7.8"),
        (Unavailable(""), Stage.AUTH, 454, "4.7.0"),
    ],
)
def test_replies_follow_the_table(error: GatewayError, stage: Stage, code: int, status: str) -> None:
    reply = reply_for(error, stage)
    assert (reply.code, reply.status) == (code, status)


def test_s12_texts_of_our_own_trouble_stay_inside() -> None:
    for error in (ValueError("secret"), StorageBusy("secret"), GatewayError("secret")):
        assert reply_for(error, Stage.DATA) is TROUBLE
    assert reply_for(ShuttingDown("secret"), Stage.DATA) is SHUTTING_DOWN


def test_a_reply_is_ascii_on_one_line_unless_it_is_long() -> None:
    assert Reply(250, "2.0.0", "Köln\r\n250 x").encode() == b"250 2.0.0 K?ln 250 x\r\n"
    lines = Reply(250, "2.0.0", "word " * 300).encode().split(b"\r\n")[:-1]
    assert all(len(line) <= 510 for line in lines)
    assert [line[:10] for line in lines] == [b"250-2.0.0 "] * (len(lines) - 1) + [b"250 2.0.0 "]
    assert Reply(354, "", "").encode() == b"354 \r\n"


def test_the_receipt_names_queue_id_work_and_what_was_left_out() -> None:
    assert accepted(Receipt("7KQ2AB", 20.4, (), repeated=False)).text == "queued as 7KQ2AB, about 20 s of work"
    text = accepted(Receipt("7KQ2AB", 20.4, ("logo.png 3 kB", "a.asc"), repeated=False)).text
    assert text == "queued as 7KQ2AB, about 20 s of work; left out: logo.png 3 kB, a.asc"
    assert accepted(Receipt("7KQ2AB", 0, (), repeated=True)).text == "queued as 7KQ2AB, as when it was given before"
    command = accepted(Receipt("", 0, (), repeated=False, answer="OK: join"))
    assert (command.code, command.text) == (250, "OK: join; the answer is in INBOX")


@pytest.mark.parametrize(("seconds", "words"), [(0.01, "1 s"), (20.4, "20 s"), (700, "12 min"), (11_400, "3 h 10 min")])
def test_the_receipt_tells_work_in_words(seconds: float, words: str) -> None:
    assert accepted(Receipt("7KQ2AB", seconds, (), repeated=False)).text == f"queued as 7KQ2AB, about {words} of work"
