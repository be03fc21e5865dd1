"""An agent with role memory, its model behind a real HTTP server, on both databases."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.servers.scripted_chat import Call, Fails, Says, ScriptedChat
from yiku.agents import make
from yiku.agents.make import NewAgent
from yiku.app import App, build
from yiku.core import errors
from yiku.core.ids import AgentId
from yiku.core.memory import Outcome
from yiku.core.message import Text
from yiku.core.model import Answer, Finish, Piece, Prompt, Usage
from yiku.core.role import Routing
from yiku.core.run import RunFilter, RunPage, RunStatus
from yiku.core.tenant import LOCAL_ACTOR
from yiku.roles import (
    EmbeddingMoEAgent,
    EmbeddingMoEMemory,
    create_embedding_moe_agent_async,
    create_embedding_moe_memory_async,
)
from yiku.settings import load
from yiku.store import runs

OFFER = "The client wants our revised offer before noon on Wednesday"
PARSER = "The parser module is being rewritten with async Python code"


@pytest.fixture
def server() -> Iterator[ScriptedChat]:
    with ScriptedChat() as opened:
        yield opened


@pytest.fixture
async def thinking(server: ScriptedChat, database_url: str, yiku_home: Path) -> AsyncIterator[App]:
    """An app whose settings name the server's model."""
    settings = load(
        home=yiku_home, database_url=database_url, model="test/m", model_base_url=server.url
    )
    async with build(settings) as app:
        yield app


async def agent_on(app: App, **options: object) -> EmbeddingMoEAgent:
    memory = await create_embedding_moe_memory_async(
        "You are Yiku.", "Ann leads sales.", "all", app=app, user="ann"
    )
    await memory.smart_add_memories_async([OFFER, PARSER])
    return EmbeddingMoEAgent(memory, name="yiku", **options)  # pyright: ignore[reportArgumentType] # as given


def spoken(server: ScriptedChat, number: int) -> list[dict[str, str]]:
    """The messages of a prompt without our own notes."""
    notes = ("<system>", "[")
    return [
        one
        for one in server.prompt(number)
        if one["role"] != "system" and not one["content"].startswith(notes)
    ]


async def test_a_step_gates_shows_asks_and_stores(thinking: App, server: ScriptedChat) -> None:
    server.script("On Wednesday, before noon.", "我会提醒你的。")
    agent = await agent_on(thinking)

    step = await agent.step("When does the client expect the revised offer?")

    assert step.reply == "On Wednesday, before noon."
    assert step.active_roles[0] == "professional_assistant"
    assert step.decision is not None
    assert step.decision.conversation == agent.conversation
    system, *between, asked = server.prompt(0)
    assert asked == {
        "role": "user",
        "content": "When does the client expect the revised offer?",
    }
    for told in ("You are Yiku.", "Ann leads sales."):
        assert told in system["content"]
    assert OFFER in str(between)
    assert PARSER not in str(server.prompt(0))
    assert step.shown
    assert OFFER in step.compiled.text
    question, reply = step.stored
    assert question.passage.speaker == "ann"
    assert question.roles == ("professional_assistant",)
    assert (reply.passage.speaker, reply.passage.context_id) == ("yiku", question.passage.id)

    again = await agent.step("请在周二提醒我这个报价")
    assert again.reply == "我会提醒你的。"
    assert [one["role"] for one in spoken(server, 1)] == ["user", "assistant", "user"]


async def test_it_is_an_agent_as_all_are(thinking: App, server: ScriptedChat) -> None:
    insert = Call("memory_replace", {"label": "human", "old_str": "sales", "new_str": "research"})
    server.script(Says(calls=(insert,)), "Noted, she leads research.")
    agent = await agent_on(thinking)
    step = await agent.step("Ann has moved from sales to research")

    state = await agent.state_async()
    assert step.reply == "Noted, she leads research."
    assert state.agent.config.role_memory
    assert agent.id == state.agent.id
    assert [(one.label, one.value) for one in state.blocks] == [
        ("persona", "You are Yiku."),
        ("human", "Ann leads research."),
    ]
    assert (await agent.memory.blocks_async())["human"].text == "Ann leads research."
    [run] = await thinking.database.read(
        LOCAL_ACTOR, lambda tx: runs.page(tx, RunFilter(agent_ids=(state.agent.id,)), RunPage())
    )
    assert (run.step_count, run.status) == (2, RunStatus.COMPLETED)

    again = EmbeddingMoEAgent(agent.memory, agent_id=agent.id, name="somebody else")
    server.script("As I said.")
    await again.step("What does she lead now?")
    assert (await again.state_async()).agent.name == "yiku"
    assert "Noted, she leads research." in str(server.prompt(2))


