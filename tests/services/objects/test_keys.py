"""What a recipient's pubkey demands."""

from dataclasses import replace

from bmgate.bm.keys import deterministic_keys
from bmgate.bm.network import MAINNET
from bmgate.bm.plaintext import Behavior, Pubkey
from bmgate.services.objects.keys import Demand, demand_of

KEYS = next(deterministic_keys(b"demands")).public
PUBKEY = Pubkey(4, 1, Behavior.DOES_ACK, KEYS, 1000, 1000)


def test_a_demand_below_the_minimum_is_raised_to_it() -> None:
    humble = replace(PUBKEY, nonce_trials_per_byte=1, payload_length_extra_bytes=0)
    assert demand_of(humble, MAINNET) == Demand(1000, 1000)


def test_a_higher_demand_is_met() -> None:
    demand = demand_of(replace(PUBKEY, nonce_trials_per_byte=3000), MAINNET)
    assert demand == Demand(3000, 1000)
    assert demand.times_minimum(MAINNET) == 3.0


def test_notbit_demands_twice_the_work_and_its_v2_pubkeys_cannot_say_so() -> None:
    untold = replace(PUBKEY, version=2, nonce_trials_per_byte=0, payload_length_extra_bytes=0)
    assert demand_of(untold, MAINNET) == Demand(2000, 1000)
