"""mutt lists, reads, moves, hears of new mail and sends with a copy in Sent, in a terminal."""

from pathlib import Path

from gateways import CERTIFIED_NAME, MailUser
from interop.mail_programs.programs import deliver, holdings, needs, port, run, wait_for_subjects, write_private
from interop.mail_programs.terminal import terminal

pytestmark = needs("mutt")

SETTINGS = """
set folder="imaps://{host}:{imap}/"
set spoolfile="+INBOX" record="+Sent" postponed="+Drafts" mbox="+Archive"
set imap_user="{user}" imap_pass="{password}"
set smtp_url="smtps://{user_quoted}@{host}:{smtp}/" smtp_pass="{password}"
set certificate_file="{authority}" ssl_force_tls=yes
set from="{address}" realname="Alice" use_envelope_from=yes hostname="here.test"
set imap_idle=yes mail_check=1 timeout=1 confirmappend=no delete=yes quit=yes copy=yes sleep_time=0
set header_cache="{cache}" abort_nosubject=no wait_key=no
"""


def settings(user: MailUser, place: Path) -> Path:
    text = SETTINGS.format(
        host=CERTIFIED_NAME,
        imap=port(user, "imap"),
        smtp=port(user, "smtp"),
        user=user.login.user,
        user_quoted=user.login.user.replace("@", "%40"),
        password=user.login.password,
        authority=user.authority,
        address=user.address,
        cache=place / "cache",
    )
    return write_private(place / "muttrc", text)


def test_mutt_lists_reads_moves_and_hears_of_new_mail(mail_pair: tuple[MailUser, MailUser], tmp_path: Path) -> None:
    alice, bob = mail_pair
    deliver(bob, alice, "Mutt shall read this")
    with terminal(("mutt", "-n", "-F", str(settings(alice, tmp_path))), {"HOME": str(tmp_path)}) as mutt:
        mutt.expect("Mutt shall read this")
        mutt.type("/~s 'shall read this'\n\n")
        mutt.expect("text of Mutt shall read this")
        mutt.type("i")
        deliver(bob, alice, "Mutt shall hear of this")
        mutt.expect("Mutt shall hear of this")
        mutt.type("/~s 'shall read this'\ns=Archive\n")
        mutt.expect("D")
        mutt.type("q")
        assert mutt.wait() == 0
    wait_for_subjects(alice, "Mutt shall read this", mailbox="Archive")
    assert not any(b"Mutt shall read this" in mail for _, mail in holdings(alice)["INBOX"].values())


def test_mutt_sends_and_one_copy_is_in_sent(mail_pair: tuple[MailUser, MailUser], tmp_path: Path) -> None:
    alice, bob = mail_pair
    command = ("mutt", "-n", "-F", str(settings(alice, tmp_path)), "-s", "From mutt", bob.address)
    run(*command, given="text\n", environ={"HOME": str(tmp_path)})
    wait_for_subjects(bob, "From mutt")
    assert sum(b"Subject: From mutt" in mail for _, mail in holdings(alice)["Sent"].values()) == 1
