"""The extensions, each by the words a client says; their RFCs are in docs/imap-extensions.md."""

from base64 import b64encode

import pytest
from door_accounts import ALICE
from imap.fake_services import NOW
from imap.wire import House, Wire
from wires import mail

from bmgate.domain.mailbox import Flags


async def filled(house: House, count: int = 3) -> Wire:
    """A client that has INBOX open, with mails of UID 1 and up, MODSEQ 2 and up."""
    house.services.mailboxes.fill("INBOX", *[mail(f"mail {number}") for number in range(count)])
    return await house.selected()


async def test_fetch_of_changes_tells_modseq(house: House) -> None:
    wire = await filled(house)
    house.services.mailboxes.mark("INBOX", 2, Flags.SEEN)
    await wire.ok(b"NOOP")
    assert await wire.ok(b"FETCH 1:* (FLAGS) (CHANGEDSINCE 4)") == [
        b"* OK [HIGHESTMODSEQ 5] Highest\r\n",
        b"* 2 FETCH (FLAGS (\\Seen) MODSEQ (5))\r\n",
    ]
    assert await wire.ok(b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 0)") == [
        b"* 1 FETCH (UID 1 FLAGS () MODSEQ (2))\r\n",
        b"* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (5))\r\n",
        b"* 3 FETCH (UID 3 FLAGS () MODSEQ (4))\r\n",
    ]
    assert await wire.ok(b"FETCH 1 BODY[TEXT]") == [
        b"* 1 FETCH (BODY[TEXT] {7}\r\nText.\r\n FLAGS (\\Seen) MODSEQ (6))\r\n"
    ]


async def test_store_leaves_alone_what_others_changed(house: House) -> None:
    wire = await filled(house)
    house.services.mailboxes.mark("INBOX", 2, Flags.FLAGGED)
    *untagged, last = await wire.ask(b"UID STORE 1:3 (UNCHANGEDSINCE 4) +FLAGS.SILENT (\\Seen)")
    assert last.startswith(b"OK [MODIFIED 2] ")
    assert b"* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (6))\r\n" in untagged
    assert b"* 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ (5))\r\n" in untagged
    assert b"* 3 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (6))\r\n" in untagged


async def test_store_with_numbers_of_what_is_gone_says_no(house: House) -> None:
    wire = await filled(house)
    house.services.mailboxes.drop("INBOX", 2)
    last = await wire.refused(b"STORE 2 (UNCHANGEDSINCE 4) +FLAGS (\\Seen)")
    assert last.startswith(b"NO [MODIFIED 2] ")


async def test_search_by_modseq_tells_the_highest(house: House) -> None:
    wire = await filled(house)
    assert (await wire.ok(b"SEARCH MODSEQ 3"))[-1] == b"* SEARCH 2 3 (MODSEQ 4)\r\n"
    assert await wire.ok(b'SEARCH MODSEQ "/flags/\\\\draft" all 9') == [b"* SEARCH\r\n"]
    assert await wire.ok(b"SEARCH RETURN (MIN) MODSEQ 1") == [b'* ESEARCH (TAG "t5") MIN 1 MODSEQ 2\r\n']


async def test_a_client_that_comes_back_hears_what_it_missed(house: House) -> None:
    mailboxes = house.services.mailboxes
    wire = await filled(house, 5)
    assert b"* ENABLED QRESYNC\r\n" in await wire.ok(b"ENABLE QRESYNC")
    mailboxes.drop("INBOX", 2, 4)
    assert await wire.ok(b"NOOP") == [b"* VANISHED 2,4\r\n"]
    mailboxes.mark("INBOX", 5, Flags.SEEN)
    again = await wire.ok(b"SELECT INBOX (QRESYNC (%d 6 1:5 (1,3 1,3)))" % NOW)
    assert again[0] == b"* OK [CLOSED] The mailbox that was open is closed\r\n"
    assert again[-2:] == [b"* VANISHED (EARLIER) 2,4\r\n", b"* 3 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (8))\r\n"]
    known = await wire.ok(b"SELECT INBOX (QRESYNC (%d 6 1:3))" % NOW)
    assert known[-1] == b"* VANISHED (EARLIER) 2\r\n"
    other = await wire.ok(b"SELECT INBOX (QRESYNC (1 6))")
    assert b"VANISHED" not in b"".join(other)
    assert await wire.ok(b"UID FETCH 3:5 (FLAGS) (CHANGEDSINCE 6 VANISHED)") == [
        b"* VANISHED (EARLIER) 4\r\n",
        b"* 3 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (8))\r\n",
    ]


