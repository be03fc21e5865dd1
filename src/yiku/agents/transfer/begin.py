"""The first step of an import: all of a file but what is long, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from yiku.agents import check, make, own
from yiku.agents.conversations import check_settings
from yiku.agents.instructions import with_instructions
from yiku.agents.make import NewAgent
from yiku.agents.shared import Agents
from yiku.agents.transfer.carried import (
    Carried,
    CarriedAgent,
    CarriedThread,
    CarriedTool,
    Wishes,
)
from yiku.agents.transfer.take_servers import take_servers
from yiku.core.agent import AgentConfig, AgentDraft
from yiku.core.errors import Invalid, InvalidImport, checked
from yiku.core.ids import AgentId, ArchiveId, BlockId, FolderId, ToolId
from yiku.core.rule import AnyRule
from yiku.core.tenant import Actor
from yiku.core.tool import Tool, ToolType
from yiku.store import agents as store
from yiku.store import archives, blocks, tools
from yiku.store.database import Tx
from yiku.tools import draft as drafts
from yiku.tools.registry import new_tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is to be made, checked before any transaction."""

    carried: Carried
    configs: Mapping[str, AgentConfig]
    """By the agents' keys."""
    told: Mapping[str, drafts.Told]
    """What models are told of the tools with a source, by their keys."""
    replace_tools: bool
    stdio: bool
    """MCP servers may be programs of this machine."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What the first transaction has made."""

    agent_ids: Mapping[str, AgentId]
    archive_ids: Mapping[str, ArchiveId]
    block_ids: Mapping[str, BlockId] = field(default_factory=dict[str, BlockId])
    folder_ids: Mapping[str, FolderId] = field(default_factory=dict[str, FolderId])
    fresh_folders: frozenset[str] = frozenset()
    """Those that were made for it; their files are to come."""
    notes: tuple[str, ...]


def prepared(agents: Agents, actor: Actor, carried: Carried, wishes: Wishes) -> Prepared:
    """Raises: InvalidImport, naming what of the file can't be taken."""
    if wishes.model is not None:  # of the file, another is taken; who names one means it
        check.check_handle("model", wishes.model)
        checked("model", lambda: agents.models.demand_provider(wishes.model or ""))
    notes = list(carried.notes)
    configs: dict[str, AgentConfig] = {}
    fitted: list[CarriedAgent] = []
    for place, one in enumerate(carried.agents):
        contents = [carried.blocks[key] for key in one.block_keys]
        given = dict(wished(one, wishes, several=len(carried.agents) > 1))
        notes += without_strangers(agents, given, f"agents[{place}]")
        try:
            check.check_blocks(contents)
            new = NewAgent(given=given, blocks=tuple(contents))
            config = make.sealed(agents, actor, make.completed(agents, new))
            check.check(config)
        except Invalid as error:
            raise refused(f"agents[{place}]", error) from error
        configs[one.key] = config
        fitted.append(replace(one, threads=fitting_threads(agents, one, place, notes)))
    told: dict[str, drafts.Told] = {}
    for key, tool in carried.tools.items():
        if tool.draft is not None:
            try:
                told[key] = drafts.check(tool.draft)
            except Invalid as error:
                raise refused(f"tools, {tool.name!r}", error) from error
    return Prepared(
        carried=replace(carried, agents=tuple(fitted)),
        configs=configs,
        told=told,
        replace_tools=wishes.replace_tools,
        stdio=agents.tools.mcp.stdio,
        notes=tuple(dict.fromkeys(notes)),
    )


def fitting_threads(
    agents: Agents, one: CarriedAgent, place: int, notes: list[str]
) -> tuple[CarriedThread, ...]:
    """Its conversations, none with a model whose provider this server doesn't know.

    Raises: InvalidImport.
    """
    threads = list(one.threads)
    for n, thread in enumerate(threads):
        if (beside := thread.beside) is None:
            continue
        where = f"agents[{place}].conversations[{n - 1}]"
        try:
            check_settings(beside.settings)
        except Invalid as error:
            raise refused(where, error) from error
        if beside.settings.model is not None and stranger(agents, beside.settings.model):
            settings = replace(beside.settings, model=None, model_settings=None)
            threads[n] = replace(thread, beside=replace(beside, settings=settings))
            notes.append(
                f"agents[{place}].conversations: nobody has described the provider of"
                f" {beside.settings.model!r} here, so the agent thinks there with its own model."
            )
    return tuple(threads)


def refused(place: str, error: Invalid) -> InvalidImport:
    named = error.facts.get("field")
    where = f"{place}, {named}" if named else place
    return InvalidImport(f"{where}: {error.message}", place=where)


def wished(one: CarriedAgent, wishes: Wishes, *, several: bool) -> Mapping[str, Any]:
    given = dict(one.given)
    if wishes.name is not None and not several:
        given["name"] = wishes.name
    elif wishes.suffix and given.get("name"):
        given["name"] = f"{given['name']}{wishes.suffix}"
    for name in ("model", "embedding", "project_id"):
        if (value := getattr(wishes, name)) is not None:
            given[name] = value
    if wishes.secrets:
        given["secrets"] = {**given.get("secrets", {}), **wishes.secrets}
    return given


