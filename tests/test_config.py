"""gateway.ini: what it says, what it refuses, and that the committed file is the one the model writes."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bmgate.config import Config, HostPort, data_folder, load_config, parse_config, render_ini
from bmgate.config.values import parse_domain, parse_duration, parse_host_port, parse_list, parse_size
from bmgate.domain.account import Level
from bmgate.errors import ConfigError

COMMITTED = Path(__file__).parent.parent / "gateway.ini"
DESCRIPTIONS = {
    (name, key): setting.description
    for name, section in Config.model_fields.items()
    if isinstance(section.annotation, type) and issubclass(section.annotation, BaseModel)
    for key, setting in section.annotation.model_fields.items()
}
KEYS = list(DESCRIPTIONS)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "my.ini")
    return str(caught.value)


def test_the_committed_file_is_the_one_the_model_writes() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == render_ini()


def test_the_committed_file_changes_nothing() -> None:
    assert load_config(COMMITTED) == Config()


def test_every_default_may_be_written_out() -> None:
    written = [line.removeprefix("# ") if " = " in line else line for line in render_ini().splitlines()]
    written = [line + " " if line.endswith(" =") else line for line in written]
    assert parse_config("\n".join(line for line in written if not line.startswith("#")), "my.ini") == Config()


def test_every_setting_is_explained() -> None:
    assert len(KEYS) > 100
    for name, key in KEYS:
        assert f"\n# {key} =" in render_ini().split(f"[{name}]")[1].split("\n[")[0]
        assert DESCRIPTIONS[name, key]


def test_the_defaults_that_are_expensive_to_change() -> None:
    config = Config()
    assert config.gateway.domain == "bm.internal"
    assert config.node.listeners == (("0.0.0.0", 8444), ("::", 8444))
    assert config.smtp.submission_limit == 4_194_304
    assert config.imap.append_limit == 100 << 20
    assert (config.accounts.ttl, config.accounts.give_up) == (4 * 86400, 28 * 86400)
    assert config.accounts.notify == ("failure", "delay")
    assert config.pow.max_work == 7200
    assert (config.level, config.quota_bytes) == (Level.L0, None)


def test_a_service_has_stricter_defaults_and_may_override_them() -> None:
    config = parse_config("[gateway]\nprofile = service\n", "my.ini")
    assert (config.level, config.quota_bytes) == (Level.L0, 1 << 30)
    config = parse_config("[gateway]\nprofile = service\n[accounts]\nlevel = L0\nquota = none\n", "my.ini")
    assert (config.level, config.quota_bytes) == (Level.L0, None)


def test_byte_order_mark_and_carriage_returns_are_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "gateway.ini"
    path.write_bytes("\ufeff[gateway]\r\ndomain = Mail.Example.ORG.\r\noperator = é\r\n".encode())
    config = load_config(path)
    assert (config.gateway.domain, config.gateway.operator) == ("mail.example.org", "é")


def test_lists_may_stand_on_several_lines() -> None:
    config = parse_config("[node]\npeers =\n  127.0.0.2:18444,\n  [::1]\n  peer.example\nnetwork = test\n", "my.ini")
    assert config.node.fixed_peers == (("127.0.0.2", 18444), ("::1", 18444), ("peer.example", 18444))


def test_listeners_of_the_node() -> None:
    assert parse_config("[node]\nlisten = off\n", "my.ini").node.listeners == ()
    assert parse_config("[node]\nnetwork = test\n", "my.ini").node.listeners == (("127.0.0.1", 18444),)
    assert parse_config("[node]\nlisten = 10.0.0.1, [::]:9000\n", "my.ini").node.listeners == (
        ("10.0.0.1", 8444),
        ("::", 9000),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gateway]\nprofile = hom\n", "my.ini, line 2: [gateway] profile = hom: hoped for 'home' or 'service'"),
        ("[gateway]\n\ndomian = x.org\n", "my.ini, line 3: [gateway] domian: no such key; did you mean domain?"),
        ("[imapp]\n", "my.ini, line 1: [imapp]: no such section; did you mean imap?"),
        (
            "[pow]\nzzz = 1\n",
            "[pow] zzz: no such key; there are threads, nice, schedule, on_battery, opencl, max_work, max_difficulty",
        ),
        ("[pow]\nschedule = 22-6\n", "[pow] schedule = 22-6: hoped for hours such as 22:00-06:00"),
        ("[pow]\nnice = 1\nnice = 2\n", "my.ini, line 3: [pow] nice is set twice"),
        ("[pow]\nnice = 1\nNICE = 2\n", "my.ini, line 3: [pow] nice is set twice"),
        ("[pow]\n[imap]\n[pow]\n", "my.ini, line 3: section [pow] begins twice"),
        ("nice = 1\n", "my.ini, line 1: 'nice = 1' stands before the first [section]"),
        ("[pow]\nnice\n", "my.ini, line 2: 'nice\\n': hoped for key = value"),
        ("[DEFAULT]\nnice = 1\n", "[DEFAULT]: no such section"),
        ("[pow]\nnice = 20\n", "[pow] nice = 20: hoped for less than or equal to 19"),
        ("[pow]\nthreads = many\n", "[pow] threads = many: hoped for 'auto' or a valid integer"),
        ("[pow]\nmax_work = 2 hours\n", "[pow] max_work = 2 hours: hoped for a duration such as"),
        ("[accounts]\nttl = 29d\n", "[accounts] ttl = 29d: hoped for 1h to 28d"),
        ("[accounts]\nnotify = failure, maybe\n", "[accounts] notify = maybe: hoped for 'success', 'failure', 'delay'"),
        ("[imap]\nappend_limit = 1 MB\n", "[imap] append_limit = 1 MB: hoped for a size such as"),
        ("[imap]\ntls_port = 65536\n", "[imap] tls_port = 65536: hoped for auto, off or a port from 0"),
        ("[imap]\nallow_plaintext = maybe\n", "[imap] allow_plaintext = maybe: hoped for a valid boolean"),
        ("[node]\nlisten = a:b:c\n", "[node] listen = a:b:c: hoped for 'auto' or host or host:port"),
        ("[node]\nonly_peers = on\n", "my.ini, line 1: [node]: only_peers = on needs nodes in peers"),
        ("[storage]\nurl = mysql://x\n", "[storage] url = mysql://x: hoped for 'sqlite'"),
        ("[tls]\nkey = a.pem\n", "[tls]: certificate and key come together, or neither"),
        ("[web]\nlisten = 0.0.0.0\nplain_port = 80\n", "my.ini: [web] listens on 0.0.0.0 without TLS"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_was_hoped_for(text: str, said: str) -> None:
    assert said in refusal(text)


def test_all_mistakes_are_told_at_once() -> None:
    said = refusal("[pow]\nnice = x\n[imap]\nports = 1\n").splitlines()
    assert len(said) == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "gateway.ini")
    (tmp_path / "latin.ini").write_bytes(b"[gateway]\noperator = \xe9\n")
    with pytest.raises(ConfigError, match="byte 21 is not UTF-8"):
        load_config(tmp_path / "latin.ini")


def test_plain_http_needs_a_word_from_the_operator() -> None:
    config = parse_config("[web]\nlisten = ::\nplain_port = 80\nallow_plaintext = yes\n", "my.ini")
    assert config.web.plain_port == 80
    assert parse_config("[web]\nlisten = 127.0.0.5, ::1\nplain_port = 80\n", "my.ini").web.listen == (
        "127.0.0.5",
        "::1",
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("peer.example", ("peer.example", None)),
        ("Peer:1", ("peer", 1)),
        ("::1", ("::1", None)),
        ("[::1]:5", ("::1", 5)),
    ],
)
def test_hosts_and_ports(text: str, value: tuple[str, int | None]) -> None:
    assert parse_host_port(text) == HostPort(*value)
    assert parse_host_port(str(parse_host_port(text))) == HostPort(*value)


@pytest.mark.parametrize("text", ["", "a b", "-a", "a..b", "[::1", "x:70000", "x:", "a_b"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hoped for"):
        parse_host_port(text)


@pytest.mark.parametrize("text", ["", "a@b", "127.0.0.1", "münchen.example", "a/b", "x." * 130])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hoped for a domain"):
        parse_domain(text)


def test_durations_sizes_and_lists() -> None:
    assert [parse_duration(text) for text in ("0s", "90", "10M", "12h", "4d", "2 w")] == [
        0,
        90,
        600,
        43200,
        345600,
        1209600,
    ]
    assert [parse_size(text) for text in ("4194304", "500KiB", "4 mib", "2 GiB")] == [4194304, 512000, 4194304, 2 << 30]
    assert parse_list(" a, b\n c ,, ") == ("a", "b", "c")


def fault_of(text: str) -> str:
    """What is wrong with `text`, "" when nothing is; any other exception fails the test."""
    try:
        parse_config(text, "my.ini")
    except ConfigError as error:
        return str(error)
    return ""


@given(st.text())
def test_any_text_is_a_config_or_an_error_of_ours(text: str) -> None:
    fault = fault_of(text)
    assert not fault or "my.ini" in fault


@given(st.sampled_from(KEYS), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r")))
def test_any_value_is_a_config_or_an_error_that_names_its_section(place: tuple[str, str], value: str) -> None:
    section, key = place
    fault = fault_of(f"[{section}]\n{key} = {value}\n")
    assert not fault or section in fault


def test_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"BMGATE_DATA": "/a", "XDG_DATA_HOME": "/x", "HOME": "/h"}
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert data_folder(Path("/o"), environ) == Path("/o")
    assert data_folder(None, environ) == Path("/a")
    assert data_folder(None, {**environ, "BMGATE_DATA": ""}) == Path("/x/bmgate")
    assert data_folder(None, {"HOME": "/h", "XDG_DATA_HOME": "relative"}) == Path("/h/.local/share/bmgate")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert data_folder(None, {"HOME": "/root", "XDG_DATA_HOME": "/x"}) == Path("/var/lib/bmgate")


# --- Tor and I2P ---

ONION = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
HIDDEN = [
    ("socks = 127.0.0.1:9050", {"clearnet", "onion"}, ()),
    ("sam = 127.0.0.1:7656", {"i2p"}, ()),
    ("socks = 127.0.0.1:9050\nsam = [::1]:7656", {"clearnet", "onion", "i2p"}, ()),
    ("socks = 127.0.0.1:9050\nreach = onion", {"onion"}, ()),
    ("socks = 127.0.0.1:9050\nlisten = 127.0.0.1:8444", {"clearnet", "onion"}, (("127.0.0.1", 8444),)),
]


@pytest.mark.parametrize(("lines", "reached", "listeners"), HIDDEN)
def test_v18_behind_a_proxy_the_node_listens_on_loopback_at_most(
    lines: str, reached: set[str], listeners: tuple[tuple[str, int], ...]
) -> None:
    node = parse_config(f"[node]\n{lines}\n", "g.ini").node
    assert (node.is_hidden, set(map(str, node.reached)), node.listeners) == (True, reached, listeners)


def test_v19_clearnet_and_hidden_identity_together_are_a_choice_of_their_own() -> None:
    node = parse_config("[node]\nsocks = 127.0.0.1:9050\nmixed = on\n", "g.ini").node
    assert not node.is_hidden
    assert node.listeners == (("0.0.0.0", 8444), ("::", 8444))
    assert node.reached == {"clearnet", "onion"}


REFUSED_MIXTURES = [
    ("[node]\nsocks = 127.0.0.1:9050\nlisten = 0.0.0.0", "listen: 0.0.0.0 shows where this node is"),
    ("[node]\nsam = 127.0.0.1:7656\nlisten = 127.0.0.1, 192.0.2.1", "listen: 192.0.2.1 shows where this node is"),
    ("[tor]\ncontrol = 127.0.0.1:9051\nnode_service = control", "onion name and by its address at once"),
    ("[tor]\nnode_service = torrc", "onion name and by its address at once"),
    ("[tor]\nnode_service = control", "needs control = host:port"),
    ("[tor]\nhost = 0.0.0.0", "a loopback address"),
    ("[tor]\nnode_name = bmgate.onion", "56 letters"),
    ("[node]\nsocks = tor.example:9050", "an IP address and a port"),
    ("[node]\nsocks = 127.0.0.1", "an IP address and a port"),
    ("[node]\nreach = onion", "reach: onion can be reached with socks only"),
    ("[node]\nsam = 127.0.0.1:7656\nreach = clearnet", "reach: clearnet can be reached with socks, or mixed = on only"),
    ("[node]\nreach =", "clearnet, onion, i2p or several"),
    (f"[node]\npeers = {ONION}", "is in onion, which needs socks"),
    ("[node]\npeers = zzz.b32.i2p", "is in i2p, which needs sam"),
    (f"[node]\nsocks = 127.0.0.1:9050\npeers = a{ONION[1:]}", "is misspelt"),
    (f"[node]\nsocks = 127.0.0.1:9050\nreach = clearnet\npeers = {ONION}", "and to be in reach"),
]


@pytest.mark.parametrize(("text", "told"), REFUSED_MIXTURES)
def test_v19_what_would_show_a_hidden_node_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        parse_config(text + "\n", "g.ini")