async def test_expunge_and_move_tell_vanished_and_how_far_all_is_known(house: House) -> None:
    wire = await filled(house, 4)
    await wire.ok(b"ENABLE QRESYNC")
    await wire.ok(b"STORE 1,3 +FLAGS.SILENT (\\Deleted)")
    assert await wire.ask(b"EXPUNGE") == [b"* VANISHED 1,3\r\n", b"OK [HIGHESTMODSEQ 7] Done\r\n"]
    *_, vanished, last = await wire.ask(b"UID MOVE 2 Trash")
    assert (vanished, last) == (b"* VANISHED 2\r\n", b"OK [HIGHESTMODSEQ 8] Done\r\n")


async def test_qresync_must_be_enabled_first(house: House) -> None:
    wire = await filled(house)
    assert (await wire.refused(b"UID FETCH 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)")).startswith(b"BAD ")
    assert (await wire.refused(b"SELECT INBOX (QRESYNC (1 1))")).startswith(b"BAD ")


async def test_esearch_returns_what_is_asked_for(house: House) -> None:
    wire = await filled(house, 4)
    assert await wire.ok(b"UID SEARCH RETURN (MIN MAX ALL COUNT) 2:4") == [
        b'* ESEARCH (TAG "t3") UID MIN 2 MAX 4 ALL 2:4 COUNT 3\r\n'
    ]
    assert await wire.ok(b"SEARCH RETURN () SUBJECT nothing") == [b'* ESEARCH (TAG "t4")\r\n']
    assert await wire.ok(b"SEARCH RETURN (COUNT) ALL") == [b'* ESEARCH (TAG "t5") COUNT 4\r\n']


async def test_a_saved_result_is_used_by_later_commands(house: House) -> None:
    wire = await filled(house, 4)
    assert await wire.ok(b"SEARCH RETURN (SAVE) SUBJECT 1") == []
    assert await wire.ok(b"FETCH $ UID") == [b"* 2 FETCH (UID 2)\r\n"]
    assert await wire.ok(b"UID SEARCH OR $ UID 4") == [b"* SEARCH 2 4\r\n"]
    assert await wire.ok(b"SEARCH RETURN (SAVE MAX) ALL") == [b'* ESEARCH (TAG "t6") MAX 4\r\n']
    house.services.mailboxes.drop("INBOX", 1)
    await wire.ok(b"NOOP")
    assert await wire.ok(b"FETCH $ UID") == [b"* 3 FETCH (UID 4)\r\n"]
    await wire.ok(b"SELECT INBOX")
    assert await wire.ok(b"FETCH $ UID") == []


async def test_messages_are_found_by_their_age(house: House) -> None:
    wire = await filled(house)
    assert await wire.ok(b"SEARCH YOUNGER 1000") == [b"* SEARCH 1 2 3\r\n"]
    assert await wire.ok(b"SEARCH YOUNGER 999") == [b"* SEARCH\r\n"]
    assert await wire.ok(b"SEARCH OLDER 999") == [b"* SEARCH 1 2 3\r\n"]
    assert (await wire.refused(b"SEARCH OLDER 0")).startswith(b"BAD ")


async def test_several_mails_are_appended_at_once(house: House) -> None:
    wire = await house.logged_in()
    last = (await wire.ask(b"APPEND Drafts (\\Draft) {3+}\r\nabc (\\Seen) {2+}\r\nde {1+}\r\nf"))[-1]
    assert last.startswith(b"OK [APPENDUID ")
    assert last.endswith(b" 1:3] Done\r\n")


