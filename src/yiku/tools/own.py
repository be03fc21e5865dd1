"""The tools of our own, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from yiku.core.language import Language
from yiku.core.model import ToolSpec
from yiku.core.tool import Tool
from yiku.tools import own_builtin, own_files, own_memory, own_omni, own_search, own_skills
from yiku.tools.desk import OwnTool

OWN: Mapping[str, OwnTool] = {
    one.name: one
    for one in (
        *own_builtin.TOOLS,
        *own_files.TOOLS,
        *own_memory.EDITS,
        *own_omni.TOOLS,
        *own_search.TOOLS,
        *own_skills.TOOLS,
    )
}


def own_tool(tool: Tool) -> OwnTool | None:
    """What the row of a tool of our own stands for; None: it isn't ours, or no longer there."""
    return OWN.get(tool.name) if tool.tool_type.ours else None


def told(tool: Tool, language: Language = "en") -> ToolSpec:
    """A tool as a model is told of it: ours in the agent's language, others as they are."""
    ours = own_tool(tool)
    if ours is not None:
        return of_ours(ours.name, language)
    return ToolSpec(
        name=tool.name,
        description=tool.description,
        parameters=tool.json_schema.get("parameters") or {"type": "object", "properties": {}},
        strict=bool(tool.json_schema.get("strict")),
    )


@cache
def of_ours(name: str, language: Language) -> ToolSpec:
    ours = OWN[name]
    return ToolSpec(
        name=name, description=ours.description(language), parameters=ours.parameters(language)
    )
