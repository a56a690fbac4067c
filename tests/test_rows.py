"""Each abuse case of the P2P, SMTP and IMAP lists has a test named after it: what it promises can be looked up."""

import re
from pathlib import Path

import pytest

ROWS = {"p": range(1, 41), "s": range(1, 19), "i": range(1, 21)}
PLACES = {"i": ("imap/test_*.py", "pop3/test_*.py", "test_logins.py")}  # elsewhere it is a rule for incoming mail


@pytest.mark.parametrize("kind", ROWS)
def test_every_row_has_a_test_named_after_it(kind: str) -> None:
    named_test = re.compile(rf"^ *(?:async )?def test_{kind}(\d+)_", re.MULTILINE)
    here = Path(__file__).parent
    files = [file for place in PLACES.get(kind, ("**/test_*.py",)) for file in here.glob(place)]
    named = {int(row) for file in files for row in named_test.findall(file.read_text(encoding="utf-8"))}
    assert [row for row in ROWS[kind] if row not in named] == []
    assert named <= set(ROWS[kind])
