"""The tools of an MCP server as tools of ours: new ones, changed ones, those that are gone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from yiku.core.ids import ToolId, new_id
from yiku.core.mcp import Found, Lent, McpServer, McpTool, Synced
from yiku.core.tool import DEFAULT_RETURN_CHAR_LIMIT, SourceType, Tool, ToolType
from yiku.store import mcp_servers, tools
from yiku.store.database import Tx

LONGEST_NAME = 64
"""What providers of models take; letters, digits, `_` and `-`."""
TAG = "mcp:"


def sync(tx: Tx, server: McpServer, found: Sequence[Found]) -> Synced:
    """Make our tools what the server has listed. What somebody has set of a tool of ours (tags,
    approval, limits) stays; a tool that is gone is deleted, and agents lose it.

    Raises: McpServerNotFound where it was deleted meanwhile.
    """
    seen = mcp_servers.get(tx, server.id, to_change=True)
    there = {one.of.remote_name: one for one in mcp_servers.tools_of(tx, server.id)}
    gone = [there[name] for name in there.keys() - {one.remote_name for one in found}]
    for one in gone:
        tools.remove(tx, one.tool.id)
    added: list[str] = []
    updated: list[str] = []
    for one in found:
        before = there.get(one.remote_name)
        if before is None:
            made = made_tool(tx, seen, one, free_name(tx, seen.name, one.remote_name))
            link = McpTool(
                tool_id=made.id,
                mcp_server_id=seen.id,
                remote_name=one.remote_name,
                problems=one.problems,
            )
            mcp_servers.add_tool(tx, made, link)
            added.append(made.name)
        elif (changed := brought_up(tx, seen, one, before)) != before.tool:
            mcp_servers.put_tool(tx, before, changed, one.problems)
            updated.append(changed.name)
    mcp_servers.put(tx, seen, replace(seen, problem=None, synced_at=tx.now))
    return Synced(
        added=tuple(added),
        updated=tuple(updated),
        deleted=tuple(sorted(one.tool.name for one in gone)),
    )


def made_tool(tx: Tx, server: McpServer, one: Found, name: str) -> Tool:
    return Tool(
        id=ToolId(new_id("tool")),
        organization_id=tx.actor.organization_id,
        name=name,
        description=one.description,
        tool_type=ToolType.MCP,
        source_type=SourceType.JSON,
        source_code=None,
        json_schema=schema_of(one, name),
        args_json_schema=None,
        tags=(TAG + server.name,),
        pip_requirements=(),
        npm_requirements=(),
        return_char_limit=DEFAULT_RETURN_CHAR_LIMIT,
        enable_parallel_execution=False,
        default_requires_approval=None,
        metadata=facts_of(server, one),
        created_at=tx.now,
        updated_at=tx.now,
        created_by=tx.actor.user_id,
        updated_by=tx.actor.user_id,
    )


def brought_up(tx: Tx, server: McpServer, one: Found, before: Lent) -> Tool:
    """Our tool as the server has it now; the same where nothing of it has changed."""
    seen = before.tool
    tags = [tag for tag in seen.tags if not tag.startswith(TAG)]
    changed = replace(
        seen,
        description=one.description,
        json_schema=schema_of(one, seen.name),
        tags=(TAG + server.name, *tags),
        metadata={**seen.metadata, **facts_of(server, one)},
    )
    if changed == seen:
        return seen
    return replace(changed, updated_at=tx.now, updated_by=tx.actor.user_id)


def schema_of(one: Found, name: str) -> dict[str, Any]:
    return {"name": name, "description": one.description, "parameters": dict(one.parameters)}


def facts_of(server: McpServer, one: Found) -> dict[str, Any]:
    facts: Mapping[str, Any] = {
        "server_id": server.id,
        "server_name": server.name,
        "tool_name": one.remote_name,
        "annotations": dict(one.annotations),
        "schema_problems": list(one.problems),
    }
    return {"mcp": facts}


def free_name(tx: Tx, server: str, remote: str) -> str:
    """A name that models can call and no other tool has: the server's own, else with the server
    before it."""
    own, prefix = callable_name(remote), callable_name(server)
    tried = [own, f"{prefix}_{own}"[:LONGEST_NAME]]
    tried += [f"{prefix}_{own}"[: LONGEST_NAME - 5] + f"_{n}" for n in range(2, 1000)]
    taken = tools.by_name(tx, tried[:2])
    for name in tried:
        if name not in taken and (name in tried[:2] or tools.find(tx, name) is None):
            return name
    return f"{own[:24]}_{new_id('x')[2:34]}"


def callable_name(name: str) -> str:
    """`files/read.all` as `files_read_all`."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:LONGEST_NAME]
    return plain or "tool"
