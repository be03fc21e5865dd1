"""Any sequence of changes ends where a simple model of them ends."""

from dataclasses import dataclass, field, replace
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yiku.client.memory import MemoryClient
from yiku.core import errors

USERS = count()


@dataclass(frozen=True)
class State:
    """A passage as the model sees it."""

    text: str
    hidden: bool = False
    superseded_by: str | None = None
    ended: bool = field(default=False, compare=False)


@dataclass
class Step:
    """A change: the states before it, of the passages it touched."""

    before: dict[str, State]
    undoable: bool = True


@dataclass
class Model:
    states: dict[str, State] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def write(self, after: dict[str, State], undoable: bool = True) -> None:
        self.steps.append(Step({i: self.states[i] for i in after}, undoable))
        self.states |= after

    def last(self, one: str) -> Step | None:
        return next((s for s in reversed(self.steps) if s.undoable and one in s.before), None)

    def undo(self, one: str) -> type[Exception] | None:
        step = self.last(one)
        if step is None:
            if self.states[one].hidden:
                return errors.NothingToUndo
            self.write({one: replace(self.states[one], hidden=True)}, undoable=False)
            return None
        if any(self.last(other) is not step for other in step.before):
            return errors.UndoConflict
        step.undoable = False
        self.states |= step.before
        return None

    def delete(self, one: str) -> None:
        del self.states[one]
        for step in self.steps:
            step.before.pop(one, None)
        for states in (self.states, *(step.before for step in self.steps)):
            for other, state in states.items():
                if state.superseded_by == one:
                    states[other] = replace(state, superseded_by=None)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "edit", "supersede", "forget", "undo", "undo", "delete"]),
        st.integers(0, 5),
    ),
    min_size=2,
    max_size=14,
)


async def carry_out(memory: MemoryClient, model: Model, user: str, name: str, pick: int) -> None:
    text = f"entry{len(model.steps)}x{len(model.states)}y{pick} {name} zebra"
    ids = sorted(model.states)
    if name == "add" or not ids:
        added = await memory.add(text, user=user)
        model.states[added.passage.id] = State(text)
        return
    one = ids[pick % len(ids)]
    state = model.states[one]
    match name:
        case "edit":
            await memory.edit(one, text=text)
            if text != state.text:
                model.write({one: replace(state, text=text)})
        case "forget":
            await memory.forget(one)
            if not state.hidden:
                model.write({one: replace(state, hidden=True)})
        case "supersede" if state.superseded_by is None:
            new = (await memory.supersede(one, text)).new.id
            model.states[new] = State(text, hidden=True)  # taken back, it is hidden
            ended = replace(state, superseded_by=new, ended=True)
            model.write({one: ended, new: State(text)})
        case "undo":
            expected = model.undo(one)
            raised = None
            try:
                await memory.undo(one)
            except errors.Conflict as error:
                raised = type(error)
            assert raised is expected
        case "delete":
            await memory.delete(one)
            model.delete(one)


@given(operations=OPERATIONS)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_any_sequence_of_changes_ends_as_its_model(
    memory: MemoryClient, operations: list[tuple[str, int]]
) -> None:
    user, model = f"user{next(USERS)}", Model()
    for name, pick in operations:
        await carry_out(memory, model, user, name, pick)

    there = {}
    if model.states:
        there = {
            one.id: State(one.text, one.forgotten_at is not None, one.superseded_by)
            async for one in memory.export(user=user, forgotten=True)
        }
    assert there == model.states
    hits = await memory.search("zebra", user=user, limit=50)
    # What was superseded by a passage that was deleted stays ended: it is not true again.
    assert {hit.passage.id for hit in hits} == {
        i for i, s in model.states.items() if not s.hidden and not s.ended
    }
