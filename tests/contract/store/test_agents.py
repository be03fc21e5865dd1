"""Agents, and what is attached to them, are kept alike on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.fixtures.agents import NOW, Store, message, run, step
from yiku.core import errors
from yiku.core.agent import (
    Agent,
    AgentConfig,
    AgentDraft,
    AgentFilter,
    AgentKind,
    AgentPage,
    Compaction,
    Lease,
)
from yiku.core.block import BlockContent, BlockFilter, BlockPage
from yiku.core.ids import AgentId, ArchiveId, BlockId, ToolId, new_id
from yiku.core.message import Summary
from yiku.core.rule import ChildRule, InitRule, TerminalRule
from yiku.core.run import StopReason
from yiku.core.tenant import LOCAL_USER
from yiku.store import (
    agent_lists,
    agents,
    archives,
    blocks,
    leases,
    messages,
    runs,
    steps,
    tools,
    verify,
)
from yiku.store.agent_tables import agent as agent_table
from yiku.store.agent_tables import (
    agent_archive,
    agent_block,
    agent_tag,
    agent_tool,
    lease,
    session_summary,
)
from yiku.store.agent_tables import message as message_table
from yiku.store.agent_tables import run as run_table
from yiku.store.agent_tables import step as step_table
from yiku.store.block_tables import block as block_table
from yiku.store.block_tables import block_version
from yiku.store.database import Tx

CONFIG = AgentConfig(
    name="忆 Ann",
    kind=AgentKind.SLEEPTIME,
    system="Be kind.",
    description="d",
    model="kimi/k2",
    model_settings={"temperature": 0.5},
    embedding="local/x",
    context_window=8_000,
    tool_rules=(
        InitRule(tool="a", arguments={"x": [1]}),
        ChildRule(tool="b", children=("c",), prompt_template="{{ tool_name }}"),
        TerminalRule(tool="c"),
    ),
    compaction=Compaction(mode="self_compact_all", clip_chars=None),
    response_format={"type": "json_object"},
    secrets={"KEY": "v"},
    tags=("z", "a", "忆"),
    metadata={"a": {"b": [None, True]}},
    timezone="Asia/Shanghai",
    message_buffer_autoclear=True,
    enable_sleeptime=True,
    role_memory=True,
    max_files_open=3,
    per_file_view_window_char_limit=100,
    hidden=False,
    project_id="p",
    template_id="t",
    base_template_id="b",
    deployment_id="d",
    entity_id="e",
)


async def archive(store: Store, name: str) -> ArchiveId:
    return (await store.do(archives.create, "", name)).id


async def test_an_agent_is_kept_as_it_was_made_with_all_it_has(store: Store) -> None:
    first, second = await store.block("persona"), await store.block("human")
    roll, toss = await store.tool("roll"), await store.tool("toss")
    one, two = await archive(store, "one"), await archive(store, "two")

    made = await store.do(
        agents.add,
        AgentDraft(
            config=CONFIG,
            block_ids=(second.id, first.id),
            tool_ids=(toss.id, roll.id, toss.id),
            archive_ids=(two, one),
        ),
    )

    assert made.config == CONFIG
    assert (made.version, made.created_by, made.updated_by) == (1, LOCAL_USER, LOCAL_USER)
    assert made.created_at == made.updated_at
    assert (made.last_stop_reason, made.last_run_completed_at, made.last_run_ms) == (None,) * 3
    assert await store.do(agents.get, made.id) == made
    state = await store.do(agents.state, made.id)
    assert state.agent == made
    assert state.blocks == (second, first)
    assert state.tools == (toss, roll)
    assert state.archives == (two, one)
    assert await store.do(agents.blocks_of, made.id) == (second, first)


async def test_an_agent_that_names_what_is_not_there_is_not_made(store: Store) -> None:
    one, same = await store.block("human"), await store.block("human")
    config = AgentConfig(name="ann")
    for wrong, error in (
        (AgentDraft(config=config, block_ids=(one.id, BlockId("block-x"))), errors.BlockNotFound),
        (AgentDraft(config=config, tool_ids=(ToolId("tool-\0"),)), errors.ToolNotFound),
        (AgentDraft(config=config, archive_ids=(ArchiveId("x"),)), errors.ArchiveNotFound),
        (AgentDraft(config=config, block_ids=(one.id, same.id)), errors.LabelTaken),
    ):
        with pytest.raises(error):
            await store.do(agents.add, wrong)
    assert await store.do(agents.page, AgentFilter(), AgentPage()) == []


async def test_a_change_counts_and_is_refused_where_the_agent_is_another_by_now(
    store: Store,
) -> None:
    made = await store.agent(tags=("x", "y", "x"))
    assert made.config.tags == ("x", "y")

    changed = await store.do(agents.change, made, replace(CONFIG, tags=("y", "w")))

    assert changed == await store.do(agents.get, made.id)
    assert (changed.version, changed.config) == (2, replace(CONFIG, tags=("y", "w")))
    assert changed.updated_at >= made.updated_at
    assert changed.created_at == made.created_at
    with pytest.raises(errors.StaleAgent):
        await store.do(agents.change, made, CONFIG)


async def test_blocks_tools_and_archives_come_and_go_in_order(store: Store) -> None:
    agent = await store.agent()
    had = [await store.block(label) for label in ("a", "b", "c")]
    for block in had:
        await store.do(agents.attach_block, agent.id, block.id)
    await store.do(agents.attach_block, agent.id, had[0].id)  # it is there already
    assert (await store.do(agents.get, agent.id)).version == 4
    await store.do(agents.detach_block, agent.id, had[1].id)
    await store.do(agents.attach_block, agent.id, had[1].id)
    assert await store.do(agents.blocks_of, agent.id) == (had[0], had[2], had[1])

    roll, one = await store.tool("roll"), await archive(store, "one")
    await store.do(agents.attach_tool, agent.id, roll.id)
    await store.do(agents.attach_archive, agent.id, one)
    state = await store.do(agents.state, agent.id)
    assert (state.agent.version, state.tools, state.archives) == (8, (roll,), (one,))
    await store.do(agents.detach_tool, agent.id, roll.id)
    await store.do(agents.detach_archive, agent.id, one)
    state = await store.do(agents.state, agent.id)
    assert (state.agent.version, state.tools, state.archives) == (10, (), ())


async def test_what_an_agent_has_not_got_cannot_be_taken_from_it(store: Store) -> None:
    agent = await store.agent()
    block, roll, one = await store.block(), await store.tool("roll"), await archive(store, "one")
    for act, some_id, error in (
        (agents.detach_block, block.id, errors.BlockNotFound),
        (agents.detach_tool, roll.id, errors.ToolNotFound),
        (agents.detach_archive, one, errors.ArchiveNotFound),
        (agents.detach_tool, "tool-\0", errors.ToolNotFound),
        (agents.attach_block, "block-\ud800", errors.BlockNotFound),
    ):
        with pytest.raises(error):
            await store.do(act, agent.id, some_id)
        with pytest.raises(errors.AgentNotFound):
            await store.do(act, AgentId("agent-x"), some_id)
    assert (await store.do(agents.get, agent.id)).version == 1


async def test_two_blocks_of_an_agent_never_have_one_label(store: Store) -> None:
    agent, other = await store.agent(), await store.agent("bob")
    human, same, persona = [await store.block(name) for name in ("human", "human", "persona")]
    await store.do(agents.attach_block, agent.id, human.id)
    await store.do(agents.attach_block, agent.id, persona.id)
    await store.do(agents.attach_block, other.id, persona.id)
    with pytest.raises(errors.LabelTaken):
        await store.do(agents.attach_block, agent.id, same.id)
    with pytest.raises(errors.LabelTaken):
        await store.do(blocks.change, persona, BlockContent(label="human", value=""))
    assert await store.do(blocks.get, persona.id) == persona

    await store.do(blocks.change, human, BlockContent(label="user", value=""))
    renamed = await store.do(blocks.change, persona, BlockContent(label="human", value=""))
    assert (await store.do(agents.state, agent.id)).block("human") == renamed
    with pytest.raises(errors.LabelTaken):
        await store.do(agents.attach_block, other.id, same.id)


async def test_labels_taken_at_once_are_one_block_and_conflicts(store: Store) -> None:
    agent = await store.agent()
    same = [await store.block("human") for _ in range(6)]
    told = await asyncio.gather(
        *(store.do(agents.attach_block, agent.id, one.id) for one in same), return_exceptions=True
    )
    assert told.count(None) == 1
    assert sum(isinstance(one, errors.LabelTaken) for one in told) == 5
    assert len(await store.do(agents.blocks_of, agent.id)) == 1


async def test_what_is_deleted_leaves_the_agents_that_had_it(store: Store) -> None:
    agent, other = await store.agent(), await store.agent("bob")
    block, roll, one = await store.block(), await store.tool("roll"), await archive(store, "one")
    for at in (agent, other):
        await store.do(agents.attach_block, at.id, block.id)
        await store.do(agents.attach_tool, at.id, roll.id)
        await store.do(agents.attach_archive, at.id, one)

    await store.do(blocks.remove, block.id)
    await store.do(tools.remove, roll.id)
    await store.do(archives.delete_whole, one)

    for state in await store.do(agents.states, [other.id, agent.id]):
        assert (state.blocks, state.tools, state.archives) == ((), (), ())
        assert state.agent.version == 7


async def filled(store: Store, name: str, **config: Any) -> Agent:
    """An agent with something in every table."""
    agent = await store.agent(name, tags=("t",), **config)
    await store.do(messages.add, [message(agent.id)])
    summary = Summary(
        id=new_id("summary"),
        agent_id=agent.id,
        conversation_id=None,
        text="s",
        first_seq=1,
        last_seq=1,
        count=1,
        created_at=NOW,
        model=None,
    )
    await store.do(messages.add_summary, summary)
    going = await store.do(runs.add, run(agent.id))
    await store.do(steps.add, step(going))
    held = Lease(agent_id=agent.id, conversation_id="", run_id=going.id, holder="h", until=NOW)
    assert await store.do(leases.take, held, NOW)
    return agent


def counts(tx: Tx) -> dict[str, int]:
    tables = (
        *(agent_table, agent_tag, agent_block, agent_tool, agent_archive, lease),
        *(message_table, session_summary, run_table, step_table, block_table, block_version),
    )
    return {
        one.name: tx.connection.execute(select(func.count()).select_from(one)).scalar_one()
        for one in tables
    }


async def test_an_agent_is_erased_with_all_that_is_its_own(store: Store) -> None:
    kept = await filled(store, "kept")
    before = await store.do(counts)
    shared, strange = await store.block("shared"), await store.block("strange")
    between = await store.do(counts)
    gone = await filled(store, "gone")
    own = await store.block("own")
    mine, ours = await archive(store, "mine"), await archive(store, "ours")
    for block, owned in ((own, True), (shared, True), (strange, False)):
        await store.do(agents.attach_block, gone.id, block.id, owned=owned)
    for one, owned in ((mine, True), (ours, True)):
        await store.do(agents.attach_archive, gone.id, one, owned=owned)
    await store.do(agents.attach_tool, gone.id, (await store.tool("roll")).id)
    await store.do(agents.attach_block, kept.id, shared.id)
    await store.do(agents.attach_archive, kept.id, ours)

    assert await store.do(agents.remove, gone.id) == [mine]

    with pytest.raises(errors.AgentNotFound):
        await store.do(agents.get, gone.id)
    with pytest.raises(errors.BlockNotFound):
        await store.do(blocks.get, own.id)
    with pytest.raises(errors.ArchiveNotFound):
        await store.do(archives.get, mine)
    assert await store.do(blocks.get, strange.id) == strange
    state = await store.do(agents.state, kept.id)
    assert (state.blocks, state.archives) == ((shared,), (ours,))
    left = await store.do(counts)
    assert left == between | {"agent_block": 1, "agent_archive": 1}
    assert before["step"] == 1


async def test_blocks_made_with_an_agent_go_with_it(store: Store) -> None:
    own, other = await store.block("own"), await store.block("other")
    named = AgentDraft(config=AgentConfig(name="ann"), block_ids=(own.id, other.id))
    agent = await store.do(agents.add, named, owned={own.id})
    assert await store.do(agents.remove, agent.id) == []
    found = await store.do(blocks.page, BlockFilter(), BlockPage())
    assert found == [other]


async def names(store: Store, wanted: AgentFilter | None = None, **part: Any) -> list[str]:
    found = await store.do(agents.page, wanted or AgentFilter(), AgentPage(**part))
    return [one.name for one in found]


async def test_every_page_is_the_part_of_the_list_that_was_asked_for(store: Store) -> None:
    made = [await store.agent(name) for name in "abcde"]
    minute = timedelta(minutes=1)
    # c and e haven't run; b and d ended at the same moment.
    for at, agent in ((2, made[0]), (1, made[1]), (1, made[3])):
        await store.do(agents.note_run, run(agent.id, completed_at=NOW + at * minute))
    await store.do(agents.change, made[1], AgentConfig(name="b"))
    oldest_first = {"created_at": "abcde", "updated_at": "acdeb", "last_run_completion": "bdace"}
    newest_first = {"created_at": "edcba", "updated_at": "bedca", "last_run_completion": "adbec"}
    ids = {one.name: one.id for one in made}
    for descending, orders in ((False, oldest_first), (True, newest_first)):
        for by, order in orders.items():
            for after, before, limit in product(["", *order], ["", *order], (1, 2, 9)):
                start = order.index(after) + 1 if after else 0
                end = order.index(before) if before else len(order)
                between = order[start:end]
                want = between[-limit:] if before and not after else between[:limit]
                part: dict[str, Any] = {
                    "limit": limit,
                    "after": ids.get(after),
                    "before": ids.get(before),
                    "newest_first": descending,
                    "order_by": by,
                }
                assert await names(store, **part) == list(want), part
    with pytest.raises(errors.AgentNotFound):
        await names(store, before=AgentId("agent-\0"))


async def test_agents_are_listed_by_what_is_asked_of_them(store: Store) -> None:
    block, roll, one = await store.block(), await store.tool("roll"), await archive(store, "one")
    ann = await store.agent("Ann_1", tags=("x", "y"), project_id="p", template_id="t")
    bob = await store.agent("Bob", tags=("y",), kind=AgentKind.REACT, base_template_id="b")
    await store.agent("Eve")
    await store.do(agents.attach_block, ann.id, block.id)
    await store.do(agents.attach_tool, bob.id, roll.id)
    await store.do(agents.attach_archive, bob.id, one)
    await store.do(
        agents.note_run, run(bob.id, stop_reason=StopReason.MAX_STEPS, duration_ns=2_500_000)
    )
    for wanted, want in (
        (AgentFilter(), ["Ann_1", "Bob", "Eve"]),
        (AgentFilter(name="Bob"), ["Bob"]),
        (AgentFilter(name="bob"), []),
        (AgentFilter(name_has="N_"), ["Ann_1"]),
        (AgentFilter(name_has="E"), ["Eve"]),
        (AgentFilter(tags=("x", "y")), ["Ann_1", "Bob"]),
        (AgentFilter(tags=("x", "y", "x"), all_tags=True), ["Ann_1"]),
        (AgentFilter(kinds=(AgentKind.REACT, AgentKind.VOICE)), ["Bob"]),
        (AgentFilter(project_id="p"), ["Ann_1"]),
        (AgentFilter(template_id="t"), ["Ann_1"]),
        (AgentFilter(base_template_id="b"), ["Bob"]),
        (AgentFilter(created_by=LOCAL_USER), ["Ann_1", "Bob", "Eve"]),
        (AgentFilter(created_by="user-x"), []),
        (AgentFilter(last_stop_reason=StopReason.MAX_STEPS), ["Bob"]),
        (AgentFilter(block_id=block.id), ["Ann_1"]),
        (AgentFilter(tool_id=roll.id), ["Bob"]),
        (AgentFilter(archive_id=one), ["Bob"]),
        (AgentFilter(name="Bob", project_id="p"), []),
    ):
        assert await names(store, wanted, newest_first=False) == want, wanted
    assert await store.do(agents.with_block, block.id, AgentPage()) == [
        await store.do(agents.get, ann.id)
    ]
    with pytest.raises(errors.BlockNotFound):
        await store.do(agents.with_block, BlockId("block-x"), AgentPage())
    found = await store.do(agents.get, bob.id)
    assert (found.last_run_ms, found.last_stop_reason) == (2, StopReason.MAX_STEPS)
    assert found.version == 3


async def test_states_of_many_are_as_those_of_each(store: Store) -> None:
    block, roll = await store.block(), await store.tool("roll")
    made = [await store.agent(name, tags=(name, "all")) for name in "abc"]
    for one in made[:2]:
        await store.do(agents.attach_block, one.id, block.id)
        await store.do(agents.attach_tool, one.id, roll.id)
    want = [await store.do(agents.state, one.id) for one in made]
    ids = [one.id for one in made]
    assert await store.do(agents.states, ids[::-1]) == want[::-1]
    seqs = await store.do(agent_lists.page_seqs, AgentFilter(), AgentPage())
    assert await store.do(agents.states_at, seqs) == want[::-1]
    assert await store.do(agents.states, []) == []
    with pytest.raises(errors.AgentNotFound):
        await store.do(agents.states, [*ids, AgentId("agent-x")])


async def test_tags_are_listed_once_in_one_order_on_every_database(store: Store) -> None:
    for tags in (("b", "a"), ("B", "忆", "b"), ("a_1", "é")):
        await store.agent(tags=tags)
    every = sorted({"a", "b", "B", "忆", "a_1", "é"})
    assert await store.do(agents.tags) == every
    assert await store.do(agents.tags, descending=True) == every[::-1]
    assert await store.do(agents.tags, name_has="A") == ["a", "a_1"]
    assert await store.do(agents.tags, name_has="_") == ["a_1"]
    assert await store.do(agents.tags, after=every[1], limit=2) == every[2:4]
    assert await store.do(agents.tags, before=every[4], limit=2) == every[2:4]
    assert await store.do(agents.tags, before=every[1], descending=True, limit=1) == [every[2]]
    assert await store.as_stranger(agents.tags) == []


async def test_blocks_are_listed_by_how_many_agents_have_them(store: Store) -> None:
    none, one, two = [await store.block(label) for label in ("none", "one", "two")]
    for name in ("ann", "bob"):
        await store.do(agents.attach_block, (await store.agent(name)).id, two.id)
    await store.do(agents.attach_block, (await store.agent("eve")).id, one.id)
    for wanted, want in (
        (BlockFilter(agents_at_least=1), [one, two]),
        (BlockFilter(agents_at_most=1), [none, one]),
        (BlockFilter(agents_at_most=-1), []),
        (BlockFilter(agents_exactly=(0, 2)), [none, two]),
        (BlockFilter(agents_exactly=()), []),
        (BlockFilter(agents_at_least=1, agents_at_most=1), [one]),
        (BlockFilter(agents_at_least=1, label="none"), []),
    ):
        assert await store.do(blocks.page, wanted, BlockPage()) == want, wanted


async def test_a_stranger_finds_no_agent_and_changes_none(store: Store) -> None:
    agent = await filled(store, "ann")
    block, roll, one = await store.block(), await store.tool("roll"), await archive(store, "one")
    await store.do(agents.attach_block, agent.id, block.id)
    before = await store.do(agents.state, agent.id)
    for act, given in (
        (agents.get, (agent.id,)),
        (agents.state, (agent.id,)),
        (agents.states, ([agent.id],)),
        (agents.blocks_of, (agent.id,)),
        (agents.remove, (agent.id,)),
        (agents.attach_block, (agent.id, block.id)),
        (agents.detach_block, (agent.id, block.id)),
        (agents.attach_tool, (agent.id, roll.id)),
        (agents.attach_archive, (agent.id, one)),
        (agents.note_run, (run(agent.id),)),
        (agents.page, (AgentFilter(), AgentPage(after=agent.id))),
    ):
        with pytest.raises(errors.AgentNotFound):
            await store.as_stranger(act, *given)
    with pytest.raises(errors.StaleAgent):
        await store.as_stranger(agents.change, before.agent, CONFIG)
    for config in ({"block_ids": (block.id,)}, {"tool_ids": (roll.id,)}, {"archive_ids": (one,)}):
        named = AgentDraft(config=CONFIG, **config)
        with pytest.raises(errors.NotFound):
            await store.as_stranger(agents.add, named)
    assert await store.as_stranger(agents.page, AgentFilter(), AgentPage()) == []
    assert await store.do(agents.state, agent.id) == before


async def test_a_check_of_the_database_counts_agents_and_tells_what_is_wrong(store: Store) -> None:
    agent = await filled(store, "ann")
    block, roll, one = await store.block(), await store.tool("roll"), await archive(store, "one")
    await store.do(agents.attach_block, agent.id, block.id)
    await store.do(agents.attach_tool, agent.id, roll.id)
    await store.do(agents.attach_archive, agent.id, one)

    def check(tx: Tx) -> verify.Report:
        return verify.check(tx.connection)

    sound = await store.do(check)
    assert sound.problems == []
    found = {name: sound.counts[name] for name in "block tool agent message run step".split()}
    assert set(found.values()) == {1}

    def damage(tx: Tx) -> None:
        stranger = store.stranger.organization_id
        for wrong in (
            "UPDATE agent_block SET label = 'persona'",
            f"UPDATE agent_tool SET organization_id = '{stranger}'",
            f"UPDATE message SET organization_id = '{stranger}', parts = '[{{\"type\":\"x\"}}]'",
            """UPDATE agent SET config = '{"x":1}'""",
        ):
            tx.connection.exec_driver_sql(wrong)

    await store.do(damage)
    told = (await store.do(check)).problems
    assert [one.split(":")[-1] for one in told] == [
        f"{agent.id} has a block as 'persona', but {block.id} is called 'human'",
        f"a row of agent_tool and its {roll.id} belong to different organizations",
        f"a row of message and its {agent.id} belong to different organizations",
        " its parts can't be read (KeyError)",
        " its config can't be read (TypeError)",
    ]
