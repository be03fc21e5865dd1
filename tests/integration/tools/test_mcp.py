"""MCP servers: real ones, ours and others', that answer, hang, die, and say too much."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fixtures.mcp import CLOCK, everything, old_program, process, program, serving_tools
from tests.servers import mcp_tools
from yiku.core.errors import McpUnavailable, NotAllowed, SecretUnreadable, ToolNotFound
from yiku.core.mcp import Answered, Connection, McpServer, Remote, Stdio, Transport
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION, Scope
from yiku.core.tool import Tool
from yiku.store import tools
from yiku.store.database import Tx, open_database
from yiku.store.every_table import metadata
from yiku.store.vault import Vault
from yiku.tools.mcp import program as programs
from yiku.tools.mcp.allowed import Allowed
from yiku.tools.mcp.connect import Limits
from yiku.tools.mcp.pool import Pool
from yiku.tools.mcp.program import Tail
from yiku.tools.mcp.servers import McpServers
from yiku.tools.outside import Address

QUICK = Limits(timeout_s=30, max_bytes=200_000)


@asynccontextmanager
async def opened(
    url: str, home: Path, limits: Limits = QUICK, *, stdio: bool = True, key: str | None = None
) -> AsyncIterator[McpServers]:
    database = await open_database(url, busy_timeout_s=10, auto_migrate=True)
    pool = Pool(limits)
    try:
        yield McpServers(database, Vault(key, home / "secret.key"), pool, stdio)
    finally:
        await pool.close()
        await database.close()


ON_BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
"""What is stored is asked of both databases; what sessions do, of the one that is there at once."""


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_with_tables")


@pytest.fixture
async def servers(database_url: str, tmp_path: Path) -> AsyncIterator[McpServers]:
    async with opened(database_url, tmp_path) as found:
        yield found


async def added(servers: McpServers, connection: Connection, name: str = "one") -> McpServer:
    made = await servers.create(LOCAL_ACTOR, name, connection)
    assert made.problem is None
    assert made.synced_at is not None
    return made


async def by_name(servers: McpServers, server: McpServer) -> dict[str, Tool]:
    found = await servers.tools(LOCAL_ACTOR, server.id)
    return {one.tool.name: one.tool for one in found}


async def call(servers: McpServers, server: McpServer, name: str, **arguments: Any) -> Answered:
    tool = (await by_name(servers, server))[name]
    return await servers.run(LOCAL_ACTOR, server.id, tool.id, arguments)


@ON_BOTH
async def test_servers_from_the_registries_lend_their_tools(servers: McpServers) -> None:
    clock = await added(servers, CLOCK, "clock")
    asked = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Shanghai"}
    assert "T20:00" in (await call(servers, clock, "convert_time", **asked)).text
    wrong = await call(servers, clock, "get_current_time", timezone="Mars/Olympus")
    assert not wrong.ok
    assert "Mars/Olympus" in wrong.text

    every = await added(servers, everything(), "everything")
    there = await by_name(servers, every)
    assert {"echo", "get-sum"} <= there.keys()
    assert "茶" in (await call(servers, every, "echo", message="茶")).text
    assert "5" in (await call(servers, every, "get-sum", a=2, b=3)).text
    picture = await call(servers, every, "get-tiny-image")
    assert "[image: image/png," in picture.text
    linked = await call(servers, every, "get-structured-content", location="New York")
    assert linked.ok


@pytest.mark.parametrize("kind", ["sse", "http"])
async def test_a_server_at_an_address_is_sent_its_token(servers: McpServers, kind: str) -> None:
    async with serving_tools(kind) as address:
        secret = replace(address, auth_token="{{ TOKEN | t0p }}", headers={"X-Team": "tea"})
        server = await added(servers, secret)
        assert (await call(servers, server, "echo", text="茶")).text == "茶"
        assert (await call(servers, server, "header", text="x-team")).text == "tea"
        token = await call(servers, server, "header", text="authorization")
        assert token.text == "Bearer t0p"
        one = (await by_name(servers, server))["header"]
        of_agent = await servers.call(
            LOCAL_ACTOR, one, {"text": "authorization"}, {"TOKEN": "Basic of-the-agent"}
        )
        assert of_agent.text == "Basic of-the-agent"
        await servers.pool.close()


async def test_a_program_sees_its_variables_and_no_secret_of_ours(
    servers: McpServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIKU_SECRET_KEY", "k" * 32)
    server = await added(servers, program(TEAM="tea"))
    assert (await call(servers, server, "variable", text="TEAM")).text == "tea"
    assert (await call(servers, server, "variable", text="YIKU_SECRET_KEY")).text == "none"


async def test_one_session_serves_many_calls(servers: McpServers) -> None:
    server = await added(servers, program())
    pids = await asyncio.gather(*(call(servers, server, "pid") for _ in range(8)))
    assert len({one.text for one in pids}) == 1
    pid = int(pids[0].text)
    await servers.pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_who_is_left_behind_by_a_program_keeps_none_of_our_files_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has left the program's session, and still has its output."""
    monkeypatch.setattr(programs, "PATIENCE_S", 0.5)
    pid = tmp_path / "pid"
    leaves = f"""
import subprocess, sys
left = subprocess.Popen(["sleep", "600"], start_new_session=True)
open({str(pid)!r}, "w").write(str(left.pid))
print("here", flush=True)
sys.stdin.read()
"""
    tail = Tail()
    before = len(os.listdir("/dev/fd"))
    stdio = Stdio(command=sys.executable, args=("-c", leaves))
    async with programs.running(stdio, tail, 1000, lambda: None):
        async with asyncio.timeout(60):
            while str(tail) != "here":  # noqa: ASYNC110 - what isn't a message rings no bell
                await asyncio.sleep(0.01)
        assert len(os.listdir("/dev/fd")) > before
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert len(os.listdir("/dev/fd")) == before


