"""A process is killed while it evolves or approves a skill: what was to be stored is there as a
whole or not at all, and it can be done again."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_evolution import NAME, used
from tests.fixtures.judging import Skilled
from tests.fixtures.skilled import add_canary, add_skill, draft
from tests.servers.careless import GOOD, Careless
from tests.servers.scripted_chat import Answer, Script, ScriptedChat
from tests.servers.warm import Started, Warm
from yiku.app import App
from yiku.core.errors import NotACanary
from yiku.core.skill import ChangelogStatus, SkillChangelog, SkillStatus
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.skills import designer, promote, schedule
from yiku.store import changelogs, outbox, skill_events
from yiku.store import skills as rows
from yiku.store.database import Tx

PROGRAM = Path(__file__).with_name("skill_process.py")
SAMPLES = 14
WAIT_S = 60.0


Child = Callable[..., AbstractContextManager[Started]]


@pytest.fixture
def child(warm: Warm, talking: App, tmp_path: Path) -> Child:
    """The program on the app's database; at the end it is killed, if it lives still."""
    app = talking
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YIKU_")}
    settings = {
        "YIKU_HOME": str(app.settings.home),
        "YIKU_DATABASE_URL": app.settings.database,
        "YIKU_MODEL": str(app.settings.model),
        "YIKU_MODEL_BASE_URL": str(app.settings.model_base_url),
        "YIKU_MODEL_API_KEY": "sk-test",
    }
    how = {"cwd": tmp_path, "env": {**kept, **settings}, "errors": tmp_path / "errors"}

    @contextmanager
    def started(*words: str) -> Iterator[Started]:
        process = warm.start(words, **how, program=PROGRAM)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    return started


async def kill_while(process: Started, after_s: float | None) -> None:
    """`after_s`: so long after it began; None: it dies by itself, or by the model."""
    assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
    if after_s is not None:
        await asyncio.sleep(after_s)
        process.kill()
    code = await asyncio.to_thread(process.wait, WAIT_S)
    assert code != 0 or after_s is not None


def killing(model: ScriptedChat, script: Careless, kill: threading.Event) -> None:
    """The model asks for the kill at a trial's fifth call, of the old prompt's 14."""

    def respond(request: dict[str, Any]) -> Answer:
        answer = script(request)
        if script.asked["encode"] == 5:
            kill.set()
        return answer

    script.asked["encode"] = 0
    model.respond = Script(then=respond)


async def state(skilled: Skilled) -> tuple[list[SkillStatus], list[SkillChangelog], int, list[str]]:
    """Versions, what waits for a decision, its pairs, and the events of canaries."""

    def unit(tx: Tx) -> tuple[list[SkillStatus], list[SkillChangelog], int, list[str]]:
        waiting = [one for one in changelogs.page(tx, NAME) if one.status is ChangelogStatus.CANARY]
        pairs = sum(len(changelogs.trials(tx, one)) for one in waiting)
        told = [one.kind for one in skill_events.after(tx) if one.kind.startswith("canary.")]
        return [one.status for one in rows.versions(tx, NAME)], waiting, pairs, told

    return await skilled.database.read(LOCAL_ACTOR, unit)


BEFORE = [SkillStatus.ACTIVE]
PROPOSED = [SkillStatus.CANARY, SkillStatus.ACTIVE]


def assert_proposed_once(
    found: tuple[list[SkillStatus], list[SkillChangelog], int, list[str]],
) -> None:
    versions, waiting, pairs, told = found
    assert versions == PROPOSED
    assert [one.new_prompt for one in waiting] == [GOOD]
    assert pairs == SAMPLES
    assert told == ["canary.proposed"]


