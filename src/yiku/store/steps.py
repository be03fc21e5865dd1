"""Queries on steps. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, select, update

from yiku.core.errors import StepNotFound
from yiku.core.ids import RunId, StepId
from yiku.core.run import Step, StepFilter, StepPage, StepStatus
from yiku.store import paging
from yiku.store.agent_tables import run, step
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.hot import Select
from yiku.store.paging import Order, Place
from yiku.store.runs import ending_of, ending_to_row, no_run

FORM = Form(step)
FIELDS = tuple(Step.__dataclass_fields__)
CHANGING = (
    "status",
    "stop_reason",
    "failure",
    "model",
    "context_window",
    "usage",
    "model_ns",
    "tools_ns",
    "ttft_ns",
)
"""What becomes of a step; feedback and tags are set by `set_feedback`."""

_INSERT = FORM.insert_into(run)
_BY_ID = Select(
    f"SELECT {FORM.columns} FROM step WHERE id = :id AND organization_id = :organization"
)
_BY_SEQS = FORM.by_seq()
_OF_RUN = Select(
    f"SELECT {FORM.columns} FROM step"
    " WHERE run_id = :run AND organization_id = :organization ORDER BY n"
)
_UPDATE = Select(
    f"UPDATE step SET {', '.join(f'{name} = :{name}' for name in CHANGING)}"
    " WHERE id = :id AND organization_id = :organization_id RETURNING seq"
)


def of_row(row: Sequence[Any]) -> Step:
    """A row of `FORM.columns` from the driver."""
    values = FORM.values(row)
    values |= ending_of(values)
    values["status"] = StepStatus(values["status"])
    values["tags"] = tuple(values["tags"])
    return Step(**values)


def values_of(one: Step, names: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(one, name) for name in names}
    ending = ending_to_row(one.stop_reason, one.failure, one.usage)
    return values | {"status": one.status.value, **ending}


def add(tx: Tx, new: Step) -> Step:
    """Returns it with its `seq`. Raises: RunNotFound."""
    values = values_of(new, FIELDS[1:])
    values |= {"organization_id": tx.actor.organization_id, "tags": list(new.tags)}
    rows = _INSERT.rows(tx.connection, **FORM.parameters(values))
    if not rows:
        raise no_run(new.run_id)
    return replace(new, seq=rows[0][0])


def put(tx: Tx, one: Step) -> None:
    """Write what has become of a step. Raises: StepNotFound."""
    rows = _UPDATE.rows(
        tx.connection,
        id=one.id,
        organization_id=tx.actor.organization_id,
        **FORM.parameters(values_of(one, CHANGING)),
    )
    if not rows:
        raise no_step(one.id)


def get(tx: Tx, step_id: StepId) -> Step:
    """Raises: StepNotFound."""
    rows = (
        _BY_ID.rows(tx.connection, id=step_id, organization=tx.actor.organization_id)
        if askable(step_id)
        else ()
    )
    if not rows:
        raise no_step(step_id)
    return of_row(rows[0])


def no_step(step_id: str) -> StepNotFound:
    return StepNotFound(f"There is no step {step_id}.", step_id=step_id)


def of_run(tx: Tx, run_id: RunId) -> list[Step]:
    """The first step first."""
    if not askable(run_id):
        return []
    rows = _OF_RUN.rows(tx.connection, run=run_id, organization=tx.actor.organization_id)
    return [of_row(row) for row in rows]


def page(tx: Tx, wanted: StepFilter, part: StepPage) -> list[Step]:
    """In the order of storing.

    Raises: StepNotFound where a step that bounds the page isn't there.
    """
    query = select(step.c.seq).where(*conditions(tx, wanted))

    def place_of(step_id: str) -> Place:
        return None, get(tx, StepId(step_id)).seq

    seqs = paging.seqs(tx, query, Order(step.c.seq), part, place_of)
    return paging.in_order(seqs, map(of_row, _BY_SEQS.rows(tx.connection, seqs=seqs)))


def conditions(tx: Tx, wanted: StepFilter) -> list[ColumnElement[bool]]:
    found = [step.c.organization_id == tx.actor.organization_id]
    for name in ("run_id", "agent_id", "model", "feedback"):
        value = getattr(wanted, name)
        if value is not None:
            found.append(step.c[name] == value)
    if wanted.has_feedback is not None:
        given = step.c.feedback.is_not(None)
        found.append(given if wanted.has_feedback else ~given)
    if wanted.since is not None:
        found.append(step.c.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(step.c.created_at < wanted.until)
    if wanted.tags:
        each = func.jsonb_array_elements_text if tx.postgres else func.json_each
        held = each(step.c.tags).table_valued("value")
        found.append(select(held.c.value).where(held.c.value.in_(wanted.tags)).exists())
    return found


def set_feedback(
    tx: Tx,
    step_id: StepId,
    feedback: Literal["positive", "negative"] | None,
    tags: Sequence[str] | None = None,
) -> Step:
    """What somebody thinks of a step; `tags` None: those it has. Raises: StepNotFound."""
    found = get(tx, step_id)
    changed = replace(
        found, feedback=feedback, tags=found.tags if tags is None else tuple(dict.fromkeys(tags))
    )
    tx.connection.execute(
        update(step)
        .where(step.c.seq == found.seq)
        .values(feedback=feedback, tags=list(changed.tags))
    )
    return changed
