import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmgate.bm.network import MAINNET, TESTNET
from bmgate.pow.target import expected_trials, initial_hash, is_work_sufficient, target, trial_value

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "pow.json").read_text())
SEEN_AGAIN = VECTORS["valid"][2]  # the object of the two groups at the end of the file
# 27 bytes from PyBitmessage's own test data, expires at 1712271487.
SAMPLE = bytes.fromhex("00000000001be7fc00000000660f307f0000002a010248454c4c4f")


def sufficient(encoded: bytes, case: dict[str, Any]) -> bool:
    return is_work_sufficient(encoded, case["received_time"], case["nonce_trials_per_byte"], case["extra_bytes"])


@pytest.mark.parametrize("case", VECTORS["valid"], ids=lambda case: case["name"])
def test_work_done_by_pybitmessage_is_sufficient(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["object_hex"])
    limit = target(len(encoded), case["ttl"], case["nonce_trials_per_byte"], case["extra_bytes"])
    assert limit == int(case["target"])
    assert initial_hash(encoded).hex() == case["initial_hash_hex"]
    assert trial_value(int(case["nonce"]), initial_hash(encoded)) == int(case["trial_value"]) <= limit
    assert sufficient(encoded, case)


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["name"])
def test_too_little_work_is_noticed(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["object_hex"])
    limit = target(len(encoded), case["ttl"], case["nonce_trials_per_byte"], case["extra_bytes"])
    assert limit == int(case["target"])
    assert trial_value(int.from_bytes(encoded[:8]), initial_hash(encoded)) == int(case["trial_value"])
    assert not sufficient(encoded, case)


@pytest.mark.parametrize("case", VECTORS["same_object_seen_at_other_times"])
def test_work_is_judged_by_the_time_left(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(SEEN_AGAIN["object_hex"])
    assert target(len(encoded), case["effective_ttl"], 1000, 1000) == int(case["target"])
    assert is_work_sufficient(encoded, case["received_time"], 1000, 1000) is case["sufficient"]


@pytest.mark.parametrize("case", VECTORS["same_object_under_other_demands"])
def test_work_is_judged_by_the_demand(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(SEEN_AGAIN["object_hex"])
    demands = case["nonce_trials_per_byte"], case["extra_bytes"]
    assert target(len(encoded), SEEN_AGAIN["ttl"], *demands) == int(case["target"])
    assert is_work_sufficient(encoded, SEEN_AGAIN["received_time"], *demands) is case["sufficient"]


@pytest.mark.parametrize(("ttl", "expected"), [(300, 17892089305246), (3600, 17033004684865), (86400, 7750732804079)])
def test_the_sample_of_pybitmessage_passes(ttl: int, expected: int) -> None:
    assert target(len(SAMPLE), ttl, 1000, 1000) == expected
    assert is_work_sufficient(SAMPLE, 1712271487 - ttl, 1000, 1000)


def test_an_expired_object_is_judged_as_if_five_minutes_were_left() -> None:
    for now in (1712271487, 1712271487 + 10**9):
        assert is_work_sufficient(SAMPLE, now, 1000, 1000) == is_work_sufficient(SAMPLE, 1712271487 - 300, 1000, 1000)
        assert not is_work_sufficient(SAMPLE, now, 10_000, 1000)


@pytest.mark.parametrize(("length", "ttl", "millions"), [(556, 345_600, 9.8), (54, 216_000, 4.5), (262_140, 3600, 278)])
def test_the_expected_work_is_that_of_the_specification(length: int, ttl: int, millions: float) -> None:
    trials = expected_trials(length, ttl, MAINNET.nonce_trials_per_byte, MAINNET.payload_length_extra_bytes)
    assert trials / 1e6 == pytest.approx(millions, rel=0.01)


def test_the_test_network_wants_a_thousandth_of_the_work() -> None:
    demands = TESTNET.nonce_trials_per_byte, TESTNET.payload_length_extra_bytes
    assert expected_trials(556, 345_600, *demands) * 1000 == expected_trials(556, 345_600, 1000, 1000)


@given(st.binary(max_size=60), st.integers(0, 2**40), st.integers(1, 2**64), st.integers(0, 2**64))
def test_any_bytes_can_be_judged(encoded: bytes, now: int, trials_per_byte: int, extra_bytes: int) -> None:
    verdict = is_work_sufficient(encoded, now, trials_per_byte, extra_bytes)
    assert len(encoded) >= 16 or not verdict
