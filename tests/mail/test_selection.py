import pytest

from bmgate.errors import UnsupportedMedia
from bmgate.mail.parse import parse_mail
from bmgate.mail.selection import Selection


def select(kind: str, *parts: str) -> Selection:
    delimited = "".join(f"--b\n{part}\n" for part in parts)
    return Selection(parse_mail(f"Content-Type: multipart/{kind}; boundary=b\n\n{delimited}--b--\n".encode()))


def part(media: str, body: str, *fields: str) -> str:
    return "\n".join([f"Content-Type: {media}", *fields, "", body])


PLAIN, HTML = part("text/plain", "plain"), part("text/html", "<p>html</p>")
BLANK = part("text/plain", " \n")
RELATED = part("multipart/related; boundary=r", f"--r\n{HTML}\n--r--")
PICTURE = part("image/png", "x", "Content-ID: <a>")


@pytest.mark.parametrize(
    ("parts", "body"),
    [
        ([PLAIN, HTML], "plain"),
        ([HTML, PLAIN], "plain"),
        ([PLAIN, part("text/plain", "last"), HTML], "last"),
        ([BLANK, HTML], "html"),
        ([BLANK, RELATED], "html"),
        ([RELATED, BLANK], "html"),
        ([BLANK], ""),
        ([PLAIN, part("text/x-amp-html", "amp")], "plain"),
    ],
)
def test_one_of_the_alternatives_travels(parts: list[str], body: str) -> None:
    selection = select("alternative", *parts)
    assert (selection.body, selection.attachments, selection.left_out) == (body, [], [])


@pytest.mark.parametrize(
    "extra", [part("text/calendar", "x"), part("application/pdf", "x"), part("text/plain; name=a.txt", "x"), PICTURE]
)
def test_what_is_no_other_rendering_is_an_attachment(extra: str) -> None:
    nested = part("multipart/related; boundary=n", f"--n\n{HTML}\n--n\n{extra}\n--n--")
    assert len(select("alternative", PLAIN, nested).attachments) == 1
    assert len(select("alternative", PLAIN, extra, HTML).attachments) == 1


def test_a_rendering_that_has_text_is_taken_before_a_later_one_that_has_none() -> None:
    mixed = part("multipart/mixed; boundary=m", f"--m\n{PLAIN}\n--m--")
    picture_alone = part("multipart/related; boundary=n", f"--n\n{PICTURE}\n--n--")
    for texts in (mixed, part("multipart/mixed", "plain")):
        for other in (picture_alone, part("text/enriched", "x"), part("application/pdf", "x")):
            assert select("alternative", texts, other).body == "plain"


@pytest.mark.parametrize("kind", ["mixed", "signed", "x-unheard-of", "parallel"])
def test_all_texts_of_other_multiparts_are_joined(kind: str) -> None:
    assert select(kind, PLAIN, BLANK, HTML, part("text/plain", "\n\nmore\n\n")).body == "plain\n\nhtml\n\nmore"


def test_a_named_or_attached_text_is_a_file() -> None:
    named, attached = part("text/plain; name=a.txt", "x"), part("text/html", "y", "Content-Disposition: attachment")
    selection = select("mixed", PLAIN, named, attached)
    assert (selection.body, [name for _, name in selection.attachments]) == ("plain", ["a.txt", "attachment-2.html"])


@pytest.mark.parametrize(
    "media",
    [
        "multipart/encrypted",
        "application/pkcs7-mime",
        "application/ms-tnef",
        "message/partial",
        "message/external-body",
        "application/octet-stream; name=WinMail.dat",
        "text/plain; charset=utf-7",
    ],
)
def test_what_cannot_travel_is_refused_wherever_it_stands(media: str) -> None:
    with pytest.raises(UnsupportedMedia):
        select("mixed", PLAIN, part(media, "x"))


def test_a_multipart_without_its_boundary_is_text() -> None:
    assert select("mixed", part("multipart/mixed", "lost")).body == "lost"
