"""Dialogues of mail programs as they were seen on the wire, and dialogues of nobody."""

import random
from base64 import b64encode
from collections.abc import Callable

import pytest
from door_accounts import PASSWORD
from imap.wire import House
from wires import mail

from bmgate.domain.mailbox import Flags
from bmgate.imap.limits import ImapLimits

SECRET = PASSWORD.encode()
PLAIN = b64encode(b"alice\0alice\0" + SECRET)

DIALOGUES: dict[str, list[bytes]] = {
    "Thunderbird": [
        b"capability",
        b"authenticate PLAIN\r\n" + PLAIN,
        b"namespace",
        b'ID ("name" "Thunderbird" "version" "153")',
        b'list (subscribed) "" "*" return (special-use)',
        b'list "" "INBOX"',
        b'select "INBOX"',
        b"UID fetch 1:* (FLAGS)",
        b"UID fetch 1:5 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Received)])",
        b"UID fetch 1:5 (UID RFC822.SIZE BODY.PEEK[])",
        b"IDLE\r\nDONE",
        b"uid store 2 +FLAGS ($label1)",
        b'uid move 3 "Archive"',
        b'append "Sent" (\\Seen) {4+}\r\nmail',
        b"noop",
        b"close",
        b"logout",
    ],
    "mbsync": [
        b"AUTHENTICATE PLAIN " + PLAIN,
        b"NAMESPACE",
        b'LIST "" "*"',
        b"SELECT INBOX",
        b"UID FETCH 1:* (UID FLAGS)",
        b"UID FETCH 1 (BODY.PEEK[])",
        b"UID STORE 1 +FLAGS.SILENT (\\Deleted)",
        b"CHECK",
        b"CLOSE",
        b'APPEND "Drafts" (\\Seen) {2+}\r\nhi',
        b"LOGOUT",
    ],
    "fetchmail": [
        b"CAPABILITY",
        b'LOGIN "alice" {%d}\r\n%b' % (len(SECRET), SECRET),
        b'SELECT "INBOX"',
        b"EXPUNGE",
        b"SEARCH UNSEEN UNDELETED",
        b"FETCH 1:2 RFC822.SIZE",
        b"FETCH 1 RFC822.HEADER",
        b"FETCH 1 BODY.PEEK[TEXT]",
        b"STORE 1 +FLAGS (\\Seen)",
        b"LOGOUT",
    ],
    "mutt": [
        b"AUTHENTICATE PLAIN " + PLAIN,
        b"CAPABILITY",
        b"ENABLE UTF8=ACCEPT",
        b'LIST "" ""',
        b'LSUB "" "*"',
        b'SELECT "INBOX"',
        b"FETCH 1:3 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SENDER SUBJECT TO CC)])",
        *[b'STATUS "%b" (UIDNEXT UIDVALIDITY UNSEEN RECENT MESSAGES)' % name for name in [b"Sent", b"Drafts"]],
        b"IDLE\r\nDONE",
        b'APPEND "Sent" (\\Seen) "21-Nov-2026 20:15:00 +0000" {4}\r\nmail',
        b"LOGOUT",
    ],
    "aerc": [
        b"AUTHENTICATE PLAIN " + PLAIN,
        b'LIST "" "*" RETURN (STATUS (MESSAGES RECENT UNSEEN))',
        b"SELECT INBOX",
        b"UID SEARCH CHARSET UTF-8 ALL",
        b"UID FETCH 1:3 (BODYSTRUCTURE ENVELOPE INTERNALDATE FLAGS UID BODY.PEEK[HEADER])",
        b"UID FETCH 1 (BODY.PEEK[1.MIME] BODY.PEEK[1])",
        b"UID MOVE 1 Archive",
        b"LOGOUT",
    ],
    "imapflow": [
        b'ID ("name" "imapflow")',
        b"AUTHENTICATE PLAIN\r\n" + PLAIN,
        b'LIST "" "*" RETURN (SPECIAL-USE CHILDREN SUBSCRIBED)',
        b"SELECT INBOX",
        b"FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)",
        b"UID FETCH 1 (UID BODY.PEEK[]<0.65536>)",
        b"UID STORE 1:2 +FLAGS (\\Seen)",
        b"UID EXPUNGE 1",
        b"LOGOUT",
    ],
    "offlineimap": [
        b'ID ("name" "OfflineIMAP")',
        b"AUTHENTICATE PLAIN " + PLAIN,
        b'LIST "" ""',
        b'LIST "" "*"',
        b'SELECT "INBOX"',
        b"EXAMINE INBOX",
        b"FETCH 1:* (FLAGS UID INTERNALDATE)",
        b"UID FETCH 1 (BODY.PEEK[])",
        b"LOGOUT",
    ],
}


