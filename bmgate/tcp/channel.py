"""What a session knows of its connection, whatever is spoken on it."""

from typing import Protocol


class HangUp(Exception):
    """The connection ends now; the text, if there is one, is said before where the client can take it for an answer."""


class Channel(Protocol):
    """The connection, as far as commands know it; each door adds how it reads."""

    source: str

    @property
    def is_secure(self) -> bool:
        """Whether TLS is on."""
        ...

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS, or STLS, may be given."""
        ...

    @property
    def has_input(self) -> bool:
        """Whether octets are waiting behind the command that runs."""
        ...

    def write(self, data: bytes) -> None:
        """Keep `data` for the next `drain`."""
        ...

    async def drain(self) -> None:
        """Send what was written; returns when there is room for more. Raises HangUp for a client that does not read."""
        ...

    def abort(self) -> None:
        """End the connection without a word, in the middle of what is being sent."""
        ...
