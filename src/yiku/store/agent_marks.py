"""By what one sees that an agent is as it was, without reading it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yiku.core.ids import AgentId
from yiku.store.agent_rows import TABLES
from yiku.store.database import Tx
from yiku.store.hot import Select

Mark = tuple[Any, ...]
"""Its number and id, versions and last run, then its parts: equal marks, equal agents."""

_AGENTS = Select(
    "SELECT seq, id, version, last_stop_reason, last_run_completed_at, last_run_ms"
    " FROM agent WHERE seq IN :seqs*"
)
_PARTS = [
    f"SELECT agent_id, {column}, 0, position FROM {table} WHERE agent_id IN :ids*"
    for column, table in (TABLES[name] for name in ("tags", "folders", "identities"))
]
_BLOCKS = (
    "SELECT a.agent_id, a.block_id, b.version, a.position"
    " FROM agent_block a JOIN block b ON b.id = a.block_id WHERE a.agent_id IN :ids*"
)
_TOOLS = (
    "SELECT a.agent_id, a.tool_id, t.updated_at, a.position"
    " FROM agent_tool a JOIN tool t ON t.id = a.tool_id WHERE a.agent_id IN :ids*"
)
_FEW = Select(f"{' UNION ALL '.join([*_PARTS, _BLOCKS])} ORDER BY 4")
_ALL = Select(f"{' UNION ALL '.join([*_PARTS, _BLOCKS, _TOOLS])} ORDER BY 4")


def of_seqs(tx: Tx, seqs: Sequence[int], *, tools: bool) -> list[Mark]:
    """In the order of the numbers; those that aren't there are left out.

    `tools`: whether a change of what a tool is counts, too.
    """
    own = {row[0]: row for row in _AGENTS.rows(tx.connection, seqs=list(seqs))}
    parts: dict[AgentId, list[Any]] = {row[1]: [] for row in own.values()}
    for row in (_ALL if tools else _FEW).rows(tx.connection, ids=list(parts)):
        parts[row[0]] += row[1:]
    return [(*own[seq], *parts[own[seq][1]]) for seq in seqs if seq in own]


def seq_of(mark: Mark) -> int:
    return mark[0]


def id_of(mark: Mark) -> AgentId:
    return mark[1]
