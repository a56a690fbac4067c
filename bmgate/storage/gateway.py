"""Facts about the database as a whole: a data folder belongs to one network and one master key."""

import hmac

from sqlalchemy import Connection, insert, select

from bmgate.errors import ConfigError
from bmgate.storage.schema import gateway
from bmgate.storage.vault import Vault


def check_gateway(connection: Connection, vault: Vault, network: str) -> None:
    """Note the network and how to know the master key; raises ConfigError when they are not those noted before."""
    with connection.begin():
        noted = {row.name: bytes(row.value) for row in connection.execute(select(gateway))}
        if not noted:
            facts = {"network": network.encode(), "key_check": vault.check_value()}
            rows = [{"name": name, "value": value} for name, value in facts.items()]
            connection.execute(insert(gateway), rows)
            return
    if noted["network"] != network.encode():
        raise ConfigError(
            f"[node] network: {network!r} found, but this data folder belongs to {noted['network'].decode()!r}"
        )
    if not hmac.compare_digest(noted["key_check"], vault.check_value()):
        raise ConfigError("master.key is not the key of this database: put back the one it was made with")
