"""Messages and summaries are kept alike on both databases."""

from itertools import product

import pytest
from sqlalchemy import text

from tests.fixtures.agents import NOW, Store, message
from yiku.core import errors
from yiku.core.ids import ConversationId, MessageId, RunId, StepId, new_id
from yiku.core.message import (
    Approval,
    Image,
    MessageFilter,
    MessagePage,
    MessageRole,
    Reasoning,
    Summary,
    Text,
    ToolCall,
    ToolReturn,
)
from yiku.store import agents, messages
from yiku.store.database import Tx

OTHER = ConversationId("conv-1")
PARTS = (
    Text('忆库 "quoted" \\ \n\t é 🍵'),
    Image(url="https://example.com/a.png"),
    Image(data="aGk=", media_type="image/png"),
    Reasoning(text="hm", signature="s", id="r", provider="p", details={"a": [1, None, {"b": 0.5}]}),
    Reasoning(text="", hidden="redacted"),
    ToolCall(id="c1", name="roll", arguments='{"broken": '),
    ToolReturn(call_id="c1", name="roll", ok=False, text="", stdout=("a", ""), stderr=("b",)),
    Approval(call_id="c1", approve=False, reason="no", arguments="{}"),
)


async def test_a_message_is_kept_as_it_came(store: Store) -> None:
    agent = await store.agent()
    whole = message(
        agent.id,
        "assistant",
        *PARTS,
        conversation_id=OTHER,
        run_id=RunId("run-1"),
        step_id=StepId("step-1"),
        model="kimi/k2",
        name="Ann",
        otid="o1",
        sender_id="s",
        group_id="g",
        is_archived=True,
    )
    plain = message(agent.id)

    stored = await store.do(messages.add, [whole, plain])

    assert 0 < stored[0].seq < stored[1].seq
    for one in stored:
        assert await store.do(messages.get, one.id) == one
    assert [one.parts for one in stored] == [PARTS, plain.parts]
    assert stored[0].otid == "o1"
    assert await store.do(messages.add, []) == []


async def test_the_context_is_what_is_not_archived_of_one_conversation(store: Store) -> None:
    agent = await store.agent()
    own = await store.do(messages.add, [message(agent.id) for _ in range(4)])
    other = await store.do(messages.add, [message(agent.id, conversation_id=OTHER)])

    assert await store.do(messages.in_context, agent.id, None) == own
    assert await store.do(messages.in_context, agent.id, OTHER) == other
    assert await store.do(messages.archive, agent.id, None, own[1].seq) == 2
    assert await store.do(messages.archive, agent.id, None, own[2].seq) == 1
    assert await store.do(messages.in_context, agent.id, None) == own[3:]
    assert await store.do(messages.in_context, agent.id, OTHER) == other
    assert (await store.do(messages.get, own[0].id)).is_archived
    assert await store.do(messages.count, agent.id) == 5


async def test_the_newest_summary_counts(store: Store) -> None:
    agent = await store.agent()
    made = [
        Summary(
            id=new_id("summary"),
            agent_id=agent.id,
            conversation_id=conversation,
            text=f"第{n}",
            first_seq=1,
            last_seq=n,
            count=n,
            created_at=NOW,
            model=model,
        )
        for n, (conversation, model) in enumerate(
            [(None, None), (None, "kimi/k2"), (OTHER, None)], 1
        )
    ]
    assert await store.do(messages.summary, agent.id, None) is None
    for one in made:
        await store.do(messages.add_summary, one)
    assert await store.do(messages.summary, agent.id, None) == made[1]
    assert await store.do(messages.summary, agent.id, OTHER) == made[2]

    await store.do(messages.add, [message(agent.id), message(agent.id, conversation_id=OTHER)])
    assert await store.do(messages.reset, agent.id, None) == 1
    assert await store.do(messages.summary, agent.id, None) is None
    assert await store.do(messages.in_context, agent.id, None) == []
    assert await store.do(messages.summary, agent.id, OTHER) == made[2]
    assert len(await store.do(messages.in_context, agent.id, OTHER)) == 1


WAITING = (
    Text("let me"),
    ToolCall(id="a", name="send", arguments="{}", waits="approval"),
    ToolCall(id="b", name="local", arguments="{}", waits="client"),
    ToolCall(id="c", name="roll", arguments="{}"),
)


def returned(call_id: str) -> ToolReturn:
    return ToolReturn(call_id=call_id, name="local", ok=True, text="done")


