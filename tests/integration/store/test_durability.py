"""Never loses: real processes, killed, crowded, out of disk."""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import yiku
from tests.servers.warm import Started, Warm
from yiku.app import build
from yiku.core import errors
from yiku.core.tenant import LOCAL_ACTOR
from yiku.settings import load
from yiku.store.sqlite_file import copy_database
from yiku.store.verify import check

WRITER = Path(__file__).with_name("writer_process.py")
KILLS = 50


Writer = Callable[..., AbstractContextManager[Started]]


@pytest.fixture
def complaints(tmp_path: Path) -> Path:
    """What writers write to stderr."""
    return tmp_path / "complaints"


@pytest.fixture
def writer(warm: Warm, yiku_home: Path, tmp_path: Path, complaints: Path) -> Writer:
    """A process that writes to a database; it is killed at the end, if it lives still."""

    @contextmanager
    def started(
        url: str, name: str, *, many: int = 0, at_once: int = 3, most_bytes: int = 0
    ) -> Iterator[Started]:
        words = [str(yiku_home), url, name, *map(str, (many, at_once, most_bytes))]
        process = warm.start(words, cwd=tmp_path, env=os.environ, errors=complaints, program=WRITER)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    return started


def acknowledged(output: str) -> set[str]:
    """Texts whose line is whole; a line cut off by the kill acknowledges nothing."""
    lines = output.split("\n")[:-1]
    return {line.removeprefix("added ") for line in lines if line.startswith("added ")}


async def stored(home: Path, url: str) -> list[str]:
    async with yiku.connect("yiku://", home=home, database_url=url) as memory:
        if not await memory.archives():
            return []
        return [one.text async for one in memory.export()]


async def faults(home: Path, url: str) -> list[str]:
    async with build(load(home=home, database_url=url)) as app:
        return await app.database.read(LOCAL_ACTOR, lambda tx: list(check(tx.connection).problems))


@pytest.mark.timeout(600)
async def test_every_acknowledged_write_survives_fifty_kills_and_none_is_half_there(
    yiku_home: Path, sqlite_url: str, writer: Writer
) -> None:
    rng = random.Random(8283)
    kept: set[str] = set()
    for round_number in range(KILLS):
        with writer(sqlite_url, f"w{round_number}") as process:
            assert process.stdout.readline() == "ready\n"
            first = process.stdout.readline() if round_number % 5 else ""  # one in five dies young
            await asyncio.sleep(rng.uniform(0.0, 0.25))
            process.kill()
            kept |= acknowledged(first + process.communicate())
            assert process.poll() == -signal.SIGKILL
        if round_number % 10 == 9:
            there = await stored(yiku_home, sqlite_url)
            assert kept <= set(there)
            assert len(there) == len(set(there))
            assert await faults(yiku_home, sqlite_url) == []
    assert len(kept) > KILLS


async def test_four_processes_write_at_once(
    yiku_home: Path, database_url: str, writer: Writer, complaints: Path
) -> None:
    names = ["north", "south", "east", "west"]
    with (
        writer(database_url, names[0], many=40) as a,
        writer(database_url, names[1], many=40) as b,
        writer(database_url, names[2], many=40) as c,
        writer(database_url, names[3], many=40) as d,
    ):
        outputs = [process.communicate(120) for process in (a, b, c, d)]
        assert [process.poll() for process in (a, b, c, d)] == [0] * 4, complaints.read_text()
    said = set().union(*map(acknowledged, outputs))
    assert len(said) == 160
    assert sorted(await stored(yiku_home, database_url)) == sorted(said)
    assert await faults(yiku_home, database_url) == []


async def test_a_write_is_found_by_another_process_at_once(
    yiku_home: Path, database_url: str, writer: Writer
) -> None:
    async with yiku.connect("yiku://", home=yiku_home, database_url=database_url) as memory:
        await memory.add("The index is loaded with this")
        assert len(await memory.search("index")) == 1
        with writer(database_url, "other", many=3, at_once=1) as process:
            for line in process.stdout:
                if line.startswith("added "):
                    text = line.removeprefix("added ").rstrip("\n")
                    hits = await memory.search(text, limit=1)
                    assert hits[0].passage.text == text
            assert process.wait(60) == 0


async def test_a_full_disk_is_a_clear_error_and_harms_nothing(
    yiku_home: Path, sqlite_url: str, writer: Writer, complaints: Path
) -> None:
    async with yiku.connect("yiku://", home=yiku_home, database_url=sqlite_url) as memory:
        await memory.add("stored while there was room")
    with writer(sqlite_url, "full", most_bytes=400_000) as process:
        output = process.communicate(120)
    complaint = complaints.read_text()
    assert process.poll() != 0
    assert "DatabaseFull" in complaint
    assert "nothing of this write was stored" in complaint
    said = acknowledged(output)
    there = set(await stored(yiku_home, sqlite_url))
    assert said | {"stored while there was room"} <= there
    assert await faults(yiku_home, sqlite_url) == []
    async with yiku.connect("yiku://", home=yiku_home, database_url=sqlite_url) as memory:
        assert (await memory.add("and there is room again")).outcome == "added"


