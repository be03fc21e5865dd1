"""Between v1's forms of agents and ours; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from yiku.agents.make import Attachments, NewAgent
from yiku.agents.transfer.templates import Filling
from yiku.context.budget import ContextWindowOverview
from yiku.core.agent import Agent, AgentFilter, AgentKind, AgentPage, AgentState, Compaction
from yiku.core.errors import Invalid, checked_each
from yiku.core.ids import AgentId, BlockId, FolderId, MessageId, ToolId
from yiku.core.message import Message
from yiku.core.run import StopReason
from yiku.server.v1 import wire_agents as wire
from yiku.server.v1.translate import block_content, block_out, given
from yiku.server.v1.translate_files import file_block_out, folder_out
from yiku.server.v1.translate_messages import messages_out
from yiku.server.v1.translate_models import (
    embedding_out,
    handle_of,
    llm_config_out,
    reasoning,
    settings_of,
    settings_of_config,
)
from yiku.server.v1.translate_rules import rule_of, rule_out
from yiku.server.v1.translate_sent import message_in
from yiku.server.v1.translate_tools import tool_out
from yiku.server.v1.wire_groups import GroupOut
from yiku.server.v1.wire_identities import IdentityOut
from yiku.server.v1.wire_models import Compaction as CompactionForm

Id = TypeVar("Id", bound=str)

SAME = (
    *("name", "system", "description", "model", "embedding", "tags", "metadata", "timezone"),
    *("enable_sleeptime", "message_buffer_autoclear", "max_files_open", "hidden", "role_memory"),
    *("per_file_view_window_char_limit", "project_id", "template_id", "base_template_id"),
)
"""Fields that are called the same here."""
MULTI_AGENT = (
    "send_message_to_agent_and_wait_for_reply",
    "send_message_to_agents_matching_tags",
    "send_message_to_agent_async",
)
"""What `include_multi_agent_tools` stands for."""
RELATIONS = {
    "memory": "blocks",
    "tool_exec_environment_variables": "secrets",
    "multi_agent_group": "managed_group",
    "identity_ids": "identities",
}
"""What older clients call some of them -> v1's names."""


