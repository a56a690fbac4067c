"""What can be asked for when addresses are made or changed, and what is refused before anything is done."""

import re
from dataclasses import dataclass

from bmgate.domain.account import AccountId
from bmgate.domain.ports.account_store import AccountStore
from bmgate.errors import BadOption, LimitReached, NotAllowed
from bmgate.mail.addresses import is_alias, is_reserved
from bmgate.mail.text import clean_line
from bmgate.mail.write import MAX_LABEL
from bmgate.services.identities.key_search import Wish

MAX_DIFFICULTY = 100
MAX_NUMBER = 1_000  # addresses of one request
MAX_IDENTITIES = 1_000  # of one account: the key of each is tried on every msg
ZEROS = {3: (1, 2), 4: (1, 2, 3)}  # leading zero bytes by version: older programs strip two at most


@dataclass(frozen=True, slots=True, repr=False)
class AddressRequest:
    """What new addresses shall be: random, or the first `number` of a passphrase.

    `leading_zeros` 2 gives a shorter one for 256 times the draws, 3 one that is shorter still. `difficulty` is how many
    times the usual work each demands,
    `small_difficulty` how many times the usual length is added to each message's before: it weighs on short ones.
    """

    label: str = ""
    alias: str = ""
    passphrase: str = ""
    version: int = 4
    leading_zeros: int = 1
    number: int = 1
    difficulty: float = 1
    small_difficulty: float = 1

    @property
    def wish(self) -> Wish:
        """The keys this takes."""
        return Wish(self.passphrase.encode(errors="surrogatepass"), self.number, self.leading_zeros)


@dataclass(frozen=True, slots=True)
class AddressEntry:
    """One line of a batch."""

    line: int
    account: AccountId
    request: AddressRequest


def check_request(request: AddressRequest) -> None:
    """Raises NotAllowed, or BadOption, for what cannot be made."""
    clean_label(request.label)
    if request.version not in ZEROS:
        raise NotAllowed(f"addresses of version {request.version} cannot be made; use 4, or 3 for old programs")
    if request.leading_zeros not in ZEROS[request.version]:
        most = ZEROS[request.version][-1]
        raise NotAllowed(f"an address of version {request.version} has 1 to {most} leading zero bytes")
    if not 1 <= request.number <= MAX_NUMBER:
        raise NotAllowed(f"1 to {MAX_NUMBER} addresses are made at once")
    if not all(1 <= each <= MAX_DIFFICULTY for each in (request.difficulty, request.small_difficulty)):
        raise BadOption(f"difficulty is a number from 1 to {MAX_DIFFICULTY}, times the usual work")
    if request.alias and request.number > 1:
        raise NotAllowed("an alias names one address, not several")
    if request.alias:
        check_alias(request.alias)


def clean_label(label: str) -> str:
    """The owner's word for an address, as it is kept; raises NotAllowed for one that would be cut."""
    cleaned = clean_line(label)
    if len(cleaned) > MAX_LABEL:
        raise NotAllowed(f"a label has at most {MAX_LABEL} characters")
    return cleaned


def check_room(mine: AccountStore, new: int = 0) -> None:
    """Raises LimitReached where the account has too many addresses, or would with so many more."""
    if mine.identities.count() + new > MAX_IDENTITIES:
        raise LimitReached(f"an account has at most {MAX_IDENTITIES} addresses")


def check_alias(name: str) -> None:
    """Raises NotAllowed for what no name can be."""
    if is_reserved(name):
        raise NotAllowed(f"{name!r} is a reserved word that has a meaning of its own in mail addresses; choose another")
    if not is_alias(name.lower()):
        raise NotAllowed(
            f"{name!r} cannot be an alias: use up to 30 of a-z, 0-9, '.', '_' and '-', a letter or digit first"
        )


def difficulty_in(words: str) -> float:
    """How many times the usual work, 1 where nothing is said; raises BadOption."""
    written = words.strip() or "1"
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", written) or not 1 <= float(written) <= MAX_DIFFICULTY:
        raise BadOption(f"difficulty is a number from 1 to {MAX_DIFFICULTY}, times the usual work, not {words!r}")
    return float(written)


def is_plain(request: AddressRequest) -> bool:
    """Whether any random keys with the usual zero will do."""
    return not request.passphrase and request.leading_zeros == 1
