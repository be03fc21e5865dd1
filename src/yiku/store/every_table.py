"""Every table there is: each module adds its own to the metadata that all share."""

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
metadata = MODULES[0].metadata
