"""Alembic's environment: it works on the connection it is given, and commits nothing itself."""

from alembic import context

from yiku.store import (
    admin_tables,
    agent_tables,
    block_tables,
    file_tables,
    place_tables,
    role_tables,
    skill_tables,
    tool_tables,
)

MODULES = (
    admin_tables,
    agent_tables,
    block_tables,
    file_tables,
    place_tables,
    role_tables,
    skill_tables,
    tool_tables,
)
"""Each adds its tables, when it is imported, to the metadata that all share."""

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=MODULES[0].metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction is the one
)
context.run_migrations()
