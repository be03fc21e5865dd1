"""A deleted organization: its keys are refused at once, and nothing of it is left in any table."""

import asyncio
import sys
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from sqlalchemy import Column, Connection, Date, Table, func, insert, select
from sqlalchemy.types import Boolean, Float, Integer, LargeBinary, String

from tests.fixtures.agents import message
from yiku.agents import organizations as deed
from yiku.app import App
from yiku.client.transport import InProcessTransport
from yiku.core.agent import AgentConfig, AgentDraft
from yiku.core.audit import AuditFilter, AuditPage
from yiku.core.ids import OrganizationId
from yiku.core.memory import Draft
from yiku.core.skill import Again, Job
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION, Actor, Scope
from yiku.memory import ingest, search
from yiku.memory.archival import Place
from yiku.server.http import build_asgi
from yiku.store import agents, audit, messages, organizations, outbox, tenants
from yiku.store.database import Tx, now_utc
from yiku.store.every_table import metadata
from yiku.store.tables import Blob, Document, Moment, Vector, organization
from yiku.worker.work import working

NUMBERS = count(1_000)
TABLES = [one for one in metadata.sorted_tables if one is not organization]


def value_of(column: Column[Any]) -> Any:
    match column.type:
        case Moment():
            return now_utc()
        case Document():
            return {}
        case Vector():
            return np.zeros(4, dtype=np.float32)
        case Date():
            return date(2026, 11, 22)
        case Boolean():
            return False
        case Integer():
            return next(NUMBERS)
        case Float():
            return 0.5
        case Blob() | LargeBinary():
            return b"x"
        case String():
            return f"x-{next(NUMBERS)}"
        case other:
            raise AssertionError(f"{column} is {other!r}: say what may stand in it")


def fill(tx: Tx, owner: OrganizationId) -> None:
    """A row of the organization in every table there is, each belonging to those before it."""
    made: dict[str, Any] = {}
    for table in TABLES:
        row: dict[str, Any] = {}
        for column in table.columns:
            [*keys] = column.foreign_keys
            if column.name == "organization_id":
                row[column.name] = owner
            elif keys:
                row[column.name] = made[keys[0].target_fullname]
            elif not (column.autoincrement is True and column.primary_key):
                row[column.name] = value_of(column)
        stored = insert(table).values(row).returning(*table.columns)
        [values] = tx.connection.execute(stored).mappings()
        made |= {f"{table.name}.{name}": value for name, value in values.items()}


