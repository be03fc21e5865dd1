"""The writer answers everybody, whatever one unit does to its transaction."""

import asyncio
import time
from pathlib import Path

import pytest

from yiku.app import App, build
from yiku.core import errors
from yiku.core.tenant import LOCAL_ACTOR
from yiku.settings import load
from yiku.store import archives
from yiku.store.database import Tx


async def test_a_failing_unit_harms_no_other_of_its_group(app: App) -> None:
    def slow(tx: Tx) -> str:
        time.sleep(0.1)  # the others queue up behind it, and are committed with it
        return archives.create(tx, "", "kept").name

    def bad(tx: Tx) -> str:
        archives.create(tx, "", "half")
        raise errors.Invalid("not this one")

    def good(tx: Tx) -> str:
        return archives.create(tx, "", "kept too").name

    told = await asyncio.gather(
        *(app.database.write(LOCAL_ACTOR, unit) for unit in (slow, bad, good)),
        return_exceptions=True,
    )
    assert (told[0], told[2]) == ("kept", "kept too")
    assert isinstance(told[1], errors.Invalid)
    there = await app.database.read(LOCAL_ACTOR, archives.list_all)
    assert [one.name for one, _ in there] == ["kept", "kept too"]


async def test_who_is_refused_for_what_another_wrote_can_read_it(app: App) -> None:
    """Even where both are of one group: else who looks what there is finds nothing, and tries the
    same again."""

    def make(tx: Tx) -> str:
        return archives.create(tx, "", "mine").name

    def slow(tx: Tx) -> None:
        time.sleep(0.1)  # behind the other, the group isn't committed yet

    async def found() -> list[str] | None:
        try:
            await app.database.write(LOCAL_ACTOR, make)
        except errors.ArchiveExists:
            there = await app.database.read(LOCAL_ACTOR, archives.list_all)
            return [one.name for one, _ in there]
        return None

    first, last = (app.database.write(LOCAL_ACTOR, slow) for _ in range(2))
    told = await asyncio.gather(first, found(), found(), last)
    assert [one for one in told if one is not None] == [["mine"]]


async def test_a_group_whose_transaction_is_lost_is_answered_and_the_next_one_works(
    tmp_path: Path, yiku_home: Path
) -> None:
    def slow(tx: Tx) -> None:
        time.sleep(0.1)

    def lose(tx: Tx) -> None:
        tx.connection.exec_driver_sql("ROLLBACK")

    settings = load(home=yiku_home, database_url=f"sqlite:///{tmp_path / 'yiku.db'}")
    async with build(settings) as app:
        told = await asyncio.wait_for(
            asyncio.gather(
                *(app.database.write(LOCAL_ACTOR, unit) for unit in (slow, lose, slow)),
                return_exceptions=True,
            ),
            30,
        )
        assert any(isinstance(one, errors.YikuError) for one in told)
        made = await app.database.write(LOCAL_ACTOR, lambda tx: archives.create(tx, "", "next"))
        assert made.name == "next"


async def test_a_closed_database_refuses_to_write(tmp_path: Path, yiku_home: Path) -> None:
    settings = load(home=yiku_home, database_url=f"sqlite:///{tmp_path / 'yiku.db'}")
    async with build(settings) as app:
        pass
    with pytest.raises(errors.DatabaseUnreachable, match="closed"):
        await app.database.write(LOCAL_ACTOR, lambda tx: None)
