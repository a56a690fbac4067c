"""Thunderbird over POP3 takes every mail once, also after a restart, and leaves it with us when it is told to."""

import time
from collections.abc import Iterator

import pytest
from gateways import MailUser
from interop.mail_programs import test_thunderbird
from interop.mail_programs.programs import deliver, holdings
from interop.mail_programs.thunderbird import Thunderbird

pytestmark = test_thunderbird.pytestmark

GET = """
    const box = root.getChildNamed("Inbox"), it = ending("nsIUrlListener");
    MailServices.pop3.GetNewMail(main().msgWindow, it.listener, box, account.incomingServer);
    await it.ended;
    await sleep(500);
    return messages(box).map(each => each.mime2DecodedSubject);
"""


@pytest.fixture(params=["tls", "starttls"])
def thunderbird(
    mail_pair: tuple[MailUser, MailUser], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Thunderbird]:
    alice, _ = mail_pair
    program = Thunderbird(tmp_path_factory.mktemp("thunderbird"), alice, request.param == "starttls", kind="pop3")
    try:
        program.start()
        program.save_password()
        yield program
    finally:
        program.stop()


def test_every_mail_comes_once_and_none_again_after_a_restart(
    mail_pair: tuple[MailUser, MailUser], thunderbird: Thunderbird
) -> None:
    alice, bob = mail_pair
    first, second = (f"POP3 {word} {time.time_ns()}" for word in ("first", "second"))
    deliver(bob, alice, first)
    assert thunderbird.run(GET).count(first) == 1
    held = holdings(alice)["INBOX"]
    thunderbird.stop()
    thunderbird.start()
    deliver(bob, alice, second)
    found = thunderbird.run(GET)
    assert [found.count(first), found.count(second)] == [1, 1]
    assert len(found) == len(held) + 1
    assert holdings(alice)["INBOX"].keys() > held.keys()
