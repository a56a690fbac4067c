"""Every error of the house has an answer."""

import pytest
from error_tree import tree

from bmgate import errors
from bmgate.imap.replies import BAD, NO, Refusal, reply_to, speakable, tagged


@pytest.mark.parametrize("kind", sorted(set(tree(errors.GatewayError)), key=str))
def test_every_error_becomes_one_clean_line(kind: type[errors.GatewayError]) -> None:
    error = kind.__new__(kind)
    error.args = ("wörds\r\nx OK injected\0 [ALERT] ",)
    if isinstance(error, Refusal):
        error.word, error.code = NO, b"CANNOT"
    line = tagged(b"a", reply_to(error))
    assert line.startswith((b"a NO [", b"a BAD ["))
    assert line.endswith(b"\r\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert b"\0" not in line


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.StorageBusy("x"), b"UNAVAILABLE"),
        (errors.MailboxExists("x"), b"ALREADYEXISTS"),
        (errors.OverQuota("x"), b"OVERQUOTA"),
        (errors.LoginFailed("unknown user bob"), b"AUTHENTICATIONFAILED"),
    ],
)
def test_families_have_their_codes(error: errors.GatewayError, code: bytes) -> None:
    assert reply_to(error).code == code
    assert reply_to(error).word != BAD
    assert "bob" not in reply_to(error).text


def test_a_text_is_never_a_response_code() -> None:
    assert speakable("[ALERT] x") == "ALERT] x"
    assert speakable("") == "Refused"
