"""Mail clients that cost next to nothing themselves: blocking sockets, no TLS, nothing parsed that is not needed."""

import socket
import ssl
import time
from base64 import b64encode
from types import TracebackType
from typing import Self

CHUNK = 1 << 18
REPLY = 4096
TIMEOUT_SECONDS = 120.0
USER, PASSWORD = "alice", "benchmark passphrase"


class LineClient:
    """A connection on which the other side speaks in lines."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection((host, port), TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket)
        self._tail = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def line(self) -> bytes:
        """The next line, without its end."""
        while b"\r\n" not in self._tail:
            self._tail += self._more(REPLY)
        line, _, self._tail = self._tail.partition(b"\r\n")
        return line

    def _more(self, size: int) -> bytes:
        data = self._socket.recv(size)
        if not data:
            raise ConnectionError(f"the server hung up after {self._tail!r}")
        return data

    def begin(self, text: bytes) -> None:
        """Send a command whose response is read by `sip`, or not at all."""
        self._socket.sendall(text + b"\r\n")

    def sip(self, octets: int) -> int:
        """Take at most so many octets of what has come, and forget them; how many they were."""
        return len(self._more(octets))


def any_certificate() -> ssl.SSLContext:
    """TLS to a gateway that signed its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class ImapClient(LineClient):
    """One IMAP session; commands one after the other."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(host, port, tls)
        self._count = 0
        self._buffer = memoryview(bytearray(CHUNK))
        self.line()

    def login(self, user: str, password: str) -> None:
        self.command(f'LOGIN "{user}" "{password}"'.encode())

    def command(self, text: bytes) -> bytes:
        """The whole response; raises ConnectionError unless it ends with OK."""
        tag = self._send(text)
        lines = []
        while not (line := self.line()).startswith(tag + b" "):
            lines.append(line)
        _require_ok(tag, line, text)
        return b"\r\n".join([*lines, line])

    def count_octets(self, text: bytes) -> int:
        """Octets of the response, which is not kept."""
        tag = self._send(text)
        last, octets = b"", 0
        end = b"\r\n" + tag + b" "
        while end not in b"\r\n" + last or not last.endswith(b"\r\n"):
            size = self._socket.recv_into(self._buffer)
            if not size:
                raise ConnectionError("the server hung up")
            octets += size
            last = (last + self._buffer[max(0, size - 200) : size].tobytes())[-400:]
        _require_ok(tag, (b"\r\n" + last)[(b"\r\n" + last).rindex(end) + 2 :], text)
        return octets

    def append(self, mailbox: str, mail: bytes) -> None:
        self.command(b"APPEND %b {%d+}\r\n%b" % (mailbox.encode(), len(mail), mail))

    def append_large(self, mailbox: str, mail: bytes) -> None:
        """The same without a copy of the mail: it is sent when the server asks for it."""
        tag = self._send(b"APPEND %b {%d}" % (mailbox.encode(), len(mail)))
        while not (line := self.line()).startswith(b"+"):
            if line.startswith(tag):
                raise ConnectionError(f"APPEND was answered {line!r}")
        self._socket.sendall(mail)
        self._socket.sendall(b"\r\n")
        while not (line := self.line()).startswith(tag + b" "):
            continue
        _require_ok(tag, line, b"APPEND")

    def idle(self) -> None:
        """Begin to listen; `push` returns what comes."""
        self._send(b"IDLE")
        while not self.line().startswith(b"+"):
            continue

    def push(self, *words: bytes) -> float:
        """The time when the first line came that has all these words in it."""
        while True:
            line = self.line()
            if all(word in line for word in words):
                return time.perf_counter()

    def _send(self, text: bytes) -> bytes:
        self._count += 1
        tag = b"a%d" % self._count
        self._socket.sendall(tag + b" " + text + b"\r\n")
        return tag


class Pop3Client(LineClient):
    """One POP3 session."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._buffer = memoryview(bytearray(CHUNK))
        self.line()

    def login(self, user: str, password: str) -> None:
        self.command(f"USER {user}".encode())
        self.command(f"PASS {password}".encode())

    def command(self, text: bytes) -> bytes:
        """The line that answers; raises ConnectionError unless it is +OK."""
        self._socket.sendall(text + b"\r\n")
        line = self.line()
        if not line.startswith(b"+OK"):
            raise ConnectionError(f"{text!r} was answered {line!r}")
        return line

    def count_octets(self, text: bytes) -> int:
        """Octets of a multi-line response, which is not kept."""
        self._socket.sendall(text + b"\r\n")
        last, octets = b"", 0
        while not last.endswith(b"\r\n.\r\n"):
            size = self._socket.recv_into(self._buffer)
            if not size or (not octets and bytes(self._buffer[:3]) != b"+OK"):
                raise ConnectionError(f"{text!r} was not answered")
            octets += size
            last = (last + self._buffer[max(0, size - 8) : size].tobytes())[-8:]
        return octets

    def count_responses(self, commands: list[bytes]) -> int:
        """Multi-line responses to commands that are sent together; their octets are not kept."""
        self._socket.sendall(b"\r\n".join([*commands, b""]))
        end, tail, found = b"\r\n.\r\n", b"", 0
        while found < len(commands):
            data = tail + self._more(CHUNK)
            found += data.count(end)
            tail = data[data.rfind(end) + len(end) :][-len(end) :] if end in data else data[-len(end) + 1 :]
        return found


class SmtpClient(LineClient):
    """One SMTP session."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._expect(b"220")
        self.command(b"EHLO localhost", b"250")

    def login(self, user: str, password: str) -> None:
        self.command(b"AUTH PLAIN " + b64encode(f"\0{user}\0{password}".encode()), b"235")

    def send(self, sender: str, recipient: str, mail: bytes) -> None:
        """One mail; returns when it was answered 250. `mail` has no line that begins with a dot."""
        self.command(f"MAIL FROM:<{sender}>".encode(), b"250")
        self.command(f"RCPT TO:<{recipient}>".encode(), b"250")
        self.command(b"DATA", b"354")
        self.command(mail + b".", b"250")

    def command(self, text: bytes, wanted: bytes) -> None:
        self._socket.sendall(text + b"\r\n")
        self._expect(wanted)

    def _expect(self, wanted: bytes) -> None:
        while (line := self.line())[3:4] == b"-":
            continue
        if not line.startswith(wanted):
            raise ConnectionError(f"{wanted.decode()} expected, found {line!r}")


def _require_ok(tag: bytes, line: bytes, text: bytes) -> None:
    if not line.startswith(tag + b" OK"):
        raise ConnectionError(f"{text[:60]!r} was answered {line!r}")