def rows(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def all_rows(tx: Tx) -> dict[str, int]:
    """In every table, of all organizations."""
    return {one.name: rows(tx.connection, one) for one in TABLES}


def owned_rows(tx: Tx, owner: str) -> dict[str, int]:
    """In each table with an organization's column, where there are any."""
    found: dict[str, int] = {}
    for table in (one for one in TABLES if "organization_id" in one.c):
        query = select(func.count()).select_from(table)
        held = tx.connection.execute(query.where(table.c.organization_id == owner)).scalar_one()
        if held:
            found[table.name] = held
    return found


def strangers(tx: Tx, name: str = "Tea house") -> tuple[Actor, str]:
    """An organization, who administers it, and his key."""
    made = tenants.add_organization(tx, name)
    user = tenants.add_user(tx, made.id, "ann")
    _, secret = tenants.add_key(tx, user, "first", Scope.ADMIN, None)
    return Actor(organization_id=made.id, user_id=user.id, scope=Scope.ADMIN), secret


@pytest.fixture
def asgi(app: App) -> FastAPI:
    return build_asgi(app)


@pytest.fixture
def http(asgi: FastAPI) -> httpx.AsyncClient:
    transport = InProcessTransport(asgi)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def job_of(owner: str) -> Job:
    return Job(
        seq=0,
        organization_id=LOCAL_ORGANIZATION,
        kind="erase_organization",
        key=owner,
        due_at=now_utc(),
    )


async def until_gone(app: App, owner: str) -> None:
    async def there() -> bool:
        waiting = await app.database.read(LOCAL_ACTOR, outbox.waiting)
        return any(one.key == owner for one in waiting)

    async with asyncio.timeout(60):
        while await there():  # noqa: ASYNC110 - rows ring no bell
            await asyncio.sleep(0.02)


async def test_no_row_of_it_is_left_in_any_table(app: App, http: httpx.AsyncClient) -> None:
    """Every table has a row of it, and one of another organization, which stays."""
    write, read = app.database.write, app.database.read
    other, _ = await write(LOCAL_ACTOR, lambda tx: strangers(tx, "Other house"))
    await write(LOCAL_ACTOR, lambda tx: fill(tx, other.organization_id))
    before = await read(LOCAL_ACTOR, all_rows)
    owner, key = await write(LOCAL_ACTOR, strangers)
    await write(LOCAL_ACTOR, lambda tx: fill(tx, owner.organization_id))
    full = await read(LOCAL_ACTOR, all_rows)
    assert all(full[name] > held for name, held in before.items())
    with_owner = {one.name for one in TABLES if "organization_id" in one.c}
    own = owner.organization_id
    assert (await read(LOCAL_ACTOR, lambda tx: owned_rows(tx, own))).keys() == with_owner

    headers = {"Authorization": f"Bearer {key}"}
    assert (await http.get("/admin/users", headers=headers)).status_code == 200
    gone = await http.delete(f"/admin/organizations/{own}")
    assert (gone.status_code, gone.json()["name"]) == (202, "Tea house")
    assert (await http.get("/admin/users", headers=headers)).status_code == 401
    for again in (
        await http.delete(f"/admin/organizations/{own}"),
        await http.get(f"/admin/organizations/{own}"),
        await http.get("/admin/users", params={"organization_id": own}),
    ):
        assert (again.status_code, again.json()["error"]) == (404, "OrganizationNotFound")
    named = await http.post("/admin/organizations", json={"name": "Tea house"})
    assert named.status_code == 201, "its name is free at once"
    assert own not in (await http.get("/admin/organizations")).text

    await write(LOCAL_ACTOR, lambda tx: outbox.put(tx, "other", "stays"))
    async with working(app):
        await until_gone(app, own)
    assert await read(LOCAL_ACTOR, lambda tx: owned_rows(tx, own)) == {}
    after = await read(LOCAL_ACTOR, all_rows)
    new = {name: after[name] - held for name, held in before.items() if after[name] != held}
    # Three acts of who runs the server, and the making of the next one of that name.
    assert new == {"audit_event": 3, "outbox": 1}
    noted = await read(LOCAL_ACTOR, lambda tx: audit.page(tx, AuditFilter(target=own), AuditPage()))
    assert [(one.action, one.facts) for one in noted] == [
        ("organization.erased", {}),
        ("organization.delete", {"name": "Tea house"}),
    ]
    await app.agents.database.read(
        LOCAL_ACTOR, lambda tx: tenants.get_organization(tx, other.organization_id)
    )
    assert await deed.erase(app.agents, LOCAL_ACTOR, job_of(own)) is None  # once more does nothing


async def test_the_organization_the_server_began_with_is_refused(http: httpx.AsyncClient) -> None:
    refused = await http.delete(f"/admin/organizations/{LOCAL_ORGANIZATION}")
    assert (refused.status_code, refused.json()["error"]) == (409, "Conflict")
    assert (await http.get("/admin/users")).status_code == 200


async def test_what_it_remembered_is_out_of_the_index(app: App) -> None:
    """What somebody who had begun before writes for it still, keeps nothing of it."""
    owner, _ = await app.database.write(LOCAL_ACTOR, strangers)
    [added] = await ingest.add(
        app.memory, owner, Place(owner="ann"), [Draft(text="The vault code is 7391.")]
    )
    archive_id = added.passage.archive_id
    own = owner.organization_id
    await search.search(app.memory, owner, [archive_id], "the vault")
    assert archive_id in str(vars(app.memory.indexes))
    await app.database.write(LOCAL_ACTOR, lambda tx: organizations.end(tx, own))
    await ingest.add(app.memory, owner, Place(owner="ann"), [Draft(text="And of the safe 8.")])
    assert await deed.erase(app.agents, LOCAL_ACTOR, job_of(own)) is None
    assert await app.database.read(LOCAL_ACTOR, lambda tx: owned_rows(tx, own)) == {}
    assert archive_id not in str(vars(app.memory.indexes))


async def test_a_job_works_for_a_while_and_goes_on_later(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deed, "LOOK_S", 0.0)
    owner, _ = await app.database.write(LOCAL_ACTOR, strangers)
    own = owner.organization_id
    await app.database.write(LOCAL_ACTOR, lambda tx: organizations.end(tx, own))
    assert isinstance(await deed.erase(app.agents, LOCAL_ACTOR, job_of(own)), Again)
    monkeypatch.undo()
    assert await deed.erase(app.agents, LOCAL_ACTOR, job_of(own)) is None


@pytest.mark.timeout(300)
async def test_a_kill_in_the_middle_is_gone_on_from(
    app: App, http: httpx.AsyncClient, yiku_home: Path, database_url: str
) -> None:
    """A real process, killed between two of its transactions."""
    owner, _ = await app.database.write(LOCAL_ACTOR, strangers)
    own, many = owner.organization_id, 4_000

    def talk(tx: Tx) -> None:
        agent = agents.add(tx, AgentDraft(config=AgentConfig(name="ann")))
        messages.add(tx, [message(agent.id, organization_id=own) for _ in range(many)])

    await app.database.write(owner, talk)
    assert (await http.delete(f"/admin/organizations/{own}")).status_code == 202
    command = (sys.executable, "-m", "tests.servers.telling", str(yiku_home), database_url)

    async def left() -> int:
        [table] = [one for one in TABLES if one.name == "message"]
        return await app.database.read(LOCAL_ACTOR, lambda tx: rows(tx.connection, table))

    process = await asyncio.create_subprocess_exec(*command, "10")
    async with asyncio.timeout(120):
        while await left() >= many:  # noqa: ASYNC110 - another process's rows ring no bell
            await asyncio.sleep(0.005)
    process.kill()
    await process.wait()
    assert 0 < await left() < many, "it was killed in the middle"

    process = await asyncio.create_subprocess_exec(*command)
    await until_gone(app, own)
    process.kill()
    await process.wait()
    assert await app.database.read(LOCAL_ACTOR, lambda tx: owned_rows(tx, own)) == {}
