"""Which parts of a mail travel (O6, O7): its text, its attachments, what is left out and named, what is refused.

Every part that is not text ends up in one of these; nothing is dropped silently but other renderings of the same text.
"""

from functools import cached_property

from bmgate.errors import UnsupportedMedia
from bmgate.mail.charsets import decode_text
from bmgate.mail.filenames import file_name, given_name
from bmgate.mail.flowed import unflow
from bmgate.mail.headers import raw_field
from bmgate.mail.parse import Part, children, content_type, disposition, raw_body
from bmgate.mail.size import check_source
from bmgate.mail.text import normal_body, size_in_words
from bmgate.mail.transfer import decoded_body

MAX_LOGO = 16 * 1024  # bytes
MAX_TAGS = 40_000  # of all HTML parts; laying them out takes about a second
_SIGNATURES = (
    "application/pgp-signature",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/pgp-keys",  # Thunderbird attaches it by itself
)
_REFUSED = {
    "multipart/encrypted": "encrypted mail is not taken: Bitmessage encrypts by itself",
    "application/pkcs7-mime": "S/MIME mail is not taken: Bitmessage encrypts and signs by itself",
    "application/x-pkcs7-mime": "S/MIME mail is not taken: Bitmessage encrypts and signs by itself",
    "application/ms-tnef": "winmail.dat is not taken: switch Outlook from Rich Text to HTML or plain text",
    "application/vnd.ms-tnef": "winmail.dat is not taken: switch Outlook from Rich Text to HTML or plain text",
    "message/partial": "a mail sent in pieces (message/partial) is not taken",
    "message/external-body": "a reference to an external body is not taken",
}
_TEXT = ("text/plain", "text/markdown")


class Selection:
    """Collects from the tree of a mail what becomes of each part; raises UnsupportedMedia for what is refused."""

    def __init__(self, root: Part) -> None:
        self._root = root
        self.texts: list[str] = []  # normal forms, none of them empty
        self.text_parts: list[Part] = []  # those they are of
        self.attachments: list[tuple[Part, str]] = []  # parts and their clean names
        self.logos: list[tuple[Part, str]] = []  # small pictures shown by the HTML: only for readers of files
        self.left_out: list[str] = []  # such as "signature.asc 1 kB"
        self._tags = 0  # tags of HTML seen so far
        self._collect(root)

    @property
    def body(self) -> str:
        """The texts, one empty line between them."""
        first, *others = self.texts or [""]
        return normal_body("\n\n".join([first, *(text.lstrip("\n") for text in others)]))

    def _collect(self, part: Part, in_related: bool = False) -> None:
        """Sort a part and all below it; `in_related`: somewhere above is a multipart/related."""
        media = content_type(part).value
        if media in _REFUSED:
            raise UnsupportedMedia(_REFUSED[media])
        parts = children(part)
        match media:
            case _ if not parts:
                self._collect_leaf(part, media, in_related)
            case "multipart/alternative":
                self._collect_alternative(parts, in_related)
            case "multipart/related":
                self._collect_related(part, parts)
            case _:
                for child in parts:
                    self._collect(child, in_related)

    def _collect_leaf(self, part: Part, media: str, in_related: bool) -> None:
        if is_body_text(part):
            self._tags += decoded_body(part).count(b"<") if media == "text/html" else 0
            if text := text_of(part, quick=self._tags > MAX_TAGS):
                self.texts.append(text)
                self.text_parts.append(part)
                check_source(sum(map(len, self.texts)))
        elif given_name(part).lower() == "winmail.dat":
            raise UnsupportedMedia(_REFUSED["application/ms-tnef"])
        elif media in _SIGNATURES:
            self.left_out.append(f"{self._name(part)} {size_in_words(len(decoded_body(part)))}")
        elif in_related and self._is_logo(part, media):
            self.logos.append((part, self._name(part)))
        else:
            self.attachments.append((part, self._name(part)))

    def _collect_alternative(self, parts: list[Part], in_related: bool) -> None:
        """One rendering of the text; of the others only what is no text (their pictures, an invitation)."""
        chosen = _best(parts)
        for child in parts:
            if child is chosen:
                self._collect(child, in_related)
            else:
                self._collect_files(child, in_related)

    def _collect_related(self, part: Part, parts: list[Part]) -> None:
        start = content_type(part).parameters.get("start", "").strip("<> ")
        root = next((child for child in parts if start and _content_id(child) == start), parts[0])
        self._collect(root, in_related=True)
        for child in parts:
            if child is not root:
                self._collect(child, in_related=True)

    def _collect_files(self, part: Part, in_related: bool) -> None:
        """Sort a rendering that was not chosen."""
        parts = children(part)
        media = content_type(part).value
        in_related = in_related or media == "multipart/related"
        if media in _REFUSED:
            raise UnsupportedMedia(_REFUSED[media])
        for child in parts:
            self._collect_files(child, in_related)
        if not parts and not _is_other_rendering(part, media):
            self._collect_leaf(part, media, in_related)

    def _is_logo(self, part: Part, media: str) -> bool:
        """A small picture that the HTML shows by its Content-ID."""
        if not media.startswith("image/") or len(decoded_body(part)) > MAX_LOGO:
            return False
        return _content_id(part) in self._shown_ids

    @cached_property
    def _shown_ids(self) -> frozenset[str]:
        return _named_in(self._root)

    def _name(self, part: Part) -> str:
        return file_name(part, len(self.attachments) + len(self.logos) + len(self.left_out) + 1)


