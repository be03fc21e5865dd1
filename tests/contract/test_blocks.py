"""Core memory below the doors: versions, undo, and edits that meet."""

import asyncio
from functools import partial
from itertools import product

import pytest
from sqlalchemy import func, select

from yiku.app import App
from yiku.core import errors
from yiku.core.block import Block, BlockContent, BlockFilter, BlockPage
from yiku.core.ids import BlockId
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_USER
from yiku.memory import block_edits, blocks
from yiku.store.block_tables import block_version
from yiku.store.database import Tx


async def made(app: App, value: str = "a", **more: object) -> Block:
    content = BlockContent(label="human", value=value).changed(more)
    return await blocks.create(app.database, LOCAL_ACTOR, content)


async def changed(app: App, block: Block, **changes: object) -> Block:
    return await blocks.update(app.database, LOCAL_ACTOR, block.id, changes)


async def undone(app: App, block: Block) -> Block:
    return await blocks.undo(app.database, LOCAL_ACTOR, block.id)


async def test_the_history_keeps_every_version_with_who_when_why_and_in_which_step(
    app: App,
) -> None:
    block = await made(app, "tea", tags=("x",), metadata={"a": 1})
    await blocks.update(
        app.database, LOCAL_ACTOR, block.id, {"limit": 50, "label": "user"}, reason="tidy"
    )
    shown = await blocks.get(app.database, LOCAL_ACTOR, block.id)
    edit = partial(block_edits.memory_insert, new_str="coffee")
    now = await blocks.edit(app.database, LOCAL_ACTOR, shown, edit, step_id="step-1")

    found, versions = await blocks.history(app.database, LOCAL_ACTOR, block.id)

    assert found == now
    assert [one.version for one in versions] == [3, 2, 1]
    assert [one.reason for one in versions] == [None, "tidy", None]
    assert [one.step_id for one in versions] == ["step-1", None, None]
    assert {one.by for one in versions} == {LOCAL_USER}
    assert versions[0].content == now.content
    assert versions[2].content == block.content
    assert versions[1].content == block.content.changed({"limit": 50, "label": "user"})
    assert versions[0].at >= versions[1].at >= versions[2].at == block.created_at
    assert now.value == "tea\ncoffee"


async def test_what_changes_nothing_leaves_no_version(app: App) -> None:
    block = await made(app, tags=("x",))
    assert await changed(app, block, value="a", tags=("x",)) == block
    _, versions = await blocks.history(app.database, LOCAL_ACTOR, block.id)
    assert len(versions) == 1


async def test_undo_takes_back_one_change_after_the_other(app: App) -> None:
    block = await made(app, "one")
    await changed(app, block, value="two", limit=10)
    await changed(app, block, value="three", tags=("x",))

    assert (await undone(app, block)).value == "two"
    back = await undone(app, block)

    assert back.content == block.content
    assert back.version == 5
    with pytest.raises(errors.NothingToUndo):
        await undone(app, block)
    _, versions = await blocks.history(app.database, LOCAL_ACTOR, block.id)
    assert [one.restores for one in versions] == [1, 2, None, None, None]


async def test_a_change_after_an_undo_is_taken_back_to_it(app: App) -> None:
    block = await made(app, "one")
    await changed(app, block, value="two")
    await undone(app, block)
    await changed(app, block, value="three")
    assert (await undone(app, block)).value == "one"
    with pytest.raises(errors.NothingToUndo):
        await undone(app, block)


async def test_edits_of_a_shared_block_at_once_are_one_edit_and_conflicts(app: App) -> None:
    shown = await made(app, "a")
    told = await asyncio.gather(
        *(
            blocks.edit(
                app.database,
                LOCAL_ACTOR,
                shown,
                partial(block_edits.core_memory_append, content=str(n)),
            )
            for n in range(8)
        ),
        return_exceptions=True,
    )
    done = [one for one in told if isinstance(one, Block)]
    stale = [one for one in told if isinstance(one, errors.StaleBlock)]
    assert (len(done), len(stale)) == (1, 7)
    assert await blocks.get(app.database, LOCAL_ACTOR, shown.id) == done[0]


async def test_changes_at_once_that_saw_no_version_are_all_kept_in_order(app: App) -> None:
    block = await made(app, "a")
    await asyncio.gather(*(changed(app, block, value=str(n)) for n in range(8)))
    found, versions = await blocks.history(app.database, LOCAL_ACTOR, block.id)
    assert found.version == len(versions) == 9
    assert {one.content.value for one in versions} == {"a", *map(str, range(8))}


async def test_an_edit_that_is_refused_changes_nothing(app: App) -> None:
    block = await made(app, "tea", limit=5)
    for kind, edit in (
        (errors.EditRefused, partial(block_edits.memory_replace, old_str="x", new_str="y")),
        (errors.BlockTooLong, partial(block_edits.memory_insert, new_str="coffee")),
        (errors.InvalidText, partial(block_edits.memory_rethink, new_memory="\0")),
    ):
        with pytest.raises(kind):
            await blocks.edit(app.database, LOCAL_ACTOR, block, edit)
    assert await blocks.get(app.database, LOCAL_ACTOR, block.id) == block


async def test_a_deleted_block_leaves_no_version(app: App) -> None:
    block = await made(app)
    await changed(app, block, value="b")
    await blocks.delete(app.database, LOCAL_ACTOR, block.id)

    def left(tx: Tx) -> int:
        return tx.connection.execute(select(func.count()).select_from(block_version)).scalar_one()

    assert await app.database.read(LOCAL_ACTOR, left) == 0
    for method in (blocks.get, blocks.history, blocks.undo):
        with pytest.raises(errors.BlockNotFound):
            await method(app.database, LOCAL_ACTOR, block.id)


async def test_every_page_is_the_part_of_the_list_that_was_asked_for(app: App) -> None:
    ids: list[BlockId | None] = [(await made(app)).id for _ in range(4)]
    for newest_first in (False, True):
        order = ids[::-1] if newest_first else ids
        for after, before, limit in product([None, *order], [None, *order], (1, 2, 9)):
            start = order.index(after) + 1 if after else 0
            end = order.index(before) if before else len(order)
            between = order[start:end]
            want = between[-limit:] if before and not after else between[:limit]
            part = BlockPage(limit=limit, after=after, before=before, newest_first=newest_first)
            found = await blocks.listed(app.database, LOCAL_ACTOR, BlockFilter(), part)
            assert [one.id for one in found] == want, part


async def test_a_filter_that_no_block_can_match_is_said_to_be_wrong(app: App) -> None:
    for wanted in (BlockFilter(label="\0"), BlockFilter(tags=("\0",)), BlockFilter(value_has="\0")):
        with pytest.raises(errors.InvalidText):
            await blocks.listed(app.database, LOCAL_ACTOR, wanted, BlockPage())