async def test_status_tells_sizes_and_ids(house: House) -> None:
    wire = await filled(house, 1)
    house.services.mailboxes.mark("INBOX", 1, Flags.DELETED)
    size = len(mail("mail 0"))
    lines = await wire.ok(b"STATUS INBOX (SIZE DELETED DELETED-STORAGE HIGHESTMODSEQ MAILBOXID)")
    status = b"SIZE %d DELETED 1 DELETED-STORAGE 1 HIGHESTMODSEQ 3 MAILBOXID (M%d)" % (size, NOW)
    assert b'* STATUS "INBOX" (%b)\r\n' % status in lines


async def test_ids_of_mailboxes_and_mails_stay(house: House) -> None:
    wire = await filled(house, 1)
    made = (await wire.ask(b"CREATE one"))[-1]
    assert made.startswith(b"OK [MAILBOXID (M")
    await wire.ok(b"RENAME one two")
    await wire.ok(b"COPY 1 two")
    (first,) = await wire.ok(b"FETCH 1 (EMAILID)")
    email_id = first.split(b"(")[2].split(b")")[0]
    assert first == b"* 1 FETCH (EMAILID (%b))\r\n" % email_id
    assert made.split(b"]")[0].split(b"[")[1] in b"".join(await wire.ok(b"SELECT two"))
    assert await wire.ok(b"FETCH 1 EMAILID") == [b"* 1 FETCH (EMAILID (%b))\r\n" % email_id]
    assert await wire.ok(b"SEARCH EMAILID " + email_id) == [b"* SEARCH 1\r\n"]
    assert await wire.ok(b"SEARCH OR EMAILID x THREADID y") == [b"* SEARCH\r\n"]


async def test_mails_that_answer_each_other_share_a_thread_id(house: House) -> None:
    wire = await house.selected()
    house.services.mailboxes.fill(
        "INBOX",
        b"Message-ID: <a@x>\r\n\r\nfirst",
        b"Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n\r\nsecond",
        b"Message-ID: <c@x>\r\nReferences: <a@x>\r\n <b@x>\r\nIn-Reply-To: <b@x>\r\n\r\nthird",
        b"Message-ID: <d@x>\r\n\r\nanother",
        b"Subject: none\r\n\r\n",
    )
    await wire.ok(b"NOOP")
    ids = [line.split(b"THREADID ")[1] for line in await wire.ok(b"FETCH 1:* THREADID")]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert ids[4] == b"NIL)\r\n"
    await wire.ok(b"COPY 3 Archive")
    assert await wire.ok(b"SEARCH THREADID " + ids[0][1:-4]) == [b"* SEARCH 1 2 3\r\n"]
    await wire.ok(b"SELECT Archive")
    assert (await wire.ok(b"UID FETCH 1 THREADID"))[0].endswith(b"THREADID " + ids[0])


async def test_parts_are_given_without_their_encoding(house: House) -> None:
    body = b64encode(b"a\0b").decode()
    raw = f"Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n".encode()
    strange = b"Content-Type: application/x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nabc"
    house.services.mailboxes.fill("INBOX", raw, strange)
    wire = await house.selected()
    await wire.send(b"x FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1] BINARY.PEEK[1]<1.5>)\r\n")
    expected = b"* 1 FETCH (BINARY.SIZE[1] 3 BINARY[1] ~{3}\r\na\0b BINARY[1]<1> ~{2}\r\n\0b)\r\n"
    assert await wire.reader.readexactly(len(expected)) == expected
    assert (await wire.line()).startswith(b"x OK")
    assert (await wire.refused(b"FETCH 2 BINARY[1]")).startswith(b"NO [UNKNOWN-CTE] ")
    assert (await wire.refused(b"FETCH 2 BINARY.SIZE[1]")).startswith(b"NO [UNKNOWN-CTE] ")
    assert await wire.ok(b"FETCH 1 (BINARY[7] FLAGS)") == [b"* 1 FETCH (BINARY[7] NIL FLAGS (\\Seen))\r\n"]