def names_alone(agent: Agent) -> Mapping[str, str]:
    return dict.fromkeys(agent.config.secrets, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What an answer about agents says besides what they are set to."""

    model: str
    """The handle of agents that name none."""
    embedding: str
    dimension: int
    relations: frozenset[str] | None = None
    """v1's names of what is told of; None: all."""
    secrets: Callable[[Agent], Mapping[str, str]] = names_alone
    """What is told of an agent's secrets, by name."""
    identities: Mapping[str, IdentityOut] = field(default_factory=dict[str, IdentityOut])
    """By id, those that the agents are for."""
    groups: Mapping[str, GroupOut] = field(default_factory=dict[str, GroupOut])
    """By the agent that manages one."""

    def tells(self, relation: str) -> bool:
        return self.relations is None or relation in self.relations


def said_of(form: wire.AgentFields) -> dict[str, Any]:
    """The fields of AgentConfig that the form says, but for model settings."""
    values = given(form)
    said = {name: values[name] for name in SAME if name in values}
    if (llm := form.llm_config) is not None:
        said.setdefault("model", handle_of(llm.model_endpoint_type, llm.model, llm.handle))
        said["context_window"] = llm.context_window
    if (emb := form.embedding_config) is not None:
        handle = handle_of(emb.embedding_endpoint_type, emb.embedding_model, emb.handle)
        said.setdefault("embedding", handle)
    if form.context_window_limit is not None:
        said["context_window"] = form.context_window_limit
    if form.compaction_settings is not None:
        said["compaction"] = compaction_of(form.compaction_settings)
    if form.response_format is not None:
        said["response_format"] = form.response_format.model_dump(exclude_none=True)
    if form.tool_rules is not None:
        rules = [rule_of(one) for one in form.tool_rules]
        said["tool_rules"] = tuple(one for n, one in enumerate(rules) if one not in rules[:n])
    if form.identity_ids is not None:
        said["identity_ids"] = tuple(dict.fromkeys(form.identity_ids))
    secrets = form.tool_exec_environment_variables if form.secrets is None else form.secrets
    if secrets is not None:
        said["secrets"] = dict(secrets)
    return said


def folder_ids(form: wire.AgentFields) -> tuple[FolderId, ...] | None:
    """By both of their names; None: nothing is said."""
    if form.folder_ids is None and form.source_ids is None:
        return None
    return ids([*(form.folder_ids or ()), *(form.source_ids or ())], FolderId)


def older_settings(form: wire.AgentFields) -> dict[str, Any]:
    """What v1's older fields say of how the model is to answer."""
    found = settings_of_config(form.llm_config)
    if form.max_tokens is not None:
        found["max_output_tokens"] = form.max_tokens
    if form.parallel_tool_calls is not None:
        found["parallel_tool_calls"] = form.parallel_tool_calls
    thinks, budget = form.reasoning, None
    if isinstance(form, wire.AgentIn):
        thinks = form.enable_reasoner if thinks is None else thinks
        budget = form.max_reasoning_tokens
    return found | reasoning("none" if thinks is False else None, budget)


def new_agent(form: wire.AgentIn) -> NewAgent:
    """Raises: NotFound, BlockTooLong."""
    said, first = said_of(form), form.initial_message_sequence
    multi = MULTI_AGENT if form.include_multi_agent_tools else ()
    said["kind"] = AgentKind(form.agent_type)
    said["model_settings"] = older_settings(form) | settings_of(form.model_settings)
    return NewAgent(
        given=said,
        blocks=tuple(checked_each("memory_blocks", form.memory_blocks or (), block_content)),
        block_ids=ids(form.block_ids, BlockId) or (),
        tool_ids=ids(form.tool_ids, ToolId) or (),
        tools=tuple(dict.fromkeys((*(form.tools or ()), *multi))),
        folder_ids=folder_ids(form) or (),
        own_folder=bool(form.include_default_source),
        base_tools=form.include_base_tools,
        base_tool_rules=form.include_base_tool_rules,
        first_messages=None if first is None else tuple(message_in(one) for one in first),
    )


def filling_of(form: wire.AgentIn) -> Filling:
    """What is said of an agent that is made of a template. Raises: NotFound, Invalid."""
    for name in ("memory_blocks", "block_ids", "tools", "tool_ids"):
        if getattr(form, name):
            raise Invalid(
                "A template says what its agents have; give it to them later.", field=name
            )
    said = said_of(form)
    if settings := older_settings(form) | settings_of(form.model_settings):
        said["model_settings"] = settings
    return Filling(
        given=said,
        variables=form.memory_variables or {},
        first_messages=tuple(message_in(one) for one in form.initial_message_sequence or ()),
    )


def changes_of(form: wire.AgentPatch) -> tuple[dict[str, Any], Attachments]:
    """What changes of the agent's config, and what it has afterwards. Raises: NotFound, Invalid."""
    if form.message_ids:
        raise Invalid(
            "Which messages are in the context isn't set: compacting and resetting change it.",
            field="message_ids",
        )
    said = said_of(form)
    if form.model_settings is not None:
        said["model_settings"] = older_settings(form) | settings_of(form.model_settings)
    elif older := older_settings(form):
        said["merged_settings"] = older
    return said, Attachments(
        block_ids=ids(form.block_ids, BlockId),
        tool_ids=ids(form.tool_ids, ToolId),
        folder_ids=folder_ids(form),
    )


def ids(values: Sequence[str] | None, kind: Callable[[str], Id]) -> tuple[Id, ...] | None:
    return None if values is None else tuple(kind(one) for one in dict.fromkeys(values))


def compaction_of(form: CompactionForm) -> Compaction:
    values = form.model_dump(exclude={"model_settings"}, exclude_unset=True)
    settings = None if form.model_settings is None else settings_of(form.model_settings)
    return Compaction(**values, model_settings=settings)


def relations_of(query: wire.Included) -> frozenset[str] | None:
    if query.include is None and query.include_relationships is None:
        return None
    named = [one.removeprefix("agent.") for one in query.include or ()]
    named += query.include_relationships or ()
    return frozenset(RELATIONS.get(name, name) for name in named)


def agent_out(
    state: AgentState,
    view: View,
    message_ids: Sequence[MessageId] = (),
    pending: Message | None = None,
) -> wire.AgentOut:
    one, config = state.agent, state.agent.config
    model = config.model or view.model
    settings = dict(config.model_settings)
    blocks = [block_out(each) for each in state.blocks] if view.tells("blocks") else []
    secrets = secrets_out(state, view) if view.tells("secrets") else []
    values: dict[str, Any] = {
        name: getattr(config, name) for name in SAME if name not in ("model", "embedding")
    }
    values |= {"tags": list(config.tags) if view.tells("tags") else []}
    values |= {"metadata": dict(config.metadata)}
    return wire.AgentOut.of(
        **values,
        id=one.id,
        agent_type=one.kind.value,
        model=model,
        model_settings=settings,
        llm_config=llm_config_out(model, config.context_window, settings),
        embedding=config.embedding or view.embedding,
        embedding_config=embedding_out(view.embedding, view.dimension),
        compaction_settings=compaction_out(config.compaction),
        response_format=None if config.response_format is None else dict(config.response_format),
        blocks=blocks,
        memory=memory_out(state, blocks),
        tools=[tool_out(each) for each in state.tools] if view.tells("tools") else [],
        tool_rules=[rule_out(each) for each in config.tool_rules],
        secrets=secrets,
        tool_exec_environment_variables=secrets,
        sources=sources_out(state, view),
        identities=[view.identities[one] for one in config.identity_ids if one in view.identities],
        identity_ids=list(config.identity_ids) if view.tells("identities") else [],
        message_ids=list(message_ids),
        pending_approval=pending_out(pending) if view.tells("pending_approval") else None,
        managed_group=view.groups.get(one.id),
        multi_agent_group=view.groups.get(one.id),
        deployment_id=config.deployment_id,
        entity_id=config.entity_id,
        last_stop_reason=one.last_stop_reason,
        last_run_completion=one.last_run_completed_at,
        last_run_duration_ms=one.last_run_ms,
        created_at=one.created_at,
        created_by_id=one.created_by,
        updated_at=one.updated_at,
        last_updated_by_id=one.updated_by,
    )


def pending_out(pending: Message | None) -> dict[str, Any] | None:
    """The request for approval that waits for its answer."""
    asked = messages_out(pending) if pending is not None else ()
    found = (one for one in asked if one.message_type == "approval_request_message")
    request = next(found, None)
    return None if request is None else request.model_dump(mode="json")


def context_out(one: ContextWindowOverview) -> wire.ContextOut:
    """Tools as models are told of them, messages as they are listed."""
    values = {name: getattr(one, name) for name in one.__dataclass_fields__}
    functions = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        }
        for tool in one.functions_definitions
    ]
    values["functions_definitions"] = functions
    values["messages"] = [
        each.model_dump(mode="json") for message in one.messages for each in messages_out(message)
    ]
    return wire.ContextOut.model_construct(**values)