async def test_a_block_that_comes_later_is_the_agents_too(
    thinking: App, server: ScriptedChat
) -> None:
    memory = EmbeddingMoEMemory(app=thinking, user="ann", roles=["all"])
    one, two = (EmbeddingMoEAgent(memory, agent_id=name) for name in ("one", "two"))
    assert not (await one.state_async()).blocks
    await memory.set_block_async("human", "Ann leads sales.")
    await memory.role("professional_assistant").set_block_async("role", "Offers are in euro.")
    for agent in (one, two):
        await agent.step("When does the client expect the revised offer?")
    for n in (0, 1):
        assert "Ann leads sales." in server.prompt(n)[0]["content"]
        assert "<notes>Offers are in euro.</notes>" in str(server.prompt(n)[1:])
    assert one.id != two.id


async def test_an_agent_that_is_there_goes_on_with_its_own_memory(
    thinking: App, server: ScriptedChat
) -> None:
    there = await make.create(
        thinking.agents, LOCAL_ACTOR, NewAgent(given={"name": "Yi", "role_memory": True})
    )
    agent = await create_embedding_moe_agent_async(there.agent, app=thinking)
    step = await agent.step(OFFER)
    assert step.stored[0].passage.archive_id == there.archives[0]
    assert step.stored[1].passage.speaker == "Yi"
    assert agent.id == there.agent.id
    elsewhere = EmbeddingMoEMemory(app=thinking, archive="elsewhere")
    with pytest.raises(errors.Invalid, match="keeps its memories in archive"):
        await EmbeddingMoEAgent(elsewhere, agent_id=there.agent.id).state_async()


async def test_what_opens_and_takes_in_is_as_the_memory_says(
    thinking: App, server: ScriptedChat
) -> None:
    memory = EmbeddingMoEMemory(
        routing_threshold=1.0, max_active_roles=1, roles=["all"], app=thinking, routing="cosine"
    )
    agent = EmbeddingMoEAgent(memory)
    step = await agent.step(OFFER)
    assert step.decision is not None
    assert step.decision.routing is Routing.COSINE
    assert len(step.active_roles) <= 1
    assert [one.roles for one in step.stored] == [(), ()]
    run = await thinking.database.read(
        LOCAL_ACTOR, lambda tx: runs.last_of_agent(tx, AgentId(agent.id))
    )
    assert run is not None
    assert run.request.roles is not None
    assert run.request.roles.routing is Routing.COSINE


async def test_what_was_shown_is_not_stored_again(thinking: App, server: ScriptedChat) -> None:
    server.script(f"{OFFER}.")
    agent = await agent_on(thinking)
    before = (await agent.get_memory_summary()).memories

    step = await agent.step("What does the client want from us this week?")

    assert step.stored[1].outcome is Outcome.ECHO
    assert step.stored[1].passage.text == OFFER
    assert (await agent.get_memory_summary()).memories == before + 1


async def test_where_the_model_fails_nothing_is_stored(thinking: App, server: ScriptedChat) -> None:
    server.script(Fails(status=400), "Now it works.")
    agent = await agent_on(thinking)
    before = (await agent.get_memory_summary()).memories
    with pytest.raises(errors.ProviderRefused):
        await agent.step("When does the client expect the offer?")
    assert (await agent.get_memory_summary()).memories == before
    assert (await agent.step("When does the client expect the offer?")).reply == "Now it works."
    assert len(spoken(server, 1)) == 1


