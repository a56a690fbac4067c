"""imapflow (npm), which fails where UIDs of copies and moves are not told."""

import json
import shutil
import subprocess

import pytest
from gateways import CERTIFIED_NAME, MailUser
from interop.mail_programs.programs import deliver, port, run

PROGRAM = """
const { ImapFlow } = require("imapflow");
const { readFileSync } = require("fs");
const given = JSON.parse(process.argv[1]);
const assert = require("assert");

async function main() {
  const client = new ImapFlow({
    host: given.host, port: given.port, secure: given.secure, logger: false,
    auth: { user: given.user, pass: given.password }, tls: { ca: readFileSync(given.authority) },
  });
  await client.connect();
  const roles = (await client.list()).map(each => each.specialUse).filter(Boolean);
  for (const role of ["Inbox", "Sent", "Drafts", "Trash", "Junk", "Archive"])
    assert(roles.includes("\\\\" + role), role);
  await client.mailboxCreate(given.folder);
  const lock = await client.getMailboxLock("INBOX");
  const [uid] = await client.search({ header: { subject: given.subject } }, { uid: true });
  const wanted = { envelope: true, bodyStructure: true, source: true, flags: true };
  const found = await client.fetchOne(uid, wanted, { uid: true });
  assert.equal(found.envelope.subject, given.subject);
  const { content } = await client.download(uid, undefined, { uid: true, chunkSize: 100 });
  const pieces = [];
  for await (const piece of content) pieces.push(piece);
  assert(Buffer.concat(pieces).equals(found.source));
  assert(await client.messageFlagsAdd(uid, ["\\\\Flagged", "$label1"], { uid: true }));
  const copied = await client.messageCopy(uid, given.folder, { uid: true });
  assert(copied.uidMap.get(uid));
  const moved = await client.messageMove(uid, "Archive", { uid: true });
  assert(moved.uidMap.get(uid));
  const pushed = new Promise(resolve => client.once("exists", resolve));
  const other = await client.append("INBOX", "Subject: appended\\r\\n\\r\\ntext\\r\\n", ["\\\\Seen"]);
  assert(other.uid);
  await pushed;
  assert(await client.messageDelete(other.uid, { uid: true }));
  lock.release();
  const status = await client.status(given.folder, { messages: true, uidNext: true, highestModseq: true });
  assert.equal(status.messages, 1);
  await client.mailboxDelete(given.folder);
  await client.logout();
}
main().then(() => process.exit(0), error => { console.error(error); process.exit(1); });
"""


def is_installed() -> bool:
    node = shutil.which("node")
    if node is None:
        return False
    return subprocess.run([node, "-e", "require('imapflow')"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not is_installed(), reason="imapflow (npm) is not installed where NODE_PATH says"),
]


@pytest.mark.parametrize("door", ["imap", "imap starttls"])
def test_imapflow_does_what_its_manual_shows(mail_pair: tuple[MailUser, MailUser], door: str) -> None:
    alice, bob = mail_pair
    subject = f"For imapflow by {door}"
    deliver(bob, alice, subject)
    given = {
        "host": CERTIFIED_NAME,
        "port": port(alice, door),
        "secure": door == "imap",
        "user": alice.login.user,
        "password": alice.login.password,
        "authority": str(alice.authority),
        "folder": f"Über {door}",
        "subject": subject,
    }
    run("node", "-e", PROGRAM, json.dumps(given))
