"""An index kept in files finds what one made from the rows finds, and keeps nothing erased."""

import asyncio
import errno
import gc
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.servers.warm import Started, Warm
from yiku.app import App, build, index_files
from yiku.core.memory import Archive, Draft, Passage
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import changes, erase, ingest, search
from yiku.memory.archival import Place, resolve
from yiku.settings import load
from yiku.store import restore
from yiku.store.database import Tx, now_utc
from yiku.store.index import container, files, pool, rows, saved, segment
from yiku.store.index.archive import ArchiveIndex
from yiku.store.index.pool import IndexPool
from yiku.store.index.query import Query
from yiku.store.index.terms import term_hash

PROCESS = Path(__file__).with_name("index_process.py")
HOME = Place()
DIMENSION = 384
COUNT = 100
WORDS = "apple river stone cloud lamp bread violin garden winter copper".split()


@dataclass(frozen=True)
class World:
    """A database and where its indexes are kept."""

    home: Path
    url: str

    @property
    def folder(self) -> Path:
        found = index_files(load(home=self.home, database_url=self.url))
        assert found is not None
        return found.folder

    def files(self) -> list[Path]:
        return sorted(p for p in self.folder.rglob("*") if p.is_file())

    def segments(self) -> list[Path]:
        return [p for p in self.files() if p.name.endswith(files.SEGMENT)]

    def lists(self) -> list[Path]:
        return [p for p in self.files() if p.name == files.LIST]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[App]:
        async with build(load(home=self.home, database_url=self.url)) as app:
            yield app


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is a matter of tens of thousands of rows happens with tens."""
    monkeypatch.setattr(pool, "SAVE_FROM", 20)
    monkeypatch.setattr(pool, "CHUNK", 10)
    monkeypatch.setattr(rows, "CHUNK", 10)
    monkeypatch.setattr(segment, "CAPACITY", 40)


@pytest.fixture
def world(yiku_home: Path, database_url: str) -> Iterator[World]:
    made = World(yiku_home, database_url)
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.fixture
def sqlite_world(yiku_home: Path, sqlite_url: str) -> World:
    return World(yiku_home, sqlite_url)


def vector_of(number: int) -> np.ndarray:
    vector = np.random.default_rng(number).normal(size=DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


def draft(number: int) -> Draft:
    return Draft(
        text=f"{WORDS[number % 10]} {WORDS[number // 10 % 10]} secret{number}",
        speaker=f"Speaker {number % 7}",
        conversation=f"c{number % 5}",
    )


async def add(app: App, start: int = 0, count: int = COUNT) -> list[Passage]:
    added = await ingest.add(
        app.memory,
        LOCAL_ACTOR,
        HOME,
        [draft(n) for n in range(start, start + count)],
        vectors=np.stack([vector_of(n) for n in range(start, start + count)]),
    )
    return [one.passage for one in added]


async def index_of(app: App, indexes: IndexPool | None = None) -> ArchiveIndex:
    def unit(tx: Tx) -> ArchiveIndex | None:
        return (indexes or app.memory.indexes).current(tx, resolve(tx, HOME))

    found = await app.database.read(LOCAL_ACTOR, unit)
    assert found is not None
    return found


async def rebuilt(app: App) -> ArchiveIndex:
    return await index_of(app, IndexPool(1000, None))


async def archive_of(app: App) -> Archive:
    return await app.database.read(LOCAL_ACTOR, lambda tx: resolve(tx, HOME))


def from_files(index: ArchiveIndex) -> int:
    """Rows that are mapped."""
    return sum(s.n for s in index.segments if not s.matrix.flags.writeable)


def found_by(index: ArchiveIndex) -> list[tuple[object, ...]]:
    """All candidates of a few queries with their signals, in an order of their own."""
    found: list[tuple[object, ...]] = []
    for n in range(0, 200, 17):
        terms = [term_hash(word) for word in (WORDS[n % 10], f"secret{n}")]
        c = index.search(Query(vector=vector_of(n), terms=terms))
        speakers, conversations = index.speakers.names(), index.conversations.names()
        found += sorted(
            (n, *row[:-2], speakers[row[-2]], conversations[row[-1]])
            for row in zip(
                c.seq.tolist(), c.lexical.tolist(), c.dense.tolist(), c.at.tolist(),
                c.length.tolist(), c.flags.tolist(), c.speaker.tolist(), c.conversation.tolist(),
                strict=True,
            )
        )  # fmt: skip
    return found


async def saved_world(world: World) -> list[Passage]:
    async with world.opened() as app:
        added = await add(app)
        await index_of(app)
    assert len(world.lists()) == 1
    assert len(world.segments()) == 3
    return added


async def test_an_index_from_files_is_the_index_from_the_rows(world: World) -> None:
    await saved_world(world)
    async with world.opened() as app:
        index = await index_of(app)
        assert from_files(index) == COUNT
        assert found_by(index) == found_by(await rebuilt(app))
        await add(app, COUNT, 15)
        index = await index_of(app)
        assert from_files(index) == 80  # the last segment was not full
        assert found_by(index) == found_by(await rebuilt(app))


async def test_what_changed_since_the_files_were_written_is_found_as_it_is(world: World) -> None:
    added = await saved_world(world)
    async with world.opened() as app:
        await changes.edit(app.memory, LOCAL_ACTOR, added[50].id, {"text": "a walrus sings"})
        await changes.forget(app.memory, LOCAL_ACTOR, added[51].id)
        await erase.delete(app.memory, LOCAL_ACTOR, [added[5].id])
    async with world.opened() as app:
        index = await index_of(app)
        assert from_files(index) > 0
        now, plain = found_by(index), found_by(await rebuilt(app))
        assert [row[:2] for row in now] == [row[:2] for row in plain]
        hits = await search.search(app.memory, LOCAL_ACTOR, [HOME], "walrus", limit=1)
        assert hits[0].passage.id == added[50].id


async def test_only_the_user_may_read_the_files(sqlite_world: World) -> None:
    await saved_world(sqlite_world)
    for path in sqlite_world.folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    assert sqlite_world.folder.stat().st_mode & 0o777 == 0o700


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip_inside(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def flip_header(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[40] ^= 1
    path.write_bytes(whole)


def foreign(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" * 100)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "damage", [cut_off, flip_inside, flip_header, foreign, emptied, Path.unlink]
)
@pytest.mark.parametrize("which", ["list", "segment", "all"])
async def test_a_damaged_file_is_passed_over(
    sqlite_world: World, damage: Callable[[Path], None], which: str
) -> None:
    await saved_world(sqlite_world)
    if which != "segment":
        damage(sqlite_world.lists()[0])
    if which != "list":
        for path in sqlite_world.segments()[: 1 if which == "segment" else None]:
            damage(path)
    async with sqlite_world.opened() as app:
        index = await index_of(app)
        assert (from_files(index) > 0) == (which == "segment")
        assert found_by(index) == found_by(await rebuilt(app))
        if which != "segment":
            assert len(sqlite_world.segments()) >= 1
    async with sqlite_world.opened() as app:
        assert found_by(await index_of(app)) == found_by(await rebuilt(app))


async def test_files_of_another_format_or_model_are_not_read(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await saved_world(sqlite_world)
    from yiku.store.index import load as loading

    monkeypatch.setattr(loading, "FORMAT", saved.FORMAT + 1)
    async with sqlite_world.opened() as app:
        assert from_files(await index_of(app)) == 0
    async with sqlite_world.opened() as app:  # it was saved anew in the other format
        assert from_files(await index_of(app)) == COUNT


async def test_another_archives_segment_is_not_read(sqlite_world: World, tmp_path: Path) -> None:
    await saved_world(sqlite_world)
    other = World(sqlite_world.home, f"sqlite:///{tmp_path / 'other.db'}")
    await saved_world(other)
    for mine, theirs in zip(sqlite_world.segments(), other.segments(), strict=True):
        shutil.copy(theirs, mine)
    shutil.copy(other.lists()[0], sqlite_world.lists()[0])
    async with sqlite_world.opened() as app:
        index = await index_of(app)
        assert from_files(index) == 0
        assert found_by(index) == found_by(await rebuilt(app))


async def test_an_older_state_put_back_by_hand_is_not_searched_by_newer_files(
    sqlite_world: World, tmp_path: Path
) -> None:
    async with sqlite_world.opened() as app:
        await add(app, 0, 10)
        await app.database.backup(tmp_path / "old.db", lambda done, total: None)
        await add(app, 10, 90)
        await index_of(app)
    path = Path(sqlite_world.url.removeprefix("sqlite:///"))
    path.write_bytes((tmp_path / "old.db").read_bytes())
    async with sqlite_world.opened() as app:
        await add(app, 500, 45)
        await add(app, 600, 45)
        index = await index_of(app)
        assert from_files(index) == 0
        assert found_by(index) == found_by(await rebuilt(app))


async def test_a_restored_backup_has_no_files(sqlite_world: World, tmp_path: Path) -> None:
    await saved_world(sqlite_world)
    path = Path(sqlite_world.url.removeprefix("sqlite:///"))
    async with sqlite_world.opened() as app:
        await app.database.backup(tmp_path / "copy.db", lambda done, total: None)
    restore.restore(
        tmp_path / "copy.db", path, replace=True, now=now_utc(), progress=lambda done, total: None
    )
    assert not sqlite_world.folder.exists()


def traces(world: World, number: int) -> list[str]:
    """Files with the passage's own word, hashed, or with its vector."""
    hashed = term_hash(f"secret{number}").to_bytes(8, "little")
    code, _ = segment.quantise(2 * vector_of(number)[None])
    wanted = (hashed, code[0].tobytes()[:64])
    return [p.name for p in world.files() if any(one in p.read_bytes() for one in wanted)]


