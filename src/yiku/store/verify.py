"""Checks that what is in a database fits together; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    Table,
    Text,
    and_,
    func,
    or_,
    select,
    type_coerce,
)

from yiku.store import schema
from yiku.store.agent_tables import agent, message, run, step
from yiku.store.block_tables import block
from yiku.store.index.terms import FORMAT, HEADER, TERM_BYTES
from yiku.store.role_tables import role, role_embedding, role_passage
from yiku.store.skill_tables import (
    memory_encoding,
    memory_feedback,
    memory_lookup,
    memory_skill,
    memory_skill_changelog,
    outbox,
)
from yiku.store.tables import (
    api_key,
    archive,
    change,
    embedding,
    erased,
    organization,
    passage,
    sighting,
    user,
)
from yiku.store.tool_tables import tool
from yiku.store.verify_agents import agent_problems
from yiku.store.verify_skills import skill_problems

BATCH = 1000
LISTED = 20
"""Rows named for each kind of problem; the others are counted."""

UNIT = 0.01
"""How far a vector's length may be from 1."""

Progress = Callable[[int, int], None]
COUNTED = (organization, user, api_key, archive, passage, embedding, change, sighting)
ROLES = (role, role_passage)
SKILLS = (
    memory_skill,
    memory_skill_changelog,
    memory_encoding,
    memory_lookup,
    memory_feedback,
    outbox,
)
AGENTS = (block, tool, agent, message, run, step)
EACH = (*COUNTED, *ROLES, *AGENTS, *SKILLS)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: how much there is, and what is wrong, in words."""

    schema: str | None
    counts: dict[str, int]
    """Rows by table; `forgotten` and `superseded` are passages too."""
    problems: list[str]


def check(connection: Connection, progress: Progress = lambda done, total: None) -> Report:
    """Read everything once. `progress` gets passages done and passages in all."""
    problems = file_problems(connection)
    found = schema.current(connection)
    if problems or found != schema.HEAD:
        if found is None:
            problems.append("there are no tables of Yiku in it")
        return Report(found, {}, problems)
    counts = counts_of(connection)
    problems += version_problems(connection)
    problems += reference_problems(connection)
    problems += role_problems(connection)
    problems += agent_problems(connection)
    problems += skill_problems(connection)
    problems += row_problems(connection, lambda done: progress(done, counts["passage"]))
    return Report(found, counts, problems)


def counts_of(connection: Connection) -> dict[str, int]:
    queries = {
        table.name: select(func.count()).select_from(table)
        for table in (*COUNTED, *ROLES, *AGENTS, *SKILLS)
    }
    for name, column in (("forgotten", "forgotten_at"), ("superseded", "superseded_by")):
        queries[name] = select(func.count()).where(passage.c[column].is_not(None))
    return {name: int(connection.execute(query).scalar_one()) for name, query in queries.items()}


def file_problems(connection: Connection, *, quick: bool = False) -> list[str]:
    """What SQLite itself finds wrong; Postgres keeps watch over its own files.

    `quick` leaves out whether indexes hold what tables hold.
    """
    if connection.dialect.name != "sqlite":
        return []
    pragma = "quick_check" if quick else "integrity_check"
    rows = connection.exec_driver_sql(f"PRAGMA {pragma}({LISTED})")
    problems = [f"file: {row[0]}" for row in rows if row[0] != "ok"]
    if not quick:
        foreign = list(connection.exec_driver_sql("PRAGMA foreign_key_check"))
        problems += listed(
            "{} points to a {} that isn't there",
            [(f"row {rowid} of {table}", parent) for table, rowid, parent, _ in foreign],
        )
    return problems


def version_problems(connection: Connection) -> list[str]:
    """An archive counts its changes: nothing in it is newer than the archive."""

    def newer(table: Table, what: ColumnElement[Any]) -> Select[Any, Any, Any, Any]:
        return (
            select(what, table.c.version, archive.c.name, archive.c.version)
            .join(archive, archive.c.id == table.c.archive_id)
            .where(table.c.version > archive.c.version)
        )

    words = "{} has version {}, its archive {!r} only {}"
    return [
        *listed(words, connection.execute(newer(passage, passage.c.id))),
        *listed(
            "the erased passage number " + words,
            connection.execute(newer(erased, erased.c.passage_seq)),
        ),
    ]


def reference_problems(connection: Connection) -> list[str]:
    """Passages name others by ids that no foreign key watches."""
    other = passage.alias("other")
    problems: list[str] = []
    for column in ("context_id", "superseded_by"):
        named = passage.c[column]
        query = (
            select(passage.c.id, named)
            .outerjoin(other, other.c.id == named)
            .where(
                named.is_not(None),
                or_(other.c.id.is_(None), other.c.archive_id != passage.c.archive_id),
            )
        )
        problems += listed(
            f"{{}}: its {column} {{}} isn't in its archive", connection.execute(query)
        )
    elsewhere = (
        select(passage.c.id, archive.c.name)
        .join(archive, archive.c.id == passage.c.archive_id)
        .where(archive.c.organization_id != passage.c.organization_id)
    )
    words = "{} and its archive {!r} belong to different organizations"
    problems += listed(words, connection.execute(elsewhere))
    unused = (
        select(passage.c.id, embedding.c.model)
        .join(passage, passage.c.seq == embedding.c.passage_seq)
        .join(archive, archive.c.id == passage.c.archive_id)
        .where(archive.c.embedding_model.is_(None))
    )
    words = "{} has a vector of {}, its archive no model"
    return problems + listed(words, connection.execute(unused))


def role_problems(connection: Connection) -> list[str]:
    """A role and its memories are of one archive, and its vectors are of what it says now."""
    elsewhere = (
        select(passage.c.id, role.c.role_id)
        .join(role_passage, role_passage.c.passage_seq == passage.c.seq)
        .join(role, role.c.key == role_passage.c.role_key)
        .where(passage.c.archive_id != role.c.archive_id)
    )
    newer = (
        select(role.c.role_id, role_embedding.c.version, role.c.version)
        .join(role, role.c.key == role_embedding.c.role_key)
        .where(role_embedding.c.version > role.c.version)
    )
    words = "role {!r} has vectors of its version {}, but is at {} only"
    return [
        *listed("{} is in role {!r} of another archive", connection.execute(elsewhere)),
        *listed(words, connection.execute(newer)),
    ]


def row_problems(connection: Connection, progress: Callable[[int], None]) -> list[str]:
    """Each passage has readable tokens, and vectors of its archive's model."""
    raw = LargeBinary if connection.dialect.name == "sqlite" else Text
    query = (
        select(
            passage.c.id,
            passage.c.fingerprint,
            passage.c.terms,
            archive.c.embedding_model,
            archive.c.dimension,
            type_coerce(embedding.c.vector, raw).label("vector"),
            type_coerce(embedding.c.context_vector, raw).label("context_vector"),
        )
        .join(archive, archive.c.id == passage.c.archive_id)
        .outerjoin(
            embedding,
            and_(
                embedding.c.passage_seq == passage.c.seq,
                embedding.c.model == archive.c.embedding_model,
            ),
        )
        .order_by(passage.c.seq)
    )
    found: list[tuple[str, str]] = []
    rows = connection.execution_options(yield_per=BATCH).execute(query)
    for number, row in enumerate(rows, 1):
        found += [(row.id, problem) for problem in problems_of(row)]
        if number % BATCH == 0:
            progress(number)
    connection.execution_options(yield_per=None)
    return listed("{}: {}", found)