@pytest.mark.parametrize("when", ["trial", "storing", "stored"])
async def test_a_kill_in_a_cycle_leaves_all_or_nothing(
    skilled: Skilled, child: Child, model: ScriptedChat, when: str
) -> None:
    script, kill = Careless(), threading.Event()
    model.respond = Script(then=script)
    await used(skilled)
    cut = {"storing": ["--cut", "evolution.finished"]}.get(when, [])
    if when == "trial":
        killing(model, script, kill)
    with child("evolve", *cut) as process:
        if when == "trial":
            assert await asyncio.to_thread(kill.wait, WAIT_S)
            process.kill()
        code = await asyncio.to_thread(process.wait, WAIT_S)

    found = await state(skilled)
    if when == "stored":
        assert_proposed_once(found)
    else:
        assert code < 0
        assert found == (BEFORE, [], 0, [])

    model.respond = Script(then=Careless())
    again = await designer.run_evolution_cycle(skilled.skills, LOCAL_ACTOR, name=NAME)

    assert_proposed_once(await state(skilled))
    [examined] = again.examined
    assert (again.entry is None) == (when == "stored")
    assert ("canary" in (examined.why_not or "")) == (when == "stored")


async def test_a_cycle_whose_worker_is_killed_is_run_by_the_next(
    skilled: Skilled, talking: App, model: ScriptedChat, child: Child
) -> None:
    script, kill = Careless(), threading.Event()
    model.respond = Script(then=script)
    await used(skilled)
    await waiting_jobs(talking, 0)
    killing(model, script, kill)
    await schedule.ask_later(skilled.skills, LOCAL_ACTOR, NAME)
    with child("work") as process:
        assert await asyncio.to_thread(kill.wait, WAIT_S)
        process.kill()
        process.wait(WAIT_S)
    assert await state(skilled) == (BEFORE, [], 0, [])

    model.respond = Script(then=Careless())
    with child("work"):
        await waiting_jobs(talking, 0)

    assert_proposed_once(await state(skilled))


async def waiting_jobs(app: App, count: int) -> None:
    """Until so many cycles wait to be run."""

    def unit(tx: Tx) -> int:
        return sum(one.kind == schedule.EVOLVE for one in outbox.waiting(tx))

    for _ in range(600):
        if await app.database.read(LOCAL_ACTOR, unit) == count:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError


async def test_a_kill_in_an_approval_leaves_all_or_nothing(talking: App, child: Child) -> None:
    ways: Sequence[tuple[list[str], float | None]] = [
        (["--cut", "canary.approved"], None),
        ([], 0.0),
        ([], 0.003),
        ([], 0.01),
    ]
    for n, (cut, after_s) in enumerate(ways):
        name = f"notes_{n}"

        def proposed(tx: Tx, name: str = name) -> SkillChangelog:
            return add_canary(tx, add_skill(tx, draft(name)), "Better.\n{{ content }}")

        entry = await talking.database.write(LOCAL_ACTOR, proposed)
        with child("approve", entry.id, *cut) as process:
            await kill_while(process, after_s)

        whole = await approved(talking, entry)
        assert not (cut and whole)
        if whole:
            with pytest.raises(NotACanary, match="approved already"):
                await promote.approve(talking.skills, LOCAL_ACTOR, entry.id)
        else:
            await promote.approve(talking.skills, LOCAL_ACTOR, entry.id)
        assert await approved(talking, entry)


async def approved(app: App, entry: SkillChangelog) -> bool:
    """Whether all of it was stored; that it is no part of it is asserted."""

    def unit(tx: Tx) -> tuple[list[SkillStatus], ChangelogStatus, int]:
        told = [
            one
            for one in skill_events.after(tx)
            if one.kind == "canary.approved" and one.facts["changelog_id"] == entry.id
        ]
        versions = [one.status for one in rows.versions(tx, entry.name)]
        return versions, changelogs.get(tx, entry.id).status, len(told)

    found = await app.database.read(LOCAL_ACTOR, unit)
    whole = [SkillStatus.ACTIVE, SkillStatus.DEPRECATED], ChangelogStatus.APPROVED, 1
    assert found in (whole, (PROPOSED, ChangelogStatus.CANARY, 0))
    return found == whole
