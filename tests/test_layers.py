"""The layers hold: import-linter's contracts in pyproject.toml, and no folder that they forget."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_imports_point_up_the_layers() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_every_folder_is_named_by_a_contract() -> None:
    named = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = str(tomllib.loads(named)["tool"]["importlinter"]["contracts"])
    children = [path for path in (ROOT / "bmgate").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    forgotten = [path.stem for path in children if f"bmgate.{path.stem}" not in contracts and path.stem != "__init__"]
    assert not forgotten, "name them in the contracts of pyproject.toml"


def test_no_folder_of_modules_is_invisible_to_the_linter() -> None:
    folders = {path.parent for path in (ROOT / "bmgate").rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]
