from dataclasses import fields

from bmgate.bm.network import MAINNET, MAX_FUTURE_EXPIRY_SECONDS, NETWORKS, TESTNET


def test_networks_are_found_by_name() -> None:
    assert NETWORKS == {"main": MAINNET, "test": TESTNET}


def test_the_live_network_has_the_numbers_of_the_specification() -> None:
    assert MAINNET.magic.to_bytes(4).hex() == "e9beb4d9"
    assert MAINNET.port == 8444
    assert (MAINNET.nonce_trials_per_byte, MAINNET.payload_length_extra_bytes) == (1000, 1000)
    assert MAX_FUTURE_EXPIRY_SECONDS == (28 * 24 + 3) * 3600


def test_the_test_network_shares_no_frame_with_the_live_one() -> None:
    assert TESTNET.magic.to_bytes(4) == b"bmt1"
    names = [field.name for field in fields(MAINNET)]
    alike = [name for name in names if getattr(MAINNET, name) == getattr(TESTNET, name)]
    assert alike == ["payload_length_extra_bytes"]


def test_delays_shrink_on_the_test_network_alone() -> None:
    assert (MAINNET.delay(60), MAINNET.stem_time(30)) == (60, 30)
    assert (TESTNET.delay(60), TESTNET.stem_time(30)) == (0.06, 0.3)
