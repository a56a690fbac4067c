"""Sending a text without a mail program: it becomes a plain mail and is submitted, so every rule for mail holds."""

from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.keys import Entropy
from bmgate.domain.account import AccountId
from bmgate.domain.outbox import OutgoingMessage
from bmgate.domain.ports.database import Database
from bmgate.domain.ports.world import Clock
from bmgate.mail.addresses import mail_address
from bmgate.mail.plain_mail import PlainMail, render_plain
from bmgate.services.outbound.submission import Envelope, Recipient, Submissions

BROADCAST = "broadcast"  # the local part that means every subscriber (1.3)


@dataclass(frozen=True, slots=True, repr=False)
class Text:
    """What is to be sent; without a recipient it is a broadcast. `sender` signs, also what goes to a chan."""

    sender: Address
    recipient: Address | None
    subject: str
    body: str
    ttl_seconds: int


class Texts:
    """Submits texts in the name of accounts. `domain` is the gateway's own."""

    def __init__(
        self, database: Database, submissions: Submissions, clock: Clock, entropy: Entropy, domain: str
    ) -> None:
        self._database, self._submissions = database, submissions
        self._clock, self._entropy, self._domain = clock, entropy, domain

    async def send(self, account: AccountId, text: Text) -> OutgoingMessage:
        """The row that was made; durable when this returns. Raises what `Submissions` raises."""
        sender = mail_address(text.sender, self._domain)
        recipient = f"{BROADCAST}@{self._domain}"
        if text.recipient is not None:
            recipient = mail_address(text.recipient, self._domain)
        await self._submissions.check_sender(account, sender)
        resolved = await self._submissions.resolve(account, recipient)
        mail = PlainMail(
            sender=sender,
            recipient=recipient,
            subject=text.subject,
            body=text.body,
            message_id=f"<{self._entropy(15).hex()}@{self._domain}>",
            date=self._clock.now(),
            ttl_seconds=text.ttl_seconds,
            post_as="chan" if text.sender == text.recipient else "identity",
        )
        envelope = Envelope(account, sender, (Recipient(resolved),))
        receipt = await self._submissions.submit(envelope, render_plain(mail))
        rows = await self._database.read(lambda store: store.account(account).outbox.find(receipt.queue_id))
        return rows[0]
