"""The schema's history. Revisions are linear and run in one transaction: a kill leaves the old schema or the new one.

Alembic is imported only where there is something to do: it would double the time of a start.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect

from bmgate.domain.ports.database import Failpoints
from bmgate.errors import ConfigError
from bmgate.storage.backend import Backend

HEAD = "0015"
"""The revision this version of bmgate works with; a test compares it with the newest file of `versions`."""


def migrate(connection: Connection, backend: Backend, failpoints: Failpoints) -> None:
    """Make or upgrade the schema; raises ConfigError for a database of a newer bmgate, or one that is not ours."""
    current = current_revision(connection)
    if current == HEAD:
        return
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    if current is not None:
        if current not in {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}:
            raise ConfigError(
                f"the database has schema {current}, this bmgate knows {HEAD}: install the newer bmgate again, or bring"
                " back the backup in backups/"
            )
        backend.before_upgrade(connection, current)
    failpoints.pass_("storage.migrate")
    with connection.begin():
        command.upgrade(config, "head")
        failpoints.pass_("storage.migrated")


def current_revision(connection: Connection) -> str | None:
    """None for an empty database; raises ConfigError for one that somebody else made."""
    with connection.begin():
        tables = inspect(connection).get_table_names()
        if "alembic_version" not in tables:
            if tables:
                raise ConfigError("the database holds tables that are not bmgate's")
            return None
        revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return revision


def alembic_config(connection: Connection):  # type: ignore[no-untyped-def]
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
