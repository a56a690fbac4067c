"""What marks mails in an mbox: our own marks are believed, a mail's own fields of those names come back untouched."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moving_fixtures import mbox_of

from bmgate.domain.mailbox import Flags
from bmgate.domain.moving import MovedMail
from bmgate.foreign.mbox import read_mbox

NAMES = st.sampled_from(
    ["Status", "X-Status", "x-keywords", "X-Mozilla-Status", "X-UID", "X-Bmgate-Own-Status", "X-Bmgate-Begins", "To"]
)
LINES = st.builds("{}: {}".format, NAMES, st.sampled_from(["RO", "0008", "DA", "x"])) | st.sampled_from(
    [" folded", "\tfolded", "From here", ">From", "\r", "", " "]
)
GONE = """From - Sat Nov 21 20:16:00 2026
X-Mozilla-Status: 0008
X-Mozilla-Keys: one
 two
Subject: gone

From - Sat Nov 21 20:17:00 2026
X-Mozilla-Status: 0001
X-Mozilla-Keys: one
 two
Subject: here

text
"""


@given(st.lists(LINES, max_size=8), st.sampled_from([Flags.NONE, Flags.SEEN | Flags.FLAGGED]))
def test_a_mails_own_marks_survive_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], flags: Flags
) -> None:
    raw = "".join(f"{line}\r\n" for line in [*lines, "", "X-Mozilla-Status: 0008", "text"]).encode()
    mail = MovedMail("INBOX", raw, flags, ("$Label1",), 5)
    path = tmp_path_factory.mktemp("mbox") / "box"
    path.write_bytes(mbox_of(mail, mail))
    assert list(read_mbox(path, "INBOX")) == [mail, mail]


def test_mails_that_another_program_removed_are_counted(tmp_path: Path) -> None:
    (tmp_path / "box").write_text(GONE)
    left = Counter[str]()
    (mail,) = read_mbox(tmp_path / "box", "INBOX", lambda: left.update(["left"]))
    assert left["left"] == 1
    assert (mail.raw, mail.flags, mail.keywords) == (b"Subject: here\r\n\r\ntext\r\n", Flags.SEEN, ("one", "two"))