def without_strangers(agents: Agents, given: dict[str, Any], place: str) -> list[str]:
    """Take out a model whose provider this server doesn't know; says so."""
    handle = given.get("model")
    if handle is None or not stranger(agents, handle):
        return []
    del given["model"]
    given.pop("model_settings", None)
    return [
        f"{place}: nobody has described the provider of {handle!r} here, so the agent thinks"
        f" with {agents.default_model}; name another by `model`."
    ]


def stranger(agents: Agents, handle: str) -> bool:
    """Nobody has described the provider of a model."""
    try:
        agents.models.demand_provider(handle)
    except Invalid:
        return True
    return False


def begin(tx: Tx, ready: Prepared) -> Begun:
    """Make tools, blocks, archives and agents. Raises: Invalid, LabelTaken, StoreError."""
    carried, notes = ready.carried, list(ready.notes)
    lent = take_servers(tx, carried, stdio=ready.stdio)
    notes += lent.notes
    tool_ids: dict[str, ToolId] = {key: one.id for key, one in lent.tools.items()}
    called = {key: one.name for key, one in lent.tools.items()}
    for key, tool in carried.tools.items():
        if key in tool_ids:
            continue
        found, note = taken_tool(tx, ready, key, tool)
        notes += [] if note is None else [note]
        if found is not None:
            tool_ids[key] = found.id
            called[key] = found.name
    used = {key for one in carried.agents for key in one.block_keys}
    used |= {key for one in carried.groups for key in one.draft.block_ids or ()}
    made = {key: blocks.add(tx, carried.blocks[key]).id for key in carried.blocks if key in used}
    homes = {
        key: new_archive(tx, one.name, one.description).id for key, one in carried.archives.items()
    }
    agent_ids: dict[str, AgentId] = {}
    for one in carried.agents:
        names = [called[key] for key in one.tool_keys if key in tool_ids]
        rules, dropped = fitting(tx, ready.configs[one.key].tool_rules, names)
        notes += [f"{one.key}: a tool rule about {name!r}, which isn't here, is left out."
                  for name in dropped]  # fmt: skip
        draft = AgentDraft(
            config=replace(ready.configs[one.key], tool_rules=rules),
            block_ids=tuple(BlockId(made[key]) for key in one.block_keys),
            tool_ids=tuple(dict.fromkeys(tool_ids[k] for k in one.tool_keys if k in tool_ids)),
            archive_ids=tuple(homes[key] for key in one.archive_keys),
        )
        agent = store.add(tx, draft, owned={*made.values(), *homes.values()})
        with_instructions(tx, store.state(tx, agent.id), [])
        agent_ids[one.key] = agent.id
    return Begun(agent_ids=agent_ids, archive_ids=homes, block_ids=made, notes=tuple(notes))


def taken_tool(
    tx: Tx, ready: Prepared, key: str, tool: CarriedTool
) -> tuple[Tool | None, str | None]:
    """The tool that stands for one of the file's, and what is to be said of it."""
    there = own.named(tx, (tool.name,)).get(tool.name)
    if tool.draft is None:
        words = f"There is no tool {tool.name!r} here: the agent doesn't have it."
        return there, words if there is None else None
    made = new_tool(tx.actor, tx.now, tool.draft, ready.told[key])
    if there is None:
        tools.add(tx, made)
        return made, None
    if there.tool_type is not ToolType.CUSTOM:
        return there, f"{tool.name!r} is a tool of this server's own: the file's isn't taken."
    if not ready.replace_tools or same(there, made):
        return there, None
    kept = replace(made, id=there.id, created_at=there.created_at, created_by=there.created_by)
    tools.put(tx, there, kept)
    return kept, f"The tool {tool.name!r} that was here has the file's source now."


def same(there: Tool, made: Tool) -> bool:
    told = ("source_code", "description", "json_schema", "pip_requirements", "npm_requirements")
    return all(getattr(there, name) == getattr(made, name) for name in told)


def new_archive(tx: Tx, name: str, description: str) -> Any:
    """An archive of this name, or where it is taken, of the name with a number."""
    free, n = name, 1
    while archives.find(tx, "", free) is not None:
        n += 1
        free = f"{name} ({n})"
    return archives.create(tx, "", free, description)


def fitting(
    tx: Tx, rules: Sequence[AnyRule], names: Sequence[str]
) -> tuple[tuple[AnyRule, ...], list[str]]:
    """The rules about tools that are there, and the names in the others."""
    others = check.unknown_to(rules, set(names))
    missing = [name for name in others if name not in own.named(tx, tuple(others))]
    kept = tuple(one for one in rules if not {*check.unknown_to([one], ())} & {*missing})
    return kept, missing
