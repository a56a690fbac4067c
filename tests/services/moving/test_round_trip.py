"""Whatever an account holds, it is the same at another gateway: what IMAP shows, contacts, settings, keys."""

import gc
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_fixtures import PASSPHRASE, address_of, keys_of, movers_over, picture_of, raw_mail, untold
from storage_fixtures import NOW, add_account, make_database, make_passwords, make_vault, new_identity

from bmgate.domain.account import Account
from bmgate.domain.chan import CHANS, NewChan
from bmgate.domain.contact import Contact, Standing
from bmgate.domain.mailbox import Flags, MailboxKind
from bmgate.domain.policy import Reads, Scope
from bmgate.domain.ports.database import Store
from bmgate.domain.subscription import SUBSCRIPTIONS
from bmgate.domain.thread import Exchange, Thread
from bmgate.mail.text import clean_line
from bmgate.services.mailboxes.indexed import indexed
from bmgate.services.mailboxes.mailbox_names import make_with_parents

STORED = Flags.SEEN | Flags.ANSWERED | Flags.FLAGGED | Flags.DELETED | Flags.DRAFT
TIMES = st.integers(NOW - 10**8, NOW)
LEVELS = st.text("abÄ漢 .&-_", min_size=1, max_size=6).filter(lambda level: bool(level.strip()))
NAMES = st.lists(LEVELS, min_size=1, max_size=3).map("/".join)
PEOPLE = st.sampled_from(["friend", "foe", "stranger", "other"])
WORDS = st.sets(st.sampled_from(["bm-acked", "$Label1", "$Forwarded", "x"]), max_size=3)
OPTIONS = st.dictionaries(st.sampled_from(["ttl", "give_up"]), st.sampled_from(["1d", "2d", "5d"]))
LABELS = st.text("aé✓ ", max_size=8).map(clean_line)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, and how it stands in its mailbox."""

    flags: Flags
    words: set[str]
    date: int
    saved_at: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Person:
    """What an account knows of somebody."""

    label: str
    standing: Standing
    reads: Reads
    corresponded: bool
    written: bool
    subject: str


@dataclass(frozen=True, slots=True)
class Life:
    """What an account may hold."""

    options: dict[str, str]
    identities: list[tuple[str, bool, bool, str]]  # label, enabled, deleted, ack
    mailboxes: dict[str, tuple[bool, list[Mail]]]
    specials: dict[MailboxKind, tuple[bool, list[Mail]]]
    chans: dict[str, tuple[bool, list[Mail]]]
    news: dict[str, tuple[bool, list[Mail]]]
    people: dict[str, Person]
    former: list[str]


FOLDERS = st.tuples(
    st.booleans(),
    st.lists(
        st.builds(Mail, st.integers(0, int(STORED)).map(Flags), WORDS, TIMES, st.none() | TIMES, st.integers(0, 2_000)),
        max_size=3,
    ),
)
LIVES = st.builds(
    Life,
    options=OPTIONS,
    identities=st.lists(st.tuples(LABELS, st.booleans(), st.booleans(), st.sampled_from(["", "never"])), max_size=4),
    mailboxes=st.dictionaries(NAMES, FOLDERS, max_size=3),
    specials=st.dictionaries(st.sampled_from([MailboxKind.INBOX, MailboxKind.SENT, MailboxKind.JUNK]), FOLDERS),
    chans=st.dictionaries(st.sampled_from(["general", "bücher"]), FOLDERS),
    news=st.dictionaries(st.sampled_from(["news", "weather"]), FOLDERS),
    people=st.dictionaries(
        PEOPLE,
        st.builds(
            Person,
            LABELS,
            st.sampled_from(Standing),
            st.sampled_from([Reads.AUTO, Reads.FILES, Reads.MIME]),
            st.booleans(),
            st.booleans(),
            LABELS,
        ),
    ),
    former=st.lists(st.sampled_from(["Gone", "Lost/é"]), unique=True),
)


@settings(max_examples=6)
@given(LIVES)
async def test_whatever_an_account_holds_it_is_the_same_at_another_gateway(life: Life) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here, there, path = Path(folder) / "here", Path(folder) / "there", Path(folder) / "archive"
        pictures = []
        for place in (here, there):
            place.mkdir()
            vault = make_vault()
            database = make_database(place, vault)
            account = await database.transact(lambda store, of=vault: add_account(store, make_passwords(of), "anna"))  # type: ignore[misc]
            moving = movers_over(database, place)
            if place is here:
                await database.transact(lambda store, of=account: live(store, of, life))  # type: ignore[misc]
                await moving.exports.archive(account, path, PASSPHRASE, untold, force=False)
            else:
                report = await moving.imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
                assert report.notes == []
            pictures.append(await database.read(picture_of(account)))
            await database.close()
    assert pictures[0] == pictures[1]


def live(store: Store, account: Account, life: Life) -> None:
    """Let the account have all that."""
    mine = store.account(account.id)
    folders: list[tuple[int, list[Mail]]] = []
    for kind, (subscribed, mails) in life.specials.items():
        mailbox = mine.mailboxes.by_kind(kind)
        mine.mailboxes.set_subscribed(mailbox.id, subscribed)
        folders.append((mailbox.id, mails))
    for name, (subscribed, mails) in life.mailboxes.items():
        if mine.mailboxes.find(name) is None:
            folders.append((make_with_parents(mine.mailboxes, name, NOW, subscribed).id, mails))
    for name, (subscribed, mails) in life.chans.items():
        mailbox = make_with_parents(mine.mailboxes, f"{CHANS}/{name}", NOW, subscribed)
        membership = mine.chans.join(NewChan(address_of(name), keys_of(name)), mailbox.id, NOW)
        mine.settings.put(Scope.MEMBERSHIP, membership.id, "mute", "on" if subscribed else "off")
        folders.append((mailbox.id, mails))
    for name, (subscribed, mails) in life.news.items():
        mailbox = make_with_parents(mine.mailboxes, f"{SUBSCRIPTIONS}/{name}", NOW, subscribed)
        subscription = mine.subscriptions.add(address_of(name), mailbox.id, NOW)
        mine.subscriptions.set_enabled(subscription.id, subscribed)
        folders.append((mailbox.id, mails))
    for number, (mailbox_id, mail) in enumerate((each, mail) for each, mails in folders for mail in mails):
        raw = raw_mail(number, mail.size)
        content = mine.messages.add_content(indexed(raw).content(mine.messages.message_id_tag(f"<{number}@x>")))
        mine.messages.append(mailbox_id, content, mail.flags, mail.words, mail.date, mail.saved_at)  # type: ignore[arg-type]
    for option, words in life.options.items():
        mine.settings.put(Scope.ACCOUNT, 0, option, words)
    _know(store, account, life)
    for name in life.former:
        if mine.mailboxes.find(name) is None:
            mine.mailboxes.keep_subscription(name)


def _know(store: Store, account: Account, life: Life) -> None:
    mine = store.account(account.id)
    me = new_identity().address
    for label, enabled, deleted, ack in life.identities:
        identity = mine.identities.add(new_identity(label, is_default=mine.identities.default() is None))
        mine.identities.set_enabled(identity.id, enabled)
        if ack:
            mine.settings.put(Scope.IDENTITY, identity.id, "ack", ack)
        if deleted:
            mine.identities.delete(identity.id, NOW - 3)
        me = identity.address
    for name, person in life.people.items():
        address = address_of(name)
        if person.label:
            mine.contacts.save(Contact(address, person.label))
        mine.contacts.set_standing(address, person.standing)
        mine.contacts.learn_reads(address, person.reads)
        if person.corresponded:
            mine.contacts.note_correspondent(address)
        if person.written:
            mine.contacts.note_written(address)
        mine.threads.add_subject(person.subject, Thread("<1@x>"), Exchange(me, address), NOW)
        mine.held_acks.hold(address, person.subject.encode(), b"ack", NOW + 5)


@pytest.mark.nightly
async def test_two_hundred_megabytes_move_with_little_memory() -> None:
    """Beside what the process had: less than 64 MB on either way."""
    with tempfile.TemporaryDirectory() as folder:
        growth = []
        path = Path(folder) / "archive"
        for place in (Path(folder) / "here", Path(folder) / "there"):
            place.mkdir()
            vault = make_vault()
            database = make_database(place, vault)
            account = await database.transact(lambda store, of=vault: add_account(store, make_passwords(of), "anna"))  # type: ignore[misc]
            moving = movers_over(database, place)
            if place.name == "here":
                for number in range(200):
                    await database.transact(lambda store, of=account, n=number: _large(store, of, n))  # type: ignore[misc]
                before = beginning()
                await moving.exports.archive(account, path, PASSPHRASE, untold, force=False)
            else:
                before = beginning()
                await moving.imports.archive(account.id, path, PASSPHRASE, untold, dry_run=False)
            growth.append(kilobytes("VmHWM") - before)
            await database.close()
        assert path.stat().st_size > 200 * 1024 * 1024
    assert max(growth) < 64 * 1024, growth


def _large(store: Store, account: Account, number: int) -> None:
    mine = store.account(account.id)
    raw = raw_mail(number) + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * (1024 * 1024 // 78)
    content = mine.messages.add_content(indexed(raw).content(mine.messages.message_id_tag(f"<{number}@x>")))
    mine.messages.append(mine.mailboxes.by_kind(MailboxKind.INBOX).id, content, Flags.NONE, (), NOW)


def beginning() -> int:
    """What the process has in memory, from which its peak begins anew."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return kilobytes("VmRSS")


def kilobytes(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0])
