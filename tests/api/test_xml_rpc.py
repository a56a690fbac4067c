"""XML-RPC as bytes: what comes in, what is refused, what goes out."""

import xmlrpc.client
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.api.xml_rpc import MAX_DEPTH, MAX_ELEMENTS, BadCall, Call, encode_fault, encode_result, read_call

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n"))
VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**31), 2**31 - 1), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=8,
)


def call_of(value: str) -> bytes:
    return f"<methodCall><methodName>x</methodName><params><param>{value}</param></params></methodCall>".encode()


@given(st.lists(VALUES, max_size=4))
def test_what_the_library_of_python_writes_is_read(params: list[Any]) -> None:
    body = xmlrpc.client.dumps(tuple(params), "aMethod").encode()
    assert read_call(body) == Call("aMethod", tuple(params))


@given(VALUES)
def test_the_library_of_python_reads_what_we_write(value: Any) -> None:
    assert xmlrpc.client.loads(encode_result(value)) == ((value,), None)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("<value>plain</value>", "plain"),
        ("<value><string/></value>", ""),
        ("<value><i4>-7</i4></value>", -7),
        ("<value><i8>4294967296</i8></value>", 2**32),
        ("<value><double>1.5</double></value>", 1.5),
        ("<value><base64>aGk=\n</base64></value>", b"hi"),
        ("<value><nil/></value>", None),
        ("<value><array><data/></array></value>", []),
        ("<value><struct><member><name>a</name><value>b</value></member></struct></value>", {"a": "b"}),
        ("<value><dateTime.iso8601>20261122T05:00:00</dateTime.iso8601></value>", "20261122T05:00:00"),
    ],
)
def test_every_type_is_known(value: str, meant: object) -> None:
    assert read_call(call_of(value)).params == (meant,)


def test_a_call_may_have_no_parameters() -> None:
    assert read_call(b"<methodCall><methodName>x</methodName></methodCall>") == Call("x")


ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>
<methodCall><methodName>&b;</methodName></methodCall>"""
FILE = b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><methodCall><methodName>&f;</methodName></methodCall>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not XML",
        b"\xff\xfe\0",
        b"<methodCall>",
        b"<methodResponse/>",
        b"<methodCall><params/></methodCall>",
        b'<?xml version="1.0" encoding="nobodys"?><methodCall/>',
        b'<?xml version="1.0" encoding="big5"?><methodCall/>',
        ENTITIES,
        FILE,
        b"<methodCall><methodName>&unknown;</methodName></methodCall>",
        call_of("<value><int>seven</int></value>"),
        call_of("<value><int>" + "9" * 5000 + "</int></value>"),
        call_of("<value><boolean>2</boolean></value>"),
        call_of("<value><double>x</double></value>"),
        call_of("<value><base64>a</base64></value>"),
        call_of("<value><nothing/></value>"),
        call_of("<value><int>1</int><int>2</int></value>"),
        call_of("<value><struct><member><name>a</name></member></struct></value>"),
        call_of("<novalue/>"),
        call_of("<value><array><data>" * MAX_DEPTH),
        call_of("<value><array><data>" + "<value/>" * MAX_ELEMENTS + "</data></array></value>"),
    ],
)
def test_what_is_no_call_is_refused(body: bytes) -> None:
    with pytest.raises(BadCall):
        read_call(body)


def test_what_xml_cannot_hold_is_replaced() -> None:
    assert xmlrpc.client.loads(encode_result({"a": ["\0\ud800"]}))[0] == ({"a": ["\ufffd\ufffd"]},)
    with pytest.raises(xmlrpc.client.Fault) as fault:
        xmlrpc.client.loads(encode_fault(7, "<\x01>"))
    assert (fault.value.faultCode, fault.value.faultString) == (7, "<\ufffd>")


@pytest.mark.parametrize("value", [None, [None], 2**40, object()])
def test_what_xml_rpc_does_not_know_is_not_written(value: object) -> None:
    with pytest.raises(BadCall):
        encode_result(value)
