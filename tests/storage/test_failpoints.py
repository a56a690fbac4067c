"""Every point that the code passes is listed, and a listed one is chosen by name."""

import re
from pathlib import Path

import pytest

import bmgate
from bmgate.errors import ConfigError
from bmgate.storage.failpoints import FAILPOINTS, Failpoints, NoFailpoints, read_failpoint

PASSED = re.compile(r'pass_\((f?)"([^"]+)"\)')


def test_every_point_that_is_passed_is_listed() -> None:
    folder = Path(bmgate.__file__).parent
    passed = {match.groups() for path in folder.rglob("*.py") for match in PASSED.finditer(path.read_text())}
    for formatted, name in passed:
        pattern = re.sub(r"\{[^}]*\}", ".+", name) if formatted else re.escape(name)
        assert any(re.fullmatch(pattern, listed) for listed in FAILPOINTS), name
    assert len(FAILPOINTS) >= 30


@pytest.mark.parametrize("text", ["", "nothing.such", "append.begin:0", "append.begin:x", "append.begin:-1", ":3"])
def test_a_point_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="bmgate failpoints"):
        read_failpoint(text)


def test_the_process_dies_at_the_nth_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    point = read_failpoint("append.begin:2")
    point.pass_("append.begin")
    point.pass_("append.stored")
    assert codes == []
    point.pass_("append.begin")
    assert codes == [137]
    assert isinstance(read_failpoint("append.begin"), Failpoints)


def test_nothing_dies_where_no_point_is_chosen() -> None:
    for name in FAILPOINTS:
        NoFailpoints().pass_(name)
