"""The text that an account or address puts under what it sends."""

from bmgate.mail.text import normal_body


def with_footer(body: str, footer: str) -> str:
    """The body with `footer` two lines below; once, though an answer may end with it already."""
    text = normal_body(footer).strip("\n")
    if not text or body.rstrip("\n").endswith(text):
        return body
    return f"{body.rstrip(chr(10))}\n\n{text}" if body.strip() else text
