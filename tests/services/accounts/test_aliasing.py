"""Many names at once."""

import os

import pytest
from stations import Station, User

from bmgate.bm.network import TESTNET
from bmgate.domain.identity import IdentityId
from bmgate.domain.policy import Policy
from bmgate.errors import BatchRefused
from bmgate.services.accounts.aliasing import AliasEntry, Aliasing
from bmgate.services.identities import Identities
from bmgate.services.policies import Policies
from bmgate.storage.repositories.account_identities import AccountIdentityRepository


@pytest.fixture
async def anna(station: Station) -> User:
    return await station.add_user("anna")


@pytest.fixture
def aliasing(station: Station) -> Aliasing:
    identities = Identities(station.database, station.clock, os.urandom, TESTNET, lambda: None, Policies(Policy()))
    return Aliasing(station.database, station.clock, identities)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """How often the names of an account were read."""
    looked, everything = list[object](), AccountIdentityRepository.aliases

    def look(identities: AccountIdentityRepository) -> dict[str, IdentityId]:
        looked.append(identities)
        return everything(identities)

    monkeypatch.setattr(AccountIdentityRepository, "aliases", look)
    return looked


@pytest.mark.parametrize("if_missing", [False, True])
async def test_the_names_of_an_account_are_read_once_for_a_whole_batch(
    station: Station, anna: User, aliasing: Aliasing, reads: list[object], if_missing: bool
) -> None:
    bob = await station.add_user("bob")
    entries = [AliasEntry(n, anna.id, f"desk{n}", f"desk{n - 1}" if n else "anna") for n in range(20)]
    entries += [AliasEntry(n, bob.id, f"Bob{n}", str(bob.identity.address)) for n in range(20, 40)]
    given = await aliasing.add_all(entries, if_missing=if_missing)
    assert [each.is_new for each in given] == [True] * 40
    assert {each.identity.address for each in given[:20]} == {anna.identity.address}
    assert given[20].aliases == ("bob20",)
    assert len(reads) == 2
    again = await aliasing.add_all(entries, if_missing=True)
    assert not any(each.is_new for each in again)


async def test_a_name_of_an_earlier_line_is_taken(anna: User, aliasing: Aliasing) -> None:
    entries = [AliasEntry(1, anna.id, "desk", "anna"), AliasEntry(2, anna.id, "Desk", "anna")]
    with pytest.raises(BatchRefused, match="line 2"):
        await aliasing.add_all(entries)
    given = await aliasing.add_all(entries, if_missing=True)
    assert [each.is_new for each in given] == [True, False]
