"""Where everything durable lives: the database, its schema, and the keys that seal what it holds.

`database` runs units of work, `repositories` speak the domain's words inside one, `vault` holds the keys.
"""
