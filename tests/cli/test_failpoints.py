"""`bmgate failpoints` knows every point that is passed."""

import json
import re
from pathlib import Path

from click.testing import CliRunner

import bmgate
from bmgate.cli.main import cli

PASSED = re.compile(r'pass_\(\s*f?"([^"]+)"')


def listed() -> dict[str, str]:
    points: dict[str, str] = json.loads(CliRunner().invoke(cli, ["failpoints", "--json"]).stdout)
    return points


def test_the_list_and_the_code_agree() -> None:
    sources = Path(bmgate.__file__).parent.rglob("*.py")
    passed = {name for path in sources for name in PASSED.findall(path.read_text(encoding="utf-8"))}
    fixed = {name for name in passed if "{" not in name}
    made = [
        re.compile(re.sub(r"\{[^}]+\}", "[A-Z_]+", re.escape(name).replace(r"\{", "{").replace(r"\}", "}")))
        for name in passed - fixed
    ]
    names = set(listed())
    assert fixed <= names
    assert {name for name in names - fixed if not any(pattern.fullmatch(name) for pattern in made)} == set()


def test_there_are_thirty_at_least() -> None:
    assert len(listed()) >= 30