async def test_a_backup_under_load_is_whole_and_holds_what_was_acknowledged_before(
    yiku_home: Path, sqlite_url: str, tmp_path: Path, writer: Writer
) -> None:
    target = tmp_path / "copy.db"
    with writer(sqlite_url, "busy") as process:
        before = [process.stdout.readline() for _ in range(60)]
        async with build(load(home=yiku_home, database_url=sqlite_url)) as app:
            await app.database.backup(target, lambda done, total: None)
        process.kill()
    copied = set(await stored(yiku_home, f"sqlite:///{target}"))
    assert acknowledged("".join(before)) <= copied
    assert await faults(yiku_home, f"sqlite:///{target}") == []


async def test_a_backup_never_overwrites(yiku_home: Path, sqlite_url: str, tmp_path: Path) -> None:
    target = tmp_path / "precious.db"
    target.write_text("precious")
    async with build(load(home=yiku_home, database_url=sqlite_url)) as app:
        with pytest.raises(errors.Conflict, match="never overwrites"):
            await app.database.backup(target, lambda done, total: None)
    assert target.read_text() == "precious"


async def test_what_cannot_be_opened_is_named_and_why_that_may_be(
    yiku_home: Path, sqlite_with_tables: str, tmp_path: Path
) -> None:
    """As where the disk has become read-only: SQLite may make no files beside the database."""
    source = Path(sqlite_with_tables.removeprefix("sqlite:///"))
    source.with_name(f"{source.name}-wal").mkdir()
    target = tmp_path / "copy.db"
    with pytest.raises(errors.DatabaseUnreachable, match="read-only") as told:
        copy_database(source, target, lambda done, total: None)
    assert told.value.message.startswith(f"{source}: ")
    assert not list(tmp_path.glob("copy.db*"))
    with pytest.raises(errors.DatabaseUnreachable, match="its folder, too"):
        await open_it(yiku_home, source)


async def open_it(home: Path, path: Path) -> None:
    async with yiku.connect("yiku://", home=home, database_url=f"sqlite:///{path}") as memory:
        await memory.archives()


async def test_a_truncated_database_is_refused(yiku_home: Path, tmp_path: Path) -> None:
    path = tmp_path / "yiku.db"
    async with yiku.connect("yiku://", home=yiku_home, database_url=f"sqlite:///{path}") as memory:
        await memory.add_many([f"fact {n} about {n * n}" for n in range(100)])
    os.truncate(path, path.stat().st_size // 2)
    before = path.read_bytes()
    with pytest.raises(errors.DatabaseDamaged, match="cut off"):
        await open_it(yiku_home, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"PK\x03\x04 not a database at all" * 50, b"short"])
async def test_a_file_of_another_kind_is_refused_and_left_alone(
    yiku_home: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "yiku.db"
    path.write_bytes(content)
    with pytest.raises(errors.DatabaseForeign):
        await open_it(yiku_home, path)
    assert path.read_bytes() == content


async def test_a_database_of_another_program_is_refused_and_left_alone(
    yiku_home: Path, tmp_path: Path
) -> None:
    import sqlite3

    path = tmp_path / "yiku.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE places (url TEXT)")
    with pytest.raises(errors.DatabaseForeign, match="another program"):
        await open_it(yiku_home, path)
    with sqlite3.connect(path) as other:
        names = [row[0] for row in other.execute("SELECT name FROM sqlite_master")]
    assert names == ["places"]


async def test_a_locked_database_is_waited_for_then_refused_clearly(
    yiku_home: Path, tmp_path: Path
) -> None:
    import sqlite3

    path = tmp_path / "yiku.db"
    async with yiku.connect(
        "yiku://", home=yiku_home, database_url=f"sqlite:///{path}", busy_timeout_s=0.3
    ) as memory:
        await memory.add("first")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.DatabaseBusy, match="YIKU_BUSY_TIMEOUT_S"):
            await memory.add("second")
        other.execute("ROLLBACK")
        other.close()
        assert (await memory.add("second")).outcome == "added"


async def test_deleted_words_are_in_no_file_of_the_database(
    yiku_home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "yiku.db"
    secret = "xylophone-quartz-8264"
    async with yiku.connect("yiku://", home=yiku_home, database_url=f"sqlite:///{path}") as memory:
        added = await memory.add(f"My word is {secret}", conversation="c")
        await memory.edit(added.passage.id, text=f"My other word is {secret}")
        await memory.add(f"my other word is {secret}", conversation="c")
        await memory.add("A turn that follows", conversation="c")
        assert any(secret.encode() in file.read_bytes() for file in tmp_path.glob("yiku.db*"))
        await memory.delete(added.passage.id)
        left = [
            file.name for file in tmp_path.glob("yiku.db*") if secret.encode() in file.read_bytes()
        ]
        assert left == []
