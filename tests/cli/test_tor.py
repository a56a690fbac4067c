"""`bmgate tor`: what to write into a torrc, and our names from the keys in the data folder."""

import json
from base64 import b64encode
from pathlib import Path

from gateway_folders import Run

from bmgate.bm.hosts import is_onion
from bmgate.bm.node.key_files import keep_key

KEY = "ED25519-V3:" + b64encode(bytes([8]) * 64).decode()


def test_a_torrc_is_printed_for_services_that_are_to_be_in_one(run: Run, folder: Path) -> None:
    refused = run("tor", "torrc")
    assert refused.exit_code == 1
    assert "mail_service to torrc" in refused.output
    settings = folder / "gateway.ini"
    settings.write_text(settings.read_text().replace("# mail_service = off", "mail_service = torrc"))
    printed = run("tor", "torrc")
    assert printed.exit_code == 0, printed.output
    assert "HiddenServicePort 993 127.0.0.1:20993\n" in printed.output
    assert json.loads(run("tor", "torrc", "--json").output) == {"torrc": printed.output}


def test_names_are_told_from_their_keys(run: Run, folder: Path) -> None:
    assert json.loads(run("tor", "names", "--json").output) == {}
    keep_key(folder / "tor" / "mail.key", KEY)
    (name,) = json.loads(run("tor", "names", "--json").output).values()
    assert is_onion(name)
    assert name in run("tor", "names").output.replace("\n", "")
