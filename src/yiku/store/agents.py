"""Queries on agents. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from yiku.core.agent import Agent, AgentConfig, AgentDraft, AgentFilter, AgentPage, AgentState
from yiku.core.block import Block
from yiku.core.errors import StaleAgent
from yiku.core.file import Directory
from yiku.core.ids import AgentId, ArchiveId, BlockId, new_id
from yiku.core.run import Run
from yiku.store import (
    agent_config,
    agent_files,
    agent_rows,
    archives,
    attachments,
    blocks,
    folders,
    lookups,
    quotas,
    tools,
)
from yiku.store.agent_lists import conditions, own, page_seqs
from yiku.store.agent_lists import tags as tags
from yiku.store.agent_rows import Links
from yiku.store.agent_tables import agent, agent_tag
from yiku.store.attachments import ARCHIVE, BLOCK, IDENTITY, TOOL, no_agent
from yiku.store.attachments import attach_archive as attach_archive
from yiku.store.attachments import attach_block as attach_block
from yiku.store.attachments import attach_identity as attach_identity
from yiku.store.attachments import attach_tool as attach_tool
from yiku.store.attachments import detach_archive as detach_archive
from yiku.store.attachments import detach_block as detach_block
from yiku.store.attachments import detach_identity as detach_identity
from yiku.store.attachments import detach_tool as detach_tool
from yiku.store.database import Tx
from yiku.store.forms import askable
from yiku.store.hot import Select, micros
from yiku.store.place_tables import agent_identity
from yiku.store.recall import OWNER as RECALL

_INSERT = agent_rows.FORM.insert()
_NOTE_RUN = Select(
    "UPDATE agent SET last_stop_reason = :reason, last_run_completed_at = :at, last_run_ms = :ms"
    " WHERE id = :id AND organization_id = :organization RETURNING seq"
)


def get(tx: Tx, agent_id: AgentId) -> Agent:
    """Raises: AgentNotFound."""
    return agent_rows.one(tx, agent_id)[0]


def state(tx: Tx, agent_id: AgentId) -> AgentState:
    """What every run begins with, in four statements, and some more where it has folders.

    Raises: AgentNotFound.
    """
    found, has = agent_rows.one(tx, agent_id)
    return AgentState(
        agent=found,
        blocks=blocks.of_agent(tx, agent_id),
        tools=tools.of_agent(tx, agent_id),
        archives=tuple(has.archives),
        folders=agent_files.directories(tx, found, has.folders),
    )


def folders_of(tx: Tx, one: Agent) -> tuple[Directory, ...]:
    """In the order they were attached, with their files as the prompt shows them."""
    return agent_files.directories(tx, one, folders.of_agent(tx, one.id))


def states(tx: Tx, ids: Sequence[AgentId]) -> list[AgentState]:
    """In the order of the ids, in four statements however many. Raises: AgentNotFound."""
    return states_of(tx, agent_rows.of_ids(tx, ids))


def page(tx: Tx, wanted: AgentFilter, part: AgentPage) -> list[Agent]:
    """In the order asked for; an agent that hasn't run comes last in that of the last run.

    Raises: AgentNotFound where an agent that bounds the page isn't there.
    """
    found = agent_rows.of_seqs(tx, page_seqs(tx, wanted, part), whole=False)
    return [one for one, _ in found]


def states_at(tx: Tx, seqs: Sequence[int]) -> list[AgentState]:
    """In the order of their numbers, without those that aren't there."""
    return states_of(tx, agent_rows.of_seqs(tx, seqs, whole=True)) if seqs else []


def states_of(tx: Tx, found: Sequence[tuple[Agent, Links]]) -> list[AgentState]:
    """A block or a tool that several have is read once; one that went meanwhile is left out."""
    there = blocks.by_id(tx, {one for _, has in found for one in has.blocks})
    known = tools.by_id(tx, {one for _, has in found for one in has.tools})
    places = folders.by_id(tx, {one for _, has in found for one in has.folders})
    return [
        AgentState(
            agent=one,
            blocks=tuple([there[block_id] for block_id in has.blocks if block_id in there]),
            tools=tuple([known[tool_id] for tool_id in has.tools if tool_id in known]),
            archives=tuple(has.archives),
            folders=tuple([Directory(folder=places[k]) for k in has.folders if k in places]),
        )
        for one, has in found
    ]


def with_block(tx: Tx, block_id: BlockId, part: AgentPage) -> list[Agent]:
    """Raises: BlockNotFound, and as `page`."""
    blocks.get(tx, block_id)
    return page(tx, AgentFilter(block_id=block_id), part)


def blocks_of(tx: Tx, agent_id: AgentId) -> tuple[Block, ...]:
    """In the order they were attached. Raises: AgentNotFound."""
    attachments.demand(tx, agent_id)
    return blocks.of_agent(tx, agent_id)


def archives_of(tx: Tx, agent_id: AgentId) -> tuple[ArchiveId, ...]:
    """In the order they were attached: the first is where it writes. Raises: AgentNotFound."""
    return tuple(agent_rows.one(tx, agent_id)[1].archives)


def count(tx: Tx, wanted: AgentFilter) -> int:
    query = select(func.count()).select_from(agent).where(*conditions(tx, wanted))
    return int(tx.connection.execute(query.where(own(tx))).scalar_one())


def is_there(tx: Tx, agent_id: AgentId) -> bool:
    """Whether the organization has an agent of this id."""
    known = select(agent.c.seq).where(agent.c.id == agent_id, own(tx))
    return askable(agent_id) and tx.connection.execute(known).first() is not None


