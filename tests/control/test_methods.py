"""The method table over the real services of a gateway that serves nobody."""

import json
from pathlib import Path
from typing import Any

import pytest
from gateway_folders import PASSWORD

from bmgate.app import Gateway
from bmgate.bm.addresses import parse_address
from bmgate.cli.composition import methods_of
from bmgate.control.methods import Methods
from bmgate.control.protocol import untold
from bmgate.errors import (
    Ambiguous,
    BadAddress,
    BadOption,
    BadTtl,
    Conflict,
    GatewayError,
    LoginFailed,
    Missing,
    NotAllowed,
    ProtocolError,
    Unavailable,
)
from bmgate.mail.addresses import RecipientKind, Resolved
from bmgate.services.outbound.submission import Envelope, Recipient
from bmgate.services.status import LoopLag

STRANGER = "BM-2cUsSYDv4n7b5H7qC2V21jQdLLqmYAZ8LR"
MAIL = b"From: anna@bm.internal\r\nSubject: hello\r\n\r\nText\r\n"


class Caller:
    """Calls methods and checks that every result is JSON."""

    def __init__(self, methods: Methods) -> None:
        self.methods = methods

    async def __call__(self, method: str, **params: Any) -> Any:
        return json.loads(json.dumps(await self.methods.call(method, params, untold)))


@pytest.fixture
def call(gateway: Gateway) -> Caller:
    return Caller(methods_of(gateway, LoopLag(gateway.clock), serving=False))


async def submit(gateway: Gateway, name: str) -> str:
    """A mail to a stranger; its queue id."""
    account = await gateway.accounts.named(name)
    resolved = Resolved(RecipientKind.ADDRESS, parse_address(STRANGER), ttl_seconds=3600)  # cheap without a solver
    envelope = Envelope(account.id, f"{name}@bm.internal", (Recipient(resolved),))
    return (await gateway.submissions.submit(envelope, MAIL)).queue_id


async def test_an_account_comes_with_its_address_where_that_is_asked_for(call: Caller) -> None:
    made = await call("account.add", name="Anna", password=PASSWORD, address=True)
    assert made["name"] == "anna"
    assert made["login"] == "anna@bm.internal"
    assert made["address"]["mail"] == ["anna@bm.internal", f"{made['address']['address']}@bm.internal"]
    assert made["address"]["uri"] == f"bitmessage:{made['address']['address']}"
    assert made["address"]["default"] is True
    assert (await call("account.add", name="bob", password=PASSWORD))["address"] is None


async def test_accounts_are_listed_by_name(call: Caller) -> None:
    assert await call("account.list") == []
    for name in ("carol", "anna"):
        await call("account.add", name=name, password=PASSWORD)
    listed = await call("account.list")
    assert [each["name"] for each in listed] == ["anna", "carol"]
    assert listed[0] == {"name": "anna", "state": "active", "level": "L0", "quota_bytes": None}


async def test_no_result_holds_a_password(call: Caller) -> None:
    made = await call("account.add", name="anna", password=PASSWORD, address=True)
    assert PASSWORD not in json.dumps(made)
    assert PASSWORD not in json.dumps(await call("account.list"))


async def test_options_of_an_account_are_set_shown_and_taken_back(call: Caller) -> None:
    await call("account.add", name="anna", password=PASSWORD)
    names = [each["name"] for each in (await call("account.show"))["options"]]
    assert "reads" not in names
    for value, shown, is_set in (("", "refuse", False), ("omit", "omit", True), ("", "refuse", False)):
        told = await call("account.set", name="anna", option="attachments", value=value)
        assert {"name": "attachments", "value": shown, "is_set": is_set} in told["options"]


async def test_a_new_password_replaces_the_old_one(gateway: Gateway, call: Caller) -> None:
    await call("account.add", name="anna", password=PASSWORD)
    await call("account.passwd", name="anna", password="another long one")
    assert await gateway.accounts.login("anna", "another long one", "127.0.0.1")
    with pytest.raises(LoginFailed):
        await gateway.accounts.login("anna", PASSWORD, "127.0.0.1")


