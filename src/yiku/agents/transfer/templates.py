"""Agents made of templates, and brought up to a template's newer version."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from yiku.agents import make, role_memory
from yiku.agents.make import message_of
from yiku.agents.shared import Agents
from yiku.agents.transfer import begin
from yiku.agents.transfer.carried import Carried, CarriedAgent, Wishes
from yiku.core.agent import AgentConfig, AgentState
from yiku.core.block import BlockContent
from yiku.core.errors import Invalid
from yiku.core.ids import AgentId
from yiku.core.message import Incoming
from yiku.core.template import AgentTemplate
from yiku.core.tenant import Actor
from yiku.store import agents as store
from yiku.store import blocks, messages
from yiku.store.database import Tx

VARIABLE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
OWN = frozenset({"name", "tags", "secrets", "metadata", "identity_ids", "project_id", "hidden"})
"""What a migration leaves to the agents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What an agent gets that its template leaves open."""

    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of AgentConfig, in place of the template's."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """For `{{name}}` in its blocks and its instructions."""
    first_messages: tuple[Incoming, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """How agents follow their template."""

    keep_values: bool = True
    """Blocks they have stay as they are; new ones come."""
    keep_secrets: bool = True
    drop_others: bool = False
    """Blocks that the template hasn't got are detached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a template, read."""

    template: AgentTemplate
    number: int
    carried: Carried


def check_name(name: str) -> str:
    """Raises: Invalid."""
    if not NAME.fullmatch(name):
        raise Invalid(
            f"A template's name is of letters, digits, `_`, `-` and `.`, 100 at most, not"
            f" {name!r:.120}.",
            field="name",
        )
    return name


def filled(text: str, variables: Mapping[str, str]) -> str:
    """`{{name}}` as its variable says; one that isn't given stays."""
    return VARIABLE.sub(lambda found: variables.get(found[1], found[0]), text)


def filled_block(one: BlockContent, variables: Mapping[str, str]) -> BlockContent:
    """Raises: BlockTooLong."""
    return replace(one, value=filled(one.value, variables))


async def make_agents(
    agents: Agents,
    actor: Actor,
    of: Version,
    filling: Filling,
    deployment_id: str,
) -> list[AgentState]:
    """The agents of a version of a template. Raises: as `make.create`."""
    carried = of.carried
    given = {
        "base_template_id": of.template.id,
        "template_id": f"{of.template.id}:{of.number}",
        "deployment_id": deployment_id,
        **filling.given,
    }
    whole = replace(
        carried,
        agents=tuple(filled_agent(one, given, filling.variables) for one in carried.agents),
        blocks={key: filled_block(b, filling.variables) for key, b in carried.blocks.items()},
    )
    ready = begin.prepared(agents, whole, Wishes(replace_tools=False))

    def unit(tx: Tx) -> list[AgentState]:
        made = begin.begin(tx, ready)
        found = [store.state(tx, made.agent_ids[one.key]) for one in carried.agents]
        for one in found:
            messages.add(tx, [message_of(tx, one.agent, each) for each in filling.first_messages])
        return found

    states = await agents.database.write(actor, unit)
    return [await role_memory.prepare(agents, actor, one) for one in states]


def filled_agent(
    one: CarriedAgent, given: Mapping[str, Any], variables: Mapping[str, str]
) -> CarriedAgent:
    said = {**one.given, **given}
    if isinstance(system := said.get("system"), str):
        said["system"] = filled(system, variables)
    return replace(one, given=said, threads=())


async def migrate(
    agents: Agents,
    actor: Actor,
    of: Version,
    ids: Sequence[AgentId],
    how: Migration,
) -> int:
    """Bring agents to a version of their template; what is their own stays. Returns how many.

    Raises: as `make.update`.
    """
    carried = of.carried
    bare = replace(carried, agents=tuple(replace(one, threads=()) for one in carried.agents))
    ready = begin.prepared(agents, bare, Wishes(replace_tools=False))
    one = carried.agents[0]
    config = replace(ready.configs[one.key], template_id=f"{of.template.id}:{of.number}")

    def unit(tx: Tx, agent_id: AgentId) -> None:
        seen = store.get_to_change(tx, agent_id)
        follow(tx, store.state(tx, agent_id), carried, one, how)
        keys = [key for key in one.tool_keys if key in carried.tools]
        found = [begin.taken_tool(tx, ready, key, carried.tools[key])[0] for key in keys]
        tool_ids = tuple(tool.id for tool in found if tool is not None)
        make.attach_whole(tx, agent_id, make.Attachments(tool_ids=tool_ids))
        names = [tool.name for tool in found if tool is not None]
        rules, _ = begin.fitting(tx, config.tool_rules, names)
        new = merged(seen.config, replace(config, tool_rules=rules), how)
        now = store.get(tx, agent_id)
        if new != now.config:
            store.change(tx, now, new)

    for agent_id in ids:
        await agents.database.write(actor, lambda tx, each=agent_id: unit(tx, each))
        agents.contexts.drop(agent_id)
    return len(ids)


def merged(old: AgentConfig, new: AgentConfig, how: Migration) -> AgentConfig:
    kept: dict[str, Any] = {name: getattr(old, name) for name in OWN}
    if not how.keep_secrets:
        kept["secrets"] = new.secrets
    kept |= {"base_template_id": old.base_template_id, "deployment_id": old.deployment_id}
    if VARIABLE.search(new.system):
        kept["system"] = old.system  # filled in when it was made
    return replace(new, **kept)


def follow(tx: Tx, state: AgentState, carried: Carried, one: CarriedAgent, how: Migration) -> None:
    """The agent's blocks, as the template has them."""
    agent_id, wanted = state.agent.id, [carried.blocks[key] for key in one.block_keys]
    for content in wanted:
        there = state.block(content.label)
        if there is None:
            made = blocks.add(tx, content)
            store.attach_block(tx, agent_id, made.id, owned=True)
        elif not (how.keep_values or VARIABLE.search(content.value) or there.content == content):
            blocks.change(tx, there, content, reason="the template's newer version")
    labels = {content.label for content in wanted}
    for there in state.blocks if how.drop_others else ():
        if there.label not in labels:
            store.detach_block(tx, agent_id, there.id)