async def test_nothing_of_a_deleted_passage_is_in_a_file(world: World) -> None:
    added = await saved_world(world)
    assert len(traces(world, 7)) == 1
    async with world.opened() as app:
        await erase.delete(app.memory, LOCAL_ACTOR, [added[7].id])
        assert traces(world, 7) == []
        await index_of(app)
        await add(app, COUNT, 40)
        await index_of(app)
    assert traces(world, 7) == []
    async with world.opened() as app:
        assert from_files(await index_of(app)) > 0


async def test_nothing_of_a_deleted_turn_is_left_in_those_that_followed_it(world: World) -> None:
    """What follows a turn is found by its words too."""
    async with world.opened() as app:
        turns = [Draft(text=f"word{n} and more", conversation="one") for n in range(60)]
        added = await ingest.add(app.memory, LOCAL_ACTOR, HOME, turns)
        await index_of(app)
    async with world.opened() as app:
        hashed = term_hash("word39").to_bytes(8, "little")
        before = [p for p in world.segments() if hashed in p.read_bytes()]
        assert len(before) == 2  # its own, and that of the turn after it
        await erase.delete(app.memory, LOCAL_ACTOR, [added[39].passage.id])
        assert [p for p in world.files() if hashed in p.read_bytes()] == []


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is mapped")
@pytest.mark.platform("/proc tells what is mapped")
async def test_a_process_leaves_a_removed_file_at_its_next_search(world: World) -> None:
    added = await saved_world(world)
    async with world.opened() as one, world.opened() as other:
        assert from_files(await index_of(other)) == COUNT
        await erase.delete(one.memory, LOCAL_ACTOR, [added[7].id])
        await index_of(other)
        gc.collect()
        assert f"{files.SEGMENT} (deleted)" not in Path("/proc/self/maps").read_text()
        assert found_by(await index_of(other))


