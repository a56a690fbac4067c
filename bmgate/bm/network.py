"""What tells one Bitmessage network from another, as values that are handed in.

The test network differs from the live one in the fields of `NetworkParameters` and in nothing else.
Source: protocol specification v3, "Message structure" and "Proof of work".
"""

from dataclasses import dataclass

STREAM = 1  # the only one there is

MAX_FUTURE_EXPIRY_SECONDS = 2_430_000  # 28 days and 3 hours: an object that expires later is refused
PAST_EXPIRY_GRACE_SECONDS = 3_600  # an object that expired longer ago is refused
PURGE_AFTER_EXPIRY_SECONDS = 10_800  # until then its hash is remembered, so that it is not fetched again
CLOCK_TOLERANCE_SECONDS = 3_600  # between a peer's `version` and our clock


@dataclass(frozen=True, slots=True)
class NetworkParameters:
    """One network: its framing, the work it demands, and how cautious its nodes are."""

    name: str
    magic: int  # uint32, the first four bytes of each packet
    port: int
    nonce_trials_per_byte: int
    payload_length_extra_bytes: int
    delay_divisor: int  # of the privacy delays: ack, pubkey, first getdata
    stem_divisor: int  # of the times of a Dandelion stem
    accepts_private_peers: bool
    limits_groups: bool  # connections per IP and per network group are bounded
    bootstraps: bool
    gossips: bool

    def delay(self, seconds: float) -> float:
        """What remains here of a privacy delay of `seconds` on the live network."""
        return seconds / self.delay_divisor

    def stem_time(self, seconds: float) -> float:
        """What remains here of a Dandelion time of `seconds` on the live network."""
        return seconds / self.stem_divisor


MAINNET = NetworkParameters(
    name="main",
    magic=0xE9BEB4D9,
    port=8444,
    nonce_trials_per_byte=1000,
    payload_length_extra_bytes=1000,
    delay_divisor=1,
    stem_divisor=1,
    accepts_private_peers=False,
    limits_groups=True,
    bootstraps=True,
    gossips=True,
)
TESTNET = NetworkParameters(
    name="test",
    magic=0x626D7431,
    port=18444,
    nonce_trials_per_byte=1,
    payload_length_extra_bytes=1000,
    delay_divisor=1000,
    stem_divisor=100,
    accepts_private_peers=True,
    limits_groups=False,
    bootstraps=False,
    gossips=False,
)
NETWORKS: dict[str, NetworkParameters] = {network.name: network for network in (MAINNET, TESTNET)}