async def test_a_program_that_dies_is_told_of_and_started_again(servers: McpServers) -> None:
    server = await added(servers, program())
    first = int((await call(servers, server, "pid")).text)
    with pytest.raises(McpUnavailable) as died:
        await call(servers, server, "die")
    assert "may or may not have taken effect" in died.value.message
    assert "memory is full of 茶" in died.value.message
    assert "可能已经生效" in died.value.told("zh")
    second = int((await call(servers, server, "pid")).text)
    assert second != first

    os.kill(second, signal.SIGKILL)  # between two calls nothing is lost
    async with asyncio.timeout(60):
        while True:
            try:
                third = int((await call(servers, server, "pid")).text)
                break
            except McpUnavailable:
                continue
    assert third not in (first, second)


async def test_a_call_that_hangs_ends(database_url: str, tmp_path: Path) -> None:
    """Of a program that starts at once: the limit is for the start, too."""
    file = tmp_path / "tools.json"
    file.write_text(listed({"name": "hang"}, {"name": "tell"}))
    async with opened(database_url, tmp_path, Limits(timeout_s=3)) as servers:
        server = await added(servers, old_program(MCP_TOOLS=str(file)))
        with pytest.raises(McpUnavailable) as late:
            await call(servers, server, "hang")
        assert "no answer within 3 s (YIKU_MCP_TIMEOUT_S)" in late.value.message
        assert (await call(servers, server, "tell")).text == "told"


@pytest.mark.parametrize("kind", ["stdio", "sse", "http"])
async def test_an_answer_that_is_too_large_ends_the_call_alone(
    servers: McpServers, kind: str
) -> None:
    async def tried(connection: Connection) -> None:
        server = await added(servers, connection)
        assert len((await call(servers, server, "big", count=150_000)).text) == 150_000
        with pytest.raises(McpUnavailable) as large:
            await call(servers, server, "big", count=2_000_000)
        assert "YIKU_MCP_MAX_BYTES" in large.value.message
        assert (await call(servers, server, "echo", text="on")).text == "on"

    if kind == "stdio":
        await tried(program())
        return
    async with serving_tools(kind) as address:
        await tried(address)
        await servers.pool.close()


async def test_what_a_tool_says_of_itself_is_its_answer(servers: McpServers) -> None:
    server = await added(servers, program())
    assert await call(servers, server, "fail") == Answered(text="no such luck", ok=False)
    assert (await call(servers, server, "picture")).text == "[image: image/png, 6 bytes]"


@ON_BOTH
async def test_a_server_that_is_not_there_is_kept_with_the_problem(
    servers: McpServers, free_port: int
) -> None:
    nobody = Remote(transport=Transport.HTTP, url=f"http://127.0.0.1:{free_port}/mcp")
    server = await servers.create(LOCAL_ACTOR, "nobody", nobody)
    assert server.problem is not None
    assert server.synced_at is None
    with pytest.raises(McpUnavailable, match="'nobody' can't be reached"):
        await servers.refresh(LOCAL_ACTOR, server.id)
    missing = await servers.create(LOCAL_ACTOR, "missing", Stdio(command="no-such-program"))
    assert "there is no command 'no-such-program'" in str(missing.problem)
    leaving = await servers.create(
        LOCAL_ACTOR, "leaving", Stdio(command="sh", args=("-c", "echo wrong key >&2; exit 1"))
    )
    assert "it wrote: wrong key" in str(leaving.problem)


@pytest.mark.parametrize("kind", ["sse", "http"])
async def test_a_private_address_is_reached_only_where_the_setting_says_so(
    database_url: str, tmp_path: Path, kind: str
) -> None:
    private = replace(QUICK, private=False)
    async with serving_tools(kind) as there, opened(database_url, tmp_path, private) as servers:
        for n, host in enumerate(("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]")):
            one = replace(there, url=there.url.replace("127.0.0.1", host))
            server = await servers.create(LOCAL_ACTOR, f"one {n}", one)
            assert "only public ones are reached. (YIKU_MCP_PRIVATE)" in str(server.problem), host


