"""Queries on agents. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from yiku.core.agent import Agent, AgentConfig, AgentDraft, AgentFilter, AgentPage, AgentState
from yiku.core.block import Block
from yiku.core.errors import StaleAgent
from yiku.core.ids import AgentId, ArchiveId, BlockId, ToolId, new_id
from yiku.core.run import Run, StopReason
from yiku.store import agent_config, archives, attachments, blocks, tools
from yiku.store.agent_lists import conditions, own, page_seqs
from yiku.store.agent_lists import tags as tags
from yiku.store.agent_tables import agent, agent_tag
from yiku.store.attachments import ARCHIVE, BLOCK, TOOL, no_agent
from yiku.store.attachments import attach_archive as attach_archive
from yiku.store.attachments import attach_block as attach_block
from yiku.store.attachments import attach_tool as attach_tool
from yiku.store.attachments import detach_archive as detach_archive
from yiku.store.attachments import detach_block as detach_block
from yiku.store.attachments import detach_tool as detach_tool
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.hot import Select, micros
from yiku.store.recall import OWNER as RECALL

FORM = Form(agent)
OWN = (
    "seq",
    "id",
    "organization_id",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "last_run_completed_at",
    "last_run_ms",
)

_BY_ID = Select(
    f"SELECT {FORM.columns} FROM agent WHERE id = :id AND organization_id = :organization"
)
# `|| ''` keeps SQLite from going through all agents of the organization, by its index.
_BY_IDS = Select(
    f"SELECT {FORM.columns} FROM agent WHERE id IN :ids* AND organization_id || '' = :organization"
)
_BY_SEQS = FORM.by_seq()
_LINKS = Select(
    " UNION ALL ".join(
        f"SELECT agent_id, '{name}', {what}, position FROM {links} WHERE agent_id IN :ids*"
        for name, what, links in (
            ("tags", "tag", "agent_tag"),
            ("blocks", "block_id", "agent_block"),
            ("tools", "tool_id", "agent_tool"),
            ("archives", "archive_id", "agent_archive"),
        )
    )
    + " ORDER BY 4"
)
_NOTE_RUN = Select(
    "UPDATE agent SET last_stop_reason = :reason, last_run_completed_at = :at, last_run_ms = :ms"
    " WHERE id = :id AND organization_id = :organization RETURNING seq"
)


@dataclass(slots=True)
class Links:
    """What one agent has, in order: the fields are named by `_LINKS`."""

    tags: list[str] = field(default_factory=list[str])
    blocks: list[BlockId] = field(default_factory=list[BlockId])
    tools: list[ToolId] = field(default_factory=list[ToolId])
    archives: list[ArchiveId] = field(default_factory=list[ArchiveId])


def of_values(values: Mapping[str, Any], tags: Sequence[str]) -> Agent:
    reason = values["last_stop_reason"]
    return Agent(
        config=agent_config.of_json(values["config"], values, tuple(tags)),
        last_stop_reason=None if reason is None else StopReason(reason),
        **{name: values[name] for name in OWN},
    )


def links_of(tx: Tx, ids: Sequence[AgentId]) -> dict[str, Links]:
    """What agents of the organization have; one statement for all of them."""
    found: dict[str, Links] = {one: Links() for one in ids}
    for agent_id, kind, what, _ in _LINKS.rows(tx.connection, ids=list(ids)):
        getattr(found[agent_id], kind).append(what)
    return found


def agents_of(tx: Tx, rows: Sequence[Sequence[Any]]) -> list[tuple[Agent, Links]]:
    """Of rows of `FORM.columns`, in their order."""
    read = [FORM.values(row) for row in rows]
    links = links_of(tx, [one["id"] for one in read]) if read else {}
    return [(of_values(one, links[one["id"]].tags), links[one["id"]]) for one in read]


def states_of(tx: Tx, found: Sequence[tuple[Agent, Links]]) -> list[AgentState]:
    """A block or a tool that several have is read once; one that went meanwhile is left out."""
    there = blocks.by_id(tx, {one for _, links in found for one in links.blocks})
    known = tools.by_id(tx, {one for _, links in found for one in links.tools})
    return [
        AgentState(
            agent=one,
            blocks=tuple([there[block_id] for block_id in links.blocks if block_id in there]),
            tools=tuple([known[tool_id] for tool_id in links.tools if tool_id in known]),
            archives=tuple(links.archives),
        )
        for one, links in found
    ]


def row_of(tx: Tx, agent_id: AgentId) -> Sequence[tuple[Any, ...]]:
    """Raises: AgentNotFound."""
    rows = (
        _BY_ID.rows(tx.connection, id=agent_id, organization=tx.actor.organization_id)
        if askable(agent_id)
        else ()
    )
    if not rows:
        raise no_agent(agent_id)
    return rows


def rows_of(tx: Tx, ids: Sequence[AgentId]) -> list[tuple[Any, ...]]:
    """In the order of the ids. Raises: AgentNotFound."""
    known = [one for one in ids if askable(one)]
    rows = _BY_IDS.rows(tx.connection, ids=known, organization=tx.actor.organization_id)
    place = FORM.names.index("id")
    there = {row[place]: row for row in rows}
    for one in ids:
        if one not in there:
            raise no_agent(one)
    return [there[one] for one in ids]


def page_rows(tx: Tx, wanted: AgentFilter, part: AgentPage) -> list[tuple[Any, ...]]:
    seqs = page_seqs(tx, wanted, part)
    there = {row[0]: row for row in _BY_SEQS.rows(tx.connection, seqs=seqs)}
    return [there[seq] for seq in seqs if seq in there]


def get(tx: Tx, agent_id: AgentId) -> Agent:
    """Raises: AgentNotFound."""
    return agents_of(tx, row_of(tx, agent_id))[0][0]


def state(tx: Tx, agent_id: AgentId) -> AgentState:
    """Raises: AgentNotFound."""
    return states_of(tx, agents_of(tx, row_of(tx, agent_id)))[0]


def states(tx: Tx, ids: Sequence[AgentId]) -> list[AgentState]:
    """In the order of the ids, in four statements however many. Raises: AgentNotFound."""
    return states_of(tx, agents_of(tx, rows_of(tx, ids)))


def page(tx: Tx, wanted: AgentFilter, part: AgentPage) -> list[Agent]:
    """In the order asked for; an agent that hasn't run comes last in that of the last run.

    Raises: AgentNotFound where an agent that bounds the page isn't there.
    """
    return [one for one, _ in agents_of(tx, page_rows(tx, wanted, part))]


def page_of_states(tx: Tx, wanted: AgentFilter, part: AgentPage) -> list[AgentState]:
    """As `page`, with what the agents have."""
    return states_of(tx, agents_of(tx, page_rows(tx, wanted, part)))


def with_block(tx: Tx, block_id: BlockId, part: AgentPage) -> list[Agent]:
    """Raises: BlockNotFound, and as `page`."""
    blocks.get(tx, block_id)
    return page(tx, AgentFilter(block_id=block_id), part)


def blocks_of(tx: Tx, agent_id: AgentId) -> tuple[Block, ...]:
    """In the order they were attached. Raises: AgentNotFound."""
    row_of(tx, agent_id)
    ids = links_of(tx, [agent_id])[agent_id].blocks
    there = blocks.by_id(tx, ids)
    return tuple([there[one] for one in ids if one in there])


def archives_of(tx: Tx, agent_id: AgentId) -> tuple[ArchiveId, ...]:
    """In the order they were attached: the first is where it writes. Raises: AgentNotFound."""
    row_of(tx, agent_id)
    return tuple(links_of(tx, [agent_id])[agent_id].archives)


def count(tx: Tx, wanted: AgentFilter) -> int:
    query = select(func.count()).select_from(agent).where(*conditions(tx, wanted))
    return int(tx.connection.execute(query.where(own(tx))).scalar_one())


def add(tx: Tx, draft: AgentDraft, *, owned: Collection[str] = ()) -> Agent:
    """Make an agent, and attach to it what the draft names.

    `owned`: ids of blocks and archives made with it, which are erased with it where no other agent
    has them then. Raises: BlockNotFound, ToolNotFound, ArchiveNotFound, LabelTaken.
    """
    agent_id = AgentId(new_id("agent"))
    by, at = tx.actor.user_id, tx.now
    tx.connection.execute(
        insert(agent).values(
            id=agent_id,
            organization_id=tx.actor.organization_id,
            version=1,
            created_at=at,
            created_by=by,
            updated_at=at,
            updated_by=by,
            **columns_of(draft.config),
        )
    )
    write_tags(tx, agent_id, draft.config.tags)
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
    """Give an agent that is still as it was `seen` another configuration. Raises: StaleAgent."""
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
