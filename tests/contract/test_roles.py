"""Memories in roles, on both databases, with the real embedding model."""

import asyncio
from dataclasses import replace
from pathlib import Path

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
)
from yiku.app import App, build
from yiku.core import errors
from yiku.core.memory import Draft, Filter, Outcome
from yiku.core.role import DecisionKind, EmbeddingRoleConfig, Why
from yiku.core.tenant import LOCAL_ACTOR, Actor, Scope
from yiku.memory import changes, erase, ingest, search
from yiku.memory.archival import Place
from yiku.memory.roles import correct, experts, manage, pool, reroute, route, stats
from yiku.memory.roles.route import Which
from yiku.settings import load
from yiku.store import decisions, later, memberships, tenants, verify
from yiku.store.database import Tx

BOTH = "The app that stores our recipes has a bug: the ingredients table crashes the server"


async def found_in(app: App, roles: tuple[str, ...] | None, query: str = "something") -> set[str]:
    hits = await search.search(
        app.memory, LOCAL_ACTOR, [HOME], query, filter=Filter(roles=roles), limit=50
    )
    return {hit.passage.text for hit in hits}


async def test_a_memory_is_in_every_role_that_claims_it_and_stored_once(app: App) -> None:
    await add_roles(app, COOK, CODER, GARDENER)

    (added,) = await remember(app, BOTH)

    assert set(added.roles) == {"cook", "coder"}
    assert await found_in(app, ("cook",)) == await found_in(app, ("coder",)) == {BOTH}
    hits = await search.search(
        app.memory, LOCAL_ACTOR, [HOME], "recipes", filter=Filter(roles=("cook", "coder"))
    )
    assert [hit.passage.id for hit in hits] == [added.passage.id]
    assert await found_in(app, ("gardener",)) == set()
    await erase.delete(app.memory, LOCAL_ACTOR, [added.passage.id])
    assert await found_in(app, None) == await found_in(app, ("cook",)) == set()
    told = await stats.summary(app.memory, LOCAL_ACTOR, HOME)
    assert (told.memories, [one.memories for one in told.roles]) == (0, [0, 0, 0])


async def test_what_no_role_claims_is_general_until_a_later_role_does(app: App) -> None:
    await add_roles(app, COOK)

    added = await remember(app, SOUP, ROSES, MOON)

    assert [one.roles for one in added] == [("cook",), (), ()]
    assert await found_in(app, ()) == {ROSES, MOON}
    assert await found_in(app, None) == {SOUP, ROSES, MOON}
    await add_roles(app, GARDENER)
    assert await found_in(app, ("gardener",)) == set()
    await rerouted(app, "gardener")
    assert await found_in(app, ("gardener",)) == {ROSES}
    assert await found_in(app, ()) == {MOON}


async def test_the_caller_may_name_roles_or_none(app: App) -> None:
    await add_roles(app, COOK, CODER)

    named, nowhere = (
        *await remember(app, MOON, roles=("coder", "cook", "coder")),
        *await remember(app, SOUP, roles=()),
    )

    assert (set(named.roles), nowhere.roles) == ({"coder", "cook"}, ())
    assert named.decision is nowhere.decision is None
    now, moves = await correct.memory_roles(app.memory, LOCAL_ACTOR, named.passage.id)
    assert {one.why for one in now} == {move.why for move in moves} == {Why.GIVEN}
    with pytest.raises(errors.RoleNotFound, match=r"'nobody'.*cook, coder"):
        await remember(app, "half of this", roles=("cook", "nobody"))
    assert "half of this" not in await found_in(app, None)
    with pytest.raises(errors.RoleNotFound, match="no roles"):
        await remember(app, SOUP, place=Place("bo"), roles=("cook",))


async def test_a_repetition_keeps_its_roles_and_joins_those_the_caller_names(app: App) -> None:
    await add_roles(app, COOK, CODER)
    (first,) = await remember(app, SOUP, speaker="ann")

    again, named, echo = (
        *await remember(app, SOUP, speaker="ann"),
        *await remember(app, SOUP, speaker="ann", roles=("coder",)),
        *await remember(app, SOUP, speaker="ann"),
    )

    assert {one.passage.id for one in (again, named, echo)} == {first.passage.id}
    assert [one.outcome for one in (again, named)] == [Outcome.DUPLICATE] * 2
    assert again.roles == ("cook",)
    assert set(named.roles) == set(echo.roles) == {"cook", "coder"}
    made = await route.decisions_made(app.memory, LOCAL_ACTOR, HOME, Which())
    assert [one.passage_id for one in made] == [first.passage.id]


