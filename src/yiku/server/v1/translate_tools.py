"""Between v1's forms of tools and ours; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from yiku.agents.try_tool import Tried
from yiku.core.errors import Invalid, InvalidTool
from yiku.core.ids import ToolId
from yiku.core.tool import (
    Ran,
    Requirement,
    Returned,
    SourceType,
    Tool,
    ToolDraft,
    ToolFilter,
    ToolHit,
    ToolPage,
    ToolType,
)
from yiku.server.v1 import wire_tools as wire
from yiku.server.v1.translate import given
from yiku.tools.registry import reason

OWN = tuple(one for one in ToolType if one.ours)


def tool_changes(form: wire.ToolIn) -> dict[str, Any]:
    """The fields of a draft that the form says. Raises: Invalid."""
    said = given(form)
    if "metadata_" in said:
        said["metadata"] = said.pop("metadata_")
    if "source_type" in said:
        said["source_type"] = source_type(said["source_type"])
    for name in ("pip_requirements", "npm_requirements"):
        if name in said:
            said[name] = requirements(said[name])
    return said


def tool_draft(form: wire.ToolIn) -> ToolDraft:
    """Of Python where there is source, else of a schema alone. Raises: Invalid."""
    said = tool_changes(form)
    if not said.get("source_code"):
        said.pop("source_code", None)
        if said.get("json_schema") is not None:
            said.setdefault("source_type", SourceType.JSON)
    return ToolDraft(**said)


def source_type(name: str) -> SourceType:
    """Raises: Invalid."""
    try:
        return SourceType(name)
    except ValueError as error:
        raise Invalid(
            f"`source_type` is python or json here, not {name[:40]!r}.", field="source_type"
        ) from error


def requirements(forms: Iterable[wire.Requirement]) -> tuple[Requirement, ...]:
    return tuple(Requirement(name=one.name, version=one.version) for one in forms)


def tool_out(one: Tool) -> wire.ToolOut:
    return wire.ToolOut.of(
        id=one.id,
        name=one.name,
        description=one.description,
        tool_type=one.tool_type.value,
        source_type=one.source_type.value,
        source_code=one.source_code,
        json_schema=one.json_schema,
        args_json_schema=one.args_json_schema,
        tags=list(one.tags),
        pip_requirements=[requirement_out(each) for each in one.pip_requirements],
        npm_requirements=[requirement_out(each) for each in one.npm_requirements],
        return_char_limit=one.return_char_limit,
        default_requires_approval=one.default_requires_approval,
        enable_parallel_execution=one.enable_parallel_execution,
        metadata_=dict(one.metadata),
        project_id=None,
        created_by_id=one.created_by,
        last_updated_by_id=one.updated_by,
    )


def requirement_out(one: Requirement) -> dict[str, str | None]:
    return {"name": one.name, "version": one.version}


def hit_out(hit: ToolHit, rank: int) -> wire.ToolHitOut:
    return wire.ToolHitOut.model_construct(
        tool=tool_out(hit.tool),
        combined_score=hit.score,
        embedded_text=None,
        fts_rank=rank,
        vector_rank=None,
    )


def tool_filter(query: wire.ToolChoice) -> ToolFilter:
    """Raises: Invalid."""
    names = None if query.name is None else {query.name}
    if query.names is not None:
        names = {*query.names} if names is None else names & {*query.names}
    types = None if query.tool_types is None else types_of("tool_types", query.tool_types)
    if query.return_only_letta_tools:
        types = OWN if types is None else tuple(one for one in types if one.ours)
    ids = None if query.tool_ids is None else tuple(map(ToolId, split(query.tool_ids)))
    return ToolFilter(
        names=None if names is None else tuple(names),
        ids=ids,
        types=types,
        excluded_types=types_of("exclude_tool_types", query.exclude_tool_types or ()),
        name_has=query.search,
    )


def count_filter(query: wire.ToolCount) -> ToolFilter:
    """Raises: Invalid."""
    found = tool_filter(query)
    if query.include_base_tools is False:
        excluded = (*found.excluded_types, *OWN)
        return ToolFilter(
            names=found.names,
            ids=found.ids,
            types=found.types,
            excluded_types=excluded,
            name_has=found.name_has,
        )
    return found


def split(values: Sequence[str]) -> list[str]:
    """Repeated parameters, or one with commas: v1 takes both."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def types_of(field: str, names: Sequence[str]) -> tuple[ToolType, ...]:
    """Raises: Invalid."""
    try:
        return tuple(ToolType(name) for name in split(names))
    except ValueError as error:
        raise Invalid(
            f"`{field}` are of {', '.join(ToolType)}, not {', '.join(names)[:100]!r}.", field=field
        ) from error


def tool_page(query: wire.ToolQuery) -> ToolPage:
    return ToolPage(
        limit=query.limit,
        after=None if query.after is None else ToolId(query.after),
        before=None if query.before is None else ToolId(query.before),
        newest_first=query.order == "desc",
    )


def lines(text: str) -> list[str]:
    return [text] if text else []


def result_out(ran: Ran) -> wire.ResultOut:
    """How a call of a custom tool ended."""
    worked = isinstance(ran.outcome, Returned)
    return wire.ResultOut.model_construct(
        status="success" if worked else "error",
        func_return=ran.outcome.value if isinstance(ran.outcome, Returned) else reason(ran),
        stdout=lines(ran.stdout),
        stderr=lines(ran.stderr),
    )


def not_tried_out(error: InvalidTool) -> wire.ResultOut:
    """A call that the tool can't take, which v1 has no error for: it ends like one that fails."""
    return wire.ResultOut.model_construct(
        status="error", func_return=None, stdout=[], stderr=[error.message]
    )


def tried_out(tried: Tried) -> wire.ResultOut:
    if isinstance(tried.ended, Ran):
        return result_out(tried.ended)
    return wire.ResultOut.model_construct(
        status="success" if tried.ended.ok else "error",
        func_return=tried.ended.text,
        stdout=list(tried.ended.stdout),
        stderr=list(tried.ended.stderr),
    )
