"""Rows of agents as nouns, with the ids of what each has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yiku.core.agent import Agent
from yiku.core.ids import AgentId, ArchiveId, BlockId, FolderId, ToolId
from yiku.core.run import StopReason
from yiku.store import agent_config
from yiku.store.agent_tables import agent
from yiku.store.attachments import no_agent
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.hot import Select


@dataclass(slots=True)
class Links:
    """What one agent has, in order."""

    tags: list[str]
    blocks: list[BlockId]
    tools: list[ToolId]
    archives: list[ArchiveId]
    folders: list[FolderId]


TABLES = {
    "tags": ("tag", "agent_tag"),
    "blocks": ("block_id", "agent_block"),
    "tools": ("tool_id", "agent_tool"),
    "archives": ("archive_id", "agent_archive"),
    "folders": ("folder_id", "agent_folder"),
}
"""Where each field of `Links` is from."""


def links(whose: str, *names: str) -> Select:
    """A statement for some fields of `Links`, in order."""
    each = [
        f"SELECT agent_id, '{name}', {TABLES[name][0]}, position FROM {TABLES[name][1]}"
        f" WHERE agent_id {whose}"
        for name in names
    ]
    return Select(f"{' UNION ALL '.join(each)} ORDER BY 4")


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
_OF_ONE = links("= :agent", "tags", "archives", "folders")
_TAGS = links("IN :ids*", "tags")
_LINKS = links("IN :ids*", *TABLES)


def one(tx: Tx, agent_id: AgentId) -> tuple[Agent, Links]:
    """With its tags, archives and folders. Raises: AgentNotFound."""
    asked = {"id": agent_id, "organization": tx.actor.organization_id}
    rows = _BY_ID.rows(tx.connection, **asked) if askable(agent_id) else ()
    if not rows:
        raise no_agent(agent_id)
    has = Links([], [], [], [], [])
    for _, name, what, _ in _OF_ONE.rows(tx.connection, agent=agent_id):
        getattr(has, name).append(what)
    return of_values(FORM.values(rows[0]), has.tags), has


def of_ids(tx: Tx, ids: Sequence[AgentId]) -> list[tuple[Agent, Links]]:
    """In the order of the ids. Raises: AgentNotFound."""
    known = [each for each in ids if askable(each)]
    rows = _BY_IDS.rows(tx.connection, ids=known, organization=tx.actor.organization_id)
    place = FORM.place["id"]
    there = {row[place]: row for row in rows}
    for each in ids:
        if each not in there:
            raise no_agent(each)
    return with_links(tx, [there[each] for each in ids], whole=True)


def of_seqs(tx: Tx, seqs: Sequence[int], *, whole: bool) -> list[tuple[Agent, Links]]:
    """In the order of the numbers; not `whole`: with tags alone."""
    there = {row[0]: row for row in _BY_SEQS.rows(tx.connection, seqs=list(seqs))}
    return with_links(tx, [there[seq] for seq in seqs if seq in there], whole=whole)


def with_links(tx: Tx, rows: Sequence[Sequence[Any]], *, whole: bool) -> list[tuple[Agent, Links]]:
    read = [FORM.values(row) for row in rows]
    has = {each["id"]: Links([], [], [], [], []) for each in read}
    statement = _LINKS if whole else _TAGS
    for agent_id, name, what, _ in statement.rows(tx.connection, ids=list(has)):
        getattr(has[agent_id], name).append(what)
    return [(of_values(each, has[each["id"]].tags), has[each["id"]]) for each in read]


def of_values(values: Mapping[str, Any], tags: Sequence[str]) -> Agent:
    reason = values["last_stop_reason"]
    return Agent(
        config=agent_config.of_json(values["config"], values, tuple(tags)),
        last_stop_reason=None if reason is None else StopReason(reason),
        **{name: values[name] for name in OWN},
    )