async def test_a_deletion_outruns_a_save_that_had_begun(world: World) -> None:
    """The index was taken down before the deletion, and is written after it."""
    added = await saved_world(world)
    async with world.opened() as app:
        index, archive = await index_of(app), await archive_of(app)
        whole = saved.snapshot(index)
        await erase.delete(app.memory, LOCAL_ACTOR, [added[7].id])
        files.IndexFiles(world.folder).save(archive.id, {}, [], whole)
        assert traces(world, 7) == []
        await erase.delete_archive(app.memory, LOCAL_ACTOR, archive.id)
        files.IndexFiles(world.folder).save(archive.id, {}, [], whole)
    assert world.segments() == world.lists() == []


async def test_a_deletion_waits_for_who_is_writing(sqlite_world: World) -> None:
    added = await saved_world(sqlite_world)
    [place] = {p.parent for p in sqlite_world.lists()}
    async with sqlite_world.opened() as app:
        with files.locked(place, wait_s=0):
            deletion = asyncio.create_task(erase.delete(app.memory, LOCAL_ACTOR, [added[7].id]))
            await asyncio.sleep(0.3)
            assert not deletion.done()
        await deletion
    assert traces(sqlite_world, 7) == []


async def test_a_folder_that_can_not_be_written_stops_nobody(sqlite_world: World) -> None:
    sqlite_world.folder.parent.mkdir(exist_ok=True)
    sqlite_world.folder.write_text("a file where the folder should be")
    async with sqlite_world.opened() as app:
        added = await add(app)
        assert found_by(await index_of(app)) == found_by(await rebuilt(app))
        await erase.delete(app.memory, LOCAL_ACTOR, [added[7].id])
        assert len(await index_of(app)) == COUNT - 1


