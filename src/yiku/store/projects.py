"""Queries on projects. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from yiku.core.errors import ProjectNotFound
from yiku.core.ids import ProjectId, new_id
from yiku.core.project import Project
from yiku.store.admin_tables import project
from yiku.store.database import Tx
from yiku.store.forms import askable

FIELDS = tuple(Project.__dataclass_fields__)
COLUMNS = [project.c[name] for name in FIELDS]


def of_row(row: Row[Any]) -> Project:
    return Project(**dict(zip(FIELDS, row, strict=True)))


def add(tx: Tx, name: str, slug: str, description: str) -> Project:
    """The caller has seen that the slug is free."""
    made = Project(
        id=ProjectId(new_id("project")),
        organization_id=tx.actor.organization_id,
        name=name,
        slug=slug,
        description=description,
        created_at=tx.now,
        created_by=tx.actor.user_id,
    )
    tx.connection.execute(insert(project).values({f: getattr(made, f) for f in FIELDS}))
    return made


def get(tx: Tx, project_id: ProjectId) -> Project:
    """Raises: ProjectNotFound."""
    query = select(*COLUMNS).where(project.c.id == project_id, *own(tx))
    row = tx.connection.execute(query).first() if askable(project_id) else None
    if row is None:
        raise ProjectNotFound(f"There is no project {project_id}.", project_id=project_id)
    return of_row(row)


def own(tx: Tx) -> tuple[Any, ...]:
    return (project.c.organization_id == tx.actor.organization_id,)


def find(tx: Tx, slug: str) -> Project | None:
    row = tx.connection.execute(select(*COLUMNS).where(project.c.slug == slug, *own(tx))).first()
    return None if row is None else of_row(row)


def page(tx: Tx, limit: int, after: ProjectId | None) -> list[Project]:
    """The oldest first. Raises: ProjectNotFound where the one that bounds the page isn't there."""
    query = select(*COLUMNS).where(*own(tx))
    if after is not None:
        get(tx, after)
        seq = select(project.c.seq).where(project.c.id == after).scalar_subquery()
        query = query.where(project.c.seq > seq)
    rows = tx.connection.execute(query.order_by(project.c.seq).limit(limit))
    return [of_row(row) for row in rows]


def change(tx: Tx, project_id: ProjectId, values: Mapping[str, Any]) -> Project:
    """Raises: ProjectNotFound."""
    if values:
        where = (project.c.id == project_id, *own(tx))
        tx.connection.execute(update(project).where(*where).values(**values))
    return get(tx, project_id)


def remove(tx: Tx, project_id: ProjectId) -> Project:
    """What is filed under it stays, under its id. Raises: ProjectNotFound."""
    gone = get(tx, project_id)
    tx.connection.execute(delete(project).where(project.c.id == project_id, *own(tx)))
    return gone
