"""Queries on runs. Each sees the actor's organization only, but for `unfinished`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select
from sqlalchemy import update as update_rows

from yiku.core.errors import RunNotFound
from yiku.core.ids import AgentId, ConversationId, RunId
from yiku.core.message import Incoming, MessageRole
from yiku.core.model import ToolSpec, Usage
from yiku.core.role import RoleUse, Routing
from yiku.core.run import (
    Callback,
    Failure,
    Run,
    RunFilter,
    RunPage,
    RunRequest,
    RunStatus,
    StopReason,
)
from yiku.core.tenant import Actor
from yiku.store import paging, parts
from yiku.store.agent_tables import agent, run
from yiku.store.attachments import no_agent
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.hot import Select
from yiku.store.paging import Order, Place

FORM = Form(run)
FIELDS = tuple(Run.__dataclass_fields__)
CHANGING = (
    "status",
    "stop_reason",
    "failure",
    "usage",
    "context_tokens",
    "step_count",
    "completed_at",
    "ttft_ns",
    "duration_ns",
    "resumptions",
    "metadata",
)
"""What becomes of a run. That somebody asked to cancel it is never taken back."""

USAGE = tuple(one.name for one in fields(Usage))
REQUEST = tuple(one.name for one in fields(RunRequest) if one.name != "client_tools")
SPEC = tuple(one.name for one in fields(ToolSpec))
CALLBACK = tuple(one.name for one in fields(Callback))
ROLE_USE = tuple(one.name for one in fields(RoleUse))

_INSERT = FORM.insert_into(agent)
_BY_ID = Select(
    f"SELECT {FORM.columns} FROM run WHERE id = :id AND organization_id = :organization"
)
_BY_SEQS = FORM.by_seq()
_UPDATE = Select(
    f"UPDATE run SET {', '.join(f'{name} = :{name}' for name in CHANGING)},"
    " cancel_asked = (cancel_asked OR :cancel_asked)"
    " WHERE id = :id AND organization_id = :organization_id RETURNING cancel_asked"
)
_BEGIN = Select(
    "UPDATE run SET status = 'running', request = :request"
    " WHERE id = :id AND organization_id = :organization_id AND status = 'created' RETURNING seq"
)
_ASKED_TO_END = Select("SELECT id FROM run WHERE id IN :ids* AND cancel_asked")
_LAST = Select(
    f"SELECT {FORM.columns} FROM run"
    " WHERE agent_id = :agent AND organization_id = :organization ORDER BY seq DESC LIMIT 1"
)
# Of the unfinished, not of all the agent ever had: `|| ''` keeps SQLite from that index.
_GOING_ON = Select(
    "SELECT id, status FROM run WHERE status IN ('created', 'running') AND agent_id || '' = :agent"
    " AND conversation_id = :conversation AND organization_id || '' = :organization ORDER BY seq"
)
_UNFINISHED = Select(
    f"SELECT {FORM.columns} FROM run WHERE status IN ('created', 'running') ORDER BY seq"
)


def of_row(row: Sequence[Any]) -> Run:
    """A row of `FORM.columns` from the driver."""
    values = FORM.values(row)
    del values["background"]
    values |= ending_of(values)
    values["conversation_id"] = values["conversation_id"] or None
    values["status"] = RunStatus(values["status"])
    values["request"] = request_of(values["request"])
    return Run(**values)


def ending_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What rows of runs and of steps have in common."""
    reason, failure = values["stop_reason"], values["failure"]
    return {
        "stop_reason": None if reason is None else StopReason(reason),
        "failure": None if failure is None else Failure(**failure),
        "usage": Usage(**values["usage"]),
    }


def ending_to_row(
    stop_reason: StopReason | None, failure: Failure | None, usage: Usage
) -> dict[str, Any]:
    """The opposite of `ending_of`."""
    told = None if failure is None else {"kind": failure.kind, "message": failure.message}
    return {
        "stop_reason": None if stop_reason is None else stop_reason.value,
        "failure": told,
        "usage": {name: getattr(usage, name) for name in USAGE},
    }