def memory_out(state: AgentState, blocks: list[Any]) -> wire.MemoryOut:
    limit = state.agent.config.view_chars
    files = [file_block_out(one, limit) for each in state.folders for one in each.files]
    return wire.MemoryOut.of(
        agent_type=state.agent.kind.value,
        blocks=blocks,
        file_blocks=files,
        git_enabled=False,
        prompt_template="",
    )


def sources_out(state: AgentState, view: View) -> list[dict[str, Any]]:
    if not view.tells("sources"):
        return []
    vectors = embedding_out(view.embedding, view.dimension)
    return [folder_out(one.folder, vectors).model_dump(mode="json") for one in state.folders]


def compaction_out(one: Compaction | None) -> dict[str, Any] | None:
    return None if one is None else asdict(one)


def secrets_out(state: AgentState, view: View) -> list[wire.SecretOut]:
    one = state.agent
    return [
        wire.SecretOut.model_construct(
            id=None,
            agent_id=one.id,
            key=name,
            value=value,
            description=None,
            created_at=None,
            updated_at=None,
            created_by_id=None,
            last_updated_by_id=None,
            value_enc=None,
        )
        for name, value in view.secrets(one).items()
    ]


def agent_filter(query: wire.AgentQuery) -> AgentFilter:
    """Raises: Invalid."""
    return AgentFilter(
        name=query.name,
        name_has=query.query_text,
        tags=tuple(query.tags or ()),
        all_tags=query.match_all_tags,
        project_id=query.project_id,
        template_id=query.template_id,
        base_template_id=query.base_template_id,
        identity_id=query.identity_id,
        identifier_keys=tuple(query.identifier_keys or ()),
        created_by=query.created_by_id,
        last_stop_reason=stop_reason(query.last_stop_reason),
    )


def stop_reason(name: str | None) -> StopReason | None:
    """Raises: Invalid."""
    try:
        return None if name is None else StopReason(name)
    except ValueError as error:
        raise Invalid(
            f"`last_stop_reason` is one of {', '.join(StopReason)}, not {name!r:.80}.",
            field="last_stop_reason",
        ) from error


def part_of(query: wire.AgentQuery | wire.AgentPages) -> AgentPage:
    newest, order_by = query.order == "desc", query.order_by
    if isinstance(query, wire.AgentQuery):
        newest = newest if query.ascending is None else not query.ascending
        order_by = query.sort_by or query.order_by
    return AgentPage(
        limit=query.limit,
        after=None if query.after is None else AgentId(query.after),
        before=None if query.before is None else AgentId(query.before),
        newest_first=newest,
        order_by=order_by,
    )
