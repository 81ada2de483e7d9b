"""Alembic's entry: runs migrations on the connection that `embedmill.shared.db.opening.migrate` hands over."""

from alembic import context

from embedmill.shared.db.schema import know_partial_indexes_on_postgres, metadata

know_partial_indexes_on_postgres()
context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False
)
with context.begin_transaction():
    context.run_migrations()
