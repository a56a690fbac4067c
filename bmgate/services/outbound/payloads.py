"""What travels to each recipient: who reads what (O11), and the form that his mail takes for it (O12, 3.5).

All within the caller's unit of work. A row that waits for a key is decided when the key has come; until then it is
shown and priced as for somebody who reads files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.domain.enclosures import Enclosures
from bmgate.domain.identity import IdentityId
from bmgate.domain.outbox import Kind, OutgoingMessage, Submission
from bmgate.domain.policy import Attachments, Policy, Reads
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.domain.thread import Exchange
from bmgate.errors import UnsupportedMedia
from bmgate.mail.footer import with_footer
from bmgate.mail.forms import (
    MAX_PARENTS,
    Ends,
    Form,
    Payload,
    Text,
    as_files,
    as_inline,
    as_mime,
    as_named,
    as_plain,
    with_dashes,
)
from bmgate.services.objects.keys import find_pubkey
from bmgate.services.policies import Policies

__all__ = ["Letter", "Payload", "Payloads", "Reader"]

_FORMS = {
    Attachments.REFUSE: Form.PLAIN,
    Attachments.EXTENDED: Form.EXTENDED,
    Attachments.INLINE: Form.INLINE,
    Attachments.OMIT: Form.OMIT,
}


@dataclass(frozen=True, slots=True)
class Reader:
    """What one recipient reads; AUTO: nobody knows, and `has_key` tells whether his key could have said it."""

    reads: Reads
    has_key: bool

    @property
    def is_undecided(self) -> bool:
        """Whether his key, when it comes, may still say that he reads files."""
        return self.reads is Reads.AUTO and not self.has_key

    @property
    def may_read_files(self) -> bool:
        return self.reads is Reads.FILES or self.is_undecided


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """A mail from one identity to one recipient, who is number `n` of its recipients; `policy` holds between them."""

    policy: Policy
    identity: IdentityId
    recipient: Address
    n: int
    subject: str
    body: str
    enclosures: Enclosures
    kind: Kind = Kind.MSG


@dataclass(frozen=True, slots=True)
class Payloads:
    """Makes payloads. `domain` is what addresses are written under."""

    policies: Policies
    domain: str

    def payload_of(self, store: Store, submission: Submission, row: OutgoingMessage) -> Payload:
        """What goes to the recipient of a row.

        Raises UnsupportedMedia where its files cannot go to him, and AccountLocked. TooLarge comes with its `data`.
        """
        mine = store.account(submission.account)
        letter = Letter(
            self.policies.of(mine, submission.identity, row.recipient),
            submission.identity,
            row.recipient,
            row.n,
            submission.subject,
            submission.body,
            mine.outbox.enclosures(submission.id),
            row.kind,
        )
        return self.payload(store, mine, letter)

    def payload(self, store: Store, mine: AccountStore, letter: Letter) -> Payload:
        """The same of a mail that need not be stored yet."""
        policy, enclosures = letter.policy, letter.enclosures
        written = letter.body if letter.kind is Kind.CHAN else with_footer(letter.body, policy.footer)
        body = with_dashes(written) if policy.quotes == "dashes" else written
        text = Text(_subject(letter), body, enclosures.files, enclosures.left_out)
        parents = enclosures.parents.get(letter.n, ())
        disclosed = {} if letter.kind.is_public else enclosures.disclosed
        if not (text.files or parents or disclosed or text.is_long):
            return as_plain(text)
        reader = self.reader(store, mine, letter.recipient, policy, letter.kind)
        match _form(text, reader, policy, letter.kind, has_more=bool(parents or disclosed)):
            case Form.PLAIN:
                return as_plain(text)
            case Form.FILES:
                return as_files(text, parents, disclosed)
            case Form.EXTENDED:
                return as_files(text, with_note=True)
            case Form.MIME:
                as_chan = letter.kind is Kind.CHAN  # a post that the chan signs must not name who wrote it
                sender = letter.recipient if as_chan else mine.identities.get(letter.identity).address
                return as_mime(text, Ends(sender, letter.recipient, self.domain, mine.secrets.id_key))
            case Form.INLINE:
                return as_inline(text)
            case Form.OMIT:
                return as_named(text)

    def reader(
        self, store: Store, mine: AccountStore, recipient: Address, policy: Policy, kind: Kind = Kind.MSG
    ) -> Reader:
        """What a recipient reads: as the account says, else as he showed (O11). Subscribers may read with anything."""
        if kind is Kind.BROADCAST:
            return Reader(Reads.AUTO, has_key=True)
        if kind.is_post:
            known = mine.contacts.reads_of(recipient) if policy.reads is Reads.AUTO else policy.reads
            return Reader(known, has_key=True)
        neighbour = store.identities.by_address(recipient)
        if policy.reads is not Reads.AUTO and (neighbour is None or neighbour.account != mine.account.id):
            return Reader(policy.reads, has_key=True)
        pubkey = find_pubkey(store, recipient)
        if neighbour is not None or (pubkey is not None and pubkey.reads_files):
            return Reader(Reads.FILES, has_key=True)
        return Reader(mine.contacts.reads_of(recipient), has_key=pubkey is not None)


def _subject(letter: Letter) -> str:
    """A relay reads in the subject to whom it carries the mail on (O17)."""
    internet = letter.enclosures.relayed.get(letter.n, "")
    return f"{internet} {letter.subject}".strip() if internet else letter.subject


def find_parents(mine: AccountStore, sender: Address, recipient: Address, answered: Iterable[str]) -> tuple[bytes, ...]:
    """The vectors of the mails that one answers, as far as these two exchanged them: the nearest last (3.5)."""
    exchange = Exchange(sender, recipient)
    vectors: list[bytes] = []
    for message_id in answered:
        vectors += reversed(mine.threads.vectors_of(message_id, exchange))
        if len(vectors) >= MAX_PARENTS:
            break
    return tuple(reversed(vectors[:MAX_PARENTS]))


def refusal(refused: Mapping[str, UnsupportedMedia]) -> UnsupportedMedia:
    """What is said when nobody can be sent to (O12)."""
    (first, why), *others = refused.items()
    who = f"{first} is" if not others else f"{first} and {len(others)} more are"
    return UnsupportedMedia(f'{who} {why}. Send text only, or see "help attachments" (options extended, inline, omit)')


def _form(text: Text, reader: Reader, policy: Policy, kind: Kind, *, has_more: bool) -> Form:
    """Encoding 2 wherever it does; `has_more` is what only encoding 3 can say."""
    has_files = any(not each.is_logo for each in text.files)
    if reader.reads is Reads.FILES:
        return Form.FILES if text.files or has_more or text.is_long else Form.PLAIN
    if not has_files:
        return Form.PLAIN
    if reader.is_undecided:
        return Form.FILES
    if reader.reads is Reads.MIME:
        return Form.MIME
    form = _FORMS[policy.attachments]
    return Form.PLAIN if kind is Kind.BROADCAST and form is Form.EXTENDED else form  # O16