def request_to_json(one: RunRequest) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in REQUEST}
    values["wire"] = dict(one.wire)
    if one.callback_url is None:
        del values["callback_url"]
    if one.roles is None:
        del values["roles"]
    else:
        values["roles"] = {name: getattr(one.roles, name) for name in ROLE_USE}
    values["client_tools"] = [
        {name: getattr(tool, name) for name in SPEC} for tool in one.client_tools
    ]
    values["incoming"] = [incoming_to_json(each) for each in one.incoming]
    return values


def incoming_to_json(one: Incoming) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in Incoming.__dataclass_fields__}
    return values | {"role": one.role.value, "parts": parts.to_json(one.parts)}


def incoming_of(values: Mapping[str, Any]) -> Incoming:
    made: dict[str, Any] = {
        **values,
        "role": MessageRole(values["role"]),
        "parts": parts.of_json(values["parts"]),
    }
    return Incoming(**made)


def request_of(values: Mapping[str, Any]) -> RunRequest:
    known = dict(values)
    known["client_tools"] = tuple([ToolSpec(**one) for one in values["client_tools"]])
    known["incoming"] = tuple([incoming_of(one) for one in values["incoming"]])
    if "roles" in known:
        use: dict[str, Any] = {**known["roles"], "routing": Routing(known["roles"]["routing"])}
        known["roles"] = RoleUse(**use)
    return RunRequest(**known)


def values_of(tx: Tx, one: Run) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(one, name) for name in FIELDS if name != "seq"}
    return values | {
        "organization_id": tx.actor.organization_id,
        "conversation_id": one.conversation_id or "",
        "status": one.status.value,
        "request": request_to_json(one.request),
        "background": one.request.background,
        "metadata": dict(one.metadata),
        **ending_to_row(one.stop_reason, one.failure, one.usage),
    }


def add(tx: Tx, new: Run) -> Run:
    """Returns it with its `seq`. Raises: AgentNotFound."""
    rows = _INSERT.rows(tx.connection, **FORM.parameters(values_of(tx, new)))
    if not rows:
        raise no_agent(new.agent_id)
    return replace(new, seq=rows[0][0])


def update(tx: Tx, one: Run) -> Run:
    """Write what has become of a run; returns it with `cancel_asked` as it is by now.

    Raises: RunNotFound.
    """
    values = {name: getattr(one, name) for name in CHANGING}
    values |= {
        "status": one.status.value,
        "metadata": dict(one.metadata),
        **ending_to_row(one.stop_reason, one.failure, one.usage),
    }
    rows = _UPDATE.rows(
        tx.connection,
        id=one.id,
        organization_id=tx.actor.organization_id,
        cancel_asked=one.cancel_asked,
        **FORM.parameters(values),
    )
    if not rows:
        raise no_run(one.id)
    asked = bool(rows[0][0])
    return one if asked == one.cancel_asked else replace(one, cancel_asked=asked)


def begin(tx: Tx, queued: Run) -> Run:
    """A run that was queued begins, with the request as it is here. Raises: RunNotFound."""
    values = {"request": request_to_json(queued.request)}
    rows = _BEGIN.rows(
        tx.connection,
        id=queued.id,
        organization_id=tx.actor.organization_id,
        **FORM.parameters(values),
    )
    if not rows:
        raise no_run(queued.id)
    return queued


def asked_to_end(connection: Connection, run_ids: Sequence[RunId]) -> list[RunId]:
    """Those of these runs, of any organization, that somebody asked to cancel."""
    rows = _ASKED_TO_END.rows(connection, ids=list(run_ids)) if run_ids else ()
    return [RunId(row[0]) for row in rows]


def get(tx: Tx, run_id: RunId) -> Run:
    """Raises: RunNotFound."""
    rows = (
        _BY_ID.rows(tx.connection, id=run_id, organization=tx.actor.organization_id)
        if askable(run_id)
        else ()
    )
    if not rows:
        raise no_run(run_id)
    return of_row(rows[0])