def is_body_text(part: Part) -> bool:
    """A text to be read in place: neither called an attachment nor given a file name.

    A multipart whose boundary is missing or wrong is one leaf, and read as the text it is.
    """
    media = content_type(part).value
    if media.startswith("multipart/"):
        return not children(part)
    if media not in (*_TEXT, "text/html"):
        return False
    return disposition(part).value != "attachment" and not given_name(part)


def text_of(part: Part, quick: bool = False) -> str:
    """The text of a leaf in the normal form of a body (O8-O10); `quick` takes HTML's tags off and no more.

    Raises UnsupportedMedia for UTF-7 and unknown transfer encodings, TooLarge for far too much.
    """
    media = content_type(part)
    text = decode_text(decoded_body(part), media.parameters.get("charset", ""))
    if media.value == "text/html":
        from bmgate.mail.html import html_to_text  # and lxml: 4 MB, when it is needed

        return html_to_text(text, quick)
    check_source(len(text))
    if media.parameters.get("format", "").lower() == "flowed":
        text = unflow(text, media.parameters.get("delsp", "").lower() == "yes")
    return normal_body(text)


def _best(parts: list[Part]) -> Part:
    """The last text/plain with visible text, else the HTML, else the last part (O6) that has any text in it."""
    for child in reversed(parts):
        if content_type(child).value in _TEXT and is_body_text(child) and text_of(child).strip():
            return child
    for child in reversed(parts):
        if content_type(child).value == "text/html" and is_body_text(child):
            return child
    with_text = (child for child in reversed(parts) if _has_text(child))
    return next(with_text, None) or next((child for child in reversed(parts) if children(child)), parts[-1])


def _has_text(part: Part) -> bool:
    """Whether some text in or below a part is not blank; what it says is not decoded for that."""
    parts = children(part)
    if parts:
        return any(map(_has_text, parts))
    return is_body_text(part) and bool(raw_body(part).strip())


def _is_other_rendering(part: Part, media: str) -> bool:
    """Text beside the chosen one says the same again (HTML, AMP); an invitation or a named file does not."""
    if given_name(part) or disposition(part).value == "attachment":
        return False
    return media.startswith(("text/", "multipart/")) and media != "text/calendar"


def _content_id(part: Part) -> str:
    return raw_field(part, "Content-ID").decode("ascii", "replace").strip().strip("<>")


def _named_in(part: Part) -> frozenset[str]:
    """The Content-IDs named by the HTML in and below a part."""
    parts = children(part)
    if parts:
        return frozenset[str]().union(*map(_named_in, parts))
    if content_type(part).value != "text/html":
        return frozenset()
    from bmgate.mail.html import referenced_ids

    return referenced_ids(decode_text(decoded_body(part), content_type(part).parameters.get("charset", "")))