async def test_calls_are_pending_until_each_that_waits_is_answered(store: Store) -> None:
    agent = await store.agent()
    asked, _ = await store.do(
        messages.add,
        [message(agent.id, "assistant", *WAITING), message(agent.id, "tool", returned("c"))],
    )
    assert await store.do(messages.pending, agent.id, None) == asked
    assert await store.do(messages.pending, agent.id, OTHER) is None

    elsewhere = message(agent.id, "approval", returned("a"), returned("b"), conversation_id=OTHER)
    await store.do(messages.add, [elsewhere])
    await store.do(
        messages.add, [message(agent.id, "approval", Approval(call_id="a", approve=False))]
    )
    assert await store.do(messages.pending, agent.id, None) == asked
    await store.do(messages.archive, agent.id, None, asked.seq)
    assert (await store.do(messages.pending, agent.id, None)).id == asked.id

    await store.do(messages.add, [message(agent.id, "approval", returned("b"))])
    assert await store.do(messages.pending, agent.id, None) is None


async def test_an_answer_may_be_stored_with_what_it_answers(store: Store) -> None:
    agent = await store.agent()
    await store.do(
        messages.add,
        [
            message(agent.id, "assistant", *WAITING),
            message(agent.id, "approval", Approval(call_id="a", approve=True), returned("b")),
        ],
    )
    assert await store.do(messages.pending, agent.id, None) is None
    again = await store.do(messages.add, [message(agent.id, "assistant", *WAITING)])
    assert await store.do(messages.pending, agent.id, None) == again[0]


async def test_new_parts_may_wait_or_wait_no_more(store: Store) -> None:
    agent = await store.agent()
    (one,) = await store.do(messages.add, [message(agent.id, "assistant")])
    for parts, waits in ((WAITING, True), (WAITING[3:], False), (WAITING[1:2], True)):
        changed = message(agent.id, "assistant", *parts, id=one.id)
        await store.do(messages.replace_parts, changed)
        assert (await store.do(messages.get, one.id)).parts == parts
        assert (await store.do(messages.pending, agent.id, None) is not None) == waits
    with pytest.raises(errors.MessageNotFound):
        await store.do(messages.replace_parts, message(agent.id))


async def test_what_a_client_sent_before_is_found_by_its_own_id(store: Store) -> None:
    agent, other = await store.agent(), await store.agent("bob")
    first = await store.do(
        messages.add,
        [
            message(agent.id, otid="o1"),
            message(agent.id, otid="o2", conversation_id=OTHER),
            message(agent.id),
            message(agent.id),
        ],
    )
    await store.do(messages.add, [message(other.id, otid="o1")])
    found = await store.do(messages.with_otids, agent.id, ["o2", "o1", "o3", "\0", "\ud800"])
    assert found == first[:2]
    assert await store.do(messages.with_otids, agent.id, []) == []


async def test_what_came_after_a_message_is_read_in_parts(store: Store) -> None:
    agent, other = await store.agent(), await store.agent("bob")
    stored = await store.do(
        messages.add,
        [
            message(agent.id),
            message(other.id),
            message(agent.id, conversation_id=OTHER),
            message(agent.id, is_archived=True),
        ],
    )
    mine = [stored[0], stored[2], stored[3]]
    assert await store.do(messages.unindexed, agent.id, 0, 2) == mine[:2]
    assert await store.do(messages.unindexed, agent.id, mine[1].seq, 2) == mine[2:]
    by_seq = await store.do(messages.get_by_seq, [mine[2].seq, mine[0].seq, 999_999])
    assert by_seq == {one.seq: one for one in (mine[0], mine[2])}


async def test_every_page_is_the_part_of_the_list_that_was_asked_for(store: Store) -> None:
    agent = await store.agent()
    stored = await store.do(messages.add, [message(agent.id) for _ in range(4)])
    ids: list[MessageId | None] = [one.id for one in stored]
    for newest_first in (False, True):
        order = ids[::-1] if newest_first else ids
        for after, before, limit in product([None, *order], [None, *order], (1, 2, 9)):
            start = order.index(after) + 1 if after else 0
            end = order.index(before) if before else len(order)
            between = order[start:end]
            want = between[-limit:] if before and not after else between[:limit]
            part = MessagePage(limit=limit, after=after, before=before, newest_first=newest_first)
            found = await store.do(messages.page, MessageFilter(agent_id=agent.id), part)
            assert [one.id for one in found] == want, part
    unknown = MessagePage(after=MessageId("message-x"))
    with pytest.raises(errors.MessageNotFound):
        await store.do(messages.page, MessageFilter(agent_id=agent.id), unknown)


