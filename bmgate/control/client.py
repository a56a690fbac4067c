"""The other end of the control socket, for the command line; blocking, standard library only, quick to import."""

import socket
from pathlib import Path
from typing import Any

from bmgate.control.paths import short_path
from bmgate.control.protocol import CONTROL_VERSION, MAX_LINE, Progress, encode_line, raised_from, read_reply
from bmgate.errors import ProtocolError, TooLarge, Unavailable

GREETING_SECONDS = 10.0


class ControlClient:
    """One connection to a running gateway."""

    def __init__(self, path: Path) -> None:
        """Connect; raises Unavailable when no gateway listens there."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(GREETING_SECONDS)
        try:
            with short_path(path) as name:
                self._socket.connect(name)
        except OSError as error:
            self._socket.close()
            raise Unavailable(f"no gateway listens at {path}") from error
        self._lines = self._socket.makefile("rb")
        try:
            self._greet()
        except BaseException:
            self.close()
            raise
        self._socket.settimeout(None)

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up: what has not been answered is cancelled."""
        self._lines.close()
        self._socket.close()

    def call(self, method: str, params: dict[str, Any], progress: Progress) -> Any:
        """The result of `method`; raises what the gateway raised."""
        self._send(encode_line({"id": 1, "method": method, "params": params}))
        while True:
            reply = self._read()
            if "progress" in reply:
                progress(reply["progress"])
            elif "error" in reply:
                raise raised_from(reply["error"])
            else:
                return reply.get("result")

    def _greet(self) -> None:
        greeting = self._read()
        if "error" in greeting:
            raise raised_from(greeting["error"])
        if greeting.get("control") != CONTROL_VERSION:
            raise ProtocolError(f"the running gateway speaks another control protocol: {greeting.get('bmgate')}")

    def _send(self, line: bytes) -> None:
        if len(line) > MAX_LINE:
            raise TooLarge(f"a command has at most {MAX_LINE} bytes")
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise Unavailable("the gateway hung up; it may be stopping") from error

    def _read(self) -> dict[str, Any]:
        try:
            line = self._lines.readline(MAX_LINE + 1)
        except TimeoutError as error:
            raise Unavailable("the gateway does not answer") from error
        except OSError as error:
            raise Unavailable("the gateway hung up; it may be stopping") from error
        if not line.endswith(b"\n"):
            raise Unavailable("the gateway hung up; it may be stopping")
        return read_reply(line)
