"""Interfaces the domain asks for; adapters fulfil them and `app` joins the two.

`database` is storage, `account_store` what one account sees of it; `world` is everything else: clock, solver, node,
keys at rest.
"""
