"""A mail as its sender proposes it, looked at for each recipient before it is accepted (3.6, O2, O12).

What is refused for all of them is refused at once; where it goes to some, the rest are told of by notices. All within
the caller's unit of work, but for `extended`, which takes long.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.encodings import EXTENDED, encode_extended
from bmgate.bm.network import NetworkParameters
from bmgate.domain.enclosures import Enclosures
from bmgate.domain.identity import Identity
from bmgate.domain.outbox import Kind, NewOutgoing
from bmgate.domain.policy import Policy
from bmgate.domain.ports.account_store import AccountStore
from bmgate.domain.ports.database import Store
from bmgate.errors import Ambiguous, BadAddress, BadTtl, Missing, TooLarge, UnsupportedMedia
from bmgate.mail.addresses import Directory, Domains, resolve_recipient
from bmgate.mail.forms import MAX_DATA, Payload, too_large
from bmgate.mail.headers import AddrSpec
from bmgate.mail.outgoing import OutgoingMail
from bmgate.mail.size import MAX_TEXT
from bmgate.services.directory import AccountDirectory
from bmgate.services.objects.keys import demand_for
from bmgate.services.outbound.estimates import Estimate, Estimates
from bmgate.services.outbound.payloads import Letter, Payloads, find_parents, refusal

_PER_PARENT = 36  # bytes
_PER_ADDRESS = 40  # bytes
_NOTE = 200  # bytes


@dataclass(frozen=True, slots=True)
class Extended:
    """The whole mail in encoding 3: its bytes, those before they are compressed, and why it cannot be (or nothing)."""

    size: int
    inflated: int
    refusal: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Proposal:
    """A converted mail, how it gets in encoding 3, and what this machine does (trials per second)."""

    mail: OutgoingMail
    extended: Extended | None
    rate: float


@dataclass(frozen=True, slots=True)
class Judged:
    """What accepting it costs (seconds, all recipients), the size of its largest message (bytes), and what does not
    travel to all of them.
    """

    seconds: float
    size: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposals:
    """Judges them. `max_seconds` is what one recipient may cost."""

    payloads: Payloads
    network: NetworkParameters
    max_seconds: int

    def judge(
        self,
        store: Store,
        mine: AccountStore,
        identity: Identity,
        proposal: Proposal,
        enclosures: Enclosures,
        rows: Iterable[tuple[NewOutgoing, Policy]],
    ) -> Judged:
        """Raises UnsupportedMedia or TooLarge when it can go to nobody, TooLarge when somebody would cost too much."""
        estimates = Estimates(self.network, proposal.rate, self.max_seconds)
        refused: dict[str, UnsupportedMedia] = {}
        too_long: list[TooLarge] = []
        left_out: dict[str, None] = {}
        costs: list[Estimate] = []
        for row, policy in rows:
            mail = proposal.mail
            letter = Letter(policy, identity.id, row.recipient, row.n, mail.subject, mail.body, enclosures, row.kind)
            try:
                payload = self.payloads.payload(store, mine, letter)
                is_own = row.kind is Kind.MSG and _is_own(store, mine, row.recipient)
                size = 0 if is_own else _size(payload, proposal)
            except UnsupportedMedia as error:
                refused["a broadcast" if row.kind is Kind.BROADCAST else str(row.recipient)] = error
                continue
            except TooLarge as error:
                too_long.append(error)
                continue
            left_out |= dict.fromkeys(payload.left_out)
            demand = demand_for(store, row.kind, row.recipient, self.network)
            costs.append(Estimate(size, row.ttl_seconds, row.ack_data, demand, is_own, row.kind))
        if not costs:
            raise refusal(refused) if refused else too_long[0]
        estimates.check(max(costs, key=estimates.seconds))
        return Judged(sum(map(estimates.seconds, costs)), max(cost.size for cost in costs), tuple(left_out))

    def enclosures(
        self,
        store: Store,
        mine: AccountStore,
        identity: Identity,
        rows: Collection[tuple[NewOutgoing, Policy]],
        mail: OutgoingMail,
        domains: Domains,
        policy: Policy,
    ) -> Enclosures:
        """What is kept beside the text. Who gets the mail is told to all only where the sender wants that."""
        told: Mapping[str, tuple[str, ...]] = {}
        if policy.disclose_recipients:
            directory = AccountDirectory(store, mine.account.id)
            told = disclosed(mail, [row.recipient for row, _ in rows], domains, directory)
        return Enclosures(
            files=mail.files,
            left_out=mail.left_out,
            answered=mail.answered,
            parents=self._parents(store, mine, identity, rows, mail.answered),
            disclosed=told,
        )

    def _parents(
        self,
        store: Store,
        mine: AccountStore,
        identity: Identity,
        rows: Iterable[tuple[NewOutgoing, Policy]],
        answered: tuple[str, ...],
    ) -> dict[int, tuple[bytes, ...]]:
        """What the mail answers, for each row whose recipient may read it; nothing of what others exchanged (3.5)."""
        found: dict[int, tuple[bytes, ...]] = {}
        for row, policy in rows if answered else ():
            if self.payloads.reader(store, mine, row.recipient, policy, row.kind).may_read_files:
                own = row.recipient if row.kind.is_post else identity.address
                vectors = find_parents(mine, own, row.recipient, answered)
                found |= {row.n: vectors} if vectors else {}
        return found


def extended(mail: OutgoingMail) -> Extended | None:
    """The whole mail in encoding 3, where there is reason to use it; takes long for a large one."""
    if not mail.files and len(mail.body) <= MAX_TEXT // 4:
        return None
    files = [each.file for each in mail.files]
    inflated = len(mail.data) + sum(len(file.data) for file in files)
    try:
        return Extended(len(encode_extended(mail.subject, mail.body, files=files)), inflated)
    except TooLarge as error:
        return Extended(0, inflated, str(error))


def disclosed(
    mail: OutgoingMail, recipients: Collection[Address], domains: Domains, directory: Directory
) -> Mapping[str, tuple[str, ...]]:
    """The addresses of To and Cc among the recipients, for those who are told of each other; never Bcc (O2)."""
    lists = {"to": mail.to, "cc": mail.cc}
    known = {name: _recipients(specs, recipients, domains, directory) for name, specs in lists.items()}
    return {name: addresses for name, addresses in known.items() if addresses}


def _is_own(store: Store, mine: AccountStore, recipient: Address) -> bool:
    owner = store.identities.by_address(recipient)
    return owner is not None and owner.account == mine.account.id


def _recipients(
    specs: Iterable[AddrSpec], recipients: Collection[Address], domains: Domains, directory: Directory
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for spec in specs:
        try:
            address = resolve_recipient(str(spec), domains, directory).address
        except (BadAddress, BadTtl, Missing, Ambiguous):
            continue
        if address in recipients:
            found[str(address)] = None
    return tuple(found)


def _size(payload: Payload, proposal: Proposal) -> int:
    """Bytes of the message; of a large one in encoding 3 without compressing it again."""
    whole = proposal.extended
    if payload.encoding != EXTENDED or whole is None:
        return len(payload.data)
    if whole.refusal:
        raise TooLarge(whole.refusal)
    told = sum(map(len, payload.disclosed.values()))
    size = whole.size + _PER_PARENT * len(payload.parents) + _PER_ADDRESS * told + _NOTE
    if size > MAX_DATA:
        raise TooLarge(too_large(size, whole.inflated, len(payload.files)))
    return size
