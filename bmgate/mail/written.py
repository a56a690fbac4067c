"""A mail's subject and text as they were written, for who must not read anything into them: mail commands (1.4).

What travels is cleaned (5.3) and brought into a normal form; a passphrase or a label means something else then.
"""

from dataclasses import dataclass

from bmgate.mail.charsets import decode_text, decode_unlabelled
from bmgate.mail.flowed import unflow
from bmgate.mail.headers import decode_words, raw_field, unfold
from bmgate.mail.parse import Part, content_type, parse_mail
from bmgate.mail.selection import Selection, text_of
from bmgate.mail.transfer import decoded_body


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """Both decoded and no more; `text` is that of the first part that has any, with LF line ends."""

    subject: str
    text: str


def as_written(raw: bytes) -> Written:
    """Raises what `convert` raises for the same mail."""
    message = parse_mail(raw)
    subject = decode_words(decode_unlabelled(unfold(raw_field(message, "Subject"))))
    text = next(map(_text, Selection(message).text_parts), "")
    return Written(subject.strip(" \t\r\n"), text.replace("\r\n", "\n"))


def _text(part: Part) -> str:
    """HTML has no spaces of its own but those that are shown; a flowed line ends where its paragraph does."""
    media = content_type(part)
    if media.value == "text/html":
        return text_of(part)
    text = decode_text(decoded_body(part), media.parameters.get("charset", ""))
    if media.parameters.get("format", "").lower() == "flowed":
        return unflow(text, media.parameters.get("delsp", "").lower() == "yes")
    return text
