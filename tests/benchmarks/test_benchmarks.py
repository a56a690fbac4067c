"""Each benchmark still runs and tells its figures in the promised form; how large they are is not a test's business."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks").glob("bench_*.py"))
TIMEOUT_SECONDS = 120.0  # for a busy machine


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_benchmark_prints_its_figures_as_json(script: Path) -> None:
    command = [sys.executable, str(script), "--smoke", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert list(report) == ["figures"]
    assert report["figures"]
    for figure in report["figures"]:
        assert list(figure) == ["name", "value", "unit", "compared_to", "ratio"]
        assert math.isfinite(figure["value"])
        assert (figure["ratio"] is None) == (figure["compared_to"] is None)
