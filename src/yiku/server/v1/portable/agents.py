"""Agents, and what they have but messages, as agent files have them; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError

from yiku.agents.transfer.carried import CarriedArchive, CarriedTool
from yiku.core.agent import AgentKind, AgentState
from yiku.core.block import Block, BlockContent
from yiku.core.errors import Invalid, InvalidImport
from yiku.core.role import EmbeddingRoleConfig, config_of
from yiku.core.tool import SourceType, Tool, ToolType
from yiku.server.v1 import wire, wire_agents, wire_models, wire_rules, wire_tools
from yiku.server.v1.portable.reading import Json, Notes, as_object, known_only, read
from yiku.server.v1.portable.servers import lent_of
from yiku.server.v1.translate import block_content, block_out
from yiku.server.v1.translate_agents import View, agent_out, new_agent
from yiku.server.v1.translate_tools import tool_draft, tool_out

SAME = (
    *("name", "system", "agent_type", "description", "metadata", "tags", "timezone"),
    *("message_buffer_autoclear", "enable_sleeptime", "response_format", "hidden"),
    *("max_files_open", "per_file_view_window_char_limit", "project_id", "template_id"),
    *("base_template_id", "compaction_settings", "model_settings", "role_memory"),
)
"""Fields of an agent that a file has as v1's answers have them."""
EMPTY: Mapping[str, Any] = {
    "memory_blocks": [],
    "tools": [],
    "initial_message_sequence": None,
    "include_base_tools": False,
    "include_multi_agent_tools": False,
    "include_base_tool_rules": False,
    "include_default_source": False,
    "embedding_chunk_size": None,
    "max_tokens": None,
    "max_reasoning_tokens": None,
    "enable_reasoner": False,
    "reasoning": None,
    "from_template": None,
    "template": False,
    "project": None,
    "tool_exec_environment_variables": {},
    "secrets": None,
    "memory_variables": None,
    "identity_ids": None,
    "parallel_tool_calls": None,
    "group_ids": [],
    "files_agents": [],
}
"""Fields that other servers want to see, and that say nothing."""
NOT_TAKEN = frozenset({*EMPTY, "block_ids", "tool_ids", "source_ids", "folder_ids"})
SECRETS = frozenset({"tool_exec_environment_variables", "secrets"})
ALIASES = {"metadata_": "metadata"}
OLD_KINDS = {"chat_only_agent": "letta_v1_agent", "offline_memory_agent": "sleeptime_agent"}


def agent_to_file(state: AgentState, view: View, key: str) -> Json:
    """Without what stands elsewhere in the file: ids of what it has, messages. No secret is in it:
    only the names of those it needs."""
    told = agent_out(state, view).model_dump(mode="json")
    config = state.agent.config
    return {
        **EMPTY,
        **{name: told[name] for name in SAME},
        "id": key,
        "model": told["model"] if config.model else None,
        "embedding": config.embedding,
        "context_window_limit": config.context_window,
        "llm_config": told["llm_config"],
        "embedding_config": told["embedding_config"],
        "tool_rules": told["tool_rules"],
        "tool_exec_environment_variables": dict.fromkeys(config.secrets, ""),
    }


def block_to_file(one: Block, key: str) -> Json:
    told = block_out(one).model_dump(mode="json")
    return {k: v for k, v in told.items() if not k.endswith("by_id")} | {"id": key}


def tool_to_file(one: Tool, key: str) -> Json:
    return {**tool_out(one).model_dump(mode="json"), "id": key}


def agent_fields(value: Mapping[str, Any], place: str, notes: Notes) -> Json:
    """What the file says of an agent, as fields of AgentConfig. Raises: InvalidImport."""
    said = {ALIASES.get(name, name): one for name, one in value.items()}
    fields = known_only(wire_agents.AgentIn, said)
    for name in NOT_TAKEN - SECRETS:
        fields.pop(name, None)
    for name in SECRETS & fields.keys():
        fields[name] = with_values(variables(fields[name]), place, notes)
    if isinstance(fields.get("tags"), list):
        fields["tags"] = [tag_of(one) for one in fields["tags"]]
    kind = str(fields.get("agent_type", AgentKind.STANDARD))
    fields["agent_type"] = OLD_KINDS.get(kind, kind)
    if "model_settings" in fields and "context_window_limit" in fields:
        fields.pop("llm_config", None)  # it says the same, and names a model where none was chosen
    for name, form in NESTED.items():
        if isinstance(inner := fields.get(name), dict):
            fields[name] = known_only(form, cast("Json", inner))
    if isinstance(inner := fields.get("llm_config"), dict):
        fields["llm_config"] = sound_config(cast("Json", inner))
    if isinstance(rules := fields.get("tool_rules"), list):
        fields["tool_rules"] = list(known_rules(cast("list[Any]", rules), place, notes))
    try:
        return dict(new_agent(read(wire_agents.AgentIn, fields, place)).given)
    except Invalid as error:
        if isinstance(error, InvalidImport):
            raise
        raise InvalidImport(f"{place}: {error.message}", place=place) from error


