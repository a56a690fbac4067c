"""`bmgate bench backends`, and where else the kernels in use are told."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from gateway_folders import Run

from bmgate.cli.main import cli
from bmgate.native import KERNELS, choose_backend, load_extension


@pytest.fixture(autouse=True)
def hardly_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.cli.bench.MEASURE_SECONDS", 0.0001)


def bench_json() -> dict[str, Any]:
    result = CliRunner().invoke(cli, ["bench", "backends", "--json"], catch_exceptions=False)
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_every_kernel_is_measured_or_says_why_not() -> None:
    answer = bench_json()
    rows = {(row["work"], row["kernel"]): row for row in answer["kernels"]}
    assert list(rows) == [
        *((kernel.work, kernel.name) for kernel in KERNELS if kernel.work == "pow"),
        ("pow", "hashlib"),
        *((kernel.work, kernel.name) for kernel in KERNELS if kernel.work == "trial"),
        ("trial", "coincurve"),
    ]
    for row in rows.values():
        assert (row["per_second"] is None) is (row["state"] == "unusable")
        assert row["per_second"] is not None or row["why_not"]
    backend = choose_backend()
    in_use = {row["kernel"] for row in answer["kernels"] if row["state"] == "in use"}
    assert in_use == {backend.name, backend.trial}
    assert answer["report"] == backend.report()


def test_a_cap_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMGATE_BACKEND", "hashlib")
    answer = bench_json()
    states = {row["kernel"]: (row["state"], row["why_not"]) for row in answer["kernels"]}
    assert states["hashlib"] == states["coincurve"] == ("in use", "")
    assert answer["lacking"] == "hashlib was asked for"
    if load_extension()[0] is not None:
        assert states["scalar"] == ("available", "hashlib was asked for")


def test_without_the_extension_that_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bmgate.native.load_extension", lambda: (None, "it was not built"))
    rows = bench_json()["kernels"]
    assert {row["why_not"] for row in rows if row["state"] == "unusable"} == {"it was not built"}
    assert {row["kernel"] for row in rows if row["state"] == "in use"} == {"hashlib", "coincurve"}


def test_people_get_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMGATE_BACKEND", "scalar")
    text = CliRunner().invoke(cli, ["bench", "backends"], catch_exceptions=False).stdout
    assert text.startswith("pow=")
    assert "scalar was asked for" in text or "not built" in text
    assert "trials/s" in text
    assert "keys/s" in text


def test_status_and_check_tell_the_kernels(run: Run) -> None:
    report = choose_backend().report()
    assert report in run("status").stdout
    assert report in run("check").stdout