async def test_drafts_of_one_call_that_say_the_same_have_one_passage_and_its_roles(
    app: App,
) -> None:
    await add_roles(app, COOK, CODER)

    drafts = [Draft(text=SOUP), Draft(text=SOUP, roles=("coder",)), Draft(text=CRASH)]
    added = await ingest.add(app.memory, LOCAL_ACTOR, HOME, drafts)

    assert [set(one.roles) for one in added] == [{"cook", "coder"}, {"cook", "coder"}, {"coder"}]


async def test_two_apps_on_one_database_see_the_same_at_once(
    app: App, yiku_home: Path, database_url: str
) -> None:
    async with build(load(home=yiku_home, database_url=database_url)) as other:
        await add_roles(app, COOK)
        assert (await remember(other, SOUP))[0].roles == ("cook",)
        assert await found_in(app, ("cook",)) == {SOUP}
        await add_roles(other, CODER)
        assert (await remember(app, CRASH))[0].roles == ("coder",)
        assert await found_in(other, ("coder",)) == {CRASH}
        await manage.edit(app.memory, LOCAL_ACTOR, HOME, "coder", {"role_name": "Programmer"})
        seen = await route.route(other.memory, LOCAL_ACTOR, HOME, QUERY)
        assert seen.scores[0].role_name == "Programmer"
        assert await manage.remove(other.memory, LOCAL_ACTOR, HOME, "cook") == 1
        assert await found_in(app, ()) == {SOUP}
        with pytest.raises(errors.RoleNotFound):
            await found_in(app, ("cook",))