async def test_without_a_model_a_step_says_so_and_the_rest_works(app: App) -> None:
    agent = await agent_on(app)
    with pytest.raises(errors.SettingInvalid, match="YIKU_MODEL"):
        await agent.step("hello")
    prepared = await agent.prepare_async("When does the client expect the offer?")
    assert prepared.active_roles == agent.memory.active_roles
    assert prepared.active_roles[0] == "professional_assistant"
    assert "You are Yiku." in prepared.prompt.system
    assert OFFER in str(prepared.prompt.messages)
    asked, answered = await agent.remember_async(
        "Move the client meeting to Monday at ten", "Done."
    )
    assert asked.roles == ("professional_assistant",)
    assert (answered.passage.speaker, answered.passage.context_id) == ("yiku", asked.passage.id)
    later = await agent.prepare_async("And what else?")
    assert [one.text for one in later.prompt.messages if one.role != "system"] == [
        "Move the client meeting to Monday at ten",
        "Done.",
        "And what else?",
    ]
    hits = await agent.search_memories_by_context_async("what does the client want?", top_k=1)
    assert len(hits) == 1
    assert "client" in hits[0].passage.text
    nothing = await agent.search_memories_by_context_async("xyzzy plugh", None, 2)
    assert len(nothing) == 2


async def test_a_short_answer_is_read_with_what_was_asked(
    thinking: App, server: ScriptedChat
) -> None:
    server.script("Shall I move the client meeting about the offer to Monday?", "Moved.")
    agent = await agent_on(thinking)
    await agent.step("The client can't come to the meeting on Friday.")
    step = await agent.step("Yes, please.")
    assert "professional_assistant" in step.active_roles
    assert step.stored[0].passage.text == "Yes, please."
    assert "professional_assistant" in step.stored[0].roles


async def test_an_agent_state_becomes_an_agent_with_a_memory_of_its_own(thinking: App) -> None:
    state = SimpleNamespace(id="agent-7", name="小忆", system="Answer in verse.")
    first = await create_embedding_moe_agent_async(state, app=thinking, user="ann")
    agent = await create_embedding_moe_agent_async(state, app=thinking, user="ann")
    assert agent.id == first.id
    roles = await agent.memory.list_roles_async()
    assert [one.role_id for one in roles] == ["professional_assistant"]
    assert (agent.memory.place.owner, agent.memory.place.name) == ("ann", "agent-7")
    assert (await agent.step("The client signed.")).stored[1].passage.speaker == "小忆"
    other = await create_embedding_moe_agent_async(
        {"id": "agent-8"}, "creative_assistant_set", LOCAL_ACTOR, app=thinking
    )
    assert len(await other.memory.list_roles_async()) == 2
    assert other.name == "assistant"
    for wrong in ({}, {"id": ""}, {"id": 3}, None):
        with pytest.raises(errors.Invalid, match="agent_state"):
            await create_embedding_moe_agent_async(wrong, app=thinking)
    with pytest.raises(errors.TemplateNotFound, match="wizard"):
        await create_embedding_moe_agent_async(state, "wizard", app=thinking)
    there = await EmbeddingMoEMemory(app=thinking, user="ann", archive="agent-7").list_roles_async()
    assert len(there) == 1


async def test_a_model_of_ones_own_may_be_any_object_of_the_port(app: App) -> None:
    class Parrot:
        model = "test/parrot"

        async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece | Answer]:
            yield await self.complete(prompt)

        async def complete(self, prompt: Prompt) -> Answer:
            return Answer(
                parts=(Text(prompt.messages[-1].text),),
                usage=Usage(),
                finish=Finish.END,
                model=self.model,
            )

        async def close(self) -> None: ...

    agent = await agent_on(app, model=Parrot(), conversation="c-1")
    step = await agent.step("The client signed the contract in Bergen")
    assert step.reply == "The client signed the contract in Bergen"
    assert [one.outcome for one in step.stored] == [Outcome.ADDED, Outcome.ADDED]
    assert step.stored[0].passage.conversation == agent.conversation
    again = EmbeddingMoEAgent(agent.memory, agent_id=agent.id, conversation="c-1")
    went_on = await again.prepare_async("What did the client sign?")
    assert "signed the contract in Bergen" in str(went_on.prompt.messages)
    assert again.conversation == agent.conversation != agent.id
    with pytest.raises(errors.Invalid, match="conversation"):
        EmbeddingMoEAgent(agent.memory, conversation="c" * 65)