async def test_the_address_that_was_looked_at_is_the_one_that_is_reached() -> None:
    heads: list[bytes] = []

    async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    asked: list[Address] = []

    def first(address: Address) -> bool:
        asked.append(address)
        return True

    async with (
        await asyncio.start_server(told, "127.0.0.1", 0) as server,
        httpx2.AsyncClient(transport=Allowed(first)) as client,
    ):
        port = server.sockets[0].getsockname()[1]
        answer = await client.get(f"http://2130706433:{port}/mcp?a=1")
    assert answer.status_code == 200
    assert asked == [ip_address("127.0.0.1")]
    assert heads[0].startswith(b"GET /mcp?a=1 ")
    assert f"\r\nHost: 2130706433:{port}\r\n".lower().encode() in heads[0].lower()


async def test_a_server_that_was_killed_is_found_again(servers: McpServers, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}/mcp"
    with process(free_port):
        server = await added(servers, Remote(transport=Transport.HTTP, url=url))
        assert (await call(servers, server, "echo", text="a")).text == "a"
    with pytest.raises(McpUnavailable):
        await call(servers, server, "echo", text="b")
    with process(free_port):
        assert (await call(servers, server, "echo", text="c")).text == "c"


def listed(*tools: dict[str, Any]) -> str:
    return json.dumps([{"inputSchema": {"type": "object"}, **one} for one in tools])


@ON_BOTH
async def test_a_refresh_follows_the_servers_list(servers: McpServers, tmp_path: Path) -> None:
    file = tmp_path / "tools.json"
    file.write_text(listed({"name": "a", "description": "1"}, {"name": "b"}, {"name": "c"}))
    server = await added(servers, program(MCP_TOOLS=str(file)))
    before = await by_name(servers, server)
    assert list(before) == ["a", "b", "c"]

    file.write_text(listed({"name": "a", "description": "2"}, {"name": "b"}, {"name": "d"}))
    synced = await servers.refresh(LOCAL_ACTOR, server.id)
    assert (synced.added, synced.updated, synced.deleted) == (("d",), ("a",), ("c",))
    after = await by_name(servers, server)
    assert {name: one.id for name, one in after.items() if name in before} == {
        "a": before["a"].id,
        "b": before["b"].id,
    }
    assert (before["a"].description, after["a"].description) == ("1", "2")
    again = await servers.refresh(LOCAL_ACTOR, server.id)
    assert (again.added, again.updated, again.deleted) == ((), (), ())
    with pytest.raises(ToolNotFound, match="refresh"):
        await servers.call(LOCAL_ACTOR, before["c"], {})

    file.write_text("[")
    with pytest.raises(McpUnavailable):
        await servers.refresh(LOCAL_ACTOR, server.id)
    assert (await by_name(servers, server)).keys() == after.keys()
    assert (await servers.get(LOCAL_ACTOR, server.id)).problem is not None


