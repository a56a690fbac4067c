"""Thunderbird reads, sends, is told of new mail, tags, moves, deletes and keeps all of it over a restart."""

import shutil
import time
from collections.abc import Iterator

import pytest
from gateways import MailUser, plain_mail, wait_for
from interop.mail_programs.programs import deliver, holdings, imap_client, wait_for_subjects
from interop.mail_programs.thunderbird import Thunderbird

PROGRAMS = ("thunderbird", "dbus-run-session", "certutil")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.nightly,
    *(pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed") for name in PROGRAMS),
]

ROLES = {"INBOX": 0x1000, "Sent": 0x200, "Drafts": 0x400, "Trash": 0x100, "Archive": 0x4000, "Junk": 0x40000000}
PUSH_SECONDS = 2.0
SEND_SECONDS = 3.0
MANY, MANY_SECONDS = 10_000, 5.0
STATE = """
    const state = {};
    for (const folder of root.descendants) {
      if (folder.flags & 0x1000000) continue;  // cannot be opened
      await refresh(folder);
      state[folder.URI] = messages(folder).map(each => [each.messageKey, each.messageId, each.isRead, each.isFlagged,
                                                        each.getStringProperty("keywords")]);
    }
    return state;
"""

Pair = tuple[MailUser, MailUser]


@pytest.fixture(scope="module", params=["tls", "starttls"])
def thunderbird(
    mail_pair: Pair, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Thunderbird]:
    """Alice's, which has read its INBOX and stays connected."""
    alice, bob = mail_pair
    deliver(bob, alice, "Before Thunderbird")
    program = Thunderbird(tmp_path_factory.mktemp("thunderbird"), alice, request.param == "starttls")
    try:
        program.start()
        program.save_password()
        fetch(program)
        yield program
    finally:
        program.stop()


def fetch(program: Thunderbird) -> None:
    program.run(
        """
        const it = ending("nsIUrlListener");
        (root.containsChildNamed("INBOX") ? inbox() : root).getNewMessages(main().msgWindow, it.listener);
        await it.ended;
        """
    )


def flags_of(user: MailUser, subject: str, mailbox: str = "INBOX") -> list[set[bytes]]:
    """The flags of all mails of a subject."""
    wanted = f"Subject: {subject}".encode()
    return [set(flags) for flags, mail in holdings(user)[mailbox].values() if wanted in mail]


def test_thunderbird_reads_the_inbox_and_knows_the_special_folders(thunderbird: Thunderbird) -> None:
    assert thunderbird.run('return !!(await until(() => find(inbox(), "Before Thunderbird"), "the mail"))')
    roles = thunderbird.run("return Object.fromEntries(root.subFolders.map(each => [each.name, each.flags]))")
    assert {name for name, bit in ROLES.items() if roles[name] & bit} == set(ROLES)


def test_thunderbird_sends_and_one_copy_is_in_sent(mail_pair: Pair, thunderbird: Thunderbird) -> None:
    alice, bob = mail_pair
    subject = f"From Thunderbird {time.time_ns()}"
    seconds = thunderbird.run(
        """
        const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
        [fields.to, fields.subject, fields.body] = [given[0], given[1], "text\\n"];
        const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
        params.composeFields = fields;
        params.identity = account.defaultIdentity;
        params.format = Ci.nsIMsgCompFormat.PlainText;
        MailServices.compose.OpenComposeWindowWithParams(null, params);
        const writer = await until(() => {
          const each = Services.wm.getMostRecentWindow("msgcompose");
          return each && each.gWindowLocked === false && each;
        }, "the window for writing");
        await sleep(2000);  // it says that it is ready before it is
        writer.gMsgCompose.compFields.DSN = true;
        const began = Date.now();
        writer.goDoCommand("cmd_sendNow");
        await until(() => writer.closed, "the mail to be sent");
        return (Date.now() - began) / 1000;
        """,
        bob.address,
        subject,
    )
    assert seconds < SEND_SECONDS
    wait_for_subjects(bob, subject)
    wait_for_subjects(alice, f"Delivered: {subject}")
    (flags,) = flags_of(alice, subject, "Sent")
    assert flags >= {b"\\Seen", b"bm-acked"}
    keywords = thunderbird.run(
        """
        const sent = root.getChildNamed("Sent");
        await refresh(sent);
        return (await until(() => find(sent, given[0]), "the copy")).getStringProperty("keywords");
        """,
        subject,
    )
    assert "bm-acked" in keywords.split()


def test_new_mail_is_pushed_to_thunderbird(mail_pair: Pair, thunderbird: Thunderbird) -> None:
    alice, bob = mail_pair
    fetch(thunderbird)
    with imap_client(alice) as client:
        before = len(client.search())
    subject = f"Pushed {time.time_ns()}"
    deliver(bob, alice, subject)
    arrived = time.monotonic()
    thunderbird.run('await until(() => find(inbox(), given[0]), "the push")', subject)
    assert time.monotonic() - arrived < PUSH_SECONDS
    assert thunderbird.run("return messages(inbox()).length") > before


