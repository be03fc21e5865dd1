"""The rows of the tools that come with the server: each organization has its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256

from yiku.core.ids import ToolId, new_id
from yiku.core.tenant import Actor
from yiku.core.tool import SourceType, Tool, ToolFilter, ToolType
from yiku.store import tools
from yiku.store.database import Database, Tx
from yiku.tools.desk import OwnTool
from yiku.tools.own import OWN

TYPES = tuple(one for one in ToolType if one.ours)
SPEC = "spec"
"""In a row's metadata: which version of the tool it was made of."""


@cache
def specs() -> Mapping[str, str]:
    """A short hash of what models are told of each tool."""
    return {name: spec_of(one) for name, one in OWN.items()}


def spec_of(one: OwnTool) -> str:
    told = [one.tool_type, one.description(), one.parameters(), one.return_char_limit, *one.tags]
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def current(one: Tool) -> bool:
    """Whether a row is of one of our tools, and as this version of Yiku has it."""
    return one.tool_type.ours and one.metadata.get(SPEC) == specs().get(one.name)


def ensure(tx: Tx) -> list[Tool]:
    """The organization's rows of all our tools, made or renewed where they aren't as they should.

    A custom tool that has the name of one of ours keeps it.
    """
    there = {one.name: one for one in tools.all_fitting(tx, ToolFilter(names=tuple(OWN)))}
    found: list[Tool] = []
    for name, own in OWN.items():
        seen = there.get(name)
        if seen is None:
            seen = row_of(tx, own)
            tools.add(tx, seen)
        elif seen.tool_type.ours and not current(seen):
            seen = renewed(seen, row_of(tx, own))
            tools.put(tx, seen, seen)
        if seen.tool_type.ours:
            found.append(seen)
    return found


def renewed(seen: Tool, made: Tool) -> Tool:
    return replace(made, id=seen.id, created_at=seen.created_at, created_by=seen.created_by)


def row_of(tx: Tx, own: OwnTool) -> Tool:
    description, parameters = own.description(), own.parameters()
    return Tool(
        id=ToolId(new_id("tool")),
        organization_id=tx.actor.organization_id,
        name=own.name,
        description=description,
        tool_type=own.tool_type,
        source_type=SourceType.PYTHON,
        source_code=None,
        json_schema={"name": own.name, "description": description, "parameters": parameters},
        args_json_schema=None,
        tags=own.tags,
        pip_requirements=(),
        npm_requirements=(),
        return_char_limit=own.return_char_limit,
        enable_parallel_execution=own.parallel,
        default_requires_approval=None,
        metadata={SPEC: specs()[own.name]},
        created_at=tx.now,
        updated_at=tx.now,
        created_by=tx.actor.user_id,
        updated_by=tx.actor.user_id,
    )


async def there(database: Database, actor: Actor) -> None:
    """See to it that the organization has them, whatever the actor's key may do."""
    wanted = ToolFilter(names=tuple(OWN))
    if await database.read(actor, lambda tx: tools.count(tx, wanted)) < len(OWN):
        await database.write(actor.bookkeeper, ensure)


def chosen(tx: Tx, names: tuple[str, ...]) -> dict[str, Tool]:
    """The tools of these names that there are, ours as this version has them."""
    wanted = ToolFilter(names=names)
    found = {one.name: one for one in tools.all_fitting(tx, wanted)} if names else {}
    stale = any(one.tool_type.ours and not current(one) for one in found.values())
    if stale or any(name in OWN and name not in found for name in names):
        ensure(tx)
        found = {one.name: one for one in tools.all_fitting(tx, wanted)}
    return found
