"""Queries on what agents see of files. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, update

from yiku.core.agent import Agent
from yiku.core.errors import FileNotFound
from yiku.core.file import AgentFile, Directory, File, FileStatus, Folder, ShownFile, Window
from yiku.core.ids import AgentId, FileId, FolderId, new_id
from yiku.store import file_text, files, folders, paging
from yiku.store.archive_lists import Part
from yiku.store.database import Tx
from yiku.store.file_tables import agent_file, agent_folder, file, folder
from yiku.store.forms import askable
from yiku.store.paging import Order, Place

NAMED = 100
"""Closed files of a folder that a prompt names."""
OWN = ("id", "agent_id", "is_open", "first_line", "last_line", "accessed_at")


def held(tx: Tx, agent_id: AgentId) -> Select[Any]:
    """The files that an agent has, in no order."""
    own = [agent_file.c[name].label(f"own_{name}") for name in OWN]
    return (
        select(*own, *files.COLUMNS, *folders.COLUMNS)
        .join_from(agent_file, file, file.c.id == agent_file.c.file_id)
        .join(folder, folder.c.id == file.c.folder_id)
        .where(
            agent_file.c.agent_id == agent_id,
            agent_file.c.organization_id == tx.actor.organization_id,
        )
    )


def of_row(row: Sequence[Any]) -> AgentFile:
    cells = tuple(row)
    middle = len(OWN) + len(files.FIELDS)
    return AgentFile(
        **dict(zip(OWN, cells[: len(OWN)], strict=True)),
        file=files.of_values(cells[len(OWN) : middle]),
        folder=folders.of_values(cells[middle:]),
    )


def found(tx: Tx, query: Select[Any]) -> list[AgentFile]:
    return [of_row(tuple(row)) for row in tx.connection.execute(query)]


def get(tx: Tx, agent_id: AgentId, file_id: str) -> AgentFile:
    """Raises: FileNotFound where the agent hasn't got it."""
    there = files.get(tx, file_id)
    rows = found(tx, held(tx, agent_id).where(agent_file.c.file_id == there.id))
    if not rows:
        raise FileNotFound(
            f"Agent {agent_id} has no file {file_id}; attach its folder first.",
            agent_id=agent_id,
            file_id=file_id,
        )
    return rows[0]


def page(tx: Tx, agent_id: AgentId, part: Part, *, is_open: bool | None) -> list[AgentFile]:
    """In the order the files were made. `part`: its cursors are files' ids, or those of
    `AgentFile`, which v1's own client goes on from.

    Raises: FileNotFound where a file that bounds the page isn't there.
    """
    query = select(file.c.seq).join(agent_file, agent_file.c.file_id == file.c.id)
    query = query.where(agent_file.c.agent_id == agent_id, files.own(tx))
    if is_open is not None:
        query = query.where(agent_file.c.is_open == is_open)

    def place(file_id: str) -> Place:
        own = select(file.c.seq).join(agent_file, agent_file.c.file_id == file.c.id)
        own = own.where(agent_file.c.agent_id == agent_id, agent_file.c.id == file_id)
        seq = tx.connection.execute(own).scalar() if askable(file_id) else None
        return None, files.get(tx, file_id).seq if seq is None else seq

    seqs = paging.seqs(tx, query, Order(file.c.seq), part, place)
    there = {one.file.seq: one for one in found(tx, held(tx, agent_id).where(file.c.seq.in_(seqs)))}
    return [there[seq] for seq in seqs if seq in there]


def opened(tx: Tx, agent_id: AgentId) -> list[AgentFile]:
    """The open ones; the one that was used longest ago comes first."""
    query = held(tx, agent_id).where(agent_file.c.is_open)
    return found(tx, query.order_by(agent_file.c.accessed_at, file.c.seq))


def named(tx: Tx, agent_id: AgentId, names: Collection[str]) -> list[AgentFile]:
    """Files of these names, whatever folder they are in."""
    return found(tx, held(tx, agent_id).where(file.c.name.in_(names)).order_by(file.c.seq))


def of_ids(tx: Tx, agent_id: AgentId, file_ids: Collection[FileId]) -> list[AgentFile]:
    """Those of them that the agent has."""
    return found(tx, held(tx, agent_id).where(agent_file.c.file_id.in_(file_ids)))


def every(tx: Tx, agent_id: AgentId, *, limit: int) -> list[AgentFile]:
    """Files that can be read, by folder and name."""
    query = held(tx, agent_id).where(file.c.status == FileStatus.COMPLETED.value)
    return found(tx, query.order_by(folder.c.name, file.c.name).limit(limit))


