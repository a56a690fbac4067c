"""`bmgate inspect` on what people have: digits, files, pipes, addresses."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bmgate.bm.addresses import parse_address
from bmgate.bm.commands import Ping, encode_command
from bmgate.bm.keys import deterministic_keys, encode_wif
from bmgate.bm.network import TESTNET
from bmgate.bm.objects import ObjectType, encode_object
from bmgate.bm.plaintext import Pubkey, build_pubkey
from bmgate.cli.main import cli

PACKET = encode_command(Ping(), TESTNET.magic)
ADDRESS = "BM-2cUsSYDv4n7b5H7qC2V21jQdLLqmYAZ8LR"


def inspect(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["inspect", *map(str, arguments)], input=stdin)


def test_hexadecimal_digits_are_a_packet() -> None:
    result = inspect(PACKET.hex(), "--json")
    assert json.loads(result.stdout)["packet 1"]["command"] == "ping"


def test_files_and_pipes_hold_bytes_or_digits(tmp_path: Path) -> None:
    expected = inspect(PACKET.hex()).stdout
    for name, data in (("bytes", PACKET), ("digits", PACKET.hex().encode() + b"\n")):
        (tmp_path / name).write_bytes(data)
        assert inspect(tmp_path / name).stdout == expected
        assert inspect("-", stdin=data).stdout == expected


def test_an_address_is_taken_apart() -> None:
    result = inspect(ADDRESS)
    assert result.exit_code == 0
    assert parse_address(ADDRESS).ripe.hex() in result.stdout


@pytest.mark.parametrize("notation", ["wif", "hex"])
def test_a_key_file_opens_what_is_sealed(tmp_path: Path, notation: str) -> None:
    keys = next(deterministic_keys(b"a passphrase"))
    pubkey = Pubkey(4, 1, 1, keys.public, 1000, 1000)
    encoded = build_pubkey(pubkey, keys, 2_000_000_000, lambda size: b"\x07" * size)
    key = pubkey.address.derived_key
    key_file = tmp_path / "keys"
    key_file.write_text(f"# keys\n\n{encode_wif(key) if notation == 'wif' else key.hex()}\n", encoding="utf-8")
    assert str(pubkey.address) in inspect(encoded.hex(), "--key-file", key_file).stdout
    assert str(pubkey.address) not in inspect(encoded.hex()).stdout


def test_a_bad_key_is_named_by_its_line_and_not_repeated(tmp_path: Path) -> None:
    key_file = tmp_path / "keys"
    key_file.write_text("\nsecret\n", encoding="utf-8")
    result = inspect(ADDRESS, "--key-file", key_file)
    assert result.exit_code == 2
    assert f"{key_file}, line 2" in result.stderr
    assert "secret" not in result.output


@pytest.mark.parametrize("what", ["nonsense", "BM-1", "", "zz" * 300, "../" * 200])
def test_what_is_nothing_of_ours_is_refused(what: str) -> None:
    result = inspect("--", what)
    assert result.exit_code == 1
    assert result.stderr.startswith("bmgate: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_strangers_text_cannot_move_the_cursor() -> None:
    encoded = encode_object(2_000_000_000, ObjectType.PUBKEY, 99, 1, b"\x1b[2J" * 40)
    result = inspect("-", stdin=encoded)
    assert "\x1b" not in result.output


def test_no_data_folder_is_needed(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["--data", str(tmp_path / "none"), "inspect", ADDRESS])
    assert result.exit_code == 0
    assert not (tmp_path / "none").exists()


def test_a_path_without_a_file_is_no_bad_address(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        result = inspect(path)
        assert result.exit_code == 1
        assert f"{path}: no such file" in result.stderr
