"""Every table there is: each module adds its own to the metadata that all share."""

from yiku.store import admin_tables as admin_tables
from yiku.store import agent_tables as agent_tables
from yiku.store import block_tables as block_tables
from yiku.store import file_tables as file_tables
from yiku.store import place_tables as place_tables
from yiku.store import role_tables as role_tables
from yiku.store import skill_tables as skill_tables
from yiku.store import tool_tables as tool_tables
from yiku.store.tables import metadata as metadata
