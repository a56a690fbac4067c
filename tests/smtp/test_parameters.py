import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.domain.outbox import ReturnContent
from bmgate.errors import ProtocolError
from bmgate.smtp.parameters import MailArguments, RcptArguments, UnknownParameter, decode_xtext, read_mail, read_rcpt


@pytest.mark.parametrize(
    ("argument", "sender"),
    [
        ("FROM:<BM-2cWvwe@bm.internal>", "BM-2cWvwe@bm.internal"),
        ("from: <a@b>", "a@b"),
        ("FROM:<>", ""),
        ("FROM:a@b SIZE=3", "a@b"),
        ("FROM:<@one,@two:a@b>", "a@b"),
        ('FROM:<"a b\\"c"@d>', '"a b\\"c"@d'),
        ("FROM:<a@[127.0.0.1]>", "a@[127.0.0.1]"),
        ("FROM:<alice+ttl=2d@b>", "alice+ttl=2d@b"),
        ("FROM:<postmaster>", "postmaster"),
    ],
)
def test_the_path_keeps_its_letters(argument: str, sender: str) -> None:
    assert read_mail(argument).sender == sender


@pytest.mark.parametrize("argument", ["", "TO:<a@b>", "FROM:", "FROM:<a@b", "FROM:<a b@c>", "FROM:<a@b>x", "FROM:@"])
def test_what_is_no_path_is_bad_syntax(argument: str) -> None:
    with pytest.raises(ProtocolError):
        read_mail(argument)


def test_mail_parameters_are_read_and_keep_their_case() -> None:
    argument = "FROM:<a@b> body=8BITMIME SIZE=35 ret=hdrs ENVID=QQ314+2BaBc SMTPUTF8 AUTH=<>"
    assert read_mail(argument) == MailArguments("a@b", 35, ReturnContent.HEADERS, "QQ314+aBc")


def test_rcpt_parameters_are_read_and_keep_their_case() -> None:
    argument = "TO:<a@b> NOTIFY=success,DELAY ORCPT=rfc822;BoB+2Bx@Host"
    assert read_rcpt(argument) == RcptArguments("a@b", ("SUCCESS", "DELAY"), "rfc822;BoB+x@Host")


@pytest.mark.parametrize(
    "parameters",
    [
        "SIZE=x",
        "SIZE=-1",
        "SIZE",
        "SIZE=" + "9" * 21,
        "RET=SOME",
        "ENVID=" + "x" * 101,
        "ENVID=a+0D+0Ab",
        "BODY=BINARYMIME",
        "SMTPUTF8=1",
        "SIZE=1 SIZE=2",
        "=x",
    ],
)
def test_bad_values_are_bad_syntax(parameters: str) -> None:
    with pytest.raises(ProtocolError):
        read_mail(f"FROM:<a@b> {parameters}")


@pytest.mark.parametrize("parameters", ["NOTIFY=NEVER,DELAY", "NOTIFY=", "NOTIFY=SOMETIMES", "ORCPT=x", "ORCPT=a;+00"])
def test_bad_rcpt_values_are_bad_syntax(parameters: str) -> None:
    with pytest.raises(ProtocolError):
        read_rcpt(f"TO:<a@b> {parameters}")


def test_parameters_that_were_not_offered_are_told_apart() -> None:
    with pytest.raises(UnknownParameter):
        read_mail("FROM:<a@b> MT-PRIORITY=3")
    with pytest.raises(UnknownParameter):
        read_rcpt("TO:<a@b> SIZE=3")


@given(st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), max_size=30))
def test_xtext_comes_back(text: str) -> None:
    encoded = "".join(
        chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}" for octet in text.encode()
    )
    assert decode_xtext(encoded) == text


@given(st.text())
def test_any_argument_is_read_or_refused(argument: str) -> None:
    for read in (read_mail, read_rcpt):
        for prefix in ("", "FROM:<a@b> ", "TO:<a@b> ", "TO:<"):
            try:
                read(prefix + argument)
            except ProtocolError:
                continue
