"""Mailbox names on the wire, and which of them a pattern means."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.domain.mailbox import Mailbox, MailboxId, MailboxKind
from bmgate.imap.lists import Pattern, list_mailboxes, list_subscribed
from bmgate.imap.mutf7 import decode_mailbox, encode_mailbox
from bmgate.imap.values import ListCommand, Lsub

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\x7f"))


@given(NAMES)
def test_names_survive_modified_utf7(name: str) -> None:
    encoded = encode_mailbox(name)
    assert encoded.isascii()
    assert decode_mailbox(encoded) == name


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("a&b", b"a&-b"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("😀", b"&2D3eAA-"),
    ],
)
def test_names_are_encoded_as_rfc_3501_has_it(name: str, encoded: bytes) -> None:
    assert encode_mailbox(name) == encoded
    assert decode_mailbox(encoded) == name


def test_names_in_plain_utf8_are_taken_too() -> None:
    assert decode_mailbox("Entwürfe & mehr".encode()) == "Entwürfe & mehr"


@given(st.text("ab/*%", max_size=8), st.text("ab/", max_size=10))
def test_patterns_match_like_a_plain_regular_expression(pattern: str, name: str) -> None:
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(char, re.escape(char)) for char in pattern)
    assert Pattern(pattern).matches(name) == bool(re.fullmatch(expression, name))


@pytest.mark.parametrize(
    ("pattern", "is_match"), [("*a" * 64, True), ("%" * 500, True), ("*a%" * 100 + "b", False), ("*" * 60_000, True)]
)
def test_i4_hostile_patterns_come_to_an_end(pattern: str, is_match: bool) -> None:
    assert Pattern(pattern).matches("a" * 200) == is_match


def box(name: str, kind: MailboxKind = MailboxKind.USER, subscribed: bool = True) -> Mailbox:
    return Mailbox(MailboxId(1), name, kind, subscribed, 1, 1, 1)


BOXES = [
    box("INBOX", MailboxKind.INBOX),
    box("Sent", MailboxKind.SENT),
    box("work/2026/June", subscribed=False),
    box("work/2027"),
]


NOTHING: frozenset[str] = frozenset()


def listed(
    pattern: str, reference: str = "", selection: frozenset[str] = NOTHING, returns: frozenset[str] = NOTHING
) -> list[tuple[str, tuple[bytes, ...]]]:
    command = ListCommand(reference, (pattern,), selection, returns)
    return [(listing.name, listing.attributes) for listing in list_mailboxes(BOXES, command)]


def test_list_shows_missing_parents_and_children() -> None:
    assert listed("*") == [
        ("INBOX", (b"\\HasNoChildren",)),
        ("Sent", (b"\\HasNoChildren", b"\\Sent")),
        ("work", (b"\\Noselect", b"\\HasChildren")),
        ("work/2026", (b"\\Noselect", b"\\HasChildren")),
        ("work/2026/June", (b"\\HasNoChildren",)),
        ("work/2027", (b"\\HasNoChildren",)),
    ]
    assert [name for name, _ in listed("%")] == ["INBOX", "Sent", "work"]
    assert [name for name, _ in listed("%", "work/")] == ["work/2026", "work/2027"]
    assert [name for name, _ in listed("inb*")] == ["INBOX"]
    assert [name for name, _ in listed("sent")] == []


def test_m3_what_only_holds_others_cannot_be_selected() -> None:
    boxes = [box("Chans", MailboxKind.PARENT), box("Chans/general"), box("Subscriptions", MailboxKind.PARENT)]
    command = ListCommand("", ("*",), NOTHING, frozenset({"STATUS"}))
    assert [(each.name, each.attributes, each.has_status) for each in list_mailboxes(boxes, command)] == [
        ("Chans", (b"\\Noselect", b"\\HasChildren"), False),
        ("Chans/general", (b"\\HasNoChildren",), True),
        ("Subscriptions", (b"\\Noselect", b"\\HasNoChildren"), False),
    ]
    assert [each.attributes for each in list_subscribed(boxes, Lsub("", "%"))] == [(b"\\Noselect",)] * 2


def test_list_selects_by_subscription_and_special_use() -> None:
    subscribed = listed("*", selection=frozenset({"SUBSCRIBED"}))
    assert [name for name, _ in subscribed] == ["INBOX", "Sent", "work/2027"]
    assert subscribed[1][1] == (b"\\HasNoChildren", b"\\Subscribed", b"\\Sent")
    assert [name for name, _ in listed("*", selection=frozenset({"SPECIAL-USE"}))] == ["Sent"]
    recursive = listed("%", selection=frozenset({"SUBSCRIBED", "RECURSIVEMATCH"}))
    assert [name for name, _ in recursive] == ["INBOX", "Sent", "work"]
    assert b"\\Subscribed" in listed("INBOX", returns=frozenset({"SUBSCRIBED"}))[0][1]


def test_special_use_is_never_told_of_children() -> None:
    for further in (NOTHING, {"SUBSCRIBED"}):
        command = ListCommand("", ("%",), frozenset({"SPECIAL-USE", "RECURSIVEMATCH", *further}))
        found = [(listing.name, listing.child_info) for listing in list_mailboxes(BOXES, command)]
        assert found == [("Sent", False)]


def test_a_parent_is_not_told_for_children_that_are_told_themselves() -> None:
    command = ListCommand("", ("%", "work/*"), frozenset({"SUBSCRIBED", "RECURSIVEMATCH"}))
    assert [listing.name for listing in list_mailboxes(BOXES, command)] == ["INBOX", "Sent", "work/2027"]


def test_who_was_subscribed_to_a_mailbox_that_is_gone_stays_so() -> None:
    command = ListCommand("", ("*",), frozenset({"SUBSCRIBED"}))
    found = [(listing.name, listing.attributes) for listing in list_mailboxes(BOXES, command, ["work", "gone"])]
    assert found[-3:-1] == [
        ("gone", (b"\\NonExistent", b"\\HasNoChildren", b"\\Subscribed")),
        ("work", (b"\\NonExistent", b"\\HasChildren", b"\\Subscribed")),
    ]
    lsub = [(listing.name, listing.attributes) for listing in list_subscribed(BOXES, Lsub("", "*"), ["gone"])]
    assert ("gone", (b"\\Noselect",)) in lsub


def test_lsub_shows_a_parent_in_place_of_its_children_for_a_percent_sign() -> None:
    found = [(listing.name, listing.attributes) for listing in list_subscribed(BOXES, Lsub("", "%"))]
    assert found == [("INBOX", ()), ("Sent", ()), ("work", (b"\\Noselect",))]
    assert [listing.name for listing in list_subscribed(BOXES, Lsub("", "*"))] == ["INBOX", "Sent", "work/2027"]