NESTED: Mapping[str, type[BaseModel]] = {
    "llm_config": wire_models.LlmConfig,
    "embedding_config": wire_models.EmbeddingConfig,
    "compaction_settings": wire_models.Compaction,
    "model_settings": wire_models.ModelSettings,
}


def with_values(found: Mapping[str, str], place: str, notes: Notes) -> dict[str, str]:
    """Secrets of which the file holds more than the name."""
    if empty := sorted(key for key, one in found.items() if not one):
        notes.say(
            f"{place}: the file names its secrets {', '.join(empty)} and doesn't hold their values;"
            " give them as `secrets`."
        )
    return {key: one for key, one in found.items() if one}


def tag_of(value: Any) -> Any:
    return cast("Json", value).get("tag") if isinstance(value, dict) else value


def sound_config(config: Json) -> Json:
    """Values that older servers wrote and newer ones don't know are as if they weren't said."""
    try:
        wire_models.LlmConfig.model_validate(config)
    except ValidationError as error:
        wrong = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
        needed = {"model", "context_window", "model_endpoint_type"}
        return {name: one for name, one in config.items() if name not in wrong - needed}
    return config


def known_rules(rules: Iterable[Any], place: str, notes: Notes) -> Iterable[Json]:
    for one in rules:
        kind = str(cast("Json", one).get("type")) if isinstance(one, dict) else None
        form = RULES.get(kind or "")
        if form is None:
            notes.say(f"{place}: a tool rule of a kind that isn't known, {kind}, is left out.")
        else:
            yield known_only(form, cast("Json", one))


RULES: Mapping[str, type[BaseModel]] = {
    get_args(form.model_fields["type"].annotation)[0]: form
    for form in get_args(get_args(wire_rules.AnyRule)[0])
}
"""By their `type`."""


def variables(value: Any) -> dict[str, str]:
    """By name, or a list of them, as older files have it."""
    if isinstance(value, list):
        found = cast("list[Mapping[str, Any]]", value)
        return {str(one["key"]): str(one.get("value") or "") for one in found}
    return {str(key): str(one or "") for key, one in cast("Json", value).items()}


def block_of(value: Any, place: str) -> BlockContent:
    """Raises: InvalidImport."""
    said = {ALIASES.get(name, name): one for name, one in as_object(value, place).items()}
    form = read(wire.BlockIn, known_only(wire.BlockIn, said), place)
    try:
        # A value that outgrew its limit was possible elsewhere.
        room = max(form.limit, len(form.value))
        return block_content(form.model_copy(update={"limit": room}, deep=False))
    except Invalid as error:
        raise InvalidImport(f"{place}: {error.message}", place=place) from error


def tool_of(value: Any, place: str, notes: Notes) -> CarriedTool:
    """Raises: InvalidImport."""
    said = as_object(value, place)
    name = said.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidImport(f"{place}.name: a tool needs its name", place=place)
    kind, source = str(said.get("tool_type") or ToolType.CUSTOM), said.get("source_code")
    if (lent := lent_of(said, place)) is not None:
        return CarriedTool(name=name, lent=lent)
    if kind.startswith("letta_") or not (source or said.get("json_schema")):
        return CarriedTool(name=name)
    if kind not in (ToolType.CUSTOM.value, ToolType.COMPOSIO.value, ToolType.LANGCHAIN.value):
        notes.say(f"{place}: {name!r} is of a kind that isn't known, {kind}; its source is taken.")
    fields = known_only(wire_tools.ToolIn, said)
    if source and said.get("source_type") not in (None, SourceType.PYTHON.value):
        notes.say(f"{place}: {name!r} is written in {said['source_type']}: the client must run it.")
        fields.pop("source_code", None)
        fields["source_type"] = SourceType.JSON.value
    schema = as_object(said.get("json_schema") or {}, f"{place}.json_schema")
    if schema:
        fields["json_schema"] = {"description": "", **schema, "name": name}
    for needs in ("pip_requirements", "npm_requirements"):
        if needs in fields:
            fields[needs] = [
                {k: v for k, v in as_object(one, place).items() if k in ("name", "version")}
                for one in fields[needs]
            ]
    try:
        draft = tool_draft(read(wire_tools.ToolIn, fields, place))
    except Invalid as error:
        if isinstance(error, InvalidImport):
            raise
        raise InvalidImport(f"{place}: {error.message}", place=place) from error
    return CarriedTool(name=name, draft=draft)


def archive_of(value: Any, place: str) -> CarriedArchive:
    """Raises: InvalidImport."""
    said = as_object(value, place)
    roles: list[EmbeddingRoleConfig] = []
    for n, one in enumerate(cast("list[Any]", said.get("roles") or [])):
        try:
            roles.append(config_of(as_object(one, f"{place}.roles[{n}]")))
        except Invalid as error:
            raise InvalidImport(f"{place}.roles[{n}]: {error.message}", place=place) from error
    return CarriedArchive(
        name=str(said.get("name") or "archive")[:200],
        description=str(said.get("description") or ""),
        roles=tuple(roles),
    )
