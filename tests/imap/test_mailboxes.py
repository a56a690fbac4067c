"""Commands on mailboxes, raw."""

from door_accounts import BOB
from imap.fake_services import NOW
from imap.wire import House, Wire
from wires import mail

from bmgate.domain.mailbox import Flags


async def test_select_tells_everything_a_client_needs(house: House, wire: Wire) -> None:
    house.services.mailboxes.fill("INBOX", mail(), flags=Flags.SEEN)
    house.services.mailboxes.fill("INBOX", mail())
    house.services.mailboxes.mark("INBOX", 1, Flags.SEEN, "$Label1")
    flags = b"\\Seen \\Answered \\Flagged \\Deleted \\Draft $Label1"
    answer = await wire.ask(b"SELECT INBOX")
    assert answer == [
        b"* FLAGS (" + flags + b")\r\n",
        b"* 2 EXISTS\r\n",
        b"* 0 RECENT\r\n",
        b"* OK [UNSEEN 2] First unseen\r\n",
        b"* OK [PERMANENTFLAGS (" + flags + b" \\*)] Flags that can be kept\r\n",
        b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % NOW,
        b"* OK [UIDNEXT 3] Next UID\r\n",
        b"* OK [HIGHESTMODSEQ 4] Highest\r\n",
        b"* OK [MAILBOXID (M%d)] Id\r\n" % NOW,
        b"OK [READ-WRITE] Done\r\n",
    ]
    examined = await wire.ask(b"EXAMINE INBOX")
    assert examined[-1] == b"OK [READ-ONLY] Done\r\n"
    assert b"* OK [PERMANENTFLAGS ()] Flags that can be kept\r\n" in examined


async def test_a_failed_select_leaves_nothing_selected(house: House) -> None:
    wire = await house.selected()
    assert await wire.refused(b"SELECT Nowhere") == b"NO [NONEXISTENT] No such mailbox\r\n"
    assert (await wire.refused(b"FETCH 1 FLAGS")).startswith(b"BAD ")


async def test_examine_changes_nothing(house: House, wire: Wire) -> None:
    house.services.mailboxes.fill("INBOX", mail())
    await wire.ok(b"EXAMINE INBOX")
    await wire.ok(b"FETCH 1 BODY[]")
    for command in [b"STORE 1 +FLAGS (\\Seen)", b"EXPUNGE", b"MOVE 1 Archive", b"UID EXPUNGE 1"]:
        assert (await wire.refused(command)).startswith(b"NO ")
    await wire.ok(b"CLOSE")
    assert house.services.mailboxes.of(BOB)["INBOX"].rows == {}
    await wire.ok(b"SELECT INBOX")
    assert await wire.ok(b"FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS ())\r\n"]


async def test_list_of_nothing_answers_the_delimiter_alone(wire: Wire) -> None:
    assert await wire.ok(b'LIST "" ""') == [b'* LIST (\\Noselect) "/" ""\r\n']


async def test_list_tells_roles_and_the_form_thunderbird_asks_for_works(wire: Wire) -> None:
    lines = await wire.ok(b'list (subscribed) "" "*" return (special-use)')
    assert lines[0] == b'* LIST (\\HasNoChildren \\Subscribed) "/" "INBOX"\r\n'
    assert b'* LIST (\\HasNoChildren \\Subscribed \\Trash) "/" "Trash"\r\n' in lines


async def test_list_status_answers_both(house: House, wire: Wire) -> None:
    house.services.mailboxes.fill("INBOX", mail())
    lines = await wire.ok(b'LIST "" "INB%" RETURN (STATUS (MESSAGES RECENT UNSEEN))')
    assert lines == [
        b'* LIST (\\HasNoChildren) "/" "INBOX"\r\n',
        b'* STATUS "INBOX" (MESSAGES 1 RECENT 0 UNSEEN 1)\r\n',
    ]


async def test_names_in_other_scripts_and_with_quotes_survive(wire: Wire) -> None:
    await wire.ok(b'CREATE "a \\"b\\\\ &AOQ-"')
    assert await wire.ok(b'LIST "" "a*"') == [b'* LIST (\\HasNoChildren) "/" "a \\"b\\\\ &AOQ-"\r\n']
    assert (await wire.refused(b'CREATE "a \\"b\\\\ &AOQ-"')).startswith(b"NO [ALREADYEXISTS] ")
    await wire.ok(b'RENAME "a \\"b\\\\ \xc3\xa4" Plain')
    await wire.ok(b"SELECT Plain")
    assert (await wire.refused(b"CREATE /")).startswith(b"NO [CANNOT] ")
    assert (await wire.refused(b"DELETE INBOX")).startswith(b"NO [CANNOT] ")
    assert (await wire.refused(b"RENAME Plain Plain/x")).startswith(b"NO [CANNOT] ")


async def test_subscriptions_show_in_lsub(wire: Wire) -> None:
    await wire.ok(b"UNSUBSCRIBE Junk")
    lines = await wire.ok(b'LSUB "" "*"')
    assert b'* LSUB () "/" "Sent"\r\n' in lines
    assert b'* LSUB () "/" "Junk"\r\n' not in lines
    await wire.ok(b"SUBSCRIBE Junk")
    assert b'* LSUB () "/" "Junk"\r\n' in await wire.ok(b'LSUB "" "*"')


async def test_a_subscription_outlives_its_mailbox_until_it_is_taken_back(wire: Wire) -> None:
    await wire.ok(b"CREATE Box")
    await wire.ok(b"SUBSCRIBE Box")
    await wire.ok(b"DELETE Box")
    told = b'* LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" "Box"\r\n'
    assert told in await wire.ok(b'LIST (SUBSCRIBED) "" "*"')
    assert b'* LSUB (\\Noselect) "/" "Box"\r\n' in await wire.ok(b'LSUB "" "*"')
    assert not any(b"Box" in line for line in await wire.ok(b'LIST "" "*"'))
    await wire.ok(b"UNSUBSCRIBE Box")
    assert not any(b"Box" in line for line in await wire.ok(b'LSUB "" "*"'))