async def test_messages_are_listed_by_what_is_asked_of_them(store: Store) -> None:
    agent, other = await store.agent(), await store.agent("bob")
    run, step = RunId("run-1"), StepId("step-1")
    a, b, c, d, e = await store.do(
        messages.add,
        [
            message(agent.id),
            message(agent.id, "assistant", run_id=run, step_id=step),
            message(agent.id, "tool", run_id=run, conversation_id=OTHER, group_id="g"),
            message(agent.id, "system", is_archived=True),
            message(other.id, "tool"),
        ],
    )
    for wanted, want in (
        (MessageFilter(), [a, b, d, e]),
        (MessageFilter(all_conversations=True), [a, b, c, d, e]),
        (MessageFilter(agent_id=agent.id), [a, b, d]),
        (MessageFilter(agent_id=agent.id, all_conversations=True), [a, b, c, d]),
        (MessageFilter(conversation_id=OTHER), [c]),
        (MessageFilter(run_id=run), [b, c]),
        (MessageFilter(step_id=step), [b]),
        (MessageFilter(group_id="g", all_conversations=True), [c]),
        (MessageFilter(roles=[MessageRole.TOOL, MessageRole.SYSTEM]), [d, e]),
        (MessageFilter(roles=[]), []),
    ):
        found = await store.do(messages.page, wanted, MessagePage(newest_first=False))
        assert found == want, wanted


async def test_a_stranger_finds_no_message_and_changes_none(store: Store) -> None:
    agent = await store.agent()
    stored = await store.do(
        messages.add, [message(agent.id, "assistant", *WAITING, otid="o", run_id=RunId("run-1"))]
    )
    one = stored[0]
    for act, given, error in (
        (messages.get, (one.id,), errors.MessageNotFound),
        (messages.replace_parts, (one,), errors.MessageNotFound),
        (messages.add, ([message(agent.id)],), errors.AgentNotFound),
        (messages.reset, (agent.id, None), errors.AgentNotFound),
    ):
        with pytest.raises(error):
            await store.as_stranger(act, *given)
    for act, given, nothing in (
        (messages.in_context, (agent.id, None), []),
        (messages.pending, (agent.id, None), None),
        (messages.archive, (agent.id, None, one.seq), 0),
        (messages.with_otids, (agent.id, ["o"]), []),
        (messages.unindexed, (agent.id, 0, 9), []),
        (messages.get_by_seq, ([one.seq],), {}),
        (messages.count, (agent.id,), 0),
        (messages.page, (MessageFilter(run_id=RunId("run-1")), MessagePage()), []),
    ):
        assert await store.as_stranger(act, *given) == nothing
    assert await store.do(messages.in_context, agent.id, None) == stored


@pytest.mark.parametrize("unaskable", ["message-\0", "message-\ud800", ""])
async def test_an_id_no_database_can_be_asked_for_is_not_found(
    store: Store, unaskable: str
) -> None:
    with pytest.raises(errors.MessageNotFound):
        await store.do(messages.get, unaskable)
    with pytest.raises(errors.AgentNotFound):
        await store.do(agents.state, unaskable)


async def test_the_context_and_what_is_pending_are_read_by_their_own_indexes(
    store: Store,
) -> None:
    agent = await store.agent()

    def plans(tx: Tx) -> list[str]:
        if tx.postgres:
            tx.connection.execute(text("SET LOCAL enable_seqscan = off"))
        asked = "agent_id = 'a' AND conversation_id = 'b' AND organization_id = 'c'"
        queries = (
            f"SELECT * FROM message WHERE {asked} AND NOT is_archived ORDER BY seq",
            f"SELECT * FROM message WHERE {asked} AND waits ORDER BY seq DESC LIMIT 1",
        )
        explain = "EXPLAIN" if tx.postgres else "EXPLAIN QUERY PLAN"
        return [str(tx.connection.exec_driver_sql(f"{explain} {query}").all()) for query in queries]

    await store.do(messages.add, [message(agent.id)])
    context, waiting = await store.do(plans)
    assert "ix_message_in_context" in context
    assert "ix_message_waiting" in waiting
