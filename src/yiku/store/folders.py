"""Queries on folders. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from yiku.core.errors import FolderExists, FolderNotFound
from yiku.core.file import Folder, FolderContent
from yiku.core.ids import AgentId, ArchiveId, FolderId, new_id
from yiku.core.memory import HIDDEN
from yiku.store import archives, attachments, paging
from yiku.store.agent_tables import agent
from yiku.store.archive_lists import Part
from yiku.store.database import Tx
from yiku.store.file_tables import agent_folder, folder
from yiku.store.forms import askable
from yiku.store.paging import Order, Place

OWNER = f"{HIDDEN}folder"
"""Of the archives that hold folders' chunks; they are named by their folders."""
FIELDS = tuple(Folder.__dataclass_fields__)
COLUMNS = [folder.c[name] for name in FIELDS]


def of_values(row: Sequence[Any]) -> Folder:
    """A row of `COLUMNS`."""
    return Folder(**dict(zip(FIELDS, row, strict=True)))


def own(tx: Tx) -> ColumnElement[bool]:
    return folder.c.organization_id == tx.actor.organization_id


def missing(some_id: str) -> FolderNotFound:
    return FolderNotFound(f"There is no folder {some_id}.", folder_id=some_id)


def get(tx: Tx, folder_id: str, *, lock: bool = False) -> Folder:
    """`lock`: until the commit nobody else changes it. Raises: FolderNotFound."""
    query = select(*COLUMNS).where(folder.c.id == folder_id, own(tx))
    if lock:
        query = query.with_for_update(key_share=True)
    row = tx.connection.execute(query).first() if askable(folder_id) else None
    if row is None:
        raise missing(folder_id)
    return of_values(tuple(row))


def find(tx: Tx, name: str) -> Folder | None:
    query = select(*COLUMNS).where(folder.c.name == name, own(tx))
    row = tx.connection.execute(query).first() if askable(name) else None
    return None if row is None else of_values(tuple(row))


def by_id(tx: Tx, ids: Collection[str]) -> dict[FolderId, Folder]:
    if not ids:
        return {}
    rows = tx.connection.execute(select(*COLUMNS).where(folder.c.id.in_(ids), own(tx)))
    found = [of_values(tuple(row)) for row in rows]
    return {one.id: one for one in found}


def page(tx: Tx, part: Part, name: str | None = None) -> list[Folder]:
    """In the order of creation.

    Raises: FolderNotFound where a folder that bounds the page isn't there.
    """
    query = select(folder.c.seq).where(own(tx))
    if name is not None:
        query = query.where(folder.c.name == name)

    def place(folder_id: str) -> Place:
        return None, get(tx, folder_id).seq

    seqs = paging.seqs(tx, query, Order(folder.c.seq), part, place)
    rows = tx.connection.execute(select(*COLUMNS).where(folder.c.seq.in_(seqs)))
    return paging.in_order(seqs, (of_values(tuple(row)) for row in rows))


def count(tx: Tx) -> int:
    query = select(func.count()).select_from(folder).where(own(tx))
    return int(tx.connection.execute(query).scalar_one())


def add(tx: Tx, content: FolderContent) -> Folder:
    """Raises: FolderExists."""
    demand_free(tx, content.name)
    folder_id = FolderId(new_id("source"))
    home = archives.ensure(tx, OWNER, folder_id)
    by, at = tx.actor.user_id, tx.now
    row: dict[str, Any] = {
        "id": folder_id,
        "organization_id": tx.actor.organization_id,
        "archive_id": home.id,
        **asdict(content),
        "created_at": at,
        "created_by": by,
        "updated_at": at,
        "updated_by": by,
    }
    made = tx.connection.execute(insert(folder).values(row).returning(*COLUMNS)).one()
    return of_values(tuple(made))


def demand_free(tx: Tx, name: str) -> None:
    """Raises: FolderExists."""
    if find(tx, name) is not None:
        raise FolderExists(
            f"There is a folder {name!r} already; choose another name, or delete that one.",
            name=name,
        )


def change(tx: Tx, seen: Folder, content: FolderContent) -> Folder:
    """Raises: FolderExists, FolderNotFound."""
    if content.name != seen.name:
        demand_free(tx, content.name)
    row = tx.connection.execute(
        update(folder)
        .where(folder.c.id == seen.id, own(tx))
        .values(**asdict(content), updated_at=tx.now, updated_by=tx.actor.user_id)
        .returning(*COLUMNS)
    ).first()
    if row is None:
        raise missing(seen.id)
    return of_values(tuple(row))


def content_of(one: Folder) -> FolderContent:
    return FolderContent(
        name=one.name,
        description=one.description,
        instructions=one.instructions,
        embedding=one.embedding,
        metadata=one.metadata,
    )


def remove(tx: Tx, folder_id: str) -> ArchiveId:
    """Erase a folder with its files, their texts and chunks; returns its archive, whose indexes the
    caller erases. Raises: FolderNotFound.
    """
    gone = get(tx, folder_id)
    tx.connection.execute(delete(folder).where(folder.c.id == gone.id))  # its rows go with it
    archives.remove_rows(tx, gone.archive_id)
    return gone.archive_id


def of_agent(tx: Tx, agent_id: AgentId) -> list[FolderId]:
    """In the order they were attached."""
    query = select(agent_folder.c.folder_id).where(
        agent_folder.c.agent_id == agent_id,
        agent_folder.c.organization_id == tx.actor.organization_id,
    )
    rows = tx.connection.execute(query.order_by(agent_folder.c.position)).scalars()
    return [FolderId(one) for one in rows]


def holders(tx: Tx, folder_id: str) -> list[AgentId]:
    """The agents that have a folder, in the order they were made."""
    query = (
        select(agent.c.id)
        .join(agent_folder, agent_folder.c.agent_id == agent.c.id)
        .where(
            agent_folder.c.folder_id == folder_id,
            agent.c.organization_id == tx.actor.organization_id,
        )
        .order_by(agent.c.seq)
    )
    return [AgentId(one) for one in tx.connection.execute(query).scalars()]


def holders_page(tx: Tx, folder_id: str, part: Part) -> list[AgentId]:
    """As `holders`, a page of them.

    Raises: FolderNotFound; AgentNotFound where an agent that bounds the page isn't there.
    """
    get(tx, folder_id)
    query = (
        select(agent.c.seq)
        .join(agent_folder, agent_folder.c.agent_id == agent.c.id)
        .where(
            agent_folder.c.folder_id == folder_id,
            agent.c.organization_id == tx.actor.organization_id,
        )
    )

    def place(agent_id: str) -> Place:
        known = askable(agent_id)
        row = (
            tx.connection.execute(attachments.one(tx, AgentId(agent_id))).first() if known else None
        )
        if row is None:
            raise attachments.no_agent(agent_id)
        return None, row[0]

    seqs = paging.seqs(tx, query, Order(agent.c.seq), part, place)
    rows = tx.connection.execute(select(agent.c.seq, agent.c.id).where(agent.c.seq.in_(seqs)))
    there = {int(seq): AgentId(agent_id) for seq, agent_id in rows}
    return [there[seq] for seq in seqs if seq in there]
