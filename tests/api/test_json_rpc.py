"""JSON-RPC as bytes: what comes in, what is refused, what goes out."""

import json

import pytest

from bmgate.api.json_rpc import MAX_BATCH, Request, encode_answers, encode_fault, encode_result, read_requests
from bmgate.api.xml_rpc import BadCall, Call


def read(document: object) -> Request:
    return read_requests(json.dumps(document).encode()).items[0]


def test_both_versions_are_read() -> None:
    two = read({"jsonrpc": "2.0", "method": "add", "params": [1, 2], "id": "a"})
    assert two == Request(Call("add", (1, 2)), "a")
    assert encode_result(two, 3) == {"jsonrpc": "2.0", "result": 3, "id": "a"}
    one = read({"method": "add", "params": [1, 2], "id": 7})
    assert one == Request(Call("add", (1, 2)), 7, is_version_2=False)
    assert encode_result(one, 3) == {"result": 3, "error": None, "id": 7}
    assert encode_fault(one, 20, "no") == {"result": None, "error": {"code": 20, "message": "no"}, "id": 7}


def test_a_call_without_id_is_not_answered() -> None:
    assert read({"jsonrpc": "2.0", "method": "add"}).is_notification
    assert not read({"method": "add"}).is_notification
    assert encode_answers([], is_batch=True) == b""


def test_what_json_cannot_say_is_neither_repeated_nor_written() -> None:
    assert read_requests(b'{"method": "a", "id": 1e999}').items[0].id is None
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_answers([float("inf")], is_batch=True)


def test_a_batch_is_answered_as_one() -> None:
    requests = read_requests(b'[{"method": "a", "id": 1}, 5]')
    assert requests.is_batch
    assert requests.items[0].call == Call("a")
    assert isinstance(requests.items[1].call, str)


@pytest.mark.parametrize(
    "document", [5, {}, {"method": 5}, {"method": "a", "params": {"b": 1}}, {"method": "a", "params": "b"}]
)
def test_what_is_no_call_is_told(document: object) -> None:
    assert isinstance(read(document).call, str)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"method": "a", "id": NaN}',
        b"9" * 5000,
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadCall):
        read_requests(body)


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_batch_of_none_or_too_many_is_one_request_that_is_no_call(count: int) -> None:
    requests = read_requests(json.dumps([{"method": "a"}] * count).encode())
    (request,) = requests.items
    assert isinstance(request.call, str)
    assert not requests.is_batch
