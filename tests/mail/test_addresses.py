from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.addresses import Address, parse_address
from bmgate.errors import Ambiguous, BadAddress, BadTtl, ForeignDomain, NotAllowed, RecipientMissing
from bmgate.mail.addresses import (
    UNUSABLE,
    Domains,
    RecipientKind,
    Resolved,
    is_alias,
    mail_address,
    resolve_recipient,
    resolve_sender,
)

ALICE = parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z")
BOB = parse_address("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuQ")
CHAN = parse_address("BM-2cW67GEKkHGonXKZLCzouLLxnLym3azS8r")
OLD = parse_address("BM-2D8MV1Jc2WVMPv1x6u9ze3oZU8Jbc63RY8")
DOMAINS = Domains("bm.internal", extra=frozenset({"mail.example"}))


@dataclass
class Known:
    """A directory of an account, by plain dictionaries."""

    nicknames: dict[str, Address] = field(default_factory=dict)
    aliases: dict[str, Address] = field(default_factory=dict)
    addresses: Iterable[Address] = ()
    relays: dict[str, Address] = field(default_factory=dict)

    def relay(self, label: str) -> Address | None:
        return next((address for name, address in self.relays.items() if label in ("", name)), None)

    def alias(self, name: str) -> Address | None:
        return self.aliases.get(name)

    def nickname(self, name: str) -> Address | None:
        return self.nicknames.get(name)

    def candidates(self) -> Iterable[Address]:
        return self.addresses


NOBODY = Known()
BOBS_FRIEND = Known(addresses=[ALICE, BOB])


def resolve(text: str, known: Known = NOBODY) -> Resolved:
    return resolve_recipient(text, DOMAINS, known)


@pytest.mark.parametrize(
    "text",
    [
        f"{BOB}@bm.internal",
        f"{BOB}@BM.Internal.",
        f"{BOB}@mail.example",
        f"{BOB}@bitmessage.ch",
        f"{BOB}@gmail.com",
        f"{BOB}",
        f"bm-{str(BOB)[3:]}@bm.addr",
        f"Bm-{str(BOB)[3:]}@elsewhere.example",
        f"{str(BOB)[3:]}@bm.internal",
        f"{str(BOB)[3:]}@bitmessage",
        f"{BOB}+work@bm.internal",
        f'"{BOB}"@bm.internal',
    ],
)
def test_an_address_is_understood_in_all_its_spellings(text: str) -> None:
    found = resolve(text)
    assert (found.kind, found.address, found.is_repaired) == (RecipientKind.ADDRESS, BOB, False)


def test_malleable_spellings_lead_to_the_canonical_address() -> None:
    assert resolve("BM-6LRw72zVyUXCoKPE4nQap7o3r9En89LgPDA@x").address == OLD
    assert resolve("BM-1112cTxU7btjgxEDMA38KVK8B5M6dZYNgaeF5@x").address == parse_address(
        "BM-2cTxU7btjgxEDMA38KVK8B5M6dZYNgaeF5"
    )


RIPES = st.binary(min_size=15, max_size=15).map(lambda middle: b"\0" + middle + b"ripe")
ADDRESSES = st.builds(Address, st.sampled_from([2, 3, 4]), st.just(1), RIPES)
WRITTEN_DOMAINS = st.sampled_from(["bm.internal", "MAIL.example", "bm.addr"])


@given(ADDRESSES, WRITTEN_DOMAINS, st.sampled_from(["BM-", "bm-", "bM-", ""]))
def test_what_is_written_is_understood(address: Address, domain: str, prefix: str) -> None:
    written = mail_address(address, domain)
    assert written.endswith(f"@{domain.lower()}")
    assert resolve(written).address == address
    assert resolve(prefix + written[3:]).address == address


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("broadcast@bm.internal", RecipientKind.BROADCAST, "broadcast"),
        ("Broadcast@bitmessage.ch", RecipientKind.BROADCAST, "broadcast"),
        ("bmgate@mail.example", RecipientKind.COMMAND, "bmgate"),
        ("cmd@bm.internal", RecipientKind.COMMAND, "cmd"),
        ("createAddr@bm.agent", RecipientKind.COMMAND, "createaddr"),
        ("postmaster@bm.internal", RecipientKind.POSTMASTER, "postmaster"),
        ("postmaster", RecipientKind.POSTMASTER, "postmaster"),
    ],
)
def test_reserved_words_are_special_recipients(text: str, kind: RecipientKind, word: str) -> None:
    found = resolve(text)
    assert (found.kind, found.word, found.address) == (kind, word, None)


@pytest.mark.parametrize("word", ["random", "mailer-daemon", "noreply", "subscribers", "chan", "welcome"])
def test_some_reserved_words_take_no_mail(word: str) -> None:
    with pytest.raises(RecipientMissing, match="takes no mail"):
        resolve(f"{word}@bm.internal", Known(aliases={word: BOB}))