def problems_of(row: Any) -> list[str]:
    problems: list[str] = []
    if not row.fingerprint:
        problems.append("it has no fingerprint")
    if not readable_terms(row.terms):
        problems.append("its lexical tokens can't be read")
    if row.vector is None:
        problems.append(f"it has no vector of {row.embedding_model}")
    for name in ("vector", "context_vector"):
        value = getattr(row, name)
        if value is not None and (wrong := vector_problem(value, row.dimension)):
            problems.append(f"its {name.replace('_', ' ')} {wrong}")
    return problems


def readable_terms(blob: bytes) -> bool:
    """Whether it has the layout that `terms` describes."""
    if len(blob) < HEADER.size:
        return False
    version, _, _, terms, length, context_length = HEADER.unpack_from(blob)
    whole = len(blob) == HEADER.size + TERM_BYTES * terms
    return version == FORMAT and whole and length <= context_length


def vector_problem(value: bytes | str, dimension: int | None) -> str | None:
    numbers = numbers_of(value)
    if numbers is None or len(numbers) != dimension:
        have = "a broken number of bytes" if numbers is None else f"{len(numbers)} numbers"
        return f"has {have}, not {dimension}"
    if not np.isfinite(numbers).all():
        return "is not finite"
    if abs(float(np.linalg.norm(numbers)) - 1) > UNIT:
        return f"has length {float(np.linalg.norm(numbers)):.3f}, not 1"
    return None


def numbers_of(value: bytes | str) -> NDArray[np.float32] | None:
    if isinstance(value, str):
        return np.array(value.strip("[]").split(","), dtype=np.float32)
    return None if len(value) % 4 else np.frombuffer(value, "<f4")


def listed(words: str, rows: Iterable[Sequence[Any]]) -> list[str]:
    """`words` filled in for the first rows; of the others the number."""
    told = [words.format(*row) for row in rows]
    more = len(told) - LISTED
    return told if more <= 0 else [*told[:LISTED], f"… and {more:,} more like the last"]


def engine(connection: Connection) -> str:
    """The database's program and its version: `SQLite 3.46.1`."""
    if connection.dialect.name == "sqlite":
        return f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar_one()}"
    return f"Postgres {connection.exec_driver_sql('SHOW server_version').scalar_one()}"
