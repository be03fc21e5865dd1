"""Alembic's environment: it works on the connection it is given, and commits nothing itself."""

from alembic import context

from yiku.store import role_tables, tool_tables

assert role_tables.metadata is tool_tables.metadata  # each adds its tables when it is imported
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=role_tables.metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction is the one
)
context.run_migrations()
