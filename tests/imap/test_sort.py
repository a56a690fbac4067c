"""SORT and THREAD (RFC 5256)."""

from dataclasses import replace
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imap.wire import House
from wires import mail

from bmgate.imap.sort import Criterion, Item, SortKey, base_subject, sorted_items
from bmgate.imap.thread import Node, thread_by_references, thread_by_subject, write_threads

PLAIN = Item(0, 0, 0, 0, "", False, "", "", "", "", ())


def written(*items: Item) -> bytes:
    numbered = [replace(item, place=place, date=item.date or place) for place, item in enumerate(items)]
    return write_threads(thread_by_references(numbered), range(1, len(items) + 1))


def item(message_id: str, *references: str, subject: str = "", reply: bool = False, date: int = 0) -> Item:
    return replace(PLAIN, message_id=message_id, references=references, subject=subject, is_reply=reply, date=date)


@pytest.mark.parametrize(
    ("subject", "base", "is_reply"),
    [
        ("Hello", "HELLO", False),
        ("Re: hello", "HELLO", True),
        ("RE[2]: Fwd: [list] hello (fwd) ", "HELLO", True),
        ("[list] re: x", "X", True),
        ("[list] hello", "HELLO", False),
        ("[only]", "[ONLY]", False),
        ("[Fwd: Re: hello]", "HELLO", True),
        ("Refund", "REFUND", False),
        ("re:", "", True),
        ("  a \t b", "A B", False),
    ],
)
def test_the_base_subject_is_without_marks(subject: str, base: str, is_reply: bool) -> None:
    assert base_subject(subject) == (base, is_reply)


def test_hostile_subjects_take_no_time() -> None:
    began = process_time()
    for subject in (
        "re: " * 30_000,
        "[a]" * 30_000,
        "[fwd:" * 30_000 + "]" * 30_000,
        "x" + "(fwd)" * 30_000,
        "[" * 99_999,
    ):
        base_subject(subject)
    assert process_time() - began < 1


def test_answers_hang_below_what_they_answer() -> None:
    assert written(item("a"), item("b", "a"), item("c", "a", "b"), item("d", "a")) == b"(1 (2 3)(4))"


def test_a_missing_message_holds_its_answers_together() -> None:
    assert written(item("b", "gone"), item("c", "gone"), item("d", "x", "y", "z")) == b"((1)(2))(3)"


def test_messages_that_claim_to_answer_each_other_make_no_loop() -> None:
    assert written(item("a", "b"), item("b", "a"), item("c", "c")) == b"(2 1)(3)"


def test_who_names_a_parent_that_cannot_be_his_has_none_by_the_word_of_others() -> None:
    assert written(item("a", date=2), item("b", "a", "c"), item("c", "b", date=1)) == b"(3 2)(1)"


async def test_sorting_by_address_goes_by_the_name_of_a_group_that_stands_first(house: House) -> None:
    mails = [f"Cc: {cc}\r\n\r\ntext".encode() for cc in ("user2@x (Alpha)", "User2: blah@x;", "user1@x", '"user 0"@x')]
    house.services.mailboxes.fill("INBOX", *mails)
    wire = await house.selected()
    assert await wire.ok(b"SORT (CC) UTF-8 ALL") == [b"* SORT 4 3 1 2\r\n"]


async def test_letters_sort_before_signs_as_the_collation_of_ascii_has_it(house: House) -> None:
    house.services.mailboxes.fill("INBOX", mail("_"), mail("b"), mail("[x]"), mail("C"))
    wire = await house.selected()
    assert await wire.ok(b"SORT (SUBJECT) UTF-8 ALL") == [b"* SORT 2 4 3 1\r\n"]


def test_two_messages_of_one_id_are_both_told() -> None:
    assert written(item("a"), item("a"), item("", "a")) == b"(1 3)(2)"


def test_trees_of_one_subject_become_one() -> None:
    assert written(item("a", subject="s"), item("b", subject="s", reply=True)) == b"(1 2)"
    assert written(item("a", subject="s"), item("b", subject="s")) == b"((1)(2))"
    assert written(item("a", subject="s", reply=True), item("b", subject="s")) == b"(2 1)"
    assert written(*[item(name, subject="s") for name in "abc"]) == b"((1)(2)(3))"
    assert written(item("a"), item("b")) == b"(1)(2)"


