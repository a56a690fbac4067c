"""Longer units of time in seconds, which is what the gateway counts in."""

DAY = 86_400
