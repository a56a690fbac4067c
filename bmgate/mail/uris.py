"""`bitmessage:` URIs, as QR codes and links carry addresses: `bitmessage:BM-...?label=Anna%20B.`

They follow Bitcoin's BIP 21: parameters that are not known are passed over, but for those that begin with `req-`.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from bmgate.bm.addresses import Address, parse_address
from bmgate.errors import BadAddress
from bmgate.mail.text import clean_line

SCHEME = "bitmessage:"
MAX_URI = 2_000  # characters
MAX_LABEL = 64  # characters


@dataclass(frozen=True, slots=True)
class AddressUri:
    """An address with what its owner calls it; the label is only a proposal."""

    address: Address
    label: str = ""

    def __str__(self) -> str:
        return write_uri(self.address, self.label)


def write_uri(address: Address, label: str = "") -> str:
    """ASCII; the label percent-encoded as UTF-8."""
    return f"{SCHEME}{address}" + (f"?label={quote(label, safe='')}" if label else "")


def is_uri(text: str) -> bool:
    """Whether a text claims to be one."""
    return text.strip()[: len(SCHEME)].lower() == SCHEME


def split_uri(text: str) -> tuple[str, str]:
    """What may be a URI, as the text of its address and the label it proposes; any other text as it is.

    Raises as `read_uri`.
    """
    if not is_uri(text):
        return text, ""
    link = read_uri(text)
    return str(link.address), link.label


def read_uri(text: str) -> AddressUri:
    """Raises BadAddress for what is none, or asks for what we do not know."""
    if not is_uri(text) or len(text) > MAX_URI:
        raise BadAddress("invalidcharacters", f"no URI of an address; it begins with {SCHEME}BM-")
    rest, _, query = text.strip()[len(SCHEME) :].partition("#")[0].partition("?")
    fields = dict(parse_qsl(query, max_num_fields=50)) if query.count("&") < 50 else {}
    if demanded := next((name for name in fields if name.lower().startswith("req-")), None):
        raise BadAddress("invalidcharacters", f"the URI demands {clean_line(demanded)[:40]}, which is not known here")
    return AddressUri(
        parse_address(rest.removeprefix("//").rstrip("/")), clean_line(fields.get("label", ""))[:MAX_LABEL]
    )
