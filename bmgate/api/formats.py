"""The three ways to write calls and answers: `legacy`, `xml` and `json`. The door picks one, callers cannot.

`legacy` is XML-RPC as released PyBitmessage speaks it: what is neither a number nor a string is answered as JSON in a
string, an error as a string `API Error NNNN: text`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from bmgate.api import json_rpc, xml_rpc
from bmgate.api.faults import Fault
from bmgate.api.values import Wire
from bmgate.api.xml_rpc import BadCall, Call

Variant = Literal["legacy", "xml", "json"]
Perform = Callable[[Call], Awaitable[Wire]]
"""Carries a call out; raises Fault and nothing else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; `is_call` is false for a request that could not be read."""

    body: bytes
    content_type: str
    is_call: bool = True


XML, JSON = "text/xml", "application/json-rpc"
INTROSPECTION = frozenset({"system.listMethods", "system.methodHelp", "system.methodSignature"})
"""What the XML-RPC library of PyBitmessage answers by itself, as it is, in every variant."""


async def answer(variant: Variant, body: bytes, perform: Perform) -> Answer:
    """Read what a body asks for, have it done, and write what came of it."""
    if variant == "json":
        return await _answer_json(body, perform)
    try:
        call = xml_rpc.read_call(body)
    except BadCall as error:
        return Answer(f"{error}\n".encode(), "text/plain; charset=utf-8", is_call=False)
    try:
        value = await perform(call)
    except Fault as fault:
        told = (
            xml_rpc.encode_result(fault.line) if variant == "legacy" else xml_rpc.encode_fault(fault.code, str(fault))
        )
        return Answer(told, XML)
    as_legacy = variant == "legacy" and call.method not in INTROSPECTION
    return Answer(await asyncio.to_thread(_encode_xml, value, as_legacy), XML)


def legacy_value(value: Wire) -> Wire:
    """A result as the legacy variant carries it."""
    return value if isinstance(value, int | str) else json.dumps(value, indent=4)


def _encode_xml(value: Wire, legacy: bool) -> bytes:
    try:
        return xml_rpc.encode_result(legacy_value(value) if legacy else value)
    except BadCall as error:
        fault = Fault(f"Unexpected API Failure - {error}")
        return xml_rpc.encode_result(fault.line) if legacy else xml_rpc.encode_fault(fault.code, str(fault))


async def _answer_json(body: bytes, perform: Perform) -> Answer:
    try:
        requests = json_rpc.read_requests(body)
    except BadCall as error:
        fault = json_rpc.encode_fault(json_rpc.Request(""), json_rpc.PARSE_ERROR, str(error))
        return Answer(json_rpc.encode_answers([fault], is_batch=False), JSON)
    answers = [
        answered
        for request in requests.items
        for answered in [await _answer_request(request, perform)]
        if not request.is_notification
    ]
    return Answer(await asyncio.to_thread(json_rpc.encode_answers, answers, requests.is_batch), JSON)


async def _answer_request(request: json_rpc.Request, perform: Perform) -> Wire:
    if isinstance(request.call, str):
        return json_rpc.encode_fault(request, json_rpc.INVALID_REQUEST, request.call)
    try:
        return json_rpc.encode_result(request, await perform(request.call))
    except Fault as fault:
        return json_rpc.encode_fault(request, fault.code, str(fault))