async def test_a_full_disk_leaves_nothing_half_written(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    write = container.write

    def full(path: Path, facts: Any, arrays: Any) -> None:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, facts, arrays)
        written.append(path)

    monkeypatch.setattr(container, "write", full)
    async with sqlite_world.opened() as app:
        await add(app)
        assert found_by(await index_of(app)) == found_by(await rebuilt(app))
    assert len(written) == 2
    assert [p.name for p in sqlite_world.files() if p.name != files.LOCK] == []


def test_new_credentials_and_links_lead_to_the_same_files(tmp_path: Path) -> None:
    def folder(url: str) -> Path:
        found = index_files(load(home=tmp_path, database_url=url))
        assert found is not None
        return found.folder

    one = folder("postgresql://ann:old@host:5432/memories")
    assert one == folder("postgresql://bob:new@host:5432/memories?sslmode=require")
    assert one != folder("postgresql://ann:old@host:5432/others")
    (tmp_path / "yiku.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "yiku.db")
    assert folder(f"sqlite:///{tmp_path}/link.db") == folder(f"sqlite:///{tmp_path}/yiku.db")


Starter = Callable[[World, str], Started]


@pytest.fixture
def started(warm: Warm, tmp_path: Path) -> Starter:
    errors = tmp_path / "errors"

    def start(world: World, what: str) -> Started:
        words = [str(world.home), world.url, what]
        return warm.start(words, cwd=tmp_path, env=os.environ, errors=errors, program=PROCESS)

    return start


@pytest.mark.parametrize("moment", ["killed-writing", "killed-before-list"])
async def test_a_process_killed_while_it_saves_leaves_nothing_that_is_read(
    sqlite_world: World, moment: str, started: Starter
) -> None:
    async with sqlite_world.opened() as app:
        await add(app)
    process = started(sqlite_world, moment)
    process.communicate(60)
    assert process.poll() == -signal.SIGKILL
    left = sqlite_world.files()
    assert len(left) >= 2
    assert sqlite_world.lists() == []
    async with sqlite_world.opened() as app:
        index = await index_of(app)
        assert from_files(index) == 0
        assert found_by(index) == found_by(await rebuilt(app))
    assert len(sqlite_world.segments()) == 3
    assert not {p.name for p in left} & {p.name for p in sqlite_world.segments()}


async def test_processes_that_save_and_load_at_once_find_the_same(
    sqlite_world: World, started: Starter
) -> None:
    async with sqlite_world.opened() as app:
        await add(app)
        expected = sorted(s for i in [await rebuilt(app)] for x in i.segments for s in x.seq[: x.n])
    processes = [started(sqlite_world, "search") for _ in range(4)]
    said = [process.communicate(120) for process in processes]
    assert [process.poll() for process in processes] == [0, 0, 0, 0]
    assert {line for out in said for line in out.split()} == {str(sum(expected))}
    async with sqlite_world.opened() as app:
        index = await index_of(app)
        assert from_files(index) == COUNT
        assert found_by(index) == found_by(await rebuilt(app))
