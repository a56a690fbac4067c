"""What Alembic runs for each command: our connection, our metadata, one transaction that the caller has begun."""

from alembic import context

from bmgate.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
