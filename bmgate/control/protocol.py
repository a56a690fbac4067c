"""The control protocol: one JSON object a line over a Unix stream, at most 1 MiB each.

The gateway greets with its version; a client sends `{"id", "method", "params"}` and reads any number of
`{"id", "progress"}`, then one `{"id", "result"}` or `{"id", "error": {"code", "message", "data"}}`. Error codes are the
class names of `bmgate.errors`, `data` is what the error says beside its text. One request at a time per connection;
hanging up cancels it.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bmgate import errors
from bmgate.errors import GatewayError, ProtocolError

CONTROL_VERSION = 1
MAX_LINE = 1024 * 1024

Progress = Callable[[Any], None]
"""What a client does with progress."""

Tell = Callable[[Any], Awaitable[None]]
"""How a method tells progress; returns when the client has room for more."""


async def untold(value: Any) -> None:
    """The `Tell` of a call whose caller waits for the result alone."""


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """One call. Its parameters may hold a password: never logged."""

    id: int | str
    method: str
    params: dict[str, Any]


def encode_line(value: dict[str, Any]) -> bytes:
    """One line of the protocol."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def read_request(line: bytes) -> Request:
    """Raises ProtocolError."""
    value = _read_object(line)
    identifier, method, params = value.get("id"), value.get("method"), value.get("params", {})
    if not isinstance(identifier, int | str) or not isinstance(method, str) or not isinstance(params, dict):
        raise ProtocolError('a request is {"id": ..., "method": "...", "params": {...}}')
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ProtocolError("a text with half of a surrogate pair") from error
    return Request(identifier, method, params)


def read_reply(line: bytes) -> dict[str, Any]:
    """Raises ProtocolError."""
    return _read_object(line)


def error_value(error: GatewayError) -> dict[str, Any]:
    """The `error` member for a refusal or failure of ours; a class from elsewhere goes by the name of its family."""
    code = next(kind.__name__ for kind in type(error).__mro__ if _ERRORS.get(kind.__name__) is kind)
    return {"code": code, "message": str(error), "data": vars(error) or None}


def raised_from(value: dict[str, Any]) -> GatewayError:
    """The error that an `error` member stands for, as an exception to raise on this side."""
    kind = _ERRORS.get(str(value.get("code")), GatewayError)
    error = kind.__new__(kind)
    error.args = (str(value.get("message", "")),)
    if isinstance(data := value.get("data"), dict):
        vars(error).update(data)
    return error


def _read_object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a line of the control protocol is one JSON object") from error
    if not isinstance(value, dict):
        raise ProtocolError("a line of the control protocol is one JSON object")
    return value


_ERRORS: dict[str, type[GatewayError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, GatewayError)
}
