"""What the whole test run shares: hypothesis profiles, `--nightly`, `--release`, a look at the log and at the skips."""

import inspect
import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", parent=settings.get_profile("default"), max_examples=2_000)
settings.register_profile("release", parent=settings.get_profile("default"), max_examples=20_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="run the long campaigns too, with many more examples")
    parser.addoption("--release", action="store_true", help="what --nightly does, with still more examples")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile(campaign(config))


def campaign(config: pytest.Config) -> str:
    """How thorough this run is: default, nightly or release."""
    return next((name for name in ("release", "nightly") if config.getoption(f"--{name}")), "default")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if campaign(config) != "default":
        return
    for item in items:
        if "nightly" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="a long campaign: --nightly runs it"))


@pytest.fixture(autouse=True)
def no_error_goes_unnoticed(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A test in which an error is logged fails, unless it asks for `caplog` itself and so looks at what was logged."""
    yield
    errors = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    if errors and "caplog" not in inspect.signature(request.function).parameters:
        pytest.fail(f"logged: {errors}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Skips by their reason, most frequent first: what this machine did not check."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.getreports("skipped"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason] = reasons.get(reason, 0) + 1
    if reasons:
        terminalreporter.section("not checked here")
    for reason, count in sorted(reasons.items(), key=lambda entry: -entry[1]):
        terminalreporter.line(f"{count:4} x {reason.removeprefix('Skipped: ')}")