def test_tags_flags_moves_and_deletions_reach_the_gateway(mail_pair: Pair, thunderbird: Thunderbird) -> None:
    alice, bob = mail_pair
    tagged, moved, deleted = (f"{word} {time.time_ns()}" for word in ("Tagged", "Moved", "Deleted"))
    deliver(bob, alice, tagged, moved, deleted)
    fetch(thunderbird)
    thunderbird.run(
        """
        const [tagged, moved, deleted] = given.map(subject => find(inbox(), subject));
        inbox().addKeywordsToMessages([tagged], "$label1");
        inbox().markMessagesFlagged([tagged], true);
        inbox().markMessagesRead([tagged], true);
        const copy = ending("nsIMsgCopyServiceListener"), removal = ending("nsIMsgCopyServiceListener");
        const archive = root.getChildNamed("Archive");
        MailServices.copy.copyMessages(inbox(), [moved], archive, true, copy.listener, main().msgWindow, false);
        await copy.ended;
        inbox().deleteMessages([deleted], main().msgWindow, false, true, removal.listener, false);
        await removal.ended;
        """,
        tagged,
        moved,
        deleted,
    )
    wanted = {b"\\Seen", b"\\Flagged", b"$label1"}
    wait_for(lambda: flags_of(alice, tagged), lambda found: found == [wanted], "the flags")
    for subject, mailbox in ((moved, "Archive"), (deleted, "Trash")):
        assert len(flags_of(alice, subject, mailbox)) == 1
        assert flags_of(alice, subject) == []


def test_folders_are_made_renamed_and_thrown_away(mail_pair: Pair, thunderbird: Thunderbird) -> None:
    alice, _ = mail_pair
    first, second = (f"Prüf & {word} {time.time_ns()}" for word in ("eins", "zwei"))
    thunderbird.run(
        """
        root.createSubfolder(given[0], main().msgWindow);
        const folder = await until(() => root.containsChildNamed(given[0]) && root.getChildNamed(given[0]), "it");
        folder.rename(given[1], main().msgWindow);
        await until(() => root.containsChildNamed(given[1]), "its new name");
        root.getChildNamed(given[1]).createSubfolder("inside", main().msgWindow);
        await until(() => root.getChildNamed(given[1]).containsChildNamed("inside"), "the one inside");
        """,
        first,
        second,
    )
    assert {second, f"{second}/inside"} <= set(holdings(alice))
    assert first not in holdings(alice)
    thunderbird.run(
        """
        Services.prefs.setBoolPref("mailnews.confirm.moveFoldersToTrash", false);
        root.getChildNamed(given[0]).deleteSelf(main().msgWindow);
        await until(() => !root.containsChildNamed(given[0]), "its end");
        const trash = root.getChildNamed("Trash");
        await until(() => trash.containsChildNamed(given[0]) &&
                          trash.getChildNamed(given[0]).containsChildNamed("inside"), "it in Trash");
        """,
        second,
    )
    wait_for(lambda: set(holdings(alice)), lambda found: f"Trash/{second}/inside" in found, "the folder in Trash")


def test_everything_is_there_after_a_restart(mail_pair: Pair, thunderbird: Thunderbird) -> None:
    alice, _ = mail_pair
    before, held = thunderbird.run(STATE), holdings(alice)
    thunderbird.stop()
    thunderbird.start()
    fetch(thunderbird)
    assert thunderbird.run(STATE) == before
    assert holdings(alice) == held


def test_ten_thousand_headers_are_there_within_seconds(mail_pair: Pair, thunderbird: Thunderbird) -> None:
    alice, bob = mail_pair
    name = f"Many {time.time_ns()}"
    with imap_client(alice) as client:
        client.create_folder(name)
        client.subscribe_folder(name)
        for first in range(0, MANY, 100):
            mails = [plain_mail(bob, alice, f"Number {n}", "text\n" * 800) for n in range(first, first + 100)]
            client.multiappend(name, mails)
    seconds = thunderbird.run(
        """
        Services.prefs.setBoolPref("mail.server.server1.autosync_offline_stores", false);
        await refreshAll();
        const folder = await until(() => root.containsChildNamed(given[0]) && root.getChildNamed(given[0]), "it");
        const began = Date.now();
        await refresh(folder);
        while (folder.getTotalMessages(false) < given[1] || messages(folder).length < given[1]) await sleep(50);
        return (Date.now() - began) / 1000;
        """,
        name,
        MANY,
    )
    with imap_client(alice) as client:
        client.unsubscribe_folder(name)
        client.delete_folder(name)
    assert seconds <= MANY_SECONDS
