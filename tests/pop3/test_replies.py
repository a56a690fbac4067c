"""Every error of the house has an answer."""

import pytest
from error_tree import tree

from bmgate import errors
from bmgate.pop3.replies import Refusal, answer_to, refusal
from bmgate.services.mailboxes.maildrops import MaildropInUse


@pytest.mark.parametrize("kind", sorted(set(tree(errors.GatewayError)), key=str))
def test_every_error_becomes_one_clean_line(kind: type[errors.GatewayError]) -> None:
    error = kind.__new__(kind)
    error.args = ("wörds\r\n+OK injected\0 [AUTH] " + "x" * 1000,)
    if isinstance(error, Refusal):
        error.code, error.is_bad = b"AUTH", False
    line = answer_to(error)
    assert line.startswith(b"-ERR ")
    assert line.endswith(b"\r\n")
    assert line.count(b"\n") == 1
    assert len(line) <= 512
    assert line.isascii()
    assert b"\0" not in line


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (errors.StorageBusy("the disk is full"), b"-ERR [SYS/TEMP] the disk is full"),
        (errors.ShuttingDown("later"), b"-ERR [SYS/TEMP] "),
        (errors.AccountLocked("later"), b"-ERR [SYS/TEMP] "),
        (errors.LimitReached("too often"), b"-ERR [SYS/TEMP] "),
        (errors.LoginFailed("unknown user bob"), b"-ERR [AUTH] Wrong user name or password\r\n"),
        (MaildropInUse("in use"), b"-ERR [IN-USE] "),
        (errors.MessageMissing("gone"), b"-ERR gone\r\n"),
        (errors.ConfigError("/etc/secret"), b"-ERR [SYS/PERM] Internal error\r\n"),
    ],
)
def test_families_have_their_codes(error: errors.GatewayError, start: bytes) -> None:
    assert answer_to(error).startswith(start)


def test_a_text_is_never_a_response_code() -> None:
    assert refusal("[AUTH] x") == b"-ERR AUTH] x\r\n"
    assert refusal("") == b"-ERR Refused\r\n"
