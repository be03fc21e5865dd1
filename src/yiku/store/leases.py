"""Leases: one run has an agent's conversation at a time, whatever process runs it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from yiku.core.agent import Lease
from yiku.core.ids import AgentId
from yiku.store import attachments
from yiku.store.agent_tables import lease
from yiku.store.database import Tx
from yiku.store.forms import Form
from yiku.store.hot import Select, micros

FORM = Form(lease)
FIELDS = tuple(Lease.__dataclass_fields__)

_TAKE = Select(
    "INSERT INTO lease (agent_id, conversation_id, organization_id, run_id, holder, until)"
    " SELECT agent.id, :conversation_id, agent.organization_id, :run_id, :holder, :until FROM agent"
    " WHERE agent.id = :agent_id AND agent.organization_id = :organization_id"
    " ON CONFLICT (agent_id, conversation_id) DO UPDATE"
    " SET run_id = excluded.run_id, holder = excluded.holder, until = excluded.until"
    " WHERE lease.until <= :now OR lease.run_id = excluded.run_id"
    " RETURNING run_id"
)
_OWN = (
    " WHERE agent_id = :agent_id AND conversation_id = :conversation_id"
    " AND organization_id = :organization_id AND run_id = :run_id AND holder = :holder"
    " RETURNING run_id"
)
_RENEW = Select(f"UPDATE lease SET until = :until{_OWN}")
_RELEASE = Select(f"DELETE FROM lease{_OWN}")
_FIND = Select(
    f"SELECT {FORM.columns} FROM lease WHERE agent_id = :agent"
    " AND conversation_id = :conversation AND organization_id = :organization"
)


def parameters(tx: Tx, one: Lease) -> dict[str, Any]:
    return {
        "agent_id": one.agent_id,
        "conversation_id": one.conversation_id,
        "organization_id": tx.actor.organization_id,
        "run_id": one.run_id,
        "holder": one.holder,
    }


def take(tx: Tx, wanted: Lease, now: datetime) -> bool:
    """Take the lease, if nobody has it, whoever had it let it expire, or the same run has it (which
    another process goes on with). Of several takers at once one succeeds. Raises: AgentNotFound.
    """
    rows = _TAKE.rows(
        tx.connection,
        **parameters(tx, wanted),
        until=micros(wanted.until),
        now=micros(now),
    )
    if not rows:
        attachments.demand(tx, wanted.agent_id)
    return bool(rows)


def renew(tx: Tx, held: Lease) -> bool:
    """Hold it until later; False where it is another's by now."""
    rows = _RENEW.rows(tx.connection, **parameters(tx, held), until=micros(held.until))
    return bool(rows)


def release(tx: Tx, held: Lease) -> bool:
    """Give it back; False where it is another's by now."""
    return bool(_RELEASE.rows(tx.connection, **parameters(tx, held)))


def find(tx: Tx, agent_id: AgentId, conversation_id: str) -> Lease | None:
    """Who has it, or had it last and didn't give it back."""
    rows = _FIND.rows(
        tx.connection,
        agent=agent_id,
        conversation=conversation_id,
        organization=tx.actor.organization_id,
    )
    if not rows:
        return None
    values = FORM.values(rows[0])
    return Lease(**{name: values[name] for name in FIELDS})
