"""One JSON object a line, and errors that survive the crossing."""

import pytest

from bmgate.bm.packets import BadChecksum
from bmgate.control.protocol import encode_line, error_value, raised_from, read_reply, read_request
from bmgate.errors import (
    Ambiguous,
    BadAddress,
    BadPacket,
    GatewayError,
    Missing,
    ProtocolError,
    RecipientMissing,
    Unavailable,
)


def test_a_request_is_read() -> None:
    request = read_request(b'{"id": 7, "method": "status", "params": {"a": 1}}\n')
    assert (request.id, request.method, request.params) == (7, "status", {"a": 1})


def test_params_may_be_left_out() -> None:
    assert read_request(b'{"id": "x", "method": "status"}').params == {}


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": 1, "method": "status", "params": {"label": "\\ud800"}}',
        b"",
        b"[]",
        b"{",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"method": "status"}',
        b'{"id": null, "method": "status"}',
        b'{"id": 1, "method": 2}',
        b'{"id": 1, "method": "status", "params": []}',
    ],
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_request(line)


def test_a_request_never_shows_its_parameters() -> None:
    assert "secret" not in repr(read_request(b'{"id": 1, "method": "account.add", "params": {"password": "secret"}}'))


def test_a_line_is_one_line() -> None:
    line = encode_line({"label": "two\nlines\u2028ä"})
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert read_reply(line) == {"label": "two\nlines\u2028ä"}


@pytest.mark.parametrize(
    "error",
    [
        Missing("there is none"),
        BadAddress("checksumfailed", "a typing error"),
        Ambiguous("anna or bob", ("anna", "bob")),
        RecipientMissing("nobody", "anna"),
    ],
)
def test_an_error_arrives_as_what_it_was(error: GatewayError) -> None:
    arrived = raised_from(read_reply(encode_line(error_value(error))))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert {name: str(value) for name, value in vars(arrived).items() if isinstance(value, str)} == {
        name: value for name, value in vars(error).items() if isinstance(value, str)
    }


def test_an_error_from_elsewhere_goes_by_its_family() -> None:
    class FolderHeld(Unavailable):
        """Not in `errors`."""

    assert error_value(FolderHeld("later"))["code"] == "Unavailable"
    assert issubclass(BadChecksum, BadPacket)
    assert error_value(BadChecksum("sum"))["code"] == "BadPacket"


@pytest.mark.parametrize("value", [{}, {"code": "SystemExit", "message": "x"}, {"code": 3, "data": []}])
def test_an_unknown_error_is_still_ours(value: dict[str, object]) -> None:
    assert type(raised_from(value)) is GatewayError