@pytest.mark.parametrize("padding", [0, 2_000_000], ids=["small", "large"])
async def test_a_part_that_cannot_be_decoded_stops_no_other_message_and_is_not_seen(house: House, padding: int) -> None:
    known, strange = (
        b"Content-Type: application/x\r\nContent-Transfer-Encoding: %b\r\n\r\nabc" % encoding
        for encoding in (b"8bit", b"x-uuencode")
    )
    house.services.mailboxes.fill("INBOX", known, strange + b"x" * padding, known)
    wire = await house.selected()
    *told, last = await wire.ask(b"UID FETCH 1:3 (BINARY[1])")
    assert told == [b"* %d FETCH (UID %d BINARY[1] {3}\r\nabc FLAGS (\\Seen))\r\n" % (uid, uid) for uid in (1, 3)]
    assert last.startswith(b"NO [UNKNOWN-CTE] ")
    flags = [row.flags for row in house.services.mailboxes.of(ALICE)["INBOX"].rows.values()]
    assert flags == [Flags.SEEN, Flags.NONE, Flags.SEEN]


async def test_mail_with_nul_is_taken_as_a_binary_literal(house: House) -> None:
    wire = await house.logged_in()
    await wire.ok(b"APPEND INBOX ~{5+}\r\nA\0B\r\n")
    await wire.ok(b"ENABLE UTF8=ACCEPT")
    await wire.ok(b"APPEND INBOX UTF8 (~{2+}\r\nhi)")
    assert await wire.ok(b"STATUS INBOX (MESSAGES)") == [b'* STATUS "INBOX" (MESSAGES 2)\r\n']


async def test_a_preview_is_the_beginning_of_the_text(house: House) -> None:
    html = b"Content-Type: text/html\r\n\r\n<html><body><p>One  <b>two</b></p>\r\n<p>three</p></body></html>"
    house.services.mailboxes.fill(
        "INBOX", mail(body="Hello,\r\n\r\n  you.\r\n" + "x" * 500), html, b"Subject: x\r\n\r\n"
    )
    wire = await house.selected()
    first, second, third = await wire.ok(b"FETCH 1:3 (Preview (lazy))")
    assert (await wire.refused(b"FETCH 1 PREVIEW (FUZZY)")).startswith(b"BAD ")
    assert first == b'* 1 FETCH (PREVIEW "Hello, you. ' + b"x" * 188 + b'")\r\n'
    assert second == b'* 2 FETCH (PREVIEW "One two three")\r\n'
    assert third == b'* 3 FETCH (PREVIEW "")\r\n'
    assert await wire.ok(b"FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS ())\r\n"]


async def test_text_without_its_delimiters_is_found_and_shown(house: House) -> None:
    headers = (b"Content-Type: multipart/mixed", b"Content-Type: multipart/mixed; boundary=never")
    inner = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n%b\r\n\r\nneedle in hay\r\n--b--\r\n"
    house.services.mailboxes.fill("INBOX", *(header + b"\r\n\r\nneedle in hay\r\n" for header in headers))
    house.services.mailboxes.fill("INBOX", *(inner % header for header in headers), mail())
    wire = await house.selected()
    for keys in (b"TEXT needle", b"BODY NEEDLE"):
        assert await wire.ok(b"SEARCH " + keys) == [b"* SEARCH 1 2 3 4\r\n"]
    assert await wire.ok(b"FETCH 1:4 PREVIEW") == [b'* %d FETCH (PREVIEW "needle in hay")\r\n' % n for n in range(1, 5)]


