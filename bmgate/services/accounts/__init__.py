"""Accounts: making them, their names, their end."""
