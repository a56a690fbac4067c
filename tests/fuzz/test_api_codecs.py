"""Whatever bytes come to the API, its codecs answer with a call or `BadCall`, and calls with a value or `Fault`."""

import contextlib
import json
import xmlrpc.client
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmgate.api import json_rpc, values, xml_rpc
from bmgate.api.faults import Fault
from bmgate.api.server import read_basic
from bmgate.api.xml_rpc import BadCall

EXAMPLES = settings().max_examples
XML = xmlrpc.client.dumps(("BM-x", "aGk=", 2, True, 1.5, [1, {"a": b"b"}]), "sendMessage").encode()
JSON = json.dumps([{"jsonrpc": "2.0", "method": "sendMessage", "params": ["a", 1, None], "id": 1}]).encode()
PIECES = [
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"&b;",
    b"<value>",
    b"<array><data>",
    b"</",
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"\xff\xfe",
    b"\0",
    b"9" * 400,
    b"[" * 2000,
    b'{"method":',
    b"1e999",
    b"\\ud800",
    b"Infinity",
]


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """Cut, spliced, with odd pieces put in."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 2)):
            case 0:
                del data[at : at + draw(st.integers(1, 40))]
            case 1:
                data[at:at] = draw(st.sampled_from(PIECES))
            case _:
                data[at:at] = draw(st.binary(max_size=8))
    return bytes(data)


@settings(max_examples=EXAMPLES)
@given(st.one_of(damaged(XML), st.binary(max_size=200)))
def test_xml_rpc_is_a_call_or_refused(body: bytes) -> None:
    with contextlib.suppress(BadCall):
        call = xml_rpc.read_call(body)
        assert isinstance(call.method, str)
        with contextlib.suppress(BadCall):
            xmlrpc.client.loads(xml_rpc.encode_result([call.method, *call.params]))


@settings(max_examples=EXAMPLES)
@given(st.one_of(damaged(JSON), st.binary(max_size=200)))
def test_json_rpc_is_a_call_or_refused(body: bytes) -> None:
    with contextlib.suppress(BadCall):
        for request in json_rpc.read_requests(body).items:
            json_rpc.encode_answers([json_rpc.encode_fault(request, 0, ""), json_rpc.encode_result(request, 1)], True)


READERS: list[Callable[[Any], object]] = [
    values.text,
    values.number,
    values.multiple,
    lambda value: values.flag(value, "name"),
    values.unbase64,
    values.unhex,
    values.label,
    values.words,
    values.passphrase,
    values.address,
    values.prefixed,
]
ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.integers()),
    st.just("BM-"),
)


@pytest.mark.parametrize("reader", READERS)
@given(ANY)
def test_a_parameter_is_a_value_or_a_fault(reader: Callable[[Any], object], value: object) -> None:
    with contextlib.suppress(Fault):
        reader(value)


@given(st.one_of(st.text(), st.binary().map(lambda data: "Basic " + data.decode("latin-1"))))
def test_credentials_are_read_or_there_are_none(header: str) -> None:
    read_basic(header)
