"""The error codes of the API, and a call that ends with one of them (API of PyBitmessage)."""

from enum import IntEnum

from bmgate.errors import GatewayError


class Code(IntEnum):
    """What went wrong, as tools know it."""

    PARAMETER_COUNT = 0
    BLANK_PASSPHRASE = 1
    ADDRESS_VERSION = 2
    STREAM = 3
    NO_ADDRESSES = 4
    TOO_MANY_ADDRESSES = 5
    ENCODING = 6
    ADDRESS = 7
    CHECKSUM = 8
    CHARACTERS = 9
    VERSION_TOO_HIGH = 10
    VERSION_UNUSABLE = 11
    STREAM_UNUSABLE = 12
    NOT_OURS = 13
    DISABLED = 14
    ACK_DATA = 15
    ALREADY_THERE = 16
    LABEL = 17
    CHAN_MISMATCH = 18
    HASH_LENGTH = 19
    NO_METHOD = 20
    UNEXPECTED = 21
    DECODING = 22
    NOT_BOOL = 23
    CHAN_PRESENT = 24
    NOT_A_CHAN = 25
    VARINT = 26
    TOO_LONG = 27


class Fault(GatewayError):
    """A call that is answered with an error; its text may be told."""

    def __init__(self, text: str, code: Code = Code.UNEXPECTED) -> None:
        super().__init__(text)
        self.code = code

    @property
    def line(self) -> str:
        """As the legacy variant says it, instead of a result."""
        return f"API Error {self.code:04d}: {self}"
