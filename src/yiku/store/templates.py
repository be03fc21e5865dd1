"""Queries on agent templates and their versions. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update

from yiku.core.errors import AgentTemplateExists, AgentTemplateNotFound
from yiku.core.ids import AgentId, new_id
from yiku.core.template import AgentTemplate
from yiku.store.admin_tables import template, template_version
from yiku.store.agent_tables import agent
from yiku.store.database import Tx
from yiku.store.forms import askable

FIELDS = tuple(AgentTemplate.__dataclass_fields__)


def find(tx: Tx, name: str) -> AgentTemplate | None:
    """Until the commit nobody else changes it."""
    query = select(*(template.c[field] for field in FIELDS)).where(
        template.c.organization_id == tx.actor.organization_id, template.c.name == name
    )
    row = tx.connection.execute(query.with_for_update()).first() if askable(name) else None
    return None if row is None else AgentTemplate(**row._mapping)  # pyright: ignore[reportPrivateUsage] # SQLAlchemy's public name


def get(tx: Tx, name: str) -> AgentTemplate:
    """Raises: AgentTemplateNotFound."""
    found = find(tx, name)
    if found is None:
        raise AgentTemplateNotFound(f"There is no agent template {name!r:.200}.")
    return found


def add(
    tx: Tx, name: str, project_id: str | None, description: str | None, file: Mapping[str, Any]
) -> AgentTemplate:
    """With its first version. Raises: AgentTemplateExists."""
    if find(tx, name) is not None:
        raise AgentTemplateExists(f"There is a template {name!r} already; choose another name.")
    tx.connection.execute(
        insert(template).values(
            id=new_id("template"),
            organization_id=tx.actor.organization_id,
            name=name,
            description=description,
            project_id=project_id,
            latest_version=0,
            working=dict(file),
            created_at=tx.now,
            created_by=tx.actor.user_id,
            updated_at=tx.now,
            updated_by=tx.actor.user_id,
        )
    )
    return save(tx, get(tx, name), None)


def put(tx: Tx, seen: AgentTemplate, file: Mapping[str, Any]) -> None:
    """Another working version."""
    change(tx, seen, working=dict(file))


def save(tx: Tx, seen: AgentTemplate, message: str | None) -> AgentTemplate:
    """Keep the working version as a numbered one."""
    number = seen.latest_version + 1
    tx.connection.execute(
        insert(template_version).values(
            template_id=seen.id,
            version=number,
            agent_file=dict(seen.working),
            message=message,
            created_at=tx.now,
            created_by=tx.actor.user_id,
        )
    )
    change(tx, seen, latest_version=number)
    return get(tx, seen.name)


def change(tx: Tx, seen: AgentTemplate, **values: Any) -> None:
    tx.connection.execute(
        update(template)
        .where(template.c.seq == seen.seq, template.c.organization_id == seen.organization_id)
        .values(**values, updated_at=tx.now, updated_by=tx.actor.user_id)
    )


def file_of(tx: Tx, of: AgentTemplate, version: int) -> Mapping[str, Any]:
    """What a version says. Raises: AgentTemplateNotFound."""
    query = select(template_version.c.agent_file).where(
        template_version.c.template_id == of.id, template_version.c.version == version
    )
    found = tx.connection.execute(query).scalar()
    if found is None:
        raise AgentTemplateNotFound(
            f"Template {of.name!r} has versions 1 to {of.latest_version}, not {version}."
        )
    return found


def remove(tx: Tx, name: str) -> None:
    """With all its versions; the agents that were made of it stay. Raises: AgentTemplateNotFound"""
    found = get(tx, name)
    tx.connection.execute(delete(template).where(template.c.seq == found.seq))


def agents_of(tx: Tx, of: AgentTemplate) -> list[AgentId]:
    """Those that were made of it, the oldest first."""
    query = select(agent.c.id).where(
        agent.c.organization_id == tx.actor.organization_id, agent.c.base_template_id == of.id
    )
    return [AgentId(one) for one in tx.connection.execute(query.order_by(agent.c.seq)).scalars()]
