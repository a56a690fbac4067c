"""Who may run a gateway (E9)."""

import pytest

from bmgate.cli.running import check_user
from bmgate.config import parse_config
from bmgate.errors import ConfigError


def test_a_user_of_its_own_may_do_all(capsys: pytest.CaptureFixture[str]) -> None:
    for settings in ("", "profile = service\n", "user = bmgate\n"):
        check_user(parse_config(f"[gateway]\n{settings}", "gateway.ini"), 1000)
    assert capsys.readouterr().err == ""


def test_root_is_warned_at_home(capsys: pytest.CaptureFixture[str]) -> None:
    check_user(parse_config("", "gateway.ini"), 0)
    assert "running as root" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["profile = service", "user = bmgate"])
def test_root_is_refused_where_the_settings_ask_for_another(setting: str) -> None:
    with pytest.raises(ConfigError, match=setting):
        check_user(parse_config(f"[gateway]\n{setting}\n", "gateway.ini"), 0)