def test_siblings_stand_in_the_order_of_their_dates() -> None:
    assert written(item("a", date=1), item("b", "a", date=9), item("c", "a", date=5)) == b"(1 (3)(2))"


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=12), st.lists(st.sampled_from("xy "), min_size=12))
def test_every_message_is_in_one_thread(references: list[list[int]], subjects: list[str]) -> None:
    items = [
        item(str(number), *map(str, above), subject=subjects[number].strip(), reply=number % 2 == 1)
        for number, above in enumerate(references)
    ]
    items = [replace(one, place=place) for place, one in enumerate(items)]
    found, waiting = list[int](), thread_by_references(items)
    while waiting:
        node = waiting.pop()
        found += [] if node.item is None else [node.item.place]
        assert node.item is not None or len(node.children) > 1
        waiting += node.children
    assert sorted(found) == list(range(len(items)))


@pytest.mark.parametrize("shape", ["chain", "star", "phantoms", "subjects"])
def test_threads_of_many_messages_take_linear_time(shape: str) -> None:
    """Twice the time for twice the mail would be 20 ms or so each; a quadratic step would take minutes."""

    def one(number: int) -> Item:
        match shape:
            case "chain":
                return item(str(number), *map(str, range(max(number - 20, 0), number)))
            case "star":
                return item(str(number), "0")
            case "phantoms":
                return item(str(number), *(f"p{step}" for step in range(50)))
        return item(str(number), subject="same", reply=number % 3 == 0)

    count = 10_000
    began = process_time()
    text = written(*map(one, range(count)))
    assert process_time() - began < 5
    assert text.count(b"(") == text.count(b")")
    assert len(text.replace(b"(", b" ").replace(b")", b" ").split()) == count


def test_ordered_subject_puts_all_below_the_oldest() -> None:
    items = [replace(item(str(n), subject="ab"[n % 2], date=10 - n), place=n) for n in range(5)]
    roots: list[Node] = thread_by_subject(items)
    assert write_threads(roots, range(1, 6)) == b"(5 (3)(1))(4 2)"


def test_sorting_goes_by_each_criterion_in_turn() -> None:
    items = [
        replace(PLAIN, place=n, size=size, subject=text)
        for n, (size, text) in enumerate([(2, "b"), (1, "a"), (2, "a")])
    ]
    by_size = [Criterion(SortKey.SIZE, reverse=True), Criterion(SortKey.SUBJECT, reverse=False)]
    assert [one.place for one in sorted_items(items, by_size)] == [2, 0, 1]
    assert [one.place for one in sorted_items(items, [Criterion(SortKey.SIZE, reverse=False)])] == [1, 0, 2]


async def test_sort_and_thread_answer_clients(house: House) -> None:
    def raw(sender: str, subject: str, day: int, *fields: str) -> bytes:
        head = [f"From: {sender}@x.example", f"Subject: {subject}", f"Date: {day} Nov 2026 10:00:00 +0000", *fields]
        return "\r\n".join([*head, "", "text"]).encode()

    house.services.mailboxes.fill(
        "INBOX",
        raw("carol", "Re: tea", 3, "In-Reply-To: <1@x>", "Message-ID: <2@x>"),
        raw("bob", "tea", 1, "Message-ID: <1@x>"),
        raw("alice", "other", 2, "Message-ID: <3@x>"),
    )
    house.services.mailboxes.drop("INBOX")
    wire = await house.selected()
    assert await wire.ok(b"SORT (DATE) UTF-8 ALL") == [b"* SORT 2 3 1\r\n"]
    assert await wire.ok(b"UID SORT (REVERSE FROM) US-ASCII 1:2") == [b"* SORT 1 2\r\n"]
    assert await wire.ok(b"SORT (SUBJECT REVERSE DATE) UTF-8 ALL") == [b"* SORT 3 1 2\r\n"]
    assert await wire.ok(b"SORT (REVERSE ARRIVAL) UTF-8 UNSEEN") == [b"* SORT 1 2 3\r\n"]
    assert await wire.ok(b"THREAD REFERENCES UTF-8 ALL") == [b"* THREAD (2 1)(3)\r\n"]
    assert await wire.ok(b"UID THREAD ORDEREDSUBJECT UTF-8 ALL") == [b"* THREAD (2 1)(3)\r\n"]
    assert await wire.ok(b"THREAD REFERENCES UTF-8 SEEN") == [b"* THREAD\r\n"]
    assert (await wire.refused(b"SORT (DATE) KOI8-R ALL")).startswith(b"NO [BADCHARSET ")
    assert (await wire.refused(b"THREAD REFS UTF-8 ALL")).startswith(b"BAD ")