def insert_missing(tx: Tx, condition: ColumnElement[bool]) -> None:
    """Each agent has each file of the folders it has, closed; where `condition` holds."""
    query = (
        select(agent_folder.c.agent_id, file.c.id)
        .join(file, file.c.folder_id == agent_folder.c.folder_id)
        .outerjoin(
            agent_file,
            (agent_file.c.file_id == file.c.id)
            & (agent_file.c.agent_id == agent_folder.c.agent_id),
        )
        .where(
            agent_folder.c.organization_id == tx.actor.organization_id,
            file.c.status.in_(files.SHOWN),
            agent_file.c.id.is_(None),
            condition,
        )
    )
    rows = [
        {
            "agent_id": agent_id,
            "file_id": file_id,
            "organization_id": tx.actor.organization_id,
            "id": new_id("file_agent"),
            "is_open": False,
            "first_line": None,
            "last_line": None,
            "accessed_at": tx.now,
        }
        for agent_id, file_id in tx.connection.execute(query)
    ]
    if rows:
        tx.connection.execute(insert(agent_file), rows)


def take_folder(tx: Tx, one: Agent, folder_id: FolderId) -> None:
    """The agent sees the files of a folder it got just now: the newest are open, as many as it may
    have; what is open already gives way to them. The agent is held."""
    insert_missing(
        tx, (agent_folder.c.agent_id == one.id) & (agent_folder.c.folder_id == folder_id)
    )
    newest = (
        select(file.c.id)
        .where(
            files.own(tx),
            file.c.folder_id == folder_id,
            file.c.status == FileStatus.COMPLETED.value,
        )
        .order_by(file.c.seq.desc())
        .limit(one.config.files_open)
    )
    ids = [FileId(some_id) for some_id in tx.connection.execute(newest).scalars()]
    for file_id in ids[::-1]:
        open_at(tx, one, file_id, None, None)


def leave_folder(tx: Tx, agent_id: AgentId, folder_id: FolderId) -> None:
    mine = select(file.c.id).where(file.c.folder_id == folder_id)
    tx.connection.execute(
        delete(agent_file).where(agent_file.c.agent_id == agent_id, agent_file.c.file_id.in_(mine))
    )


def take_file(tx: Tx, one: File) -> None:
    """All agents that have its folder have it from now on, closed."""
    insert_missing(tx, file.c.id == one.id)


def open_at(
    tx: Tx, one: Agent, file_id: FileId, first: int | None, last: int | None
) -> list[AgentFile]:
    """Open a file the agent has, at these lines; returns those that were closed for it.

    The one that was used longest ago goes first. The agent is held.
    """
    tx.connection.execute(
        update(agent_file)
        .where(agent_file.c.agent_id == one.id, agent_file.c.file_id == file_id)
        .values(is_open=True, first_line=first, last_line=last, accessed_at=tx.now)
    )
    return close_surplus(tx, one, file_id)


def close_surplus(tx: Tx, one: Agent, but: FileId | None = None) -> list[AgentFile]:
    """Close what is open beyond the agent's limit, what was used longest ago first, `but` one."""
    there = opened(tx, one.id)
    surplus = max(len(there) - one.config.files_open, 0)
    gone = [each for each in there if each.file.id != but][:surplus]
    if gone:
        close(tx, one.id, [each.file.id for each in gone])
    return gone


def close(tx: Tx, agent_id: AgentId, file_ids: Sequence[FileId]) -> None:
    tx.connection.execute(
        update(agent_file)
        .where(agent_file.c.agent_id == agent_id, agent_file.c.file_id.in_(file_ids))
        .values(is_open=False, first_line=None, last_line=None)
    )


def touch(tx: Tx, agent_id: AgentId, file_ids: Collection[FileId]) -> None:
    """They were used just now."""
    tx.connection.execute(
        update(agent_file)
        .where(agent_file.c.agent_id == agent_id, agent_file.c.file_id.in_(file_ids))
        .values(accessed_at=tx.now)
    )


def view(tx: Tx, one: Agent, held_file: AgentFile) -> Window | None:
    """The lines of an open file that the agent is shown."""
    if not held_file.is_open or held_file.file.status is not FileStatus.COMPLETED:
        return None
    return file_text.window(
        tx,
        held_file.file.id,
        held_file.file.line_count,
        held_file.first_line or 1,
        held_file.last_line,
        chars=one.config.view_chars,
    )


def directories(tx: Tx, one: Agent, folder_ids: Sequence[FolderId]) -> tuple[Directory, ...]:
    """Folders of an agent with their files as its prompt shows them."""
    there = folders.by_id(tx, folder_ids)
    return tuple([directory(tx, one, there[k]) for k in folder_ids if k in there])


def directory(tx: Tx, one: Agent, of: Folder) -> Directory:
    of_it = held(tx, one.id).where(file.c.folder_id == of.id)
    shown = found(tx, of_it.order_by(agent_file.c.is_open.desc(), file.c.name).limit(NAMED))
    more = 0
    if len(shown) == NAMED:
        count = of_it.with_only_columns(func.count())
        more = int(tx.connection.execute(count).scalar_one()) - NAMED
    return Directory(
        folder=of,
        files=tuple([ShownFile(held=each, window=view(tx, one, each)) for each in shown]),
        more_files=more,
    )
