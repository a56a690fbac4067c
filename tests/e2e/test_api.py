"""Scripts that were written for PyBitmessage, against gateways that run: legacy, plain XML-RPC and JSON-RPC."""

import base64
import json
import os
import time
import urllib.request
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gateways import CHANGES, PASSWORD, MailUser, plain_mail, two_users, wait_for

from bmgate.bm.encodings import SIMPLE, encode_message
from bmgate.bm.keys import deterministic_keys
from bmgate.bm.plaintext import Pubkey, build_msg
from bmgate.localnet import GatewayProcess, free_hosts, prepare_folder

CHAN = "a chan for scripts"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def unb64(text: str) -> str:
    return base64.b64decode(text).decode()


def url_of(gateway: GatewayProcess, credentials: str = "") -> str:
    host, port = gateway.listener("api")
    return f"http://{credentials}{host}:{port}/"


def proxy_of(gateway: GatewayProcess, name: str) -> xmlrpc.client.ServerProxy:
    return xmlrpc.client.ServerProxy(url_of(gateway, f"{name}:{PASSWORD.replace(' ', '%20')}@"))


def inbox_of(api: xmlrpc.client.ServerProxy) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = json.loads(str(api.getAllInboxMessages()))["inboxMessages"]
    return messages


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MailUser, MailUser]]:
    with two_users(tmp_path_factory.mktemp("api"), {("api", "port"): "0"}) as users:
        yield users


def test_a_message_goes_out_by_one_script_and_comes_in_by_another(users: tuple[MailUser, MailUser]) -> None:
    alice, bob = users
    with proxy_of(alice.gateway, "alice") as sender, proxy_of(bob.gateway, "bob") as receiver:
        sent = sender.sendMessage(bob.login.address, alice.login.address, b64("Grüße"), b64("by a\nscript"), 2, 3600)
        assert isinstance(sent, str)
        wait_for(lambda: sender.getStatus(sent), lambda status: status == "ackreceived", "the ack")
        (message,) = [each for each in inbox_of(receiver) if unb64(each["subject"]) == "Grüße"]
        assert unb64(message["message"]) == "by a\nscript"
        assert (message["fromAddress"], message["toAddress"]) == (alice.login.address, bob.login.address)
        assert json.loads(str(sender.getSentMessageByAckData(sent)))["sentMessage"][0]["status"] == "ackreceived"
        assert json.loads(str(sender.clientStatus()))["networkConnections"] >= 1
        assert (
            json.loads(str(sender.listConnections()))["outbound"]
            or json.loads(str(sender.listConnections()))["inbound"]
        )


def test_a_broadcast_reaches_a_script_that_subscribed(users: tuple[MailUser, MailUser]) -> None:
    alice, bob = users
    with proxy_of(alice.gateway, "alice") as sender, proxy_of(bob.gateway, "bob") as receiver:
        assert receiver.addSubscription(alice.login.address, b64("News")) == "Added subscription."
        sent = sender.sendBroadcast(alice.login.address, b64("Today"), b64("hear"), 2, 3600)
        wait_for(lambda: sender.getStatus(sent), lambda status: status == "broadcastsent", "the broadcast")
        found = wait_for(
            lambda: [each for each in inbox_of(receiver) if each["toAddress"] == "[Broadcast subscribers]"],
            lambda messages: len(messages) == 1,
            "the broadcast",
        )
        assert (unb64(found[0]["message"]), found[0]["fromAddress"]) == ("hear", alice.login.address)


def test_a_finished_object_is_published_to_a_chan(users: tuple[MailUser, MailUser]) -> None:
    alice, bob = users
    keys = next(deterministic_keys(CHAN.encode()))
    with proxy_of(alice.gateway, "alice") as sender, proxy_of(bob.gateway, "bob") as receiver:
        address = str(receiver.createChan(b64(CHAN)))
        chan = Pubkey(4, 1, 0, keys.public, 1, 1000)
        blank = build_msg(
            chan, keys, chan, SIMPLE, encode_message("made", "elsewhere"), b"", int(time.time()) + 3600, os.urandom
        )
        assert len(bytes.fromhex(str(sender.disseminatePreparedObject(blank.hex(), 1, 1000)))) == 32
        found = wait_for(
            lambda: [each for each in inbox_of(receiver) if each["toAddress"] == address],
            lambda messages: len(messages) == 1,
            "the post",
        )
        assert (unb64(found[0]["message"]), found[0]["fromAddress"]) == ("elsewhere", address)


def test_mail_and_scripts_are_one_account(users: tuple[MailUser, MailUser]) -> None:
    alice, bob = users
    alice.send(plain_mail(alice, bob, "From a mail program", "text"), bob)
    with proxy_of(bob.gateway, "bob") as receiver:
        found = wait_for(
            lambda: [each for each in inbox_of(receiver) if unb64(each["subject"]) == "From a mail program"],
            lambda messages: len(messages) == 1,
            "the mail",
        )
        assert receiver.trashMessage(found[0]["msgid"])
    assert any("From a mail program" in str(mail["Subject"]) for mail in bob.mails("Trash"))


@contextmanager
def one_gateway(folder: Path, variant: str) -> Iterator[tuple[GatewayProcess, str]]:
    """With an account, anna, and her address."""
    (host,) = free_hosts(1)
    changes = {**CHANGES, ("api", "port"): "0", ("api", "listen"): host, ("api", "variant"): variant}
    prepare_folder(folder, host, changes, int(time.time()))
    with GatewayProcess(folder) as gateway:
        gateway.start()
        yield gateway, gateway.add_account("anna", PASSWORD).address
        began = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - began < 5
        assert "Traceback" not in gateway.log


def test_plain_xml_rpc_is_spoken(tmp_path: Path) -> None:
    with one_gateway(tmp_path / "a", "xml") as (gateway, address), proxy_of(gateway, "anna") as api:
        listed: Any = api.listAddresses()
        assert listed["addresses"][0]["address"] == address
        with pytest.raises(xmlrpc.client.Fault, match="Checksum"):
            api.deleteAddress(address[:-1] + ("x" if address[-1] != "x" else "y"))
        with pytest.raises(xmlrpc.client.ProtocolError, match="401"), proxy_of(gateway, "bertha") as stranger:
            stranger.listAddresses()


def test_json_rpc_is_spoken(tmp_path: Path) -> None:
    with one_gateway(tmp_path / "a", "json") as (gateway, address):
        call = {"jsonrpc": "2.0", "method": "listAddresses", "params": [], "id": 1}
        request = urllib.request.Request(url_of(gateway), json.dumps(call).encode())
        request.add_header("Authorization", "Basic " + b64(f"anna:{PASSWORD}"))
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["result"]["addresses"][0]["address"] == address


def test_it_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    (host,) = free_hosts(1)
    prepare_folder(tmp_path / "a", host, CHANGES, int(time.time()))
    with GatewayProcess(tmp_path / "a") as gateway:
        gateway.start()
        assert "api" not in [listener["name"] for listener in gateway.status()["listening"]]
        maps = Path(f"/proc/{gateway.pid}/maps").read_text(encoding="utf-8", errors="replace")
        assert "pyexpat" not in maps, "its libraries are not loaded"
