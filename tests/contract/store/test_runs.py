"""Runs and steps are kept alike on both databases."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import text

from tests.fixtures.agents import NOW, Store, run, step
from yiku.core import errors
from yiku.core.ids import AgentId, ConversationId, RunId, StepId
from yiku.core.model import ToolSpec, Usage
from yiku.core.run import (
    Failure,
    RunFilter,
    RunPage,
    RunRequest,
    RunStatus,
    StepFilter,
    StepPage,
    StepStatus,
    StopReason,
)
from yiku.core.tenant import LOCAL_USER, Actor
from yiku.store import agents, runs, steps
from yiku.store.database import Tx

REQUEST = RunRequest(
    max_steps=3,
    client_tools=(ToolSpec(name="local", description="忆", parameters={"type": "object"}),),
    model="kimi/k2",
    system="s",
    stream_tokens=True,
    background=True,
    wire={"a": [None, {"b": 1.5}]},
)
USAGE = Usage(
    prompt_tokens=1,
    completion_tokens=2,
    cached_tokens=0,
    cache_write_tokens=3,
    reasoning_tokens=None,
)


async def test_a_run_is_kept_as_it_was_and_as_it_became(store: Store) -> None:
    agent = await store.agent()
    new = run(
        agent.id,
        status=RunStatus.CREATED,
        request=REQUEST,
        conversation_id=ConversationId("conv-1"),
        metadata={"a": 1},
    )
    stored = await store.do(runs.add, new)
    assert stored == replace(new, seq=stored.seq)
    assert stored.seq > 0
    assert await store.do(runs.get, new.id) == stored

    ended = replace(
        stored,
        status=RunStatus.FAILED,
        stop_reason=StopReason.CONTEXT_OVERFLOW,
        failure=Failure(kind="PromptTooLong", message="太长"),
        usage=USAGE,
        context_tokens=2**40,
        step_count=4,
        completed_at=NOW + timedelta(microseconds=1),
        ttft_ns=2**40,
        duration_ns=2**41,
        metadata={"b": [2]},
    )
    assert await store.do(runs.update, ended) == ended
    assert await store.do(runs.get, new.id) == ended
    assert await store.do(runs.update, stored) == stored
    assert await store.do(runs.get, new.id) == stored


async def test_what_asks_to_cancel_is_never_taken_back(store: Store) -> None:
    agent = await store.agent()
    going, other, over = [
        await store.do(runs.add, run(agent.id, status=status))
        for status in (RunStatus.RUNNING, RunStatus.CREATED, RunStatus.COMPLETED)
    ]
    ids = [over.id, other.id, going.id]
    assert await store.do(runs.ask_cancel, ids) == [other.id, going.id]

    assert (await store.do(runs.update, going)).cancel_asked
    assert (await store.do(runs.get, going.id)).cancel_asked
    assert not (await store.do(runs.get, over.id)).cancel_asked
    with pytest.raises(errors.RunNotFound):
        await store.do(runs.ask_cancel, [going.id, RunId("run-x")])
    assert await store.do(runs.ask_cancel, []) == []


async def test_runs_that_have_not_ended_are_found_for_every_organization(store: Store) -> None:
    agent = await store.agent()
    first, _, second = [
        await store.do(runs.add, run(agent.id, status=status))
        for status in (RunStatus.RUNNING, RunStatus.FAILED, RunStatus.CREATED)
    ]

    def unfinished(tx: Tx) -> object:
        return runs.unfinished(tx.connection)

    mine = Actor(organization_id=agent.organization_id, user_id=LOCAL_USER)
    want = [(first, mine), (second, mine)]
    assert await store.as_stranger(unfinished) == want
    assert await store.do(unfinished) == want

    def plan(tx: Tx) -> str:
        if tx.postgres:
            tx.connection.execute(text("SET LOCAL enable_seqscan = off"))
        query = "SELECT * FROM run WHERE status IN ('created', 'running') ORDER BY seq"
        explain = "EXPLAIN" if tx.postgres else "EXPLAIN QUERY PLAN"
        return str(tx.connection.exec_driver_sql(f"{explain} {query}").all())

    assert "ix_run_unfinished" in await store.do(plan)


async def test_every_page_of_runs_is_the_part_that_was_asked_for(store: Store) -> None:
    agent = await store.agent()
    ids: list[RunId | None] = [(await store.do(runs.add, run(agent.id))).id for _ in range(3)]
    for newest_first in (False, True):
        order = ids[::-1] if newest_first else ids
        for after, before, limit in product([None, *order], [None, *order], (1, 9)):
            start = order.index(after) + 1 if after else 0
            end = order.index(before) if before else len(order)
            between = order[start:end]
            want = between[-limit:] if before and not after else between[:limit]
            part = RunPage(limit=limit, after=after, before=before, newest_first=newest_first)
            found = await store.do(runs.page, RunFilter(), part)
            assert [one.id for one in found] == want, part


async def test_runs_are_listed_by_what_is_asked_of_them(store: Store) -> None:
    ann, bob = await store.agent(), await store.agent("bob")
    a, b, c = [
        await store.do(runs.add, one)
        for one in (
            run(ann.id, stop_reason=StopReason.END_TURN, status=RunStatus.COMPLETED),
            run(ann.id, request=REQUEST, conversation_id=ConversationId("conv-1")),
            run(bob.id, status=RunStatus.CREATED),
        )
    ]
    for wanted, want in (
        (RunFilter(), [a, b, c]),
        (RunFilter(agent_ids=(ann.id,)), [a, b]),
        (RunFilter(agent_ids=(ann.id, bob.id)), [a, b, c]),
        (RunFilter(statuses=(RunStatus.RUNNING, RunStatus.CREATED)), [b, c]),
        (RunFilter(stop_reason=StopReason.END_TURN), [a]),
        (RunFilter(background=True), [b]),
        (RunFilter(background=False), [a, c]),
        (RunFilter(conversation_id=ConversationId("conv-1")), [b]),
    ):
        assert await store.do(runs.page, wanted, RunPage(newest_first=False)) == want, wanted
    assert await store.do(runs.last_of_agent, ann.id) == b
    assert await store.do(runs.last_of_agent, AgentId("agent-\0")) is None


async def test_a_step_is_kept_as_it_was_and_as_it_became(store: Store) -> None:
    agent = await store.agent()
    of = await store.do(runs.add, run(agent.id))
    first = await store.do(steps.add, step(of, 1, tags=("x",), feedback="negative"))
    second = await store.do(steps.add, step(of, 2, failure=Failure(kind="a", message="b")))
    assert await store.do(steps.of_run, of.id) == [first, second]

    done = replace(
        first,
        status=StepStatus.SUCCESS,
        stop_reason=StopReason.TOOL_RULE,
        failure=Failure(kind="k", message="忆"),
        model="kimi/k2",
        context_window=8_000,
        usage=USAGE,
        model_ns=2**40,
        tools_ns=1,
        ttft_ns=0,
    )
    await store.do(steps.put, done)
    assert await store.do(steps.get, first.id) == done
    assert await store.do(steps.get, second.id) == second


async def test_feedback_is_set_and_taken_back(store: Store) -> None:
    of = await store.do(runs.add, run((await store.agent()).id))
    made = await store.do(steps.add, step(of, tags=("x",)))
    for feedback, tags, want in (
        ("positive", None, ("x",)),
        ("negative", ("y", "z", "y"), ("y", "z")),
        (None, (), ()),
    ):
        told = await store.do(steps.set_feedback, made.id, feedback, tags)
        assert (told.feedback, told.tags) == (feedback, want)
        assert await store.do(steps.get, made.id) == told


async def test_steps_are_listed_by_what_is_asked_of_them(store: Store) -> None:
    ann, bob = await store.agent(), await store.agent("bob")
    one, other = [await store.do(runs.add, run(agent.id)) for agent in (ann, bob)]
    a, b, c = [
        await store.do(steps.add, made)
        for made in (
            step(one, 1, tags=("x", "y"), feedback="positive"),
            step(one, 2, model="kimi/k2", tags=("z",), feedback="negative"),
            step(other, 3),
        )
    ]
    for wanted, want in (
        (StepFilter(), [a, b, c]),
        (StepFilter(run_id=one.id), [a, b]),
        (StepFilter(agent_id=bob.id), [c]),
        (StepFilter(model="kimi/k2"), [b]),
        (StepFilter(feedback="positive"), [a]),
        (StepFilter(has_feedback=True), [a, b]),
        (StepFilter(has_feedback=False), [c]),
        (StepFilter(tags=("y", "z")), [a, b]),
        (StepFilter(since=b.created_at), [b, c]),
        (StepFilter(until=b.created_at), [a]),
    ):
        assert await store.do(steps.page, wanted, StepPage(newest_first=False)) == want, wanted
    nearest = StepPage(limit=1, before=a.id)
    assert await store.do(steps.page, StepFilter(), nearest) == [b]


async def test_a_run_has_each_step_once(store: Store) -> None:
    of = await store.do(runs.add, run((await store.agent()).id))
    await store.do(steps.add, step(of, 1))
    with pytest.raises(errors.YikuError):
        await store.do(steps.add, step(of, 1))
    assert len(await store.do(steps.of_run, of.id)) == 1


async def test_a_stranger_finds_no_run_and_no_step_and_changes_none(store: Store) -> None:
    agent = await store.agent()
    going = await store.do(runs.add, run(agent.id))
    made = await store.do(steps.add, step(going))
    for act, given, error in (
        (runs.add, (run(agent.id),), errors.AgentNotFound),
        (runs.get, (going.id,), errors.RunNotFound),
        (runs.update, (going,), errors.RunNotFound),
        (runs.ask_cancel, ([going.id],), errors.RunNotFound),
        (runs.page, (RunFilter(), RunPage(before=going.id)), errors.RunNotFound),
        (runs.get, (RunId("run-\0"),), errors.RunNotFound),
        (steps.add, (step(going, 2),), errors.RunNotFound),
        (steps.get, (made.id,), errors.StepNotFound),
        (steps.put, (made,), errors.StepNotFound),
        (steps.set_feedback, (made.id, "positive"), errors.StepNotFound),
        (steps.page, (StepFilter(), StepPage(after=made.id)), errors.StepNotFound),
        (steps.get, (StepId("step-\ud800"),), errors.StepNotFound),
    ):
        with pytest.raises(error):
            await store.as_stranger(act, *given)
    assert await store.as_stranger(runs.page, RunFilter(agent_ids=(agent.id,)), RunPage()) == []
    assert await store.as_stranger(runs.last_of_agent, agent.id) is None
    assert await store.as_stranger(steps.of_run, going.id) == []
    assert await store.as_stranger(steps.page, StepFilter(run_id=going.id), StepPage()) == []
    assert await store.do(runs.get, going.id) == going
    assert await store.do(steps.of_run, going.id) == [made]
    await store.do(agents.remove, agent.id)
    with pytest.raises(errors.StepNotFound):
        await store.do(steps.get, made.id)
