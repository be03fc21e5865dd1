"""What becomes of files of all kinds, on both databases."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from io import BytesIO

import pytest
from pypdf import PdfReader, PdfWriter

from tests.fixtures.filed import STORY, a_bomb, a_docx, a_pdf, carried_out
from yiku.agents import folders as having
from yiku.agents import make
from yiku.agents.make import NewAgent
from yiku.app import App
from yiku.core.agent import AgentState
from yiku.core.errors import Invalid, InvalidFile
from yiku.core.file import Duplicates, File, FileStatus, Folder, FolderContent
from yiku.core.ids import AgentId
from yiku.core.quota import Resource
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.files import erase, grep, job, semantic, take
from yiku.memory.files.grep import Grep
from yiku.store import agent_files, file_text, files, folders, passages, quotas
from yiku.store.archive_lists import Part
from yiku.store.database import Tx

CHINESE = "王小明喜欢喝乌龙茶，住在上海。\n他周二要去北京出差，讨论服务器搬迁。\n" * 4
FRENCH = "Le café est fermé à midi; le résumé du procès est prêt.\n" * 3


async def blocks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1_000_000):
        yield content[start : start + 1_000_000]


async def a_folder(app: App, name: str = "f") -> Folder:
    content = FolderContent(name=name)
    return await app.database.write(LOCAL_ACTOR, lambda tx: folders.add(tx, content))


async def put(app: App, folder: Folder, name: str, content: bytes | str) -> File:
    raw = content if isinstance(content, bytes) else content.encode()
    return await take.take(
        app.files, LOCAL_ACTOR, folder.id, blocks(raw), original_name=name,
        duplicates=Duplicates.REPLACE,
    )  # fmt: skip


async def read(app: App, one: File) -> tuple[File, str]:
    return await app.database.read(
        LOCAL_ACTOR, lambda tx: (files.get(tx, one.id), file_text.content(tx, one.id))
    )


async def count(app: App, folder: Folder) -> int:
    return await app.database.read(LOCAL_ACTOR, lambda tx: passages.count(tx, folder.archive_id))


READABLE = {
    "log.md": (STORY.encode(), "text/markdown", "小明周二把服务器从北京搬到了上海"),
    "utf16.txt": (CHINESE.encode("utf-16"), "text/plain", CHINESE.strip()),
    "utf16be.txt": (CHINESE.encode("utf-16-be"), "text/plain", CHINESE.strip()),
    "utf16le.txt": ("plain words\n".encode("utf-16-le") * 9, "text/plain", "plain words"),
    "gb.txt": (CHINESE.encode("gb18030"), "text/plain", CHINESE.strip()),
    "big5.txt": ("這是繁體中文的檔案，裡面記錄了伺服器的搬遷。\n".encode("big5") * 9, "text/plain",
                 "這是繁體中文的檔案"),
    "french.txt": (FRENCH.encode("cp1252"), "text/plain", FRENCH.strip()),
    "bom.csv": (b"\xef\xbb\xbfname,drink\r\n\xe5\xb0\x8f\xe6\x98\x8e,tea\r\n", "text/csv",
                "name,drink\n小明,tea"),
    "code.py": (b"def double(n):\n    return 2 * n\n", "text/x-python", "    return 2 * n"),
    "data.json": (json.dumps({"茶": ["乌龙"] * 900}).encode(), "application/json", '    "乌龙",'),
    "bad.json": (b'{"a": 1,' * 400, "application/json", '{"a": 1,'),
    "page.html": ("<html><head><meta charset='gb2312'><script>x()</script></head><body><h1>标题"
                  "</h1><p>正文<b>粗</b></p></body></html>".encode("gb2312"), "text/html",
                  "# 标题"),
    "paper.pdf": (a_pdf("The first page", "The second page"), "application/pdf",
                  "The second page"),
    "budget.docx": (a_docx(), "application/vnd.openxmlformats-officedocument.wordprocessingml"
                    ".document", "服务器 | 12,000"),
}  # fmt: skip

BROKEN = {
    "empty.txt": (b"", "It is empty"),
    "cut.pdf": (a_pdf("x" * 2000)[:300], "PDF"),
    "scan.pdf": (a_pdf(""), "Its page has no text, and may show a picture"),
    "picture.png": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "image/png"),
    "old.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "encrypted"),
    "bomb.docx": (a_bomb(), "Unpacked"),
    "cut.docx": (a_docx()[:2000], "DOCX"),
    "all.zip": (b"PK\x03\x04" + bytes(64), "archive"),
}


async def test_files_of_all_kinds_are_read_and_broken_ones_say_why(app: App) -> None:
    folder = await a_folder(app)
    put_in = {
        name: await put(app, folder, name, found[0]) for name, found in (READABLE | BROKEN).items()
    }
    await carried_out(app)
    chunks = 0
    for name, (_, media_type, words) in READABLE.items():
        one, text = await read(app, put_in[name])
        assert (one.status, one.problem, one.media_type) == (FileStatus.COMPLETED, None, media_type)
        assert words in text, (name, text[:200])
        assert one.line_count == text.count("\n") + 1
        assert one.chunk_count == one.embedded_count > 0
        chunks += one.chunk_count
    for name, (_, words) in BROKEN.items():
        one, text = await read(app, put_in[name])
        assert (one.status, text, one.chunk_count) == (FileStatus.ERROR, "", 0), name
        assert words in (one.problem or ""), (name, one.problem)
    assert await count(app, folder) == chunks


async def test_chunks_count_among_the_organizations_passages(app: App) -> None:
    await app.database.write(LOCAL_ACTOR, lambda tx: quotas.put(tx, Resource.PASSAGES, 1))
    one = await put(app, await a_folder(app), "long.txt", "words of tea\n" * 400)
    await carried_out(app)
    found, _ = await read(app, one)
    assert (found.status, found.embedded_count) == (FileStatus.ERROR, 0)
    assert "passages" in (found.problem or "")


async def test_an_encrypted_pdf_says_that_it_is(app: App) -> None:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(a_pdf("secret"))))
    writer.encrypt("word", algorithm="RC4-128")
    out = BytesIO()
    writer.write(out)
    one = await put(app, await a_folder(app), "closed.pdf", out.getvalue())
    await carried_out(app)
    found, _ = await read(app, one)
    assert found.status is FileStatus.ERROR
    assert "encrypted" in (found.problem or "")


async def test_reading_a_file_has_limits(app: App) -> None:
    folder = await a_folder(app)
    small = replace(app.files, parse_memory_mb=128, parse_timeout_s=0.001)
    pages = ["<p>word</p>" * 200_000]
    one = await put(app, folder, "big.html", "".join(pages))
    limited = replace(app, files=small)
    await carried_out(limited)
    found, _ = await read(app, one)
    assert found.status is FileStatus.ERROR
    assert "YIKU_PARSE_TIMEOUT_S" in (found.problem or "")

    tiny = replace(app.files, max_bytes=1024)
    with pytest.raises(InvalidFile, match="YIKU_MAX_FILE_BYTES"):
        await take.take(tiny, LOCAL_ACTOR, folder.id, blocks(b"x" * 1025), original_name="x.txt")

    def every(tx: Tx) -> list[str]:
        return [each.name for each in files.page(tx, folder.id, Part())]

    assert await app.database.read(LOCAL_ACTOR, every) == ["big.html"]


async def test_what_is_deleted_leaves_nothing_to_be_found(app: App) -> None:
    folder, other = await a_folder(app), await a_folder(app, "other")
    one = await put(app, folder, "a.md", STORY * 40)
    kept = await put(app, folder, "b.txt", "The cat sleeps near the heater.")
    await put(app, other, "c.txt", "乌龙茶")
    await carried_out(app)
    state = await an_agent(app, folder, other)
    assert (await meant(app, state, "who moved the server"))[0][0] == "f/a.md"
    await erase.delete(app.files, LOCAL_ACTOR, one.id, folder.id)
    assert await count(app, folder) == 1
    left = [path for path, _ in await meant(app, state, "who moved the server")]
    assert sorted(left) == ["f/b.txt", "other/c.txt"]
    await having.delete(app.agents, LOCAL_ACTOR, folder.id)
    assert [path for path, _ in await meant(app, state, "cat")] == ["other/c.txt"]
    assert await app.database.read(LOCAL_ACTOR, lambda tx: files.find(tx, kept.id)) is None


async def test_a_replacement_while_the_old_file_is_read_ends_with_the_new_one(app: App) -> None:
    folder = await a_folder(app)
    old = await put(app, folder, "a.txt", "old words\n" * 4000)
    await asyncio.gather(carried_out(app), put(app, folder, "a.txt", "new words"))
    await carried_out(app)
    assert await app.database.read(LOCAL_ACTOR, lambda tx: files.find(tx, old.id)) is None
    assert await count(app, folder) == 1


async def an_agent(app: App, *has: Folder) -> AgentState:
    new = NewAgent(given={"name": "x"}, folder_ids=tuple(one.id for one in has))
    return await make.create(app.agents, LOCAL_ACTOR, new)


async def meant(app: App, state: AgentState, query: str) -> list[tuple[str, int]]:
    found = await semantic.found(app.memory, LOCAL_ACTOR, state.agent.id, query, 5)
    return [(one.held.path, one.first_line) for one in found]


async def matched(app: App, agent_id: AgentId, wanted: Grep) -> list[tuple[str, int]]:
    found = await grep.grep(app.database, LOCAL_ACTOR, agent_id, wanted)
    return [(one.held.path, one.n) for one in found.matches]


async def test_an_upload_that_came_whole_is_not_given_up(app: App) -> None:
    """Who sent it may be gone by then: what it replaced would be lost with it."""
    folder = await a_folder(app)
    one = await put(app, folder, "log.md", STORY)
    half = await app.database.write(
        LOCAL_ACTOR, lambda tx: files.begin(tx, folder, "half.md", "text/plain")
    )
    for each in (one, half):
        await app.database.write(LOCAL_ACTOR, lambda tx, each=each: files.give_up(tx, each.id))
    there = await app.database.read(
        LOCAL_ACTOR, lambda tx: [files.find(tx, each.id) for each in (one, half)]
    )
    assert there == [one, None]


ANEW = {
    "sqlite": """
        CREATE TRIGGER anew AFTER INSERT ON file_text WHEN NEW.n = 1
        BEGIN DELETE FROM file_text WHERE n = 0; END
    """,
    "postgresql": """
        CREATE FUNCTION begin_anew() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN DELETE FROM file_text WHERE n = 0; RETURN NULL; END';
        CREATE TRIGGER anew AFTER INSERT ON file_text FOR EACH ROW WHEN (NEW.n = 1)
        EXECUTE FUNCTION begin_anew()
    """,
}
NO_MORE = {"sqlite": "DROP TRIGGER anew", "postgresql": "DROP TRIGGER anew ON file_text"}


async def test_a_text_that_another_process_began_anew_is_not_taken_for_whole(app: App) -> None:
    """The trigger is that process: it clears what was stored while the rest comes."""
    folder = await a_folder(app)
    one = await put(app, folder, "long.txt", "one line of many\n" * 20_000)

    def have(statements: Mapping[str, str]) -> Callable[[Tx], None]:
        return lambda tx: run(tx, statements[tx.connection.dialect.name])

    def run(tx: Tx, statement: str) -> None:
        tx.connection.exec_driver_sql(statement)

    await app.database.write(LOCAL_ACTOR, have(ANEW))
    assert await job.read(app.files, LOCAL_ACTOR, one) is None
    assert (await read(app, one))[0].status is FileStatus.PARSING
    await app.database.write(LOCAL_ACTOR, have(NO_MORE))
    await carried_out(app)
    done, text = await read(app, one)
    assert (done.status, text.count("many")) == (FileStatus.COMPLETED, 20_000)


async def test_lines_are_found_by_patterns(app: App) -> None:
    folder = await a_folder(app)
    await put(app, folder, "a.md", STORY)
    await put(app, folder, "many.txt", "".join(f"row {n}\n" for n in range(1, 6_001)))
    await carried_out(app)
    agent_id = (await an_agent(app, folder)).agent.id
    assert await matched(app, agent_id, Grep(pattern="服务器|heater")) == [("f/a.md", 3)]
    assert await matched(app, agent_id, Grep(pattern="DEPLOY key", include="*.md")) == [
        ("f/a.md", 5)
    ]
    assert await matched(app, agent_id, Grep(pattern="row 599[89]$", context_lines=0)) == [
        ("f/many.txt", 5_998),
        ("f/many.txt", 5_999),
    ]
    page = await grep.grep(
        app.database, LOCAL_ACTOR, agent_id, Grep(pattern="row", offset=20, context_lines=1)
    )
    assert page.counts == {"f/many.txt": 6_000}
    assert [one.n for one in page.matches] == list(range(21, 41))
    assert page.matches[0].lines == ((20, "row 20"), (21, "row 21"), (22, "row 22"))
    for pattern, words in (("(", "regular expression"), (" ", "empty"), ("a" * 1001, "at most")):
        with pytest.raises(Invalid, match=words):
            await matched(app, agent_id, Grep(pattern=pattern))


async def test_a_pattern_that_takes_for_ever_is_given_up(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grep, "TIMEOUT_S", 1.0)
    folder = await a_folder(app)
    await put(app, folder, "a.txt", "a" * 60 + "b")
    await carried_out(app)
    state = await an_agent(app, folder)
    with pytest.raises(Invalid, match="longer than"):
        await matched(app, state.agent.id, Grep(pattern="(a+)+$"))


async def test_windows_hold_as_many_lines_as_there_is_room_for(app: App) -> None:
    folder = await a_folder(app)
    one = await put(app, folder, "a.txt", "".join(f"line {n}\n" for n in range(1, 5001)))
    await carried_out(app)

    def look(tx: Tx) -> list[tuple[int, int, bool]]:
        asked = ((1, None, 100), (2499, 2501, 10_000), (4999, None, 50), (3, 9, 1))
        windows = [
            file_text.window(tx, one.id, 5000, first, last, chars=chars)
            for first, last, chars in asked
        ]
        return [(each.first_line, each.last_line, each.is_cut) for each in windows]

    assert await app.database.read(LOCAL_ACTOR, look) == [
        (1, 13, True),
        (2499, 2501, False),
        (4999, 5000, False),
        (3, 3, True),
    ]
    state = await an_agent(app, folder)
    held = await app.database.read(LOCAL_ACTOR, lambda tx: agent_files.opened(tx, state.agent.id))
    assert [each.path for each in held] == ["f/a.txt"]