async def test_a_message_inside_that_is_encoded_is_found_and_shown_in_clear(house: House) -> None:
    inside = b"Subject: buried\r\n\r\nA needle and much more of it.\r\n"
    raw = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64encode(inside)
    house.services.mailboxes.fill("INBOX", raw, mail())
    wire = await house.selected()
    assert await wire.ok(b"FETCH 1 PREVIEW") == [b'* 1 FETCH (PREVIEW "A needle and much more of it.")\r\n']
    for word in (b"needle", b"buried"):
        assert await wire.ok(b"SEARCH BODY " + word) == [b"* SEARCH 1\r\n"]


async def test_a_search_that_cannot_be_read_leaves_nothing_saved(house: House) -> None:
    wire = await filled(house)
    await wire.ok(b"SEARCH RETURN (SAVE) ALL")
    assert (await wire.refused(b"SEARCH CHARSET KOI8-R ALL")).startswith(b"NO [BADCHARSET (US-ASCII UTF-8)] ")
    assert len(await wire.ok(b"FETCH $ UID")) == 3
    assert (await wire.refused(b"SEARCH RETURN (SAVE) CHARSET KOI8-R ALL")).startswith(b"NO [BADCHARSET ")
    assert await wire.ok(b"FETCH $ UID") == []


async def test_enable_tells_how_far_a_selected_mailbox_is_known_now(house: House) -> None:
    wire = await filled(house)
    house.services.mailboxes.mark("INBOX", 2, Flags.SEEN)
    await wire.ok(b"NOOP")
    assert b"* OK [HIGHESTMODSEQ 5] Highest\r\n" in await wire.ok(b"ENABLE CONDSTORE")


async def test_the_date_that_is_told_is_the_one_that_is_sorted_and_searched_by(house: House) -> None:
    wire = await filled(house)
    rows = house.services.mailboxes.of(ALICE)["INBOX"].rows
    rows[1] = rows[1]._replace(internaldate=1000)
    rows[2] = rows[2]._replace(internaldate=10)
    await wire.ok(b"SELECT INBOX")
    dates = await wire.ok(b"FETCH 1:2 INTERNALDATE")
    assert [line.partition(b'"')[2] for line in dates] == [b'13-Aug-1982 00:00:00 +0000")\r\n'] * 2
    assert await wire.ok(b"SORT (ARRIVAL) UTF-8 ALL") == [b"* SORT 1 2 3\r\n"]
    assert await wire.ok(b"SORT (REVERSE ARRIVAL) UTF-8 ALL") == [b"* SORT 3 1 2\r\n"]
    assert await wire.ok(b"SORT (ARRIVAL SUBJECT) UTF-8 1:2") == [b"* SORT 1 2\r\n"]
    assert await wire.ok(b"SEARCH ON 13-Aug-1982") == [b"* SEARCH 1 2\r\n"]
    assert await wire.ok(b"SEARCH BEFORE 13-Aug-1982") == [b"* SEARCH\r\n"]


async def test_the_quota_is_told_and_not_changed(house: House) -> None:
    wire = await house.logged_in()
    assert await wire.refused(b'GETQUOTA ""') == b"NO [NONEXISTENT] There is no quota\r\n"
    assert await wire.ok(b"GETQUOTAROOT INBOX") == [b'* QUOTAROOT "INBOX"\r\n']
    house.services.mailboxes.limit = 10 * 1024
    house.services.mailboxes.fill("INBOX", mail())
    assert await wire.ok(b"GETQUOTAROOT INBOX") == [b'* QUOTAROOT "INBOX" ""\r\n', b'* QUOTA "" (STORAGE 1 10)\r\n']
    assert (await wire.refused(b'SETQUOTA "" (STORAGE 500)')).startswith(b"NO [NOPERM] ")
    assert (await wire.refused(b"GETQUOTA other")).startswith(b"NO [NONEXISTENT] ")
    assert (await wire.refused(b"GETQUOTAROOT other")).startswith(b"NO [NONEXISTENT] ")


