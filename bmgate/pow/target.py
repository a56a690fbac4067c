"""The proof-of-work formula: how much work an object must carry, and whether it does.

Leaves the search for a nonce to the solver. Exact integers throughout, for peers disagree in the last bits.
Source: protocol specification v3, "Proof of work".
"""

from bmgate.bm.hashes import double_sha512, sha512

SHORTEST_TTL_SECONDS = 300  # a checker never assumes less: an expired object costs no less work than that

_NONCE_SIZE = 8
_HEADER_SIZE = 16  # nonce and expires_time


def target(length: int, ttl: int, nonce_trials_per_byte: int, payload_length_extra_bytes: int) -> int:
    """The largest trial value that counts as done.

    `length` is that of the object in bytes with its 8-byte nonce, `ttl` in seconds and not negative.
    """
    return 2**64 // expected_trials(length, ttl, nonce_trials_per_byte, payload_length_extra_bytes)


def expected_trials(length: int, ttl: int, nonce_trials_per_byte: int, payload_length_extra_bytes: int) -> int:
    """How many nonces are tried on average; arguments as for `target`."""
    charged = length + payload_length_extra_bytes
    return nonce_trials_per_byte * (charged + ttl * charged // 65536)


def initial_hash(encoded: bytes) -> bytes:
    """The 64 bytes that stand for an object in each trial: SHA-512 of all that follows its nonce."""
    return sha512(encoded[_NONCE_SIZE:])


def trial_value(nonce: int, initial_hash: bytes) -> int:
    """The uint64 that must not exceed the target."""
    return int.from_bytes(double_sha512(nonce.to_bytes(_NONCE_SIZE) + initial_hash)[:8])


def is_work_sufficient(encoded: bytes, now: int, nonce_trials_per_byte: int, payload_length_extra_bytes: int) -> bool:
    """Whether a whole object, received at `now` (Unix seconds), carries the work demanded.

    Demands below the network's minimum are the caller's to raise. What is too short for an object has no work.
    """
    if len(encoded) < _HEADER_SIZE:
        return False
    expires_time = int.from_bytes(encoded[_NONCE_SIZE:_HEADER_SIZE])
    ttl = max(expires_time - now, SHORTEST_TTL_SECONDS)
    limit = target(len(encoded), ttl, nonce_trials_per_byte, payload_length_extra_bytes)
    return trial_value(int.from_bytes(encoded[:_NONCE_SIZE]), initial_hash(encoded)) <= limit
