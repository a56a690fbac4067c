import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.mail.filenames import clean_file_name, file_name
from bmgate.mail.parse import parse_mail


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("plan.pdf", "plan.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("..hidden", "hidden"),
        ("in\u202efdp.exe", "infdp.exe"),
        ("U\u0308bersicht.pdf", "Übersicht.pdf"),
        ("a\r\nb.txt", "a b.txt"),
        ("x" * 300 + ".jpeg", "x" * 115 + ".jpeg"),
        ("ä" * 100 + ".txt", "ä" * 58 + ".txt"),
        ("dir/", ""),
        ("...", ""),
    ],
)
def test_file_names_are_made_safe(name: str, clean: str) -> None:
    assert clean_file_name(name) == clean


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ("Content-Disposition: attachment; filename=a.txt", "a.txt"),
        ("Content-Type: text/plain; name=b.txt", "b.txt"),
        ("Content-Type: text/plain; name=b.txt\nContent-Disposition: inline; filename*=utf-8''%C3%BC.txt", "ü.txt"),
        ('Content-Type: image/png; name="=?utf-8?Q?=C3=BC=2Epng?="', "ü.png"),
        ("Content-Type: image/png", "attachment-7.png"),
        ("Content-Type: text/calendar", "attachment-7.ics"),
        ("Content-Type: x/y", "attachment-7"),
        ("Content-Type: message/rfc822\n\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_1/2?=\n", "Grüße 1-2.eml"),
        ("Content-Type: message/rfc822\n\nx", "attachment-7.eml"),
    ],
)
def test_a_part_is_named_by_what_its_sender_wrote(fields: str, name: str) -> None:
    assert file_name(parse_mail(f"{fields}\n\nbody".encode()), 7) == name


@given(st.text(st.characters(), max_size=300))
def test_no_name_leaves_its_folder_or_its_line(name: str) -> None:
    clean = clean_file_name(name)
    assert not set("/\\\n\r\0") & set(clean)
    assert not clean.startswith(".")
    assert len(clean.encode()) <= 120
