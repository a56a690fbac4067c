"""Interfaces the domain asks for; adapters fulfil them and `app` joins the two.

`database` is storage, with the gateway's own views in `accounts`, `receivers`, `outgoing` and `network`. What one
account sees of it is `account_store`, with its parts in `account_mail`, `account_keys` and `account_people`. `world` is
everything else: clock, solver, node, keys at rest.
"""