@pytest.mark.parametrize("program", DIALOGUES)
async def test_a_programs_dialogue_succeeds_whether_it_waits_or_not(house: House, program: str) -> None:
    house.services.mailboxes.fill("INBOX", mail("one"), mail("two"), mail("three"))
    waiting = await house.connect()
    for command in DIALOGUES[program]:
        await waiting.ok(command)
    assert await waiting.rest() == b""
    ahead = await house.connect()
    await ahead.send(b"".join(b"p%d %b\r\n" % (n, command) for n, command in enumerate(DIALOGUES[program])))
    answer = await ahead.rest()
    assert all(b"p%d OK " % n in answer for n in range(len(DIALOGUES[program])))


WORDS = [
    b"FETCH", b"UID", b"STORE", b"SEARCH", b"COPY", b"MOVE", b"LIST", b"STATUS", b"APPEND", b"SELECT", b"EXPUNGE",
    b"1:*", b"1", b"2,3:*", b"4294967295", b"(FLAGS)", b"(", b")", b"BODY[]", b"BODY[1.2.HEADER]<0.9>", b"ENVELOPE",
    b"FULL", b"+FLAGS", b"-FLAGS.SILENT", b"(\\Seen $x)", b"\\Deleted", b"INBOX", b"Sent", b"Nowhere", b'""', b'"*"',
    b"*%", b"NOT", b"OR", b"SUBJECT", b"BODY", b"x", b"SINCE", b"1-Jan-2026", b"UID 1:5", b"(MESSAGES UNSEEN)",
    b"SORT", b"THREAD", b"REFERENCES", b"UTF-8", b"(REVERSE DATE SUBJECT)", b"ALL", b"$", b"RETURN (SAVE)", b"ENABLE",
    b"RETURN (MIN MAX ALL COUNT)", b"MODSEQ", b"(CHANGEDSINCE 3 VANISHED)", b"(UNCHANGEDSINCE 4)", b"OLDER 5",
    b"QRESYNC", b"UTF8=ACCEPT", b"IMAP4rev2", b"(QRESYNC (1795000000 3 1:4))", b"(CONDSTORE)", b"BINARY.PEEK[1]",
    b"BINARY.SIZE[2]", b"PREVIEW", b"SAVEDATE", b"EMAILID", b"XLIST", b"GETQUOTAROOT", b"~{3+}\r\na\0b",
    b"(SIZE HIGHESTMODSEQ MAILBOXID)",
    b"{2+}\r\nhi", b"{0+}\r\n", b'"\\""', b"&AOQ-", b"&", b"\xff", b"\0", b"\r", b"]", b"CREATE", b"RENAME", b"CLOSE",
]  # fmt: skip
SENTENCES = [b"SELECT INBOX", b"NOOP", b"FETCH 1:* (FLAGS ENVELOPE)", b"UID STORE 1:* +FLAGS (\\Deleted)", b"EXPUNGE"]
SENTENCES += [b"UID SORT (REVERSE FROM) UTF-8 ALL", b"THREAD REFERENCES UTF-8 ALL", b"FETCH 1:* (PREVIEW BINARY[1])"]
SENTENCES += [
    b"ENABLE QRESYNC",
    b"SEARCH RETURN (SAVE COUNT) MODSEQ 1",
    b"UID STORE $ (UNCHANGEDSINCE 9) FLAGS (\\Seen)",
]
SENTENCES += [b"APPEND INBOX {2+}\r\nhi (\\Seen) ~{3+}\r\na\0b", b"UID MOVE 2:3 Trash", b"COPY 1:2 INBOX"]


@pytest.mark.parametrize("seed", range(8))
async def test_every_command_gets_one_answer_whatever_it_is(make_house: Callable[..., House], seed: int) -> None:
    chance = random.Random(seed)
    house = make_house(ImapLimits(bad_commands=10_000))
    house.services.mailboxes.fill("INBOX", *[mail(str(n)) for n in range(5)], flags=Flags.FLAGGED)
    wires = [await house.logged_in() for _ in range(3)]
    for number in range(150):
        words = [chance.choice(WORDS) for _ in range(chance.randint(1, 6))]
        command = chance.choice([b" ".join(words), chance.choice(SENTENCES)])
        wire = chance.choice(wires)
        await wire.send(b"n%d %b\r\n" % (number, command))
        assert (await wire.until(b"n%d" % number))[-1].split()[1] in {b"OK", b"NO", b"BAD"}
