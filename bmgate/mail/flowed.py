"""Text wrapped by `format=flowed` (RFC 3676) back into whole paragraphs.

The result is fixed text: a quoted paragraph is one line `>> ...`, as deep as it was quoted.
"""

from bmgate.mail.text import SIGNATURE_DELIMITER


def unflow(text: str, del_sp: bool = False) -> str:
    """Join flowed lines; `del_sp` is the DelSp parameter: the space before a soft break is not part of the text."""
    paragraphs: list[str] = []
    depth, pieces = 0, list[str]()
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line_depth, content = _split_quote(line)
        if pieces and (line_depth != depth or content == SIGNATURE_DELIMITER):
            paragraphs.append(_quoted(depth, "".join(pieces)))
            pieces = []
        depth = line_depth
        if content.endswith(" ") and content != SIGNATURE_DELIMITER:
            pieces.append(content[:-1] if del_sp else content)
            continue
        paragraphs.append(_quoted(depth, "".join([*pieces, content])))
        pieces = []
    if pieces:
        paragraphs.append(_quoted(depth, "".join(pieces)))
    return "\n".join(paragraphs)


def _split_quote(line: str) -> tuple[int, str]:
    """Quote depth and the text behind it, its stuffed space removed."""
    content = line.lstrip(">")
    return len(line) - len(content), content.removeprefix(" ")


def _quoted(depth: int, paragraph: str) -> str:
    if not depth:
        return paragraph
    return f"{'>' * depth} {paragraph}" if paragraph else ">" * depth
