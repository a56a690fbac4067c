"""Objects that are ours: the keys that open and make them, the work they need, their acks."""
