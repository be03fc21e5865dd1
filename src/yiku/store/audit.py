"""The audit log: acts are noted in their own transactions, so that none is done without."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Row, and_, insert, or_, select

from yiku.core.audit import Act, AuditEvent, AuditFilter, AuditPage, Fact
from yiku.core.errors import NotFound
from yiku.core.ids import AuditEventId, new_id
from yiku.store.admin_tables import audit_event
from yiku.store.database import Tx
from yiku.store.forms import askable

FIELDS = tuple(AuditEvent.__dataclass_fields__)
COLUMNS = [audit_event.c[name] for name in FIELDS]
LONGEST = 200
"""Characters of a fact."""


def note(tx: Tx, act: Act, target: str | None = None, **facts: Fact) -> None:
    """What the actor does in this transaction. Facts that are None are left out."""
    tx.connection.execute(
        insert(audit_event).values(
            id=AuditEventId(new_id("audit")),
            organization_id=tx.actor.organization_id,
            at=tx.now,
            user_id=tx.actor.user_id,
            key_id=tx.actor.key_id,
            action=act.value,
            target=None if target is None else short(target),
            facts={name: kept(one) for name, one in facts.items() if one is not None},
            address=tx.actor.address,
        )
    )


def kept(one: Fact) -> Fact:
    return short(one) if isinstance(one, str) else one


def short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def page(tx: Tx, wanted: AuditFilter, part: AuditPage) -> list[AuditEvent]:
    """The newest first. Raises: NotFound where the act that bounds the page isn't there."""
    where = [audit_event.c.organization_id == tx.actor.organization_id, *conditions(wanted)]
    if part.before is not None:
        where.append(audit_event.c.seq < seq_of(tx, part.before))
    query = select(*COLUMNS).where(*where).order_by(audit_event.c.seq.desc()).limit(part.limit)
    return [of_row(row) for row in tx.connection.execute(query)]


def conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    named = {"user_id": wanted.user_id, "key_id": wanted.key_id, "target": wanted.target}
    found = [audit_event.c[name] == one for name, one in named.items() if one is not None]
    if wanted.action is not None:
        action = audit_event.c.action
        found.append(
            or_(action == wanted.action, action.startswith(f"{wanted.action}.", autoescape=True))
        )
    if wanted.since is not None:
        found.append(audit_event.c.at >= wanted.since)
    if wanted.until is not None:
        found.append(audit_event.c.at < wanted.until)
    return found


def seq_of(tx: Tx, event_id: str) -> int:
    """Raises: NotFound."""
    query = select(audit_event.c.seq).where(
        and_(
            audit_event.c.id == event_id,
            audit_event.c.organization_id == tx.actor.organization_id,
        )
    )
    found = tx.connection.execute(query).scalar() if askable(event_id) else None
    if found is None:
        raise NotFound(f"There is no act {event_id} in the audit log to page from.")
    return int(found)


def of_row(row: Row[Any]) -> AuditEvent:
    return AuditEvent(**dict(zip(FIELDS, row, strict=True)))