def test_a_reserved_word_elsewhere_is_an_internet_address() -> None:
    with pytest.raises(ForeignDomain):
        resolve("broadcast@gmail.com")


def test_nicknames_come_before_aliases_and_only_in_own_domains() -> None:
    known = Known(nicknames={"tom": ALICE}, aliases={"tom": BOB, "eve": BOB})
    assert resolve("Tom@bm.internal", known).address == ALICE
    assert resolve("EVE+x@mail.example", known).address == BOB
    with pytest.raises(ForeignDomain):
        resolve("tom@bitmessage.ch", known)
    with pytest.raises(RecipientMissing) as caught:
        resolve("nobody@bm.internal", known)
    assert type(caught.value) is RecipientMissing


def test_the_tag_carries_a_ttl() -> None:
    found = resolve(f"{BOB}+list+TTL=2d@bm.internal")
    assert (found.address, found.tag, found.ttl_seconds) == (BOB, "list+TTL=2d", 172_800)
    with pytest.raises(BadTtl):
        resolve(f"{BOB}+ttl=later@bm.internal")


@pytest.mark.parametrize("text", ["\u0432ob@bm.internal", f"{BOB}\u200b@bm.internal", f"{BOB}@bm.\u0131nternal"])
def test_non_ascii_addresses_are_refused(text: str) -> None:
    with pytest.raises(BadAddress) as caught:
        resolve(text)
    assert caught.value.status == "nonascii"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("BM-2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuR@bm.internal", "checksumfailed"),
        ("2cUQDtsUrv3WTKcFedRDit6n75w1WtsKuR@bm.internal", "checksumfailed"),
        ("BM-0OIl@bm.internal", "invalidcharacters"),
        ("BM-@bm.internal", "invalidcharacters"),
        ("BM-87STX6nojEhq6gLvF3orQFtjFGNjcAwyDKh@gmail.com", "encodingproblem"),
        ("BM-31oZTDuBSsR72nJ89jpdcJM8j8pV1RNv21@bm.internal", "versiontoohigh"),
        (f"{Address(4, 2, BOB.ripe)}@bm.internal", "streamoutofrange"),
    ],
)
def test_a_bad_address_says_what_is_wrong(text: str, status: str) -> None:
    with pytest.raises(BadAddress) as caught:
        resolve(text)
    assert caught.value.status == status
    assert (status in UNUSABLE) == (status in ("versiontoohigh", "streamoutofrange"))


@pytest.mark.parametrize(
    "text", ["bob@gmail.com", f"{str(BOB)[3:]}@gmail.com", "a=b@relay.bm.internal", "x@[127.0.0.1]"]
)
def test_the_internet_is_another_domain(text: str) -> None:
    with pytest.raises(ForeignDomain):
        resolve(text)


@pytest.mark.parametrize(
    ("text", "internet"),
    [
        ("carol=example.org@relay.bm.internal", "carol@example.org"),
        ("carol+tag=example.org@Relay.bm.internal", "carol+tag@example.org"),
        ("a=b=example.org@mailer.relay.bm.internal", "a=b@example.org"),
    ],
)
def test_a8_an_internet_address_goes_to_the_relay(text: str, internet: str) -> None:
    found = resolve(text, Known(relays={"mailer": BOB}))
    assert (found.kind, found.address, found.internet) == (RecipientKind.ADDRESS, BOB, internet)


@pytest.mark.parametrize("text", ["carol=example.org@other.relay.bm.internal", "carol=example.org@relay.bm.internal"])
def test_o17_without_that_relay_nothing_goes_to_the_internet(text: str) -> None:
    with pytest.raises(ForeignDomain):
        resolve(text, Known(relays={"mailer": BOB} if "other" in text else {}))


@pytest.mark.parametrize(
    "local", ["carol", "=example.org", "carol=", "a..b=example.org", ".a=x.org", "a=x..org", "a=" + "x" * 200]
)
def test_o17_what_is_no_internet_address_is_refused(local: str) -> None:
    with pytest.raises(BadAddress) as caught:
        resolve(f"{local}@relay.bm.internal", Known(relays={"mailer": BOB}))
    assert caught.value.status == "relay"


def test_a6_an_address_is_taken_in_the_domain_of_the_relay_too() -> None:
    assert resolve(f"{BOB}@relay.bm.internal").address == BOB


def test_an_address_without_prefix_in_a_foreign_domain_is_suggested_with_ours() -> None:
    with pytest.raises(ForeignDomain) as caught:
        resolve(f"{str(BOB)[3:]}@gmail.com")
    assert caught.value.suggestion == f"<{BOB}@bm.internal>"