async def test_a_disabled_account_is_let_in_again_when_enabled(gateway: Gateway, call: Caller) -> None:
    await call("account.add", name="anna", password=PASSWORD)
    assert (await call("account.disable", name="anna"))["state"] == "disabled"
    with pytest.raises(LoginFailed):
        await gateway.accounts.login("anna", PASSWORD, "127.0.0.1")
    assert (await call("account.enable", name="anna"))["state"] == "active"
    assert await gateway.accounts.login("anna", PASSWORD, "127.0.0.1")


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("account.add", {"name": "a b", "password": PASSWORD}, NotAllowed),
        ("account.add", {"name": "bob", "password": "short"}, NotAllowed),
        ("account.add", {"name": "anna", "password": PASSWORD}, Conflict),
        ("account.disable", {"name": "nobody"}, Missing),
        ("account.passwd", {"name": "nobody", "password": PASSWORD}, Missing),
        ("account.set", {"name": "anna", "option": "colour", "value": "red"}, BadOption),
        ("account.set", {"name": "anna", "option": "ttl", "value": "soon"}, BadOption),
        ("account.show", {"name": "nobody"}, Missing),
        ("address.new", {"account": "nobody"}, Missing),
        ("address.new", {"version": 5}, NotAllowed),
        ("address.new", {"alias": "anna"}, Conflict),
        ("address.show", {"address": "BM-nonsense"}, BadAddress),
        ("address.show", {"address": STRANGER}, Missing),
        ("queue.show", {"id": "7KQ2AB"}, Missing),
        ("queue.cancel", {"id": "7KQ2AB-1"}, Missing),
        ("queue.retry", {"id": ""}, Missing),
        ("queue.ttl", {"id": "7KQ2AB", "ttl": "2d"}, Missing),
        ("queue.ttl", {"id": "7KQ2AB", "ttl": "soon"}, BadTtl),
        ("queue.ttl", {"id": "7KQ2AB", "ttl": "400d"}, BadTtl),
        ("queue.force", {"id": "7KQ2AB-1"}, Missing),
        ("queue.priority", {"id": "7KQ2AB", "priority": "high"}, Missing),
        ("queue.priority", {"id": "7KQ2AB", "priority": "urgent"}, NotAllowed),
        ("queue.watch", {}, Unavailable),
        ("peers.list", {}, Unavailable),
        ("peers.add", {"peer": "127.0.0.9"}, Unavailable),
        ("peers.known", {}, Unavailable),
        ("peers.banned", {}, Unavailable),
        ("peers.ban", {"host": "127.0.0.9"}, Unavailable),
        ("peers.unban", {"host": "127.0.0.9"}, Unavailable),
        ("peers.watch", {}, Unavailable),
    ],
)
async def test_what_cannot_be_done_is_refused(
    call: Caller, method: str, params: dict[str, Any], error: type[GatewayError]
) -> None:
    await call("account.add", name="anna", password=PASSWORD, address=True)
    with pytest.raises(error):
        await call(method, **params)


@pytest.mark.parametrize(
    ("method", "params", "text"),
    [
        ("account.frobnicate", {}, "no method account.frobnicate; there are .*account.add"),
        ("__init__", {}, "no method"),
        ("account.list", {"all": True}, "takes no all; it takes deleted"),
        ("account.add", {"name": "anna"}, "needs password"),
        ("account.add", {"name": 1, "password": PASSWORD}, "name is a int, hoped for str"),
        ("account.add", {"name": "anna", "password": None}, "password is a NoneType"),
        ("address.new", {"version": True}, "version is a bool, hoped for int"),
        ("address.new", {"version": 4.0}, "version is a float"),
        ("address.new", {"number": True}, "number is a bool, hoped for int"),
        ("queue.show", {"ID": "7KQ2AB"}, "takes no ID; it takes account, id"),
    ],
)
async def test_a_call_that_cannot_be_meant_is_explained(
    call: Caller, method: str, params: dict[str, Any], text: str
) -> None:
    with pytest.raises(ProtocolError, match=text):
        await call(method, **params)


async def test_the_account_is_the_only_one_or_must_be_named(call: Caller) -> None:
    with pytest.raises(Missing, match="no account yet"):
        await call("address.list")
    await call("account.add", name="anna", password=PASSWORD, address=True)
    assert len(await call("address.list")) == 1
    await call("account.add", name="bob", password=PASSWORD)
    with pytest.raises(Ambiguous, match="anna, bob"):
        await call("address.list")
    assert await call("address.list", account="bob") == []
    with pytest.raises(Missing, match="no address yet"):
        await call("address.show", account="bob")