async def test_roles_that_change_while_a_memory_is_planned_are_the_ones_it_goes_to(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_roles(app, COOK)
    planned, plans = ingest.planned, 0

    async def and_then_another_role_comes(*args: object) -> ingest.Plan:
        nonlocal plans
        plans += 1
        made = await planned(*args)  # type: ignore[arg-type]  # as it was called
        if plans == 1:
            await add_roles(app, CODER)
        return made

    monkeypatch.setattr(ingest, "planned", and_then_another_role_comes)
    (added,) = await remember(app, CRASH)

    assert (plans, added.roles) == (2, ("coder",))
    assert len((await route.decision(app.memory, LOCAL_ACTOR, added.decision or "")).scores) == 2


async def test_a_deletion_or_a_correction_meanwhile_is_no_reason_to_plan_anew(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_roles(app, COOK, CODER)
    gone, taught, edited = await remember(app, SOUP, MOON, ROSES)
    planned, reconsidered, plans = ingest.planned, changes.reconsidered, 0

    async def and_then_one_is_deleted(*args: object) -> ingest.Plan:
        nonlocal plans
        plans += 1
        made = await planned(*args)  # type: ignore[arg-type]  # as it was called
        await erase.delete(app.memory, LOCAL_ACTOR, [gone.passage.id])
        return made

    async def and_then_one_is_corrected(*args: object) -> object:
        made = await reconsidered(*args)  # type: ignore[arg-type]  # as it was called
        await correct.correct(app.memory, LOCAL_ACTOR, taught.passage.id, to=["coder"])
        return made

    monkeypatch.setattr(ingest, "planned", and_then_one_is_deleted)
    monkeypatch.setattr(changes, "reconsidered", and_then_one_is_corrected)
    (added,) = await remember(app, CRASH)
    await changes.edit(app.memory, LOCAL_ACTOR, edited.passage.id, {"text": BREAD})

    assert (plans, added.roles) == (1, ("coder",))
    edited_now = replace(edited.passage, text=BREAD)
    assert await members(app, [added.passage, taught.passage, edited_now]) == {
        CRASH: {"coder"},
        MOON: {"coder"},
        BREAD: {"cook"},
    }


async def test_an_edit_is_refused_where_roles_were_described_anew_meanwhile(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_roles(app, COOK)
    (added,) = await remember(app, ROSES)
    reconsidered = changes.reconsidered

    async def and_then_a_role_is_edited(*args: object) -> object:
        made = await reconsidered(*args)  # type: ignore[arg-type]  # as it was called
        await manage.edit(app.memory, LOCAL_ACTOR, HOME, "cook", {"role_name": "Chef"})
        return made

    monkeypatch.setattr(changes, "reconsidered", and_then_a_role_is_edited)
    with pytest.raises(errors.StaleRole):
        await changes.edit(app.memory, LOCAL_ACTOR, added.passage.id, {"text": BREAD})

    assert await members(app, [added.passage]) == {ROSES: set()}


async def test_a_role_that_an_empty_archive_does_not_have_is_refused(app: App) -> None:
    assert await found_in(app, ("cook",)) == set()  # there is no archive yet

    await add_roles(app, COOK)

    with pytest.raises(errors.RoleNotFound, match="there are cook"):
        await found_in(app, ("nobody",))
    assert await found_in(app, ("cook",)) == await found_in(app, ()) == set()
    await manage.remove(app.memory, LOCAL_ACTOR, HOME, "cook")
    with pytest.raises(errors.RoleNotFound, match="no roles"):
        await found_in(app, ("cook",))


async def test_a_removed_role_leaves_its_memories_and_a_history(app: App) -> None:
    await add_roles(app, COOK, CODER)
    both, soup = await remember(app, BOTH, SOUP)

    assert await manage.remove(app.memory, LOCAL_ACTOR, HOME, "cook") == 2

    assert await members(app, [both.passage, soup.passage]) == {BOTH: {"coder"}, SOUP: set()}
    _, moves = await correct.memory_roles(app.memory, LOCAL_ACTOR, soup.passage.id)
    assert [(move.role_id, move.joined, move.why) for move in moves] == [
        ("cook", False, Why.REMOVED),
        ("cook", True, Why.ROUTED),
    ]
    assert (await remember(app, BREAD))[0].roles == ()


async def test_a_correction_is_learned_at_once_and_by_other_processes(
    app: App, yiku_home: Path, database_url: str
) -> None:
    await add_roles(app, COOK, CODER)
    texts = [f"Zeppelin {word} over the harbour" for word in ("flights", "tours", "rides")]
    added = await remember(app, *texts)
    async with build(load(home=yiku_home, database_url=database_url)) as other:
        question = "Zeppelin trips over the harbour"
        assert (await route.route(other.memory, LOCAL_ACTOR, HOME, question)).chosen == ()
        for one in added:
            await correct.correct(app.memory, LOCAL_ACTOR, one.passage.id, to=["coder"])
        for each in (app, other):
            made = await route.route(each.memory, LOCAL_ACTOR, HOME, question)
            assert made.chosen == ("coder",)
            score = next(one for one in made.scores if one.role_id == "coder")
            assert score.parts["learned"] > score.parts["examples"]
            assert score.nearest in {one.passage.id for one in added}


async def test_refused_texts_push_those_like_them_away(app: App) -> None:
    await add_roles(app, COOK, CODER)
    (wrong,) = await remember(app, "The cook book database: a table of recipes", roles=("coder",))
    question = "The cook book database has a table of recipes"
    before = await route.route(app.memory, LOCAL_ACTOR, HOME, question)

    await correct.correct(app.memory, LOCAL_ACTOR, wrong.passage.id, to=["cook"], out_of=["coder"])

    after = await route.route(app.memory, LOCAL_ACTOR, HOME, question)
    raw = [{s.role_id: s.raw for s in one.scores}["coder"] for one in (before, after)]
    assert raw[1] < raw[0]
    refused = next(one for one in after.scores if one.role_id == "coder")
    assert refused.parts["refused"] < 0
    assert after.scores[0].role_id == "cook"
    assert await members(app, [wrong.passage]) == {wrong.passage.text: {"cook"}}


async def test_a_correction_says_where_to_and_names_what_is_there(app: App) -> None:
    await add_roles(app, COOK)
    (soup,) = await remember(app, SOUP)
    wrong = [
        ({}, errors.Invalid),
        ({"to": ["cook"], "out_of": ["cook"]}, errors.Invalid),
        ({"to": ["nobody"]}, errors.RoleNotFound),
    ]
    for asked, error in wrong:
        with pytest.raises(error):
            await correct.correct(app.memory, LOCAL_ACTOR, soup.passage.id, **asked)
    with pytest.raises(errors.PassageNotFound):
        await correct.correct(app.memory, LOCAL_ACTOR, "passage-none", to=["cook"])  # type: ignore[arg-type]  # as it comes in
    assert await members(app, [soup.passage]) == {SOUP: {"cook"}}


async def test_what_a_role_accepts_moves_it_within_bounds(app: App) -> None:
    await add_roles(app, COOK)
    others = [
        f"{place} has {n} bridges, ferries and harbour cranes"
        for n, place in enumerate(
            "Oslo Bergen Lisbon Porto Genoa Nice Bari Split Kiel Riga".split() * 4
        )
    ]
    await remember(app, *(f"{text} {n}" for n, text in enumerate(others)), roles=("cook",))

    current = await route.roles_here(app.memory, LOCAL_ACTOR, HOME)
    await app.memory.roles.learn(LOCAL_ACTOR, current.archive)

    (told,) = (await stats.summary(app.memory, LOCAL_ACTOR, HOME)).roles
    assert told.learned_from >= 40
    assert 0 < told.drift < 1
    current = await route.roles_here(app.memory, LOCAL_ACTOR, HOME)
    known = current.state.known[0]
    weights = experts.mean_weights(known.kinds)
    learned = known.kinds == experts.Kind.LEARNED
    assert weights[learned].sum() <= weights[~learned].sum() * 1.0001
    assert (await route.route(app.memory, LOCAL_ACTOR, HOME, SOUP)).chosen == ("cook",)


async def test_a_decision_explains_itself_and_is_found_again(app: App) -> None:
    await add_roles(app, COOK, CODER, GARDENER)
    (added,) = await remember(app, BOTH)

    made = await route.decision(app.memory, LOCAL_ACTOR, added.decision or "")

    assert (made.kind, made.passage_id) == (DecisionKind.ROUTE, added.passage.id)
    assert set(made.chosen) == set(added.roles) == {"cook", "coder"}
    assert [one.score for one in made.scores] == sorted(
        (s.score for s in made.scores), reverse=True
    )
    for one in made.scores:
        assert sum(one.parts.values()) == pytest.approx(one.raw, abs=2e-3)
        assert one.chosen == (one.score >= one.threshold) == one.reason.startswith("chosen")
        assert one.nearest
    assert made.margin == pytest.approx(made.scores[0].score - 0.3, abs=1e-3)
    again = await route.decisions_made(
        app.memory, LOCAL_ACTOR, HOME, Which(passage_id=added.passage.id)
    )
    assert again == [made]


async def test_a_gating_is_kept_and_counted(app: App) -> None:
    await add_roles(app, COOK, CODER, GARDENER)

    made = await route.gate(
        app.memory, LOCAL_ACTOR, HOME, "Which oven for the bread?", conversation="c1"
    )

    kept = await route.decision(app.memory, LOCAL_ACTOR, made.id)
    assert (kept.chosen, kept.conversation, kept.passage_id) == (("cook",), "c1", None)
    told = {one.role_id: one for one in (await stats.summary(app.memory, LOCAL_ACTOR, HOME)).roles}
    assert {name: (one.considered, one.gated) for name, one in told.items()} == {
        "cook": (1, 1),
        "coder": (1, 0),
        "gardener": (1, 0),
    }
    one_role = await route.gate(app.memory, LOCAL_ACTOR, HOME, BOTH, max_roles=1)
    assert len(one_role.chosen) == 1
    assert sum("better" in one.reason for one in one_role.scores) == 1
    everyone = await route.gate(app.memory, LOCAL_ACTOR, HOME, MOON, threshold=0)
    assert len(everyone.chosen) == 3


async def test_a_gating_is_found_while_it_is_being_written(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(later, "WAIT_S", 0)
    await add_roles(app, COOK)
    for n in range(20):
        made = await route.gate(app.memory, LOCAL_ACTOR, HOME, f"bread number {n}")
        for _ in range(n % 4):
            await asyncio.sleep(0)  # its writing begins, and is under way
        assert (await route.decision(app.memory, LOCAL_ACTOR, made.id)).id == made.id


async def test_old_gatings_are_dropped_and_routings_are_not(
    app: App, monkeypatch: pytest.MonkeyPatch, yiku_home: Path, database_url: str
) -> None:
    monkeypatch.setattr(decisions, "KEPT_GATINGS", 5)
    await add_roles(app, COOK)
    await remember(app, SOUP)
    for n in range(8):
        await route.gate(app.memory, LOCAL_ACTOR, HOME, f"bread number {n}")
    await app.memory.gatings.flush()
    # A process looks for old ones at its first writing.
    async with build(load(home=yiku_home, database_url=database_url)) as other:
        last = await route.gate(other.memory, LOCAL_ACTOR, HOME, "the last bread")
        made = await route.decisions_made(other.memory, LOCAL_ACTOR, HOME, Which())

    kinds = [one.kind for one in made]
    assert (kinds.count(DecisionKind.GATE), kinds.count(DecisionKind.ROUTE)) == (5, 1)
    assert made[0].id == last.id


async def test_erasing_leaves_nothing_of_a_memory_in_its_roles(app: App, tmp_path: Path) -> None:
    secret = "The server password database table crashes: bug Xq7Zebra9"
    await add_roles(app, COOK, CODER)
    (added,) = await remember(app, secret)
    assert added.roles == ("coder",)
    await correct.correct(app.memory, LOCAL_ACTOR, added.passage.id, to=["coder", "cook"])
    await route.route(app.memory, LOCAL_ACTOR, HOME, secret)
    await rerouted(app)

    await erase.delete(app.memory, LOCAL_ACTOR, [added.passage.id])

    made = await route.route(app.memory, LOCAL_ACTOR, HOME, "Xq7Zebra9")
    assert all("learned" not in one.parts for one in made.scores)
    current = await route.roles_here(app.memory, LOCAL_ACTOR, HOME)
    assert not any(current.members.values())
    assert not any(current.state.learned.values())
    assert "Xq7Zebra9" not in repr(current.state.loaded)
    with pytest.raises(errors.DecisionNotFound):
        await route.decision(app.memory, LOCAL_ACTOR, added.decision or "")

    def rows_left(tx: Tx) -> int:
        tables = ("role_passage", "role_move", "decision")
        query = " + ".join(f"(SELECT count(*) FROM {one})" for one in tables)
        return tx.connection.exec_driver_sql(f"SELECT {query}").scalar_one()

    assert await app.database.read(LOCAL_ACTOR, rows_left) == 0
    for file in (app.settings.home_dir, tmp_path):
        for path in file.rglob("*"):
            if path.is_file() and path.suffix != ".onnx":
                assert b"Xq7Zebra9" not in path.read_bytes(), path


async def test_an_archive_takes_its_roles_along(app: App) -> None:
    await add_roles(app, COOK, CODER)
    (added,) = await remember(app, SOUP)
    await rerouted(app)
    await route.gate(app.memory, LOCAL_ACTOR, HOME, SOUP)

    await erase.delete_archive(app.memory, LOCAL_ACTOR, added.passage.archive_id)
    await app.memory.gatings.flush()

    def rows_left(tx: Tx) -> int:
        tables = (
            "role_set role role_version role_embedding role_passage role_move role_job decision"
        )
        query = " + ".join(f"(SELECT count(*) FROM {one})" for one in tables.split())
        return tx.connection.exec_driver_sql(f"SELECT {query}").scalar_one()

    assert await app.database.read(LOCAL_ACTOR, rows_left) == 0
    assert await manage.listed(app.memory, LOCAL_ACTOR, HOME) == []
    await add_roles(app, COOK)
    assert (await remember(app, SOUP))[0].roles == ("cook",)


def stranger(tx: Tx) -> Actor:
    organization = tenants.add_organization(tx, "strangers")
    user = tenants.add_user(tx, organization.id, "eve")
    return Actor(organization_id=organization.id, user_id=user.id, scope=Scope.ADMIN)


async def test_another_organization_sees_guesses_and_corrects_nothing(app: App) -> None:
    eve = await app.database.write(LOCAL_ACTOR, stranger)
    await add_roles(app, COOK)
    (soup,) = await remember(app, SOUP)
    made = await route.gate(app.memory, LOCAL_ACTOR, HOME, SOUP)
    await app.memory.gatings.flush()
    job = await rerouted(app)
    archive = soup.passage.archive_id

    assert await manage.listed(app.memory, eve, HOME) == []
    refused = [
        manage.listed(app.memory, eve, archive),
        manage.shown(app.memory, eve, archive, "cook"),
        manage.history(app.memory, eve, archive, "cook"),
        manage.add(app.memory, eve, archive, [CODER]),
        manage.edit(app.memory, eve, archive, "cook", {"role_name": "mine"}),
        manage.remove(app.memory, eve, archive, "cook"),
        route.route(app.memory, eve, archive, SOUP),
        route.gate(app.memory, eve, archive, SOUP),
        route.decision(app.memory, eve, made.id),
        route.decision(app.memory, eve, soup.decision or ""),
        route.decisions_made(app.memory, eve, archive, Which()),
        correct.correct(app.memory, eve, soup.passage.id, out_of=["cook"]),
        correct.memory_roles(app.memory, eve, soup.passage.id),
        stats.summary(app.memory, eve, archive),
        rerouted_by(app, eve, job),
    ]
    for one in refused:
        with pytest.raises(errors.NotFound):
            await one
    assert (await app.database.read(eve, lambda tx: memberships.all_of(tx, archive))) == []
    # The same names are her own.
    await manage.add(app.memory, eve, HOME, [GARDENER])
    assert (await remember(app, SOUP, actor=eve))[0].roles == ()
    assert [one.role_id for one in await manage.listed(app.memory, LOCAL_ACTOR, HOME)] == ["cook"]
    assert await members(app, [soup.passage]) == {SOUP: {"cook"}}


async def rerouted_by(app: App, actor: Actor, job_id: str) -> None:
    with pytest.raises(errors.NotFound):
        await reroute.undo(app.memory, actor, job_id)
    await reroute.step(app.memory, actor, job_id)


async def test_who_may_only_read_routes_and_gates_and_changes_nothing(app: App) -> None:
    await add_roles(app, COOK)
    (soup,) = await remember(app, SOUP)
    reader = Actor(
        organization_id=LOCAL_ACTOR.organization_id,
        user_id=LOCAL_ACTOR.user_id,
        scope=Scope.READ,
    )

    assert (await route.route(app.memory, reader, HOME, BREAD)).chosen == ("cook",)
    made = await route.gate(app.memory, reader, HOME, BREAD)
    assert (await route.decision(app.memory, reader, made.id)).chosen == ("cook",)
    for refused in (
        manage.add(app.memory, reader, HOME, [CODER]),
        manage.edit(app.memory, reader, HOME, "cook", {"role_name": "mine"}),
        manage.remove(app.memory, reader, HOME, "cook"),
        correct.correct(app.memory, reader, soup.passage.id, out_of=["cook"]),
        remember(app, BREAD, actor=reader),
    ):
        with pytest.raises(errors.NotAllowed):
            await refused


ODD = [
    "🙂🙂🙂",
    "…",
    "\u202e\u200b",
    "a" * 3_000,
    "烤箱" * 2_000,
    "The oven 🍞\n\n\t烤箱",
]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
async def test_odd_texts_are_routed_gated_and_stored(app: App, text: str) -> None:
    bare = EmbeddingRoleConfig(role_id="角色.1", role_description="🍞", keywords=["", " ", "🍞"])
    await add_roles(app, bare, COOK)

    (added,) = await remember(app, text)
    gated = await route.gate(app.memory, LOCAL_ACTOR, HOME, text, max_roles=9)

    assert set(added.roles) <= {"角色.1", "cook"}
    for made in (gated, await route.decision(app.memory, LOCAL_ACTOR, added.decision or "")):
        assert len(made.scores) == 2
        assert all(0 <= one.score <= 1 for one in made.scores)


@pytest.mark.parametrize("text", ["", "  ", "a\0b", "half \ud83d"])
async def test_texts_that_are_none_are_refused(app: App, text: str) -> None:
    await add_roles(app, COOK)

    for asked in (route.route, route.gate):
        with pytest.raises(errors.InvalidText):
            await asked(app.memory, LOCAL_ACTOR, HOME, text)
    with pytest.raises(errors.Invalid):
        EmbeddingRoleConfig(role_id="r", role_description=text)


async def test_of_a_long_context_the_end_decides(app: App) -> None:
    await add_roles(app, COOK, CODER)
    long = f"{CRASH}. " * 60 + (f"{SOUP}. " * 60)[-2_000:]

    made = await route.gate(app.memory, LOCAL_ACTOR, HOME, long)

    assert made.chosen == ("cook",)


async def test_a_thousand_roles_work(app: App) -> None:
    subjects = [f"topic {n}" for n in range(998)]
    many = [
        EmbeddingRoleConfig(role_id=f"r{n}", role_description=f"All about {name}")
        for n, name in enumerate(subjects)
    ]
    await add_roles(app, *many, COOK, CODER)

    (added,) = await remember(app, SOUP)
    made = await route.gate(app.memory, LOCAL_ACTOR, HOME, CRASH)

    assert added.roles == ("cook",)
    assert made.chosen[0] == "coder"
    asked = await route.route(app.memory, LOCAL_ACTOR, HOME, SOUP)
    assert len({one.role_id for one in asked.scores}) == asked.roles == 1000
    assert [bool(one.parts) for one in asked.scores] == [True] * 32 + [False] * 968
    last = asked.scores[-1].role_id
    now = await correct.correct(app.memory, LOCAL_ACTOR, added.passage.id, to=[last])
    assert {one.role_id: one.score for one in now}[last] == pytest.approx(
        asked.scores[-1].score, abs=0.01
    )
    kept = await route.decision(app.memory, LOCAL_ACTOR, added.decision or "")
    assert (kept.roles, len(kept.scores)) == (1000, decisions.KEPT_SCORES)
    told = await stats.summary(app.memory, LOCAL_ACTOR, HOME)
    assert [one.considered for one in told.roles] == [1] * 1000
    with pytest.raises(errors.Invalid, match="2,000"):
        await add_roles(
            app, *(one.changed({"role_id": f"x{n}"}) for n, one in enumerate(many[:1] * 1001))
        )


async def test_deletions_and_searches_at_once_do_not_meet(app: App) -> None:
    """A deletion drops what a search has at hand."""
    await add_roles(app, COOK)
    added = await remember(app, *(f"{SOUP}, part {n}" for n in range(12)))

    async def delete(n: int) -> None:
        await erase.delete(app.memory, LOCAL_ACTOR, [added[n].passage.id])

    work = [delete(n) for n in range(0, 12, 2)]
    work += [remember(app, f"{BREAD} {n}") for n in range(6)]
    work += [found_in(app, ("cook",)) for _ in range(12)]
    await asyncio.gather(*work)

    left = {f"{SOUP}, part {n}" for n in range(1, 12, 2)} | {f"{BREAD} {n}" for n in range(6)}
    assert await found_in(app, ("cook",)) == left


async def test_experts_learn_beside_the_work_and_stop_with_the_app(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PAUSE_S", 0)
    await add_roles(app, COOK)
    await remember(app, *(f"{SOUP} and {n} onions" for n in range(5)))
    await route.route(app.memory, LOCAL_ACTOR, HOME, BREAD)

    async with asyncio.timeout(60):
        while not (learned := await learned_from(app)):  # noqa: ASYNC110 - it has nobody to tell
            await asyncio.sleep(0.05)
    assert learned == 5


async def learned_from(app: App) -> int:
    (told,) = (await stats.summary(app.memory, LOCAL_ACTOR, HOME)).roles
    return told.learned_from


async def test_a_check_of_the_database_counts_roles_and_tells_what_is_wrong(app: App) -> None:
    await add_roles(app, COOK, CODER)
    await remember(app, SOUP, BOTH)
    await add_roles(app, COOK, place=Place("bo"))

    sound = await app.database.read(LOCAL_ACTOR, lambda tx: verify.check(tx.connection))

    assert sound.problems == []
    assert (sound.counts["role"], sound.counts["role_passage"]) == (3, 3)

    def damage(tx: Tx) -> None:
        other = (
            "(SELECT max(key) FROM role WHERE archive_id <> (SELECT min(archive_id) FROM passage))"
        )
        tx.connection.exec_driver_sql(
            f"UPDATE role_passage SET role_key = {other}"
            " WHERE passage_seq = (SELECT min(seq) FROM passage)"
        )
        tx.connection.exec_driver_sql("UPDATE role_embedding SET version = 9")

    await app.database.write(LOCAL_ACTOR, damage)
    broken = await app.database.read(LOCAL_ACTOR, lambda tx: verify.check(tx.connection))
    assert len(broken.problems) == 4
    assert "is in role 'cook' of another archive" in broken.problems[0]
    assert "vectors of its version 9, but is at 1 only" in broken.problems[1]
