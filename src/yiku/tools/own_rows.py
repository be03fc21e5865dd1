"""The rows of our own tools: how organizations, their agents and the API refer to them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from yiku.core.ids import ToolId, new_id
from yiku.core.tool import SourceType, Tool, ToolFilter
from yiku.store import tools
from yiku.store.database import Tx
from yiku.tools.desk import OwnTool
from yiku.tools.own import OWN

logger = logging.getLogger(__name__)


def ensure(tx: Tx) -> None:
    """Each of our tools has a row in the actor's organization that says what this version's code
    says of it. Where nothing is to be done, it costs one statement.

    A tool that somebody made under one of our names before we had it stays theirs.
    """
    there = {one.name: one for one in tools.all_fitting(tx, ToolFilter(names=list(OWN)))}
    for name, ours in OWN.items():
        seen = there.get(name)
        if seen is None:
            tools.add(tx, row_of(tx, ours))
        elif not seen.tool_type.ours:
            logger.info("a custom tool has the name of one of ours", extra={"tool": name})
        elif differs(seen, ours):
            now = replace(seen, **told(ours), updated_at=tx.now, updated_by=tx.actor.user_id)
            tools.put(tx, seen, now)


def differs(seen: Tool, ours: OwnTool) -> bool:
    return any(getattr(seen, name) != value for name, value in told(ours).items())


def told(ours: OwnTool) -> dict[str, Any]:
    description = ours.description()
    return {
        "description": description,
        "tool_type": ours.tool_type,
        "json_schema": {
            "name": ours.name,
            "description": description,
            "parameters": ours.parameters(),
        },
        "tags": (ours.tool_type.value, *ours.tags),
        "return_char_limit": ours.return_char_limit,
        "enable_parallel_execution": ours.parallel,
    }


def row_of(tx: Tx, ours: OwnTool) -> Tool:
    return Tool(
        id=ToolId(new_id("tool")),
        organization_id=tx.actor.organization_id,
        name=ours.name,
        source_type=SourceType.PYTHON,
        source_code=None,
        args_json_schema=None,
        pip_requirements=(),
        npm_requirements=(),
        default_requires_approval=None,
        metadata={},
        created_at=tx.now,
        updated_at=tx.now,
        created_by=tx.actor.user_id,
        updated_by=tx.actor.user_id,
        **told(ours),
    )