async def test_a_name_that_is_not_modified_utf7_is_no_mailbox_and_as_a_pattern_finds_none(wire: Wire) -> None:
    assert (await wire.refused(b"SELECT !#$&'+,")).startswith(b"NO [CANNOT] ")
    assert await wire.ok(b'LIST "" !#$&\'+,-.^_`|[}%*') == []
    assert await wire.ok(b'LIST "" &x*') == []


async def test_status_with_an_unknown_item_is_bad(house: House, wire: Wire) -> None:
    house.services.mailboxes.fill("Sent", mail(), mail())
    assert (await wire.refused(b"STATUS INBOX (MESSAGES NONSENSE)")).startswith(b"BAD ")
    assert await wire.ok(b"STATUS Sent (UIDNEXT MESSAGES UIDVALIDITY APPENDLIMIT)") == [
        b'* STATUS "Sent" (UIDNEXT 3 MESSAGES 2 UIDVALIDITY %d APPENDLIMIT 104857600)\r\n' % (NOW + 1)
    ]


async def test_append_answers_the_uid_in_all_its_forms(wire: Wire) -> None:
    dates = [b'" 5-Feb-2026 01:02:03 +0000" ', b'() "15-Feb-2026 01:02:03 +0100" ']
    for uid, arguments in enumerate([b"", b"(\\Seen $X) ", *dates], 1):
        answer = await wire.ask(b"APPEND Sent " + arguments + b"{4+}\r\nmail")
        assert answer == [b"OK [APPENDUID %d %d] Done\r\n" % (NOW + 1, uid)]
    await wire.ok(b"SELECT Sent")
    assert await wire.ok(b"FETCH 2:4 (FLAGS INTERNALDATE)") == [
        b'* 2 FETCH (FLAGS (\\Seen $X) INTERNALDATE "18-Nov-2026 11:06:40 +0000")\r\n',
        b'* 3 FETCH (FLAGS () INTERNALDATE " 5-Feb-2026 01:02:03 +0000")\r\n',
        b'* 4 FETCH (FLAGS () INTERNALDATE "15-Feb-2026 00:02:03 +0000")\r\n',
    ]


async def test_append_to_the_selected_mailbox_tells_and_to_another_does_not(house: House) -> None:
    wire = await house.selected()
    assert await wire.ok(b"APPEND Sent {4+}\r\nmail") == []
    assert await wire.ok(b"APPEND INBOX {4+}\r\nmail") == [b"* 1 EXISTS\r\n"]


async def test_append_and_copy_to_a_missing_mailbox_say_trycreate(house: House) -> None:
    house.services.mailboxes.fill("INBOX", mail())
    wire = await house.selected()
    for command in [b"APPEND Nowhere {4+}\r\nmail", b"COPY 1 Nowhere", b"UID MOVE 1 Nowhere"]:
        assert await wire.refused(command) == b"NO [TRYCREATE] No such mailbox\r\n"


async def test_an_append_over_the_limit_is_refused_before_it_is_sent(wire: Wire) -> None:
    assert await wire.refused(b"APPEND Sent {104857601}") == b"NO [TOOBIG] Literal too long\r\n"
    await wire.ok(b"NOOP")
    await wire.send(b"x APPEND Sent {104857601+}\r\n")
    assert (await wire.rest()).endswith(b"* BYE Refused\r\n")


async def test_response_codes_always_carry_text(house: House) -> None:
    wire = await house.selected()
    for line in await wire.ask(b"SELECT INBOX"):
        if b"[" in line:
            assert len(line.rpartition(b"] ")[2].strip()) > 0


async def test_namespace_enable_check_and_unselect_answer(house: House) -> None:
    wire = await house.selected()
    assert await wire.ok(b"NAMESPACE") == [b'* NAMESPACE (("" "/")) NIL NIL\r\n']
    assert await wire.ok(b"ENABLE X-NOTHING UTF8=ACCEPT") == [b"* ENABLED UTF8=ACCEPT\r\n"]
    await wire.ok(b"CHECK")
    await wire.ok(b"UNSELECT")
    assert (await wire.refused(b"CHECK")).startswith(b"BAD ")


async def test_another_accounts_mailbox_is_as_if_absent(house: House, wire: Wire) -> None:
    bob = await house.logged_in("bob")
    await bob.ok(b"CREATE Secret")
    absent = await wire.refused(b"SELECT Nothing")
    assert await wire.refused(b"SELECT Secret") == absent
    assert await wire.refused(b"STATUS Secret (MESSAGES)") == absent


async def test_a_selected_mailbox_that_is_deleted_ends_the_session_of_others_only(house: House) -> None:
    first, second = await house.logged_in(), await house.logged_in()
    await first.ok(b"CREATE Box")
    await first.ok(b"SELECT Box")
    await second.ok(b"SELECT Box")
    await second.ok(b"DELETE Box")
    await second.ok(b"NOOP")
    await first.send(b"x NOOP\r\n")
    assert await first.rest() == b"* BYE The selected mailbox was deleted\r\n"


async def test_thunderbird_unsubscribes_the_old_name_behind_a_rename(wire: Wire) -> None:
    await wire.ok(b"CREATE old")
    await wire.ok(b"RENAME old new")
    await wire.ok(b"UNSUBSCRIBE old")
    assert await wire.refused(b"SUBSCRIBE old") == b"NO [NONEXISTENT] No such mailbox\r\n"
