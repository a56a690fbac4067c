"""Interfaces the domain asks for; adapters fulfil them and `app` joins the two.

`database` is storage, `world` everything else: clock, solver, node, keys at rest.
"""
