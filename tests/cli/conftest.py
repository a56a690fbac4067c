"""A data folder for each test, and the command line as a function."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from gateway_folders import Run, copy_template, make_template

from bmgate.cli.main import cli


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_template(tmp_path_factory.mktemp("template") / "data")


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """A prepared data folder without accounts."""
    return copy_template(template, tmp_path / "data").folder.path


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs `bmgate --data FOLDER ...` in this process."""

    def run(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, ["--data", str(folder), *arguments], input=stdin, prog_name="bmgate")

    return run
