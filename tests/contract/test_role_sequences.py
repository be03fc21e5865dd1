"""Any sequence of changes to roles and memories ends where a simple model of memberships ends."""

from dataclasses import dataclass, field
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.roles import (
    BREAD,
    CODER,
    COOK,
    CRASH,
    GARDENER,
    MOON,
    ROSES,
    SOUP,
    add_roles,
    members,
    remember,
    rerouted,
)
from yiku.app import App
from yiku.core.memory import Filter, Passage
from yiku.core.role import DecisionKind
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import erase, search
from yiku.memory.archival import Place
from yiku.memory.roles import correct, manage, reroute, route
from yiku.memory.roles.route import Which

USERS = count()
TEXTS = (SOUP, BREAD, CRASH, ROSES, MOON)
CONFIGS = (COOK, CODER, GARDENER)
NAMES = tuple(one.role_id for one in CONFIGS)

In = dict[tuple[str, str], bool]
"""Memberships by role and passage id; True: somebody's word."""


@dataclass
class Model:
    passages: dict[str, Passage] = field(default_factory=dict)
    now: In = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    jobs: list[tuple[str, In, In]] = field(default_factory=list)
    """Reroutings that may be undone: memberships before and after."""

    def reroute(self, job: str, chosen: dict[str, set[str]]) -> None:
        before = dict(self.now)
        for one in self.passages:
            for role in NAMES:
                place = (role, one)
                if self.now.get(place) or place in self.refused:
                    continue
                if role in chosen[one]:
                    self.now.setdefault(place, False)
                else:
                    self.now.pop(place, None)
        self.jobs.append((job, before, dict(self.now)))

    def undo(self, before: In, after: In) -> None:
        for place in before.keys() ^ after.keys():
            if place[1] not in self.passages or (place in self.now) != (place in after):
                continue
            if self.now.get(place) or place in self.refused:
                continue
            if place in after:
                del self.now[place]
            else:
                self.now[place] = before[place]


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["add", "add", "give", "to", "out", "describe", "reroute", "reroute", "undo", "delete"]
        ),
        st.integers(0, 9),
    ),
    min_size=4,
    max_size=16,
)


async def carry_out(app: App, model: Model, place: Place, name: str, pick: int) -> None:
    ids = sorted(model.passages)
    role = NAMES[pick % len(NAMES)]
    match name:
        case "add" | "give":
            text = f"{TEXTS[pick % len(TEXTS)]} {len(ids)}-{pick}"
            roles = (role,) if name == "give" else None
            (added,) = await remember(app, text, place=place, roles=roles)
            model.passages[added.passage.id] = added.passage
            for one in added.roles:
                known = model.now.get((one, added.passage.id), False)
                model.now[one, added.passage.id] = known or roles is not None
                if roles is not None:
                    model.refused.discard((one, added.passage.id))
        case "to" | "out" if ids:
            where = (role, ids[pick % len(ids)])
            lists = {"to": [role]} if name == "to" else {"out_of": [role]}
            await correct.correct(app.memory, LOCAL_ACTOR, model.passages[where[1]].id, **lists)
            if name == "to":
                model.now[where] = True
                model.refused.discard(where)
            else:
                model.now.pop(where, None)
                model.refused.add(where)
        case "describe":
            other = CONFIGS[(pick + pick // 3) % len(CONFIGS)]
            texts = ("role_description", "keywords", "examples")
            changes = {field: getattr(other, field) for field in texts}
            await manage.edit(app.memory, LOCAL_ACTOR, place, role, changes)
        case "reroute":
            job = await rerouted(app, place=place)
            made = await route.decisions_made(
                app.memory, LOCAL_ACTOR, place, Which(kind=DecisionKind.ROUTE, limit=200)
            )
            chosen: dict[str, set[str]] = {}
            for one in made:  # the newest first
                chosen.setdefault(str(one.passage_id), set(one.chosen))
            model.reroute(job, chosen)
        case "undo" if model.jobs:
            job, before, after = model.jobs.pop(pick % len(model.jobs))
            await reroute.undo(app.memory, LOCAL_ACTOR, job)
            model.undo(before, after)
        case "delete" if ids:
            gone = ids[pick % len(ids)]
            await erase.delete(app.memory, LOCAL_ACTOR, [model.passages.pop(gone).id])
            model.now = {place: word for place, word in model.now.items() if place[1] != gone}
            model.refused = {place for place in model.refused if place[1] != gone}


@given(operations=OPERATIONS)
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_any_sequence_of_changes_ends_as_its_model(
    app: App, operations: list[tuple[str, int]]
) -> None:
    place, model = Place(f"user{next(USERS)}"), Model()
    await add_roles(app, *CONFIGS, place=place)
    for name, pick in operations:
        await carry_out(app, model, place, name, pick)

    wanted = {
        one.text: {role for role, other in model.now if other == one.id}
        for one in model.passages.values()
    }
    assert await members(app, list(model.passages.values())) == wanted
    for asked in (*NAMES, None):
        hits = await search.search(
            app.memory,
            LOCAL_ACTOR,
            [place],
            "anything at all",
            filter=Filter(roles=(asked,) if asked else ()),
            limit=50,
        )
        found = {hit.passage.text for hit in hits}
        assert found == {
            t for t, roles in wanted.items() if (asked in roles if asked else not roles)
        }