async def test_names_are_utf8_once_that_is_enabled(house: House) -> None:
    wire = await house.logged_in()
    await wire.send(b'a ENABLE UTF8=ACCEPT\r\nb CREATE "R&AOk-\xc3\xa9"\r\n')
    await wire.until(b"b")
    assert await wire.ok(b'LIST "" "R*"') == [b'* LIST (\\HasNoChildren) "/" {8}\r\nR&AOk-\xc3\xa9\r\n']
    other = await house.logged_in()
    assert await other.ok(b'LIST "" "R*"') == [b'* LIST (\\HasNoChildren) "/" "R&-AOk-&AOk-"\r\n']


async def test_revision_two_changes_the_answers(house: House) -> None:
    wire = await filled(house, 2)
    assert await wire.ok(b"ENABLE IMAP4rev2") == [b"* ENABLED IMAP4rev2\r\n"]
    assert await wire.ok(b"SEARCH ALL") == [b'* ESEARCH (TAG "t4") ALL 1:2\r\n']
    lines = await wire.ok(b"SELECT INBOX")
    assert b'* LIST () "/" "INBOX"\r\n' in lines
    assert not [line for line in lines if b"RECENT" in line or b"UNSEEN" in line]


async def test_old_outlook_reads_the_roles_from_xlist(house: House) -> None:
    wire = await house.logged_in()
    lines = await wire.ok(b'XLIST "" "*"')
    assert b'* XLIST (\\HasNoChildren \\Inbox) "/" "INBOX"\r\n' in lines
    assert b'* XLIST (\\HasNoChildren \\Junk \\Spam) "/" "Junk"\r\n' in lines


async def test_recent_messages_are_told_to_the_first_session(house: House) -> None:
    house.services.mailboxes.recent_from = 1
    house.services.mailboxes.fill("INBOX", mail("one"))
    first = await house.logged_in()
    assert b"* 1 RECENT\r\n" in await first.ok(b"SELECT INBOX")
    second = await house.logged_in()
    assert b"* 0 RECENT\r\n" in await second.ok(b"SELECT INBOX")
    assert await first.ok(b"FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS (\\Recent))\r\n"]
    assert await second.ok(b"SEARCH RECENT") == [b"* SEARCH\r\n"]
    assert await first.ok(b"SEARCH NEW") == [b"* SEARCH 1\r\n"]
    assert await first.ok(b"STORE 1 +FLAGS.SILENT (\\Seen)") == []
    assert await first.ok(b"STORE 1 FLAGS (\\Draft)") == [b"* 1 FETCH (UID 1 FLAGS (\\Recent \\Draft))\r\n"]
    house.services.mailboxes.fill("INBOX", mail("two"))
    assert await second.ok(b"NOOP") == [
        b"* 2 EXISTS\r\n",
        b"* 1 RECENT\r\n",
        b"* 1 FETCH (UID 1 FLAGS (\\Draft))\r\n",
    ]
    assert await first.ok(b"NOOP") == [b"* 2 EXISTS\r\n"]
    assert await second.ok(b"SEARCH OLD") == [b"* SEARCH 1\r\n"]


async def test_the_date_of_saving_is_told_and_found(house: House) -> None:
    wire = await filled(house, 1)
    assert await wire.ok(b"FETCH 1 SAVEDATE") == [b"* 1 FETCH (SAVEDATE NIL)\r\n"]
    box = house.services.mailboxes.of(ALICE)["INBOX"]
    box.rows[1] = box.rows[1]._replace(saved_at=0x5A000000)
    await wire.ok(b"SELECT INBOX")
    assert await wire.ok(b"FETCH 1 SAVEDATE") == [b'* 1 FETCH (SAVEDATE " 6-Nov-2017 06:24:00 +0000")\r\n']
    assert await wire.ok(b"SEARCH SAVEDON 6-Nov-2017") == [b"* SEARCH 1\r\n"]
    assert await wire.ok(b"SEARCH OR SAVEDBEFORE 6-Nov-2017 SAVEDSINCE 7-Nov-2017") == [b"* SEARCH\r\n"]
    assert await wire.ok(b"SEARCH SAVEDATESUPPORTED") == [b"* SEARCH 1\r\n"]
