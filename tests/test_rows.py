"""Each abuse case of the P2P list has a test that is named after it, so that what it promises can be looked up."""

import re
from pathlib import Path

ROWS = range(1, 41)
NAMED = re.compile(r"^ *(?:async )?def test_p(\d+)_", re.MULTILINE)


def test_every_p_row_has_a_test_named_after_it() -> None:
    files = Path(__file__).parent.rglob("test_*.py")
    named = {int(row) for file in files for row in NAMED.findall(file.read_text(encoding="utf-8"))}
    assert [row for row in ROWS if row not in named] == []
    assert named <= set(ROWS)
