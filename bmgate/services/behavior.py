"""The behavior bits that an address shows in its pubkey and its msgs, by the options in force for it."""

from bmgate.bm.plaintext import Behavior
from bmgate.domain.policy import Policy

SHOWN = frozenset({"ack", "reads_files_bit"})
"""The options that decide."""


def behavior_of(policy: Policy) -> Behavior:
    """DOES_ACK unless nobody is confirmed: senders would wait in vain. READS_FILES unless that is hidden (O11, V5)."""
    acks = Behavior(0) if policy.ack == "never" else Behavior.DOES_ACK
    return acks | (Behavior.READS_FILES if policy.reads_files_bit else Behavior(0))
