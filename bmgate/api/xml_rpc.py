"""XML-RPC: calls out of XML, answers into it (xmlrpc.com/spec.md). Knows bytes and nothing else.

A document type is refused, and with it every entity but XML's own five: none can be blown up or lead elsewhere. Depth
and number of elements are bounded; the door bounds the size.
"""

import base64
import binascii
import re
import xmlrpc.client
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from bmgate.api.values import Wire
from bmgate.errors import ProtocolError

MAX_DEPTH = 64  # elements; a list in a list takes three
MAX_ELEMENTS = 20_000
MAX_DIGITS = 300  # of a number

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class BadCall(ProtocolError):
    """A request that is no call."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks for."""

    method: str
    params: tuple[Wire, ...] = ()


@dataclass(slots=True)
class _Element:
    name: str
    children: list["_Element"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def child(self, name: str) -> "_Element | None":
        return next((child for child in self.children if child.name == name), None)


def read_call(body: bytes) -> Call:
    """The call in a request; raises BadCall."""
    root = _Tree().read(body)
    name = root.child("methodName")
    if root.name != "methodCall" or name is None:
        raise BadCall("this is no XML-RPC call")
    params = root.child("params")
    return Call(name.text.strip(), tuple(_param(each) for each in params.children) if params is not None else ())


def encode_result(value: Wire) -> bytes:
    """The answer that carries a result; raises BadCall for None and other things that XML-RPC does not know."""
    result: Any = (_printable(value),)
    try:
        return xmlrpc.client.dumps(result, methodresponse=True, encoding="utf-8").encode("utf-8")
    except (TypeError, OverflowError) as error:
        raise BadCall(str(error)) from error


def encode_fault(code: int, text: str) -> bytes:
    """The answer that tells an error."""
    fault = xmlrpc.client.Fault(int(code), _NOT_IN_XML.sub("\ufffd", text))
    return xmlrpc.client.dumps(fault, methodresponse=True, encoding="utf-8").encode("utf-8")


class _Tree:
    """Makes elements of a document."""

    def __init__(self) -> None:
        self._open: list[_Element] = []
        self._root: _Element | None = None
        self._count = 0

    def read(self, body: bytes) -> _Element:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(body, True)
        except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an encoding nobody knows
            raise BadCall(f"this is no well-formed XML: {error}") from error
        if self._root is None:
            raise BadCall("this is no XML-RPC call")
        return self._root

    def _doctype(self, *_: object) -> None:
        raise BadCall("a document type is not taken")

    def _start(self, name: str, _attributes: object) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise BadCall(f"more than {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")
        element = _Element(name)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _text(self, data: str) -> None:
        self._open[-1].pieces.append(data)


def _param(element: _Element) -> Wire:
    value = element.child("value")
    if element.name != "param" or value is None:
        raise BadCall("a parameter without a value")
    return _value(value)


def _value(element: _Element) -> Wire:
    if element.name != "value" or len(element.children) > 1:
        raise BadCall("a value that is none, or several")
    if not element.children:
        return element.text
    typed = element.children[0]
    match typed.name:
        case "string" | "dateTime.iso8601":
            return typed.text
        case "int" | "i4" | "i8":
            return _int(typed.text)
        case "boolean":
            return _boolean(typed.text)
        case "double":
            return _double(typed.text)
        case "base64":
            return _bytes(typed.text)
        case "nil":
            return None
        case "array":
            data = typed.child("data")
            return [_value(each) for each in data.children] if data is not None else []
        case "struct":
            return dict(_member(each) for each in typed.children)
        case _:
            raise BadCall(f"a value of unknown type {typed.name[:40]}")


def _member(element: _Element) -> tuple[str, Wire]:
    name, value = element.child("name"), element.child("value")
    if element.name != "member" or name is None or value is None:
        raise BadCall("a member without name or value")
    return name.text, _value(value)


def _int(written: str) -> int:
    digits = written.strip()
    if not re.fullmatch(r"[+-]?[0-9]+", digits, re.ASCII) or len(digits) > MAX_DIGITS:
        raise BadCall("a number that cannot be read")
    return int(digits)


def _boolean(written: str) -> bool:
    if written.strip() not in ("0", "1"):
        raise BadCall("a boolean is 0 or 1")
    return written.strip() == "1"


def _double(written: str) -> float:
    try:
        return float(written.strip()[:MAX_DIGITS])
    except ValueError as error:
        raise BadCall("a number that cannot be read") from error


def _bytes(written: str) -> bytes:
    try:
        return base64.b64decode(written.encode("ascii"))
    except (binascii.Error, ValueError) as error:
        raise BadCall("base64 that cannot be read") from error


def _printable(value: Wire) -> Wire:
    """The same without characters that XML cannot hold."""
    match value:
        case str():
            return _NOT_IN_XML.sub("\ufffd", value)
        case list() | tuple():
            return [_printable(each) for each in value]
        case dict():
            return {str(name): _printable(each) for name, each in value.items()}
        case _:
            return value
