"""A block that several write: none of what they write is lost unseen."""

import asyncio
import threading

from tests.fixtures.running import Talk, append, first_piece, returned, spoken
from tests.servers.scripted_chat import Call, Says, Script
from yiku.core.block import Block, BlockContent
from yiku.core.run import RunStatus
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import blocks


async def shared(talk: Talk, value: str = "tea") -> Block:
    content = BlockContent(label="team", value=value)
    return await blocks.create(talk.app.database, LOCAL_ACTOR, content)


async def write(talk: Talk, block: Block, value: str) -> None:
    await blocks.update(talk.app.database, LOCAL_ACTOR, block.id, {"value": value})


async def value_of(talk: Talk, block: Block) -> str:
    return (await blocks.get(talk.app.database, LOCAL_ACTOR, block.id)).value


def rethinks(text: str) -> Call:
    return Call("memory_rethink", {"label": "team", "new_memory": text})


async def test_an_edit_that_meets_another_is_refused_and_made_again_on_what_is_there(
    talk: Talk, goes_on: threading.Event
) -> None:
    block = await shared(talk)
    twice = (rethinks("milk"), append("sugar", "team"))
    talk.model.respond = Script(
        Says(text="Let me write", piece=4, calls=twice, goes_on=goes_on),
        Says(calls=(append("milk", "team"),)),
        "Done.",
    )
    agent = await talk.agent(
        "memory_rethink", "core_memory_append", blocks=(), block_ids=(block.id,)
    )
    active = await talk.start(agent, "x")
    await first_piece(active)
    await write(talk, block, "tea\ncoffee")
    goes_on.set()
    assert (await active.wait()).status is RunStatus.COMPLETED

    back = returned(await talk.said(agent))
    assert [ok for _, ok, _ in back] == [False, False, True]  # what it hasn't seen it can't edit
    assert "coffee" in back[0][2]
    assert "coffee" not in talk.system(0)
    assert "coffee" in talk.system(1)
    assert await value_of(talk, block) == "tea\ncoffee\nmilk"


async def test_of_two_agents_that_edit_at_once_one_meets_the_other(talk: Talk) -> None:
    block = await shared(talk)
    agents = [
        await talk.agent("core_memory_append", blocks=(), block_ids=(block.id,), name=name)
        for name in ("one", "two")
    ]

    def respond(request: dict[str, object]) -> Says:
        told = str(request["messages"])
        name = "one" if "I am one" in told else "two"
        if f"edited ({'8'}" in told or "is edited" in told:
            return Says(text="Done.")
        return Says(calls=(append(name, "team"),))

    talk.model.respond = respond
    runs = await asyncio.gather(*(talk.send(a, f"I am {a.agent.name}") for a in agents))
    assert {run.status for run in runs} == {RunStatus.COMPLETED}
    assert sorted((await value_of(talk, block)).split("\n")) == ["one", "tea", "two"]


async def test_a_block_that_is_deleted_meanwhile(talk: Talk, goes_on: threading.Event) -> None:
    block = await shared(talk)
    talk.model.respond = Script(
        Says(text="Let me write", piece=4, calls=(append("milk", "team"),), goes_on=goes_on),
        "It is gone.",
    )
    agent = await talk.agent("core_memory_append", blocks=(), block_ids=(block.id,))
    active = await talk.start(agent, "x")
    await first_piece(active)
    await blocks.delete(talk.app.database, LOCAL_ACTOR, block.id)
    goes_on.set()
    assert (await active.wait()).status is RunStatus.COMPLETED
    [(_, ok, text)] = returned(await talk.said(agent))
    assert (ok, "deleted" in text) == (False, True)
    assert "team" not in talk.system(1)
    assert spoken(await talk.said(agent))[-1] == "It is gone."


async def test_a_read_only_block_is_not_edited(talk: Talk) -> None:
    fixed = BlockContent(label="team", value="tea", read_only=True)
    talk.model.respond = Script(Says(calls=(append("milk", "team"),)), "I can't.")
    agent = await talk.agent("core_memory_append", blocks=(fixed,))
    await talk.send(agent, "x")
    [(_, ok, text)] = returned(await talk.said(agent))
    assert (ok, "read-only" in text) == (False, True)
    assert (await talk.block(agent, "team")).value == "tea"
