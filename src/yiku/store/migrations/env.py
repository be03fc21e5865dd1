"""Alembic's environment: it works on the connection it is given, and commits nothing itself."""

from alembic import context

from yiku.store.every_table import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction is the one
)
context.run_migrations()