@pytest.mark.parametrize("kind", ["old", "stdio", "sse", "http"])
async def test_tools_are_read_again_when_the_server_says_so(
    servers: McpServers, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, however often it says so at once; by the protocol's old way and by its new one."""
    file = tmp_path / "tools.json"
    monkeypatch.setenv("MCP_TOOLS", str(file))
    file.write_text(listed({"name": "tell"}, {"name": "before"}))

    async def tried(connection: Connection) -> None:
        server = await added(servers, connection)
        kept = (await by_name(servers, server))["tell"].id
        file.write_text(listed({"name": "tell"}, {"name": "after"}))
        mcp_tools.listings.clear()
        told = await asyncio.gather(*(call(servers, server, "tell") for _ in range(5)))
        assert {one.text for one in told} == {"told"}

        async def read_again() -> bool:
            return "after" in await by_name(servers, server)

        async with asyncio.timeout(60):
            while not await read_again():  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(0.05)
        there = await by_name(servers, server)
        assert there.keys() == {"tell", "after"}
        assert there["tell"].id == kept
        await servers.pool.close()

    if kind in ("old", "stdio"):
        begun = old_program if kind == "old" else program
        await tried(begun(MCP_TOOLS=str(file)))
        return
    async with serving_tools(kind) as address:
        await tried(address)
    assert len(mcp_tools.listings) == 1


@ON_BOTH
async def test_names_that_are_taken_or_no_names_are_changed(
    servers: McpServers, tmp_path: Path
) -> None:
    file = tmp_path / "tools.json"
    file.write_text(listed({"name": "files/read.all"}, {"name": "search"}, {"name": "搜索"}))
    one = await added(servers, program(MCP_TOOLS=str(file)), "one")
    assert list(await by_name(servers, one)) == ["files_read_all", "search", "tool"]
    other = await added(servers, program(MCP_TOOLS=str(file)), "the other")
    assert list(await by_name(servers, other)) == [
        "the_other_files_read_all",
        "the_other_search",
        "the_other_tool",
    ]
    await servers.delete(LOCAL_ACTOR, one.id)
    there = await servers.database.read(
        LOCAL_ACTOR, lambda tx: tools.by_name(tx, ["search", "the_other_search"])
    )
    assert list(there) == ["the_other_search"]


@ON_BOTH
async def test_a_schema_that_is_none_is_mended_and_told_of(
    servers: McpServers, tmp_path: Path
) -> None:
    file = tmp_path / "tools.json"
    broken = {"type": "object", "properties": {"n": {"type": "int"}}, "required": ["n", "m"]}
    file.write_text(listed({"name": "a", "inputSchema": broken}))
    server = await added(servers, program(MCP_TOOLS=str(file)))
    [one] = await servers.tools(LOCAL_ACTOR, server.id)
    assert one.tool.json_schema["parameters"] == {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
    }
    assert [words.split(":")[0] for words in one.of.problems] == ["inputSchema.n", "inputSchema"]
    assert one.tool.metadata["mcp"]["schema_problems"] == list(one.of.problems)


@ON_BOTH
async def test_programs_are_for_admins_where_they_are_allowed(
    servers: McpServers, database_url: str, tmp_path: Path
) -> None:
    writer = replace(LOCAL_ACTOR, scope=Scope.WRITE)
    with pytest.raises(NotAllowed, match="scope admin"):
        await servers.create(writer, "x", program())
    server = await added(servers, program(KEY="s3cret"))
    for act in (
        servers.update(writer, server.id, "y", Transport.STDIO, {}),
        servers.update(writer, server.id, None, Transport.HTTP, {"url": "http://127.0.0.1:9/"}),
        servers.delete(writer, server.id),
    ):
        with pytest.raises(NotAllowed, match="scope admin"):
            await act
    assert (await call(servers, server, "variable", text="KEY")).text == "s3cret"
    shown = servers.shown(writer, server)
    assert isinstance(shown, Stdio)
    assert shown.env == {"KEY": ""}

    async with opened(database_url, tmp_path, stdio=False) as careful:
        with pytest.raises(NotAllowed, match="YIKU_MCP_STDIO=true"):
            await careful.create(LOCAL_ACTOR, "x", program())
        with pytest.raises(NotAllowed, match="YIKU_MCP_STDIO=true"):
            await call(careful, server, "pid")


@ON_BOTH
async def test_secrets_are_not_in_the_database(
    servers: McpServers, database_url: str, tmp_path: Path
) -> None:
    remote = Remote(
        transport=Transport.HTTP,
        url="http://user:pa55word@127.0.0.1:9/mcp?key=qu3ry",
        auth_token="t0ken",
        headers={"X-Key": "h3ader"},
    )
    server = await servers.create(LOCAL_ACTOR, "remote", remote)
    assert servers.shown(LOCAL_ACTOR, server) == remote
    reader = servers.shown(replace(LOCAL_ACTOR, scope=Scope.READ), server)
    assert reader == Remote(
        transport=Transport.HTTP,
        url="http://127.0.0.1:9/mcp",
        auth_token="",
        headers={"X-Key": ""},
    )
    stored = await all_that_is_stored(servers)
    for secret in (b"pa55word", b"qu3ry", b"t0ken", b"h3ader"):
        assert secret not in stored
    assert b"remote" in stored
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600

    async with opened(database_url, tmp_path, key="another key " * 3) as foreign:
        assert foreign.shown(LOCAL_ACTOR, server) == reader
        with pytest.raises(SecretUnreadable, match="another key than this server's"):
            await foreign.refresh(LOCAL_ACTOR, server.id)
        mended = await foreign.update(
            LOCAL_ACTOR, server.id, None, Transport.HTTP, {"auth_token": "new"}
        )
        told = foreign.shown(LOCAL_ACTOR, mended)
        assert isinstance(told, Remote)
        assert told.auth_token == "new"
    assert server.organization_id == LOCAL_ORGANIZATION


async def all_that_is_stored(servers: McpServers) -> bytes:
    """SQLite's files, byte by byte; every row that Postgres has."""
    url = servers.database.url
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        return b"".join(one.read_bytes() for one in path.parent.glob("yiku.db*") if one.is_file())

    def rows(tx: Tx) -> str:
        every = [
            tx.connection.exec_driver_sql(f'SELECT one::text FROM "{name}" one').scalars().all()
            for name in metadata.tables
        ]
        return str(every)

    return (await servers.database.read(LOCAL_ACTOR, rows)).encode()
