"""Automatic answers: what gets one, and what they say."""

import pytest

from bmgate.mail.answers import MAX_ECHO, echo, is_automatic, vacation

NOW = 1795291200


ROBOTS = (
    "Auto: away",
    "RE: Echo: x",
    "AW: Automatic reply: Ferien",
    "autoreply",
    "Auto-Response",
    "Out of Office",
    "Undelivered",
    "Delivery Status Notification",
    "Not delivered: Hello",
    "Re[2]: Abwesenheit",
)
PEOPLE = ("", "Hello", "Re: Hello", "Auto insurance", "The automatic door", "An echo", "Delivery")
ROBOTS_TEXTS = (
    "Auto-Submitted: auto-generated\n\nx",
    "List-Id: <a.b>\n\nx",
    "a\nPrecedence: bulk\n\nx",
    "Return-Path: <>\n\nx",
)


@pytest.mark.parametrize("subject", ROBOTS)
def test_subjects_of_robots(subject: str) -> None:
    assert is_automatic(subject, "text")


@pytest.mark.parametrize("subject", PEOPLE)
def test_subjects_of_people(subject: str) -> None:
    assert not is_automatic(subject, "text\n\nPrecedence of operators\nlist\n")


@pytest.mark.parametrize("body", ROBOTS_TEXTS)
def test_texts_of_robots(body: str) -> None:
    assert is_automatic("Hello", body)


def test_a_mail_that_says_it_is_not_automatic_is_believed() -> None:
    assert not is_automatic("Hello", "Auto-Submitted: no\n\nx")


def test_an_answer_is_not_answered() -> None:
    for answer in (echo("Hi", "text", NOW), vacation("Hi", "", ""), vacation("Hi", "Away", "In May.")):
        assert is_automatic("Hello", answer.body)
        assert is_automatic("Hello", "> " + answer.body.replace("\n", "\n> "))
    assert is_automatic(echo("Hi", "", NOW).subject, "")
    assert is_automatic(vacation("Hi", "", "").subject, "")


def test_an_echo_of_a_long_text_is_short() -> None:
    answer = echo("Hi\r\nBcc: x", "x" * 100_000, NOW, greeting="Welcome!")
    assert len(answer.body) < MAX_ECHO + 300
    assert answer.body.endswith("[shortened]")
    assert "Welcome!" in answer.body
    assert answer.subject == "Echo: Hi Bcc: x"
