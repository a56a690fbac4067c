"""A mail's subject and text as they were written, for who must not read anything into them: mail commands (1.4).

What travels is cleaned (5.3) and brought into a normal form; a passphrase or a label means something else then. Where
nobody can say what was written - a charset that does not fit, lines that were joined, markup that is shown otherwise -
the reason is told beside it.
"""

import re
from dataclasses import dataclass

from bmgate.mail.charsets import decode_strictly, decode_text, decode_unlabelled
from bmgate.mail.flowed import unflow
from bmgate.mail.headers import decode_words, raw_field, unfold
from bmgate.mail.html_line import first_line
from bmgate.mail.parse import Part, content_type, parse_mail
from bmgate.mail.selection import Selection, text_of
from bmgate.mail.transfer import decoded_body

PLAIN_ADVICE = "send it as plain text, or put it in quotes in the subject"
_UNDECODED = re.compile(r"=\?[^?\s]+\?[^?\s]\?[^?]*\?=")


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """Both decoded and no more; `text` is that of the first part that has any, with LF line ends.

    `subject_doubt` and `text_doubt` say why the subject, or the first line of the text, may be something else than what
    was written; empty when it is that.
    """

    subject: str
    text: str
    subject_doubt: str = ""
    text_doubt: str = ""


def as_written(raw: bytes) -> Written:
    """Raises what `convert` raises for the same mail."""
    message = parse_mail(raw)
    field = unfold(raw_field(message, "Subject"))
    subject = decode_words(decode_unlabelled(field))
    is_guessed = not _is_utf8(field) or _UNDECODED.search(subject) is not None
    text, doubt = next(map(_text, Selection(message).text_parts), ("", ""))
    return Written(
        subject=subject.strip(" \t\r\n"),
        text=text.replace("\r\n", "\n"),
        subject_doubt="the charset of the subject is unknown or does not fit it; use UTF-8" if is_guessed else "",
        text_doubt=doubt,
    )


def _text(part: Part) -> tuple[str, str]:
    """A text and the doubt about its first line; a flowed line ends where its paragraph does."""
    media = content_type(part)
    data, charset = decoded_body(part), media.parameters.get("charset", "")
    text = decode_text(data, charset)
    doubt = "" if _is_of_charset(data, charset) else "the charset of the text is unknown or does not fit it; use UTF-8"
    if media.value == "text/html":
        shown = text_of(part)
        line = next((line for line in shown.split("\n") if line.strip()), "")
        is_exact = line == first_line(text)
        return shown, doubt or ("" if is_exact else f"the text is HTML that says more than its words; {PLAIN_ADVICE}")
    if media.value.startswith("multipart/"):
        return text, doubt or f"the parts of the mail cannot be told apart; {PLAIN_ADVICE}"
    if media.parameters.get("format", "").lower() == "flowed":
        return unflow(text, media.parameters.get("delsp", "").lower() == "yes"), doubt or _joined(text)
    return text, doubt


def _joined(flowed: str) -> str:
    """The doubt about a line that goes on in the next one, or is quoted: both are written anew (RFC 3676)."""
    line = next((line for line in flowed.replace("\r", "\n").split("\n") if line.strip()), "")
    if not line.endswith(" ") and not line.startswith(">"):
        return ""
    return f"the first line of the text runs on into the next, or is a quote (format=flowed); {PLAIN_ADVICE}"


def _is_utf8(data: bytes) -> bool:
    return _is_of_charset(data, "utf-8")


def _is_of_charset(data: bytes, charset: str) -> bool:
    try:
        decode_strictly(data, charset or "us-ascii")
    except ValueError:
        return False
    return True
