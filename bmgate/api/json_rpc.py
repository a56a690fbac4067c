"""JSON-RPC 1.0 and 2.0: calls out of JSON, answers into it (jsonrpc.org/specification). Knows bytes and nothing else.

Parameters come by position. A request without an `id` is a notification of version 2: it is carried out and not
answered.
"""

import json
import math
from dataclasses import dataclass
from typing import NoReturn

from bmgate.api.values import Wire
from bmgate.api.xml_rpc import BadCall, Call

MAX_BATCH = 50

PARSE_ERROR, INVALID_REQUEST = -32700, -32600


@dataclass(frozen=True, slots=True)
class Request:
    """One call with what its answer repeats; `call` is an error text where there is no call to be made."""

    call: Call | str
    id: Wire = None
    is_version_2: bool = True
    is_notification: bool = False


@dataclass(frozen=True, slots=True)
class Requests:
    """What a body asks for: one thing, or several at once."""

    items: tuple[Request, ...]
    is_batch: bool


def read_requests(body: bytes) -> Requests:
    """Raises BadCall for what is no JSON; an empty or too large batch is one request that is no call."""
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadCall("this is no JSON, or too deep") from error
    if not isinstance(document, list):
        return Requests((_request(document),), is_batch=False)
    if not 1 <= len(document) <= MAX_BATCH:
        return Requests((Request(f"a batch has 1 to {MAX_BATCH} calls"),), is_batch=False)
    return Requests(tuple(map(_request, document)), is_batch=True)


def encode_result(request: Request, value: Wire) -> Wire:
    """The answer that carries a result, still as a value."""
    if request.is_version_2:
        return {"jsonrpc": "2.0", "result": value, "id": request.id}
    return {"result": value, "error": None, "id": request.id}


def encode_fault(request: Request, code: int, text: str) -> Wire:
    """The answer that tells an error."""
    error = {"code": code, "message": text}
    if request.is_version_2:
        return {"jsonrpc": "2.0", "error": error, "id": request.id}
    return {"result": None, "error": error, "id": request.id}


def encode_answers(answers: list[Wire], is_batch: bool) -> bytes:
    """All answers as a body; empty where nothing is answered."""
    if not answers:
        return b""
    return json.dumps(answers if is_batch else answers[0], allow_nan=False).encode("ascii")


def _refuse(name: str) -> NoReturn:
    """NaN and Infinity, which JSON does not have."""
    raise ValueError(name)


def _request(document: object) -> Request:
    if not isinstance(document, dict):
        return Request("this is no JSON-RPC call")
    is_version_2 = document.get("jsonrpc") == "2.0"
    name = document.get("id")
    id_: Wire = name if isinstance(name, str | int) or (isinstance(name, float) and math.isfinite(name)) else None
    silent = is_version_2 and "id" not in document
    method, params = document.get("method"), document.get("params", [])
    if not isinstance(method, str):
        return Request("a call without a method", id_, is_version_2)
    if not isinstance(params, list):
        return Request("parameters come by position, as a list", id_, is_version_2)
    return Request(Call(method, tuple(params)), id_, is_version_2, silent)