def note_callback(tx: Tx, run_id: RunId, tried: Callback) -> None:
    """Of a run that has been erased meanwhile nothing is noted."""
    tx.connection.execute(
        update_rows(run)
        .where(run.c.id == run_id, run.c.organization_id == tx.actor.organization_id)
        .values(callback_values(tried))
    )


def callback_values(tried: Callback) -> dict[str, Any]:
    return {f"callback_{name}": getattr(tried, name) for name in CALLBACK}


def remove(tx: Tx, run_id: RunId) -> None:
    """Erase a run and its steps; its messages stay. Raises: RunNotFound."""
    found = get(tx, run_id)
    tx.connection.execute(delete(run).where(run.c.seq == found.seq))


def no_run(run_id: str) -> RunNotFound:
    return RunNotFound(f"There is no run {run_id}.", run_id=run_id)


def page(tx: Tx, wanted: RunFilter, part: RunPage) -> list[Run]:
    """In the order of creation.

    Raises: RunNotFound where a run that bounds the page isn't there.
    """
    query = select(run.c.seq).where(*conditions(tx, wanted))

    def place_of(run_id: str) -> Place:
        return None, get(tx, RunId(run_id)).seq

    seqs = paging.seqs(tx, query, Order(run.c.seq), part, place_of)
    return paging.in_order(seqs, map(of_row, _BY_SEQS.rows(tx.connection, seqs=seqs)))


def conditions(tx: Tx, wanted: RunFilter) -> list[ColumnElement[bool]]:
    found = [run.c.organization_id == tx.actor.organization_id]
    if wanted.agent_ids:
        found.append(run.c.agent_id.in_(wanted.agent_ids))
    if wanted.statuses:
        found.append(run.c.status.in_([one.value for one in wanted.statuses]))
    if wanted.stop_reason is not None:
        found.append(run.c.stop_reason == wanted.stop_reason.value)
    if wanted.background is not None:
        found.append(run.c.background if wanted.background else ~run.c.background)
    if wanted.conversation_id is not None:
        found.append(run.c.conversation_id == wanted.conversation_id)
    return found


def ask_cancel(tx: Tx, run_ids: Sequence[RunId]) -> list[RunId]:
    """Ask runs to end; returns those that haven't ended, in the order given.

    Raises: RunNotFound; then none was asked.
    """
    status = {one: get(tx, one).status for one in run_ids}
    going = [one for one, now in status.items() if not now.ended]
    rows = tx.connection.execute(
        update_rows(run)
        .where(run.c.id.in_(going), run.c.organization_id == tx.actor.organization_id)
        .values(cancel_asked=True)
        .returning(run.c.id)
    )
    asked = {row[0] for row in rows}
    return [one for one in going if one in asked]


def last_of_agent(tx: Tx, agent_id: AgentId) -> Run | None:
    rows = (
        _LAST.rows(tx.connection, agent=agent_id, organization=tx.actor.organization_id)
        if askable(agent_id)
        else ()
    )
    return of_row(rows[0]) if rows else None


def unfinished(connection: Connection) -> list[tuple[Run, Actor]]:
    """Runs of all organizations that haven't ended, the oldest first, each with whom it is for.

    A server asks when it starts: those whose lease has expired were left behind by another process.
    """
    return [
        (one, Actor(organization_id=one.organization_id, user_id=one.created_by))
        for one in map(of_row, _UNFINISHED.rows(connection))
    ]


def going_on(
    tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None
) -> list[tuple[RunId, RunStatus]]:
    """The runs of a conversation that haven't ended, the oldest first."""
    rows = _GOING_ON.rows(
        tx.connection,
        agent=agent_id,
        conversation=conversation_id or "",
        organization=tx.actor.organization_id,
    )
    return [(id, RunStatus(status)) for id, status in rows]