def add(
    tx: Tx, draft: AgentDraft, *, owned: Collection[str] = (), id: AgentId | None = None
) -> Agent:
    """Make an agent, and attach to it what the draft names.

    `owned`: ids of blocks and archives made with it, which are erased with it where no other agent
    has them then. Raises: BlockNotFound, ToolNotFound, ArchiveNotFound, LabelTaken,
    IdentityNotFound, QuotaExceeded.
    """
    quotas.demand_agent(tx)
    agent_id = id or AgentId(new_id("agent"))
    by, at = tx.actor.user_id, tx.now
    row = {
        "id": agent_id,
        "organization_id": tx.actor.organization_id,
        "version": 1,
        "created_at": at,
        "created_by": by,
        "updated_at": at,
        "updated_by": by,
        **dict.fromkeys(("last_stop_reason", "last_run_completed_at", "last_run_ms")),
        **columns_of(draft.config),
    }
    _INSERT.rows(tx.connection, **agent_rows.FORM.parameters(row))
    write_tags(tx, agent_id, draft.config.tags)
    attachments.link(tx, IDENTITY, agent_id, draft.config.identity_ids)
    attachments.link(tx, BLOCK, agent_id, draft.block_ids, owned=owned)
    attachments.link(tx, TOOL, agent_id, draft.tool_ids)
    attachments.link(tx, ARCHIVE, agent_id, draft.archive_ids, owned=owned)
    return get(tx, agent_id)


def columns_of(config: AgentConfig) -> dict[str, Any]:
    return {
        "kind": config.kind.value,
        "config": agent_config.to_json(config),
        **{name: getattr(config, name) for name in agent_config.COLUMNS},
    }


def write_tags(tx: Tx, agent_id: AgentId, tags: Sequence[str]) -> None:
    rows = [
        {
            "agent_id": agent_id,
            "tag": tag,
            "organization_id": tx.actor.organization_id,
            "position": position,
        }
        for position, tag in enumerate(dict.fromkeys(tags))
    ]
    if rows:
        tx.connection.execute(insert(agent_tag), rows)


def change(tx: Tx, seen: Agent, config: AgentConfig) -> Agent:
    """Give an agent that is still as it was `seen` another configuration.

    Raises: StaleAgent, IdentityNotFound.
    """
    version = seen.version + 1
    done = tx.connection.execute(
        update(agent)
        .where(
            agent.c.id == seen.id,
            agent.c.version == seen.version,
            agent.c.organization_id == tx.actor.organization_id,
        )
        .values(
            version=version,
            updated_at=tx.now,
            updated_by=tx.actor.user_id,
            **columns_of(config),
        )
        .returning(agent.c.seq)
    ).first()
    if done is None:
        raise stale(seen.id, seen.version)
    if config.tags != seen.config.tags:
        tx.connection.execute(delete(agent_tag).where(agent_tag.c.agent_id == seen.id))
        write_tags(tx, seen.id, config.tags)
    if config.identity_ids != seen.config.identity_ids:
        tx.connection.execute(delete(agent_identity).where(agent_identity.c.agent_id == seen.id))
        attachments.link(tx, IDENTITY, seen.id, config.identity_ids)
    return get(tx, seen.id)


def stale(agent_id: AgentId, seen: int) -> StaleAgent:
    return StaleAgent(
        f"Agent {agent_id} has changed since it was read: version {seen} was seen, and there is a"
        " newer one. Read it again and repeat the change.",
        agent_id=agent_id,
        seen=seen,
    )


def get_to_change(tx: Tx, agent_id: AgentId, seen: int | None = None) -> Agent:
    """As `get`; until the commit nobody else changes it. `seen`: only if it is of this version.

    Raises: AgentNotFound, StaleAgent.
    """
    attachments.hold(tx, agent_id)
    found = get(tx, agent_id)
    if seen is not None and seen != found.version:
        raise stale(agent_id, seen)
    return found


def remove(tx: Tx, agent_id: AgentId) -> list[ArchiveId]:
    """Erase an agent with its messages, summaries, runs, steps and lease, and with the blocks and
    archives that were made with it and no other agent has; and what is indexed of its messages.

    Returns those archives, whose indexes the caller erases. Raises: AgentNotFound.
    """
    attachments.hold(tx, agent_id)
    block_ids = attachments.owned_alone(tx, BLOCK, agent_id)
    archive_ids = attachments.owned_alone(tx, ARCHIVE, agent_id)
    recall = archives.find(tx, RECALL, agent_id)
    lookups.erase_of_agent(tx, agent_id)
    tx.connection.execute(delete(agent).where(agent.c.id == agent_id))  # its rows go with it
    for block_id in block_ids:
        blocks.remove(tx, BlockId(block_id))
    for archive_id in archive_ids:
        archives.delete_whole(tx, ArchiveId(archive_id))
    if recall is not None:
        archives.remove_rows(tx, recall.id)
        archive_ids.append(recall.id)
    return [ArchiveId(one) for one in archive_ids]


def note_run(tx: Tx, run: Run) -> None:
    """The agent's last run is this one, which has ended. Raises: AgentNotFound."""
    rows = _NOTE_RUN.rows(
        tx.connection,
        id=run.agent_id,
        organization=tx.actor.organization_id,
        reason=run.stop_reason,
        at=micros(run.completed_at),
        ms=None if run.duration_ns is None else run.duration_ns // 1_000_000,
    )
    if not rows:
        raise no_agent(run.agent_id)
