import base64

import pytest
from smtp.dialogue import Connect, Dialogue, Door, OpenDoor, plain
from smtp.fake_services import ALICE, DOMAIN, PASSWORD

from bmgate.errors import LimitReached, Unavailable
from bmgate.smtp.limits import SmtpLimits


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
async def client(door: Door, connect: Connect) -> Dialogue:
    """Greeted, not logged in."""
    client = await connect(door.plain_port)
    await client.reply()
    await client.say("EHLO x")
    return client


@pytest.mark.parametrize("authzid", ["", "alice"])
async def test_plain_works_with_an_initial_response(client: Dialogue, authzid: str) -> None:
    assert (await client.say(f"AUTH PLAIN {plain(authzid=authzid)}")).startswith("235 2.7.0")


async def test_plain_works_in_two_steps(client: Dialogue) -> None:
    assert await client.say("auth plain") == "334 "
    assert (await client.say(plain(f"{ALICE.lower()}@{DOMAIN}"))).startswith("235 2.7.0")


async def test_login_works_with_and_without_initial_response(door: Door, connect: Connect) -> None:
    for first in ("AUTH LOGIN", f"AUTH LOGIN {b64('alice')}"):
        client = await connect(door.plain_port)
        await client.reply()
        await client.say("EHLO x")
        reply = await client.say(first)
        if first == "AUTH LOGIN":
            assert reply == f"334 {b64('Username:')}"
            reply = await client.say(b64("alice"))
        assert reply == f"334 {b64('Password:')}"
        assert (await client.say(b64(PASSWORD))).startswith("235 2.7.0")
    assert door.house.accounts.sources == ["127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize(
    ("response", "code"),
    [
        ("*", "501"),
        ("no base64!", "501"),
        (b64("alice"), "501"),
        (b64("\0alice\0correct\0horse"), "501"),
        (base64.b64encode(b"\0alice\0\xff").decode(), "501"),
        ("=", "501"),
        ("A" * 65_536, "501"),
        ("A" * 13_000, "501"),
        (plain(password="wrong"), "535 5.7.8"),
        (plain(authzid="bob"), "535 5.7.8"),
        (plain(name=""), "535 5.7.8"),
    ],
)
async def test_s15_bad_responses_are_answered_and_the_session_goes_on(
    client: Dialogue, response: str, code: str
) -> None:
    assert await client.say("AUTH PLAIN") == "334 "
    assert (await client.say(response)).startswith(code)
    assert (await client.say(f"AUTH PLAIN {plain()}")).startswith("235")


async def test_s15_the_third_failure_ends_the_session(client: Dialogue) -> None:
    for password in ("one", "two"):
        assert (await client.say(f"AUTH PLAIN {plain(password=password)}")).startswith("535 5.7.8")
    assert (await client.say(f"AUTH PLAIN {plain(password='three')}")).startswith("421 4.7.0")
    assert await client.rest() == ""


async def test_s15_a_second_login_and_other_mechanisms_are_refused(client: Dialogue) -> None:
    assert (await client.say("AUTH CRAM-MD5")).startswith("504 5.5.4")
    assert (await client.say(f"AUTH PLAIN {plain()}")).startswith("235")
    assert (await client.say(f"AUTH PLAIN {plain()}")).startswith("503 5.5.1")


async def test_trouble_with_logging_in_is_no_wrong_password(client: Dialogue, door: Door) -> None:
    door.house.accounts.failure = Unavailable("too many logins at once; try again in a moment")
    assert (await client.say(f"AUTH PLAIN {plain()}")).startswith("454 4.7.0 too many logins")
    door.house.accounts.failure = LimitReached("too many failed logins from here; wait a minute")
    assert (await client.say(f"AUTH PLAIN {plain()}")).startswith("421 4.7.0 too many failed")
    assert await client.rest() == ""


async def test_s16_an_account_has_a_limit_of_connections(open_door: OpenDoor, connect: Connect) -> None:
    door = await open_door(SmtpLimits(connections_per_user=1))
    first, second = await connect(door.plain_port), await connect(door.plain_port)
    await first.log_in()
    await second.reply()
    await second.say("EHLO x")
    assert (await second.say(f"AUTH PLAIN {plain()}")).startswith("421 4.7.0")
    assert (await first.say("NOOP")).startswith("250")