@pytest.mark.parametrize("text", [str(BOB).lower(), str(BOB).upper(), f"{str(BOB)[3:].lower()}@bm.internal"])
def test_letter_case_is_repaired_from_the_addresses_one_knows(text: str) -> None:
    found = resolve(f"{text}@bm.addr" if "@" not in text else text, BOBS_FRIEND)
    assert (found.address, found.is_repaired) == (BOB, True)
    with pytest.raises((BadAddress, RecipientMissing)):
        resolve(text, Known(addresses=[ALICE]))


class TwinAddress(Address):
    """An address whose letters differ from another's only in case: real ones take a search of 2^25."""

    text: str

    def __str__(self) -> str:
        return self.text


def twin(text: str) -> Address:
    address = TwinAddress(4, 1, text.encode()[:20].ljust(20))
    object.__setattr__(address, "text", text)
    return address


def test_two_addresses_that_fit_are_never_chosen_from() -> None:
    twins = [twin("BM-2cAb"), twin("BM-2caB"), twin("BM-2cAB"), twin("BM-2CAB")]
    for order in (twins, twins[::-1]):
        with pytest.raises(Ambiguous) as caught:
            resolve("bm-2cab@bm.internal", Known(addresses=order))
        assert caught.value.candidates == ("BM-2CAB", "BM-2cAB", "BM-2cAb")


@pytest.mark.parametrize(
    "typed",
    [
        f"{str(BOB)[:-1]}R",
        f"{str(BOB)[:-1]}",
        f"{BOB!s}x",
        f"{str(BOB)[:20]}x{str(BOB)[20:]}".lower(),
        f"{str(BOB)[:20]}{str(BOB)[21:]}",
    ],
)
def test_a_near_miss_is_suggested_and_not_taken(typed: str) -> None:
    with pytest.raises(RecipientMissing, match="did you mean") as caught:
        resolve(f"{typed}@bm.internal", BOBS_FRIEND)
    assert caught.value.suggestion == f"<{BOB}@bm.internal>"


LETTERS = st.text("123abcABC", min_size=1, max_size=4)


@given(st.lists(LETTERS, max_size=6), LETTERS, st.randoms(use_true_random=False))
def test_repair_gives_a_known_address_or_none_whatever_the_order(
    known: list[str], typed: str, random: st.DataObject
) -> None:
    def outcome(addresses: list[Address]) -> tuple[str, object]:
        try:
            return "found", str(resolve(f"bm-{typed}@bm.internal", Known(addresses=addresses)).address)
        except (RecipientMissing, Ambiguous, BadAddress) as error:
            return type(error).__name__, str(error)

    candidates = [twin(f"BM-{text}") for text in known]
    first = outcome(candidates)
    assert first == outcome(candidates[::-1])
    folds = {f"BM-{text}" for text in known if text.lower() == typed.lower()}
    if first[0] == "found":
        assert folds == {first[1]}
    else:
        assert len(folds) != 1


@pytest.mark.parametrize(
    ("text", "kind"), [("random@bm.internal", RecipientKind.RANDOM), ("admin@bm.internal", RecipientKind.POSTMASTER)]
)
def test_some_reserved_words_may_send(text: str, kind: RecipientKind) -> None:
    assert resolve_sender(text, DOMAINS, NOBODY).kind is kind


@pytest.mark.parametrize("word", ["broadcast", "bmgate", "cmd", "mailer-daemon", "noreply", "subscribers", "chan"])
def test_nobody_sends_as_the_gateway(word: str) -> None:
    with pytest.raises(NotAllowed):
        resolve_sender(f"{word}@bm.internal", DOMAINS, NOBODY)


def test_a_sender_is_found_by_alias_with_any_tag() -> None:
    known = Known(aliases={"alice": ALICE})
    found = resolve_sender("alice+shop@bm.internal", DOMAINS, known)
    assert (found.kind, found.address, found.tag) == (RecipientKind.ADDRESS, ALICE, "shop")


@pytest.mark.parametrize("name", ["a", "tom", "a.b-c_d", "0x", "a" * 30])
def test_good_aliases_are_taken(name: str) -> None:
    assert is_alias(name)


@pytest.mark.parametrize(
    "name", ["", "A", ".a", "-a", "a" * 31, "a b", "a@b", "ä", "a+b", "bm-a", "broadcast", "postmaster", "a\n"]
)
def test_bad_aliases_are_not(name: str) -> None:
    assert not is_alias(name)


@given(st.text(st.characters(), max_size=80) | st.text('BbMm-2cU@.+"\\=1lO', max_size=60))
def test_any_text_is_a_recipient_or_one_of_the_refusals(text: str) -> None:
    refusal = ""
    try:
        found = resolve(text, BOBS_FRIEND)
    except (BadAddress, BadTtl, RecipientMissing, Ambiguous) as error:
        refusal = str(error)
    else:
        assert found.address is not None or found.word
    assert len(refusal.splitlines()) <= 1
