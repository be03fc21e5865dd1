"""What is kept of conversations is always what is stored, whoever wrote it; on both databases."""

from dataclasses import replace

import pytest

from tests.fixtures.agents import Store, message
from yiku.core.agent import Agent
from yiku.core.message import Message, Text
from yiku.store import messages
from yiku.store.contexts import Contexts


@pytest.fixture
def contexts() -> Contexts:
    return Contexts(limit=6)


async def same(store: Store, contexts: Contexts, agent: Agent) -> list[Message]:
    """Read in both ways, which must agree."""
    found = await store.do(contexts.read, agent.id, None)
    assert found == await store.do(messages.in_context, agent.id, None)
    return found


async def test_new_messages_are_read_and_old_ones_are_kept(
    store: Store, contexts: Contexts
) -> None:
    agent = await store.agent()
    assert await same(store, contexts, agent) == []
    await store.do(messages.add, [message(agent.id), message(agent.id)])
    first = await same(store, contexts, agent)

    await store.do(messages.add, [message(agent.id)])

    again = await same(store, contexts, agent)
    assert (len(first), len(again)) == (2, 3)
    assert all(one is other for one, other in zip(first, again, strict=False))


async def test_a_message_that_was_changed_is_read_again(store: Store, contexts: Contexts) -> None:
    agent = await store.agent()
    await store.do(messages.add, [message(agent.id), message(agent.id)])
    first, _ = await same(store, contexts, agent)

    await store.do(messages.replace_parts, replace(first, parts=(Text("说的是别的"),)))

    assert (await same(store, contexts, agent))[0].text == "说的是别的"


async def test_what_was_archived_or_erased_is_gone(store: Store, contexts: Contexts) -> None:
    agent = await store.agent()
    await store.do(messages.add, [message(agent.id) for _ in range(3)])
    first = await same(store, contexts, agent)

    await store.do(messages.archive, agent.id, None, first[0].seq)
    assert await same(store, contexts, agent) == first[1:]

    await store.do(messages.reset, agent.id, None)
    contexts.drop(agent.id)
    assert await same(store, contexts, agent) == []


async def test_the_conversations_read_last_are_kept(store: Store, contexts: Contexts) -> None:
    agents = [await store.agent() for _ in range(3)]
    found: list[Message] = []
    for agent in agents:
        await store.do(messages.add, [message(agent.id) for _ in range(3)])
        found.append((await same(store, contexts, agent))[0])

    kept = [(await same(store, contexts, agent))[0] for agent in reversed(agents)]

    assert [one is other for one, other in zip(reversed(found), kept, strict=True)] == [
        True,
        True,
        False,
    ]
