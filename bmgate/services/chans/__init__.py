"""Chans and subscriptions of an account."""
