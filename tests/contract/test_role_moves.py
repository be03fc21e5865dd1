"""How memories move between roles: edits, rerouting, capacity, on both databases."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.roles import (
    BREAD,
    CODER,
    COOK,
    CRASH,
    GARDENER,
    HOME,
    MOON,
    QUERY,
    ROSES,
    SOUP,
    add_roles,
    members,
    remember,
    rerouted,
    stepped,
)
from tests.servers.openai_embeddings import EmbeddingServer
from yiku.app import App, build
from yiku.core import errors
from yiku.core.memory import Added, Filter, Outcome
from yiku.core.role import Membership, Why
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import changes, erase, search
from yiku.memory.reembed import reembed
from yiku.memory.roles import correct, manage, reroute, route, stats
from yiku.memory.roles.cohort import cohort_texts
from yiku.settings import Settings, load
from yiku.store import memberships

TEXTS = [SOUP, BREAD, CRASH, QUERY, ROSES, MOON]


async def memberships_of(app: App, added: list[Added]) -> list[Membership]:
    """Score, reason and all, of all memories."""
    found = await app.database.read(
        LOCAL_ACTOR, lambda tx: memberships.of_passages(tx, [one.passage.seq for one in added])
    )
    return [one for many in found.values() for one in many]


def places(found: list[Membership]) -> set[tuple[str, str, float]]:
    return {(one.role_id, one.passage_id, round(one.score, 6)) for one in found}


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reroute, "BATCH", 2)


async def test_a_rerouting_goes_step_by_step_to_what_roles_are_now(
    app: App, small_steps: None
) -> None:
    added = await remember(app, *TEXTS)
    await add_roles(app, COOK, CODER)

    job = await reroute.begin(app.memory, LOCAL_ACTOR, HOME)
    steps = [await stepped(app, job.id) for _ in range(5)]

    assert job.total == 6
    assert [one.looked_at for one in steps] == [2, 2, 2, 0, 0]
    assert [one.joined for one in steps] == [2, 2, 0, 0, 0]
    assert [one.job.state for one in steps] == ["running"] * 3 + ["done"] * 2
    assert await members(app, [one.passage for one in added]) == {
        SOUP: {"cook"},
        BREAD: {"cook"},
        CRASH: {"coder"},
        QUERY: {"coder"},
        ROSES: set(),
        MOON: set(),
    }
    assert {one.why for one in await memberships_of(app, added)} == {Why.REROUTED}


async def test_a_role_described_anew_lets_go_and_claims_on_request_only(app: App) -> None:
    await add_roles(app, COOK, CODER)
    added = await remember(app, *TEXTS)
    before = await memberships_of(app, added)
    garden = {
        "role_description": GARDENER.role_description,
        "keywords": GARDENER.keywords,
        "examples": GARDENER.examples,
    }

    await manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", garden)
    assert await memberships_of(app, added) == before
    job_id = await rerouted(app, "cook")

    now = await members(app, [one.passage for one in added])
    assert {text for text, roles in now.items() if "cook" in roles} == {ROSES}
    assert {text for text, roles in now.items() if "coder" in roles} == {CRASH, QUERY}
    _, moves = await correct.memory_roles(app.memory, LOCAL_ACTOR, added[0].passage.id)
    assert [(one.joined, one.why) for one in moves] == [(False, Why.REROUTED), (True, Why.ROUTED)]
    assert await reroute.undo(app.memory, LOCAL_ACTOR, job_id) == 3
    assert places(await memberships_of(app, added)) == places(before)
    for again in (reroute.undo, reroute.step):
        with pytest.raises(errors.Conflict):
            await again(app.memory, LOCAL_ACTOR, job_id)


async def test_what_somebody_said_survives_a_rerouting(app: App) -> None:
    await add_roles(app, COOK, CODER)
    soup, crash, moon = await remember(app, SOUP, CRASH, MOON)
    await correct.correct(app.memory, LOCAL_ACTOR, soup.passage.id, out_of=["cook"])
    await correct.correct(app.memory, LOCAL_ACTOR, moon.passage.id, to=["coder"])

    await rerouted(app)

    passages = [soup.passage, crash.passage, moon.passage]
    assert await members(app, passages) == {SOUP: set(), CRASH: {"coder"}, MOON: {"coder"}}


async def test_what_was_taken_out_of_a_role_stays_out_however_much_it_was(app: App) -> None:
    await add_roles(app, COOK)
    added = await remember(app, *(f"{SOUP}, for {n} guests" for n in range(60)))
    for one in added:
        await correct.correct(app.memory, LOCAL_ACTOR, one.passage.id, out_of=["cook"])

    await manage.remove(app.memory, LOCAL_ACTOR, HOME, "cook")
    await add_roles(app, COOK)  # another role of this name, which nobody corrected
    await rerouted(app)
    (told,) = (await stats.summary(app.memory, LOCAL_ACTOR, HOME)).roles
    assert told.memories == 60
    for one in added:
        await correct.correct(app.memory, LOCAL_ACTOR, one.passage.id, out_of=["cook"])
    await rerouted(app)
    (told,) = (await stats.summary(app.memory, LOCAL_ACTOR, HOME)).roles
    assert told.memories == 0


async def test_an_undone_rerouting_leaves_what_was_said_or_moved_since(app: App) -> None:
    added = soup, bread, crash, query = await remember(app, SOUP, BREAD, CRASH, QUERY)
    await add_roles(app, COOK, CODER)
    job_id = await rerouted(app)
    await correct.correct(app.memory, LOCAL_ACTOR, soup.passage.id, to=["cook"])
    await correct.correct(app.memory, LOCAL_ACTOR, crash.passage.id, out_of=["coder"])

    assert await reroute.undo(app.memory, LOCAL_ACTOR, job_id) == 2

    assert await members(app, [one.passage for one in added]) == {
        SOUP: {"cook"},
        BREAD: set(),
        CRASH: set(),
        QUERY: set(),
    }
    assert bread.passage.id != query.passage.id


async def test_a_rerouting_half_done_is_undone(app: App, small_steps: None) -> None:
    added = await remember(app, *TEXTS)
    await add_roles(app, COOK, CODER)
    job = await reroute.begin(app.memory, LOCAL_ACTOR, HOME)
    await stepped(app, job.id)

    assert await reroute.undo(app.memory, LOCAL_ACTOR, job.id) == 2

    assert await memberships_of(app, added) == []
    with pytest.raises(errors.Conflict):
        await stepped(app, job.id)


async def test_two_processes_share_the_steps_of_one_rerouting(
    app: App, yiku_home: Path, database_url: str, small_steps: None
) -> None:
    texts = [f"{text} {n}" for n in range(8) for text in (SOUP, CRASH, MOON)]
    added = await remember(app, *texts)
    await add_roles(app, COOK, CODER)
    job = await reroute.begin(app.memory, LOCAL_ACTOR, HOME)

    async def work(each: App) -> int:
        looked_at = 0
        while True:
            try:
                done = await stepped(each, job.id)
            except errors.StaleRole:
                continue
            looked_at += done.looked_at
            if done.job.state == "done":
                return looked_at

    async with build(load(home=yiku_home, database_url=database_url)) as other:
        looked_at = await asyncio.gather(work(app), work(other))

    assert sum(looked_at) == len(texts)
    counts = Counter(one.role_id for one in await memberships_of(app, added))
    assert counts == {"cook": 8, "coder": 8}
    for one in added:
        _, moves = await correct.memory_roles(app.memory, LOCAL_ACTOR, one.passage.id)
        assert len(moves) == (0 if one.passage.text.startswith(MOON) else 1)


async def test_a_memory_deleted_meanwhile_does_not_stop_a_rerouting(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_roles(app, COOK)
    added = await remember(app, *TEXTS, roles=())
    rescored, times = reroute.rescored, 0

    async def and_before_that_one_is_deleted(*args: Any) -> Any:
        nonlocal times
        times += 1
        if times == 1:
            await erase.delete(app.memory, LOCAL_ACTOR, [added[0].passage.id])
        return await rescored(*args)

    monkeypatch.setattr(reroute, "rescored", and_before_that_one_is_deleted)
    await rerouted(app)

    assert times == 2
    assert {one.role_id for one in await memberships_of(app, added)} == {"cook"}


async def test_a_rerouting_of_roles_or_archives_that_are_not_there_is_refused(app: App) -> None:
    await add_roles(app, COOK)
    with pytest.raises(errors.RoleNotFound, match="'nobody'"):
        await reroute.begin(app.memory, LOCAL_ACTOR, HOME, ["nobody"])
    for asked in (reroute.step, reroute.undo):
        with pytest.raises(errors.JobNotFound):
            await asked(app.memory, LOCAL_ACTOR, "reroute-none")


async def test_an_edit_keeps_versions_and_one_can_be_restored(app: App) -> None:
    (made,) = await add_roles(app, COOK)

    changed = await manage.edit(
        app.memory,
        LOCAL_ACTOR,
        HOME,
        "cook",
        {"role_name": "Chef", "keywords": ["stove"]},
        reason="promoted",
    )
    same = await manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", {"role_name": "Chef"})
    back = await manage.restore(app.memory, LOCAL_ACTOR, HOME, "cook", 1)

    assert (made.version, changed.version, same.version, back.version) == (1, 2, 2, 3)
    assert (back.config, back.key) == (COOK, made.key)
    found = await manage.history(app.memory, LOCAL_ACTOR, HOME, "cook")
    assert [(one.version, one.reason) for one in found] == [
        (3, "back to version 1"),
        (2, "promoted"),
        (1, None),
    ]
    assert found[1].config.keywords == ("stove",)
    for wrong in (
        manage.restore(app.memory, LOCAL_ACTOR, HOME, "cook", 9),
        manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", {"role_id": "chef"}),
        manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", {"colour": "red"}),
        manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", {"activation_threshold": 2}),
    ):
        with pytest.raises(errors.Invalid):
            await wrong
    assert (await manage.shown(app.memory, LOCAL_ACTOR, HOME, "cook")).version == 3


async def test_of_two_edits_at_once_one_is_told_to_read_again(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_roles(app, COOK)
    embedded = app.memory.roles.embedded

    async def and_then_another_edits(config: Any) -> Any:
        monkeypatch.setattr(app.memory.roles, "embedded", embedded)
        await manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", {"role_name": "First"})
        return await embedded(config)

    monkeypatch.setattr(app.memory.roles, "embedded", and_then_another_edits)
    with pytest.raises(errors.StaleRole):
        await manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", {"role_name": "Second"})

    now = await manage.shown(app.memory, LOCAL_ACTOR, HOME, "cook")
    assert (now.config.role_name, now.version) == ("First", 2)


START = datetime(2026, 1, 1, tzinfo=UTC)


async def filled(app: App, strategy: str) -> list[Added]:
    """Five memories that differ in age, importance and use, in a role."""
    config = COOK.changed({"memory_retention_strategy": strategy, "max_memory_size": 10})
    await add_roles(app, config)
    said = [
        (f"{SOUP}, for four guests", 4, 1),
        (f"{BREAD}, of rye", 0, 5),
        ("Bake the bread for forty minutes", 3, 2),
        ("A pinch of salt in the dough for the oven", 1, 4),
        ("红烧肉的菜谱：小火炖一个小时", 2, 3),
    ]
    added: list[Added] = []
    for text, day, importance in said:
        at = START + timedelta(days=day)
        added += await remember(app, text, at=at, metadata={"importance": importance})
    assert all(one.roles == ("cook",) for one in added)
    for place, one in enumerate(added):
        for n in range(place + 1):
            hits = await search.search(
                app.memory,
                LOCAL_ACTOR,
                [HOME],
                one.passage.text,
                limit=1,
                inject_into=f"c{place}-{n}",
            )
            assert hits[0].passage.id == one.passage.id
    return added


@pytest.mark.parametrize(
    ("strategy", "leaving"), [("recency", [1, 3]), ("importance", [0, 2]), ("usage", [0, 1])]
)
async def test_a_full_role_lets_go_by_its_strategy(
    app: App, strategy: str, leaving: list[int]
) -> None:
    added = await filled(app, strategy)

    await manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", {"max_memory_size": 3})

    now = await members(app, [one.passage for one in added])
    assert [i for i, one in enumerate(added) if not now[one.passage.text]] == leaving
    for place in leaving:
        _, moves = await correct.memory_roles(app.memory, LOCAL_ACTOR, added[place].passage.id)
        assert (moves[0].joined, moves[0].why, moves[0].detail) == (False, Why.CAPACITY, strategy)
    hits = await search.search(
        app.memory, LOCAL_ACTOR, [HOME], "bread", filter=Filter(roles=()), limit=9
    )
    assert {hit.passage.id for hit in hits} == {added[place].passage.id for place in leaving}


async def test_by_meaning_the_redundant_and_the_unrelated_leave_first(app: App) -> None:
    await add_roles(app, COOK.changed({"max_memory_size": 10}))
    texts = [SOUP, BREAD, f"{BREAD} at home", "红烧肉的菜谱：小火炖一个小时"]
    added = await remember(app, *texts)
    added += await remember(app, "The kettle is green")
    joined = await memberships_of(app, added)
    if "The kettle is green" not in {one.text for one in (a.passage for a in added if a.roles)}:
        assert len(joined) == 4

    await manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", {"max_memory_size": 3})

    now = await members(app, [one.passage for one in added])
    assert {text for text, roles in now.items() if roles} == {SOUP, BREAD, texts[3]}


@pytest.mark.parametrize("strategy", ["semantic", "recency", "importance", "usage"])
async def test_what_somebody_put_there_leaves_last_and_what_is_hidden_first(
    app: App, strategy: str
) -> None:
    config = {"memory_retention_strategy": strategy, "max_memory_size": 2}
    await add_roles(app, COOK.changed(config))
    old = datetime(2001, 1, 1, tzinfo=UTC)
    (given,) = await remember(app, MOON, roles=("cook",), at=old, metadata={"importance": -9})
    added = await remember(app, f"{SOUP} one", f"{BREAD} two", f"{SOUP} with leek, three")
    passages = [given.passage, *(one.passage for one in added)]
    now = await members(app, passages)

    assert sum(map(len, now.values())) == 2
    assert now[MOON] == {"cook"}
    assert all(set(one.roles) == now[one.passage.text] for one in added[-1:])

    kept = next(one for one in passages if now[one.text] and one.text != MOON)
    await changes.forget(app.memory, LOCAL_ACTOR, kept.id)
    (new,) = await remember(app, "Peel the potatoes for the soup and boil them")
    assert (await members(app, [kept, new.passage])) == {
        kept.text: set(),
        new.passage.text: {"cook"},
    }


async def test_who_had_no_room_in_a_full_role_is_told(app: App) -> None:
    await add_roles(app, COOK.changed({"max_memory_size": 1}), CODER)
    (first,) = await remember(app, SOUP, roles=("cook",), speaker="ann")

    (second,) = await remember(app, BREAD)
    again, named = (
        *await remember(app, BREAD),
        *await remember(app, SOUP, roles=("cook", "coder"), speaker="ann"),
    )

    assert (first.roles, first.full) == (("cook",), ())
    assert (second.roles, second.full) == ((), ("cook",))
    assert (again.outcome, again.roles, again.full) == (Outcome.DUPLICATE, (), ())
    assert (set(named.roles), named.full) == ({"cook", "coder"}, ())
    twice = await remember(app, f"{BREAD} today", f"{BREAD} today")
    assert [(one.outcome, one.full) for one in twice] == [
        (Outcome.ADDED, ("cook",)),
        (Outcome.DUPLICATE, ()),
    ]


async def test_a_rerouting_brings_nobody_back_whom_a_full_role_let_go(app: App) -> None:
    added = await remember(app, *(f"{SOUP}, for {n} guests" for n in range(5)))
    await add_roles(app, COOK.changed({"max_memory_size": 3}))

    async def looked_at() -> tuple[int, int]:
        job = await reroute.begin(app.memory, LOCAL_ACTOR, HOME)
        done = await stepped(app, job.id)
        return done.joined, done.left

    assert await looked_at() == (5, 2)
    before = await memberships_of(app, added)
    assert await looked_at() == (0, 0)
    assert await memberships_of(app, added) == before
    await manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", {"max_memory_size": 9})
    assert await looked_at() == (2, 0)


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer() as opened:
        yield opened


def remote(home: Path, database_url: str, server: EmbeddingServer, model: str) -> Settings:
    return load(
        home=home,
        database_url=database_url,
        embedding=f"test/{model}",
        embedding_base_url=server.url,
        embedding_api_key="k",
    )


@pytest.fixture
async def asking(yiku_home: Path, database_url: str, server: EmbeddingServer) -> AsyncIterator[App]:
    """An app whose embedding model says what it was asked."""
    async with build(remote(yiku_home, database_url, server, "asked")) as opened:
        yield opened


def asked(server: EmbeddingServer) -> list[str]:
    """The texts it was asked for, since the last time."""
    texts = [text for one in server.asked for text in one.body["input"]]
    server.asked.clear()
    return texts


async def test_an_edit_embeds_what_is_new_and_nothing_else(
    asking: App, server: EmbeddingServer
) -> None:
    await add_roles(asking, COOK)
    lines = COOK.role_description.splitlines()
    phrases = [COOK.role_description, *lines, *COOK.keywords, *COOK.examples]
    assert sorted(asked(server)) == sorted(phrases)

    def edit(**changes: Any) -> Any:
        return manage.edit(asking.memory, LOCAL_ACTOR, HOME, "cook", changes)

    await edit(role_name="Chef", max_memory_size=5, activation_threshold=0.1)
    assert asked(server) == []
    await edit(keywords=[*COOK.keywords, "whisk"])
    assert asked(server) == ["whisk"]
    await edit(role_description="Baking")
    assert asked(server) == ["Baking"]
    await manage.restore(asking.memory, LOCAL_ACTOR, HOME, "cook", 1)
    assert asked(server) == []


async def test_the_cohort_is_embedded_once_for_a_model_and_a_data_directory(
    tmp_path: Path, database_url: str, server: EmbeddingServer
) -> None:
    settings = remote(tmp_path / "home", database_url, server, "fresh")
    for first in (True, False):
        async with build(settings) as app:
            if first:
                await add_roles(app, COOK)
                asked(server)
            await route.route(app.memory, LOCAL_ACTOR, HOME, f"first {first}")
            texts = asked(server)
            assert texts.count(f"first {first}") == 1
            assert len(texts) == (1 + len(cohort_texts()) if first else 1)


async def test_a_moved_archive_has_its_roles_embedded_anew(
    yiku_home: Path, database_url: str, server: EmbeddingServer, asking: App
) -> None:
    await add_roles(asking, COOK, CODER)
    (soup,) = await remember(asking, SOUP, roles=("cook",))
    async with build(load(home=yiku_home, database_url=database_url)) as app:
        for refused in (
            route.route(app.memory, LOCAL_ACTOR, HOME, SOUP),
            add_roles(app, GARDENER),
            remember(app, BREAD),
        ):
            with pytest.raises(errors.EmbeddingModelMismatch):
                await refused

        await reembed(app.memory, LOCAL_ACTOR, HOME, lambda done, total: None)

        assert await members(app, [soup.passage]) == {SOUP: {"cook"}}
        made = await route.route(app.memory, LOCAL_ACTOR, HOME, BREAD)
        assert (made.chosen, made.model) == (("cook",), app.memory.embedder.model)
        assert (await remember(app, CRASH))[0].roles == ("coder",)
    with pytest.raises(errors.EmbeddingModelMismatch):
        await route.route(asking.memory, LOCAL_ACTOR, HOME, SOUP)
