"""What somebody says of a tool, checked and completed (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from yiku.core.errors import InvalidTool, checked
from yiku.core.tool import MAX_RETURN_CHAR_LIMIT, Requirement, SourceType, Tool, ToolDraft
from yiku.tools import schema

PACKAGE = re.compile(r"[A-Za-z0-9@][A-Za-z0-9._/-]{0,213}(\[[A-Za-z0-9,._-]+\])?")
VERSION = re.compile(r"[A-Za-z0-9!+.*_-]{1,64}")
MAX_TAGS = 100


@dataclass(frozen=True, slots=True)
class Told:
    """What models are told of a tool."""

    name: str
    description: str
    json_schema: Mapping[str, Any]


def check(draft: ToolDraft) -> Told:
    """Name, description and schema: given, or read from the source. Raises: InvalidTool."""
    if not 1 <= draft.return_char_limit <= MAX_RETURN_CHAR_LIMIT:
        raise InvalidTool(
            f"`return_char_limit` is from 1 to {MAX_RETURN_CHAR_LIMIT:,},"
            f" not {draft.return_char_limit:,}.",
            field="return_char_limit",
        )
    if len(draft.tags) > MAX_TAGS:
        raise InvalidTool(f"A tool has {MAX_TAGS} tags at most.", field="tags")
    check_requirements("pip_requirements", draft.pip_requirements)
    check_requirements("npm_requirements", draft.npm_requirements)
    check_text("source_code", draft.source_code)
    check_text("description", draft.description)
    match draft.source_type:
        case SourceType.PYTHON:
            made = of_python(draft)
        case SourceType.JSON:
            made = of_json(draft)
    if draft.args_json_schema is not None:
        given = draft.args_json_schema
        made["parameters"] = checked("args_json_schema", lambda: schema.checked_parameters(given))
    if draft.source_type is SourceType.PYTHON:
        made["parameters"] = schema.without_agent(made["parameters"])
    if draft.description:
        made["description"] = draft.description
    return Told(made["name"], made["description"], made)


def of_python(draft: ToolDraft) -> dict[str, Any]:
    source = draft.source_code
    if not source:
        raise InvalidTool("A Python tool needs its `source_code`.", field="source_code")
    if draft.json_schema is None and draft.args_json_schema is not None:
        return checked("source_code", lambda: schema.head_of_source(source, draft.description))
    if draft.json_schema is None:
        return checked("source_code", lambda: schema.of_source(source))
    given = of_json(draft)
    # The function must be there, though nothing else is read of it.
    checked("source_code", lambda: schema.function_of(schema.parse(source), given["name"]))
    return given


def of_json(draft: ToolDraft) -> dict[str, Any]:
    given = draft.json_schema
    if given is None:
        words = "A tool that the client runs needs its `json_schema`."
        raise InvalidTool(words, field="json_schema")
    return checked("json_schema", lambda: schema.check(given))


def check_requirements(field: str, requirements: Sequence[Requirement]) -> None:
    for one in requirements:
        if not PACKAGE.fullmatch(one.name):
            raise InvalidTool(f"`{field}`: {one.name!r:.80} is no package's name.", field=field)
        if one.version is not None and not VERSION.fullmatch(one.version):
            raise InvalidTool(
                f"`{field}`: {one.version!r:.80} is no version of {one.name}.", field=field
            )


def check_text(field: str, value: str | None) -> None:
    if value is None:
        return
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidTool(f"`{field}` holds half a character.", field=field) from error
    if "\0" in value:
        raise InvalidTool(f"`{field}` holds a NUL character.", field=field)


def of_tool(one: Tool, changes: Mapping[str, Any]) -> ToolDraft:
    """The draft of a changed tool: a new source is read anew, unless a schema is given too."""
    kept: dict[str, Any] = {
        name: getattr(one, name) for name in ToolDraft.__dataclass_fields__ if name != "description"
    }
    if changes.get("source_code", one.source_code) != one.source_code:
        kept |= {"json_schema": None, "args_json_schema": None}
    if "json_schema" in changes:
        kept["args_json_schema"] = None
    return ToolDraft(**{**kept, **changes})


def check_arguments(one: Tool, arguments: Mapping[str, Any]) -> None:
    """Raises: InvalidTool, naming what is missing or unknown."""
    parameters = cast("dict[str, Any]", one.json_schema["parameters"])
    known: Mapping[str, Any] = parameters.get("properties", {})
    missing = [name for name in parameters.get("required", ()) if name not in arguments]
    unknown = [name for name in arguments if name not in known]
    if missing:
        named = ", ".join(f"`{name}`" for name in missing)
        raise InvalidTool(f"`{one.name}` needs {named}.", field="args")
    if unknown and parameters.get("additionalProperties") is not True:
        takes = ", ".join(f"`{name}`" for name in known) or "nothing"
        words = f"`{one.name}` has no parameter `{unknown[0]}`; it takes {takes}."
        raise InvalidTool(words, field="args")
