"""Agents come, change, and go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from yiku.agents import check, folders, own, role_memory
from yiku.agents.instructions import with_instructions
from yiku.agents.kinds import KINDS, Kind, instructions
from yiku.agents.shared import Agents
from yiku.core.agent import EDITABLE, Agent, AgentConfig, AgentDraft, AgentKind, AgentState
from yiku.core.audit import Act
from yiku.core.block import Block, BlockContent
from yiku.core.errors import Invalid, SecretUnreadable, ToolNotFound
from yiku.core.ids import AgentId, ArchiveId, BlockId, FolderId, MessageId, ToolId, new_id
from yiku.core.message import Incoming, Message
from yiku.core.rule import AnyRule, ApprovalRule
from yiku.core.tenant import Actor
from yiku.core.tool import Tool, ToolFilter
from yiku.memory import erase
from yiku.store import agent_files, audit, blocks, messages, tools
from yiku.store import agents as store
from yiku.store.database import Tx

SHOWN_NAMES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgent:
    """What somebody says of an agent to make; its kind says the rest."""

    id: AgentId | None = None
    """None: a new one. Of two who make an agent of one id at the same moment, both get the one."""
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of AgentConfig."""
    blocks: tuple[BlockContent, ...] = ()
    """Made with it; they go with it where no other agent has them then."""
    block_ids: tuple[BlockId, ...] = ()
    tool_ids: tuple[ToolId, ...] = ()
    tools: tuple[str, ...] = ()
    """By name."""
    archive_ids: tuple[ArchiveId, ...] = ()
    folder_ids: tuple[FolderId, ...] = ()
    own_folder: bool = False
    """Whether a folder is made with it, which stays when it goes."""
    base_tools: bool | None = None
    """Whether it has its kind's tools; None: yes."""
    base_tool_rules: bool | None = None
    """Whether it has its kind's rules; None: yes."""
    first_messages: tuple[Incoming, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """All that an agent has, whole lists; None: as it is."""

    block_ids: tuple[BlockId, ...] | None = None
    tool_ids: tuple[ToolId, ...] | None = None
    folder_ids: tuple[FolderId, ...] | None = None


async def create(agents: Agents, actor: Actor, new: NewAgent) -> AgentState:
    """Raises: Invalid, InvalidText, BlockTooLong, BlockNotFound, ToolNotFound, ArchiveNotFound,
    FolderNotFound, LabelTaken, NotAllowed, StoreError."""
    config = sealed(agents, actor, completed(agents, new))
    kind = KINDS[config.kind]
    check.check(config)
    demand_providers(agents, config)
    check.check_blocks(new.blocks)

    def unit(tx: Tx) -> AgentState:
        if new.id is not None and store.is_there(tx, new.id):
            return store.state(tx, new.id)
        has = tools_of(tx, kind, new)
        rules = config.tool_rules
        if "tool_rules" in new.given:
            demand_tools(tx, rules, has)
        elif new.base_tool_rules is not False:
            rules = fitting(kind.rules, {one.name for one in has})
        made = [blocks.add(tx, content) for content in new.blocks]
        draft = AgentDraft(
            config=replace(config, tool_rules=rules),
            block_ids=(*(one.id for one in made), *new.block_ids),
            tool_ids=tuple(one.id for one in has),
            archive_ids=new.archive_ids,
        )
        one = store.add(tx, draft, owned={each.id for each in made}, id=new.id)
        folders.take(tx, one, new.folder_ids)
        if new.own_folder:
            folders.take_new(tx, one)
        state = store.state(tx, one.id)
        with_instructions(tx, state, [])
        if new.first_messages:
            messages.add(tx, [message_of(tx, one, said) for said in new.first_messages])
        return state

    return await role_memory.prepare(agents, actor, await agents.database.write(actor, unit))


def sealed(agents: Agents, actor: Actor, config: AgentConfig) -> AgentConfig:
    """With secrets as they are kept. Raises: Invalid, SettingInvalid."""
    if not config.secrets:
        return config
    check.check_secrets(config.secrets)
    kept = agents.tools.vault.seal_texts(config.secrets, actor.organization_id)
    return replace(config, secrets=kept)


def completed(agents: Agents, new: NewAgent) -> AgentConfig:
    """What was said of it, and the rest by its kind. Raises: Invalid."""
    said = dict(new.given)
    demand_known(said)
    if not said.get("name"):
        said["name"] = f"agent-{new_id('x')[2:10]}"
    if not said.get("system"):
        texts = [said.get("description") or "", *(one.value for one in new.blocks)]
        said["system"] = instructions(said.get("kind", AgentKind.STANDARD), texts)
    if "context_window" not in said:
        said["context_window"] = agents.window_of(said.get("model"))
    return AgentConfig(**said)


def demand_known(said: Collection[str]) -> None:
    """Raises: Invalid."""
    unknown = set(said) - set(EDITABLE)
    if unknown:
        raise Invalid(f"An agent has no {', '.join(sorted(unknown))} that can be set.")


def tools_of(tx: Tx, kind: Kind, new: NewAgent) -> list[Tool]:
    """The tools of its kind, those named, and those of the ids, each once.

    Raises: Invalid where a name is nobody's, ToolNotFound where an id is.
    """
    names = (*(() if new.base_tools is False else kind.tools), *new.tools)
    found = own.named(tx, tuple(dict.fromkeys(names)))
    demand_there(tx, "tools", [name for name in names if name not in found])
    by_id = tools.by_id(tx, new.tool_ids)
    named = [found[name] for name in names]
    meant = [*named, *(by_id.get(one) or tools.get(tx, one) for one in new.tool_ids)]
    return list({one.id: one for one in meant}.values())


def demand_there(tx: Tx, field: str, missing: Sequence[str]) -> None:
    """Raises: Invalid, naming the tools there are."""
    if not missing:
        return
    there = sorted(one.name for one in tools.all_fitting(tx, ToolFilter()))
    more = f", and {len(there) - SHOWN_NAMES} more" if len(there) > SHOWN_NAMES else ""
    raise Invalid(
        f"There is no tool {', '.join(repr(name) for name in missing[:5])}. There are"
        f" {', '.join(there[:SHOWN_NAMES])}{more}.",
        field=field,
    )


def demand_tools(tx: Tx, rules: Sequence[AnyRule], has: Sequence[Tool]) -> None:
    """A rule may be about a tool the agent hasn't got yet, and not about one that isn't there.

    Raises: Invalid, naming the tools there are.
    """
    others = check.unknown_to(rules, {one.name for one in has})
    if others:
        known = own.named(tx, tuple(others))
        demand_there(tx, "tool_rules", [name for name in others if name not in known])


def fitting(rules: Sequence[AnyRule], names: Collection[str]) -> tuple[AnyRule, ...]:
    """A kind's rules about tools that the agent has."""
    return tuple(one for one in rules if not check.unknown_to([one], names))


def message_of(tx: Tx, agent: Agent, said: Incoming) -> Message:
    return Message(
        role=said.role,
        parts=said.parts,
        id=MessageId(new_id("message")),
        organization_id=agent.organization_id,
        agent_id=agent.id,
        created_at=tx.now,
        created_by=tx.actor.user_id,
        name=said.name,
        otid=said.otid,
        sender_id=said.sender_id,
        group_id=said.group_id,
    )


async def update(
    agents: Agents,
    actor: Actor,
    agent_id: AgentId,
    changes: Mapping[str, Any],
    attach: Attachments | None = None,
    *,
    merged_settings: Mapping[str, Any] | None = None,
    seen_version: int | None = None,
) -> AgentState:
    """Change fields of an agent, and what it has. What changes nothing leaves no version.

    `merged_settings` go into its model settings, key by key. With `seen_version` only if nobody has
    changed it since.

    Raises: as `create`, and AgentNotFound, StaleAgent.
    """
    demand_known(changes)

    def unit(tx: Tx) -> AgentState:
        seen = store.get_to_change(tx, agent_id, seen_version)
        said = {**changes, **secrets_of(agents, seen, changes)}
        config = changed(agents, seen.config, said, merged_settings or {})
        if attach is not None:
            attach_whole(tx, agent_id, attach)
        now = store.state(tx, agent_id)
        if "tool_rules" in changes:
            demand_tools(tx, config.tool_rules, now.tools)
        if config == seen.config:
            return now
        one = store.change(tx, now.agent, config)
        agent_files.close_surplus(tx, one)
        return replace(now, agent=one, folders=store.folders_of(tx, one))

    state = await agents.database.write(actor, unit)
    return await role_memory.prepare(agents, actor, state) if "role_memory" in changes else state


def secrets_of(agents: Agents, seen: Agent, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The change of its secrets as they are kept: none where they are the same, or none is asked
    for. Raises: Invalid, SettingInvalid."""
    if "secrets" not in changes:
        return {}
    given: Mapping[str, str] = changes["secrets"]
    check.check_secrets(given)
    with suppress(SecretUnreadable):  # those are set anew
        if agents.opened(seen) == given:
            return {"secrets": seen.config.secrets}
    return {"secrets": agents.tools.vault.seal_texts(given, seen.organization_id)}


def changed(
    agents: Agents, seen: AgentConfig, changes: Mapping[str, Any], merged: Mapping[str, Any]
) -> AgentConfig:
    """Raises: Invalid, InvalidText."""
    config = replace(seen, **changes)
    if merged:
        config = replace(config, model_settings={**config.model_settings, **merged})
    if "context_window" not in changes and config.model != seen.model:
        window = min(config.context_window, agents.window_of(config.model))
        config = replace(config, context_window=window)
    if config != seen:
        check.check(config)
        demand_providers(agents, config, seen)
    return config


def demand_providers(agents: Agents, config: AgentConfig, seen: AgentConfig | None = None) -> None:
    """The models it names are of providers that are known. One that `seen` names already may be
    gone: then the agent is to be changed all the same.

    Raises: Invalid.
    """
    named = [("model", config.model, seen and seen.model)]
    if config.compaction is not None:
        before = seen.compaction.model if seen and seen.compaction else None
        named.append(("compaction_settings", config.compaction.model, before))
    for field_name, handle, known in named:
        if handle is None or handle == known:
            continue
        try:
            agents.models.demand_provider(handle)
        except Invalid as error:
            raise Invalid(error.message, field=field_name) from error


def attach_whole(tx: Tx, agent_id: AgentId, wanted: Attachments) -> None:
    """Raises: BlockNotFound, ToolNotFound, FolderNotFound, LabelTaken."""
    now = store.state(tx, agent_id)
    if wanted.block_ids is not None:
        gone = [one.id for one in now.blocks if one.id not in wanted.block_ids]
        for block_id in gone:
            store.detach_block(tx, agent_id, block_id)
        for block_id in added(wanted.block_ids, now.blocks):
            store.attach_block(tx, agent_id, BlockId(block_id))
    if wanted.tool_ids is not None:
        for one in now.tools:
            if one.id not in wanted.tool_ids:
                store.detach_tool(tx, agent_id, one.id)
        for tool_id in added(wanted.tool_ids, now.tools):
            store.attach_tool(tx, agent_id, ToolId(tool_id))
    if wanted.folder_ids is not None:
        folders.have(tx, now.agent, wanted.folder_ids)


def added(wanted: Sequence[str], there: Sequence[Block] | Sequence[Tool]) -> list[str]:
    held = {one.id for one in there}
    return [one for one in wanted if one not in held]


async def ask_before(
    agents: Agents, actor: Actor, agent_id: AgentId, tool: str, *, asks: bool
) -> AgentState:
    """Whether a person must allow each call of one of the agent's tools.

    Raises: AgentNotFound, ToolNotFound, NotAllowed, StoreError.
    """

    def unit(tx: Tx) -> AgentState:
        store.get_to_change(tx, agent_id)
        now = store.state(tx, agent_id)
        if now.tool(tool) is None:
            raise no_tool(now, tool)
        config = now.agent.config
        asking = [
            one for one in config.tool_rules if isinstance(one, ApprovalRule) and one.tool == tool
        ]
        if bool(asking) == asks:
            return now
        others = [one for one in config.tool_rules if one not in asking]
        rules = [*others, ApprovalRule(tool=tool)] if asks else others
        changed = store.change(tx, now.agent, replace(config, tool_rules=tuple(rules)))
        return replace(now, agent=changed)

    return await agents.database.write(actor, unit)


def no_tool(state: AgentState, name: str) -> ToolNotFound:
    names = ", ".join(one.name for one in state.tools) or "none"
    return ToolNotFound(f"Agent {state.agent.id} has no tool {name!r:.80}; its tools: {names}.")


async def delete(agents: Agents, actor: Actor, agent_id: AgentId) -> None:
    """Erase an agent for good, with its messages, runs, and what was made with it.

    Raises: AgentNotFound, NotAllowed, StoreError.
    """

    def unit(tx: Tx) -> list[ArchiveId]:
        name = store.get(tx, agent_id).config.name
        gone = store.remove(tx, agent_id)
        audit.note(tx, Act.AGENT_DELETE, agent_id, name=name)
        return gone

    gone = await agents.database.write(actor, unit)
    agents.contexts.drop(agent_id)
    await erase.forget_archives(agents.memory, gone)