async def test_an_address_is_shown_by_each_of_its_names(call: Caller) -> None:
    await call("account.add", name="anna", password=PASSWORD, address=True)
    made = await call("address.new", label="Würfel & Co", alias="shop")
    assert made["aliases"] == ["shop"]
    assert made["uri"].endswith("?label=W%C3%BCrfel%20%26%20Co")
    for name in ("shop", "shop@bm.internal", made["address"], f"{made['address']}@bm.internal"):
        assert await call("address.show", address=name) == made
    assert (await call("address.show"))["aliases"] == ["anna"]


async def test_a_passphrase_has_one_address(call: Caller) -> None:
    await call("account.add", name="anna", password=PASSWORD)
    made = await call("address.new", passphrase="a passphrase of several words", version=3)
    assert made["version"] == 3
    with pytest.raises(Conflict):
        await call("address.new", passphrase="a passphrase of several words", version=3)


async def test_the_queue_tells_what_became_of_a_mail(gateway: Gateway, call: Caller) -> None:
    await call("account.add", name="anna", password=PASSWORD, address=True)
    queue_id = await submit(gateway, "anna")
    (row,) = await call("queue.list")
    assert (row["id"], row["recipient"], row["state"]) == (f"{queue_id}-1", STRANGER, "ACCEPTED")
    (entry,) = await call("queue.show", id=queue_id.lower())
    assert entry["subject"] == "hello"
    assert [line["state"] for line in entry["history"]] == ["ACCEPTED"]
    assert entry["expected_trials"] == sum(entry["price"].values()) > 0
    assert entry["expected_seconds"] > 0
    assert (row["work"], entry["work"]) == (None, None)
    (changed,) = await call("queue.priority", id=queue_id, priority="high")
    assert changed["priority"] == "high"


async def test_a_cancelled_mail_is_listed_among_all_only(gateway: Gateway, call: Caller) -> None:
    await call("account.add", name="anna", password=PASSWORD, address=True)
    queue_id = await submit(gateway, "anna")
    (row,) = await call("queue.cancel", id=queue_id)
    assert row["state"] == "CANCELLED"
    assert await call("queue.list") == []
    assert [each["id"] for each in await call("queue.list", all=True)] == [row["id"]]
    with pytest.raises(NotAllowed):
        await call("queue.cancel", id=queue_id)


async def test_nobody_sees_the_queue_of_another(gateway: Gateway, call: Caller) -> None:
    for name in ("anna", "bob"):
        await call("account.add", name=name, password=PASSWORD, address=True)
    queue_id = await submit(gateway, "anna")
    assert await call("queue.list", account="bob") == []
    with pytest.raises(Missing):
        await call("queue.show", account="bob", id=queue_id)


async def test_status_counts_what_there_is(gateway: Gateway, call: Caller) -> None:
    await call("account.add", name="anna", password=PASSWORD, address=True)
    await submit(gateway, "anna")
    report = await call("status")
    assert report["running"] is False
    assert report["accounts"] == 1
    assert report["outbox"] == {"ACCEPTED": 1}
    assert report["network"] == "test"
    assert report["listening"] == []
    assert report["process"]["rss_bytes"] > 10_000_000
    assert report["process"]["descriptors"] > 3
    assert report["database"]["wal_bytes"] > 0
    assert "anna" not in json.dumps(report)


@pytest.mark.parametrize(
    ("method", "path", "params", "text"),
    [
        ("import.maildir", "{file}", {}, "{file}.*: Not a directory"),
        ("import.mbox", "{folder}/none", {}, "{folder}/none: No such file or directory"),
        ("import.archive", "{folder}", {"passphrase": "x"}, "{folder} is no regular file"),
        ("export.wif", "{folder}/none/x", {"password": PASSWORD}, "{folder}/none/x: No such file or directory"),
        ("export.mbox", "{folder}/none/x", {"password": PASSWORD}, "{folder}/none/x: No such file or directory"),
    ],
)
async def test_a_file_that_cannot_be_read_or_written_is_named_with_the_reason(
    call: Caller, tmp_path: Path, method: str, path: str, params: dict[str, Any], text: str
) -> None:
    await call("account.add", name="anna", password=PASSWORD, address=True)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(GatewayError, match=f"^{text.format(file=file, folder=tmp_path)}$"):
        await call(method, path=path.format(file=file, folder=tmp_path), **params)
