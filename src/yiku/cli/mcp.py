"""`yiku mcp add | list | show | update | tools | refresh | test | run | remove`.

They are of this machine's database."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from yiku.app import mcp_servers
from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.running import local_settings, with_database
from yiku.cli.tool import arguments_of, variable_of
from yiku.core.errors import ToolNotFound
from yiku.core.mcp import Answered, Connection, Found, Lent, McpServer, Remote, Stdio, Transport
from yiku.core.tenant import LOCAL_ACTOR
from yiku.store.database import Database
from yiku.tools.mcp.servers import McpServers

T = TypeVar("T")
WIDTH = 70
FORMS = {"http": Transport.HTTP, "sse": Transport.SSE}


CONNECTION = (
    click.option("--server", "address", metavar="URL", help="An address, in place of a COMMAND."),
    click.option(
        "--transport",
        type=click.Choice(list(FORMS)),
        help="What is spoken at the address; default: http.",
    ),
    click.option(
        "--token", help="Sent as `Authorization: Bearer …`; `-`: read from standard input."
    ),
    click.option(
        "--header", "headers", multiple=True, metavar="NAME=VALUE", help="May be repeated."
    ),
    click.option(
        "--env", "variables", multiple=True, metavar="NAME=VALUE", help="May be repeated."
    ),
)


def connection_options(command: Callable[..., int]) -> Callable[..., int]:
    """How a server is reached."""
    return reduce(lambda done, option: option(done), reversed(CONNECTION), command)


@click.group(cls=Group)
def mcp() -> None:
    """Add, list, try and remove MCP servers of the local database: their tools are for agents."""


@mcp.command()
@click.argument("name")
@click.argument("command", nargs=-1)
@connection_options
@click.pass_obj
def add(
    asked: Asked,
    name: str,
    command: Sequence[str],
    address: str | None,
    transport: str | None,
    token: str | None,
    headers: Sequence[str],
    variables: Sequence[str],
) -> int:
    """Add the MCP server NAME: a program (its COMMAND, after `--`), or an address; read its
    tools."""
    if bool(command) == bool(address):
        raise click.UsageError("Give either a command after `--`, or --server with an address")
    if token == "-":
        token = sys.stdin.readline().strip()
    connection: Connection
    if address is None:
        env = dict(variable_of(one) for one in variables)
        connection = Stdio(command=found_from_here(command[0]), args=tuple(command[1:]), env=env)
    else:
        connection = Remote(
            transport=FORMS[transport or "http"],
            url=address,
            auth_token=token,
            headers=dict(variable_of(one) for one in headers),
        )

    async def work(servers: McpServers) -> tuple[McpServer, list[Lent]]:
        made = await servers.create(LOCAL_ACTOR, name, connection)
        return made, await servers.tools(LOCAL_ACTOR, made.id)

    return tell(asked, "added", *with_servers(asked, work))


@mcp.command()
@click.argument("name")
@click.argument("command", nargs=-1)
@click.option("--name", "new_name", metavar="NAME", help="Another name.")
@connection_options
@click.pass_obj
def update(
    asked: Asked,
    name: str,
    command: Sequence[str],
    new_name: str | None,
    address: str | None,
    transport: str | None,
    token: str | None,
    headers: Sequence[str],
    variables: Sequence[str],
) -> int:
    """Change what is given of the MCP server NAME, and read its tools again; the rest stays, its
    secrets too."""
    if command and (address or transport):
        raise click.UsageError("Give either a command after `--`, or --server with an address")
    if token == "-":
        token = sys.stdin.readline().strip()

    async def work(servers: McpServers) -> tuple[McpServer, list[Lent]]:
        there = await servers.named(LOCAL_ACTOR, name)
        seen = servers.shown(LOCAL_ACTOR, there)
        given: dict[str, Any] = {}
        if variables:
            given["env"] = {**getattr(seen, "env", {}), **dict(map(variable_of, variables))}
        if headers:
            given["headers"] = {**getattr(seen, "headers", {}), **dict(map(variable_of, headers))}
        if command:
            given |= {"command": found_from_here(command[0]), "args": tuple(command[1:])}
        if address is not None:
            given["url"] = address
        if token is not None:
            given["auth_token"] = token
        to = spoken(there.transport, command, address, transport)
        foreign = {"env"} if to is not Transport.STDIO else {"headers", "auth_token"}
        if wrong := sorted(foreign & given.keys()):
            raise click.UsageError(
                f"A server of the transport {to} has no {' and no '.join(wrong)}"
            )
        put = await servers.update(LOCAL_ACTOR, there.id, new_name, to, given)
        return put, await servers.tools(LOCAL_ACTOR, put.id)

    return tell(asked, "updated", *with_servers(asked, work))


def spoken(
    now: Transport, command: Sequence[str], address: str | None, transport: str | None
) -> Transport:
    """By a server that is changed."""
    if command:
        return Transport.STDIO
    if transport is not None:
        return FORMS[transport]
    return Transport.HTTP if address is not None and now is Transport.STDIO else now


def tell(asked: Asked, deed: str, one: McpServer, found: Sequence[Lent]) -> int:
    """Returns the exit code."""
    if asked.as_json:
        output.print_json({**public(one), "tools": [each.tool.name for each in found]})
    else:
        click.echo(f"{click.style(deed, fg='green')}  {one.name}  {one.id}")
        tell_tools(found)
    if one.problem is not None and not asked.as_json:
        click.secho(f"its tools can't be read: {one.problem}", fg="yellow", err=True)
    return 0 if one.problem is None else 1


def found_from_here(command: str) -> str:
    """A program in a folder is found from this one now, and from wherever Yiku runs later."""
    return str(Path(command).absolute()) if "/" in command else command


@mcp.command("list")
@click.pass_obj
def list_servers(asked: Asked) -> None:
    """Show the MCP servers there are, the oldest first."""
    found = with_servers(asked, lambda servers: servers.listed(LOCAL_ACTOR))
    if asked.as_json:
        output.print_json({"servers": [public(one) for one in found]})
        return
    output.print_table(
        ["name", "transport", "where", "state", "id"],
        (
            [
                one.name,
                one.transport.value,
                output.one_line(where(one), WIDTH),
                "ready" if one.problem is None else output.one_line(one.problem, WIDTH),
                one.id,
            ]
            for one in found
        ),
    )


@mcp.command()
@click.argument("name")
@click.pass_obj
def show(asked: Asked, name: str) -> None:
    """Show the MCP server NAME, or of this id: where it is, its state, and what it is given, by
    name alone where that is secret."""

    async def work(servers: McpServers) -> tuple[McpServer, list[Lent]]:
        there = await servers.named(LOCAL_ACTOR, name)
        return there, await servers.tools(LOCAL_ACTOR, there.id)

    one, found = with_servers(asked, work)
    given = sorted(one.config["names"])
    if asked.as_json:
        names = [each.tool.name for each in found]
        output.print_json({**public(one), "given": given, "tools": names})
        return
    click.echo(f"{one.name}  {one.transport.value}  {one.id}")
    click.echo(where(one))
    if given:
        click.echo(f"given: {', '.join(given)}")
    if one.problem is None:
        click.echo("ready")
    else:
        click.secho(output.visible(one.problem), fg="yellow")
    tell_tools(found)


@mcp.command()
@click.argument("name")
@click.pass_obj
def tools(asked: Asked, name: str) -> None:
    """Show the tools of the MCP server NAME, or of this id, as they were last read."""

    async def work(servers: McpServers) -> list[Lent]:
        return await servers.tools(LOCAL_ACTOR, (await servers.named(LOCAL_ACTOR, name)).id)

    found = with_servers(asked, work)
    if asked.as_json:
        output.print_json({"tools": [told(one) for one in found]})
        return
    output.print_table(
        ["name", "for", "id"],
        (
            [one.tool.name, output.one_line(one.tool.description, WIDTH), one.tool.id]
            for one in found
        ),
        whole=["name"],
    )
    for one in found:
        for problem in one.of.problems:
            click.secho(f"{one.tool.name}: {output.visible(problem)}", fg="yellow", err=True)


@mcp.command()
@click.argument("name")
@click.pass_obj
def refresh(asked: Asked, name: str) -> None:
    """Read the tools of the MCP server NAME again; those it has no more are deleted."""

    async def work(servers: McpServers) -> Any:
        return await servers.refresh(LOCAL_ACTOR, (await servers.named(LOCAL_ACTOR, name)).id)

    synced = with_servers(asked, work)
    changes = {"added": synced.added, "updated": synced.updated, "deleted": synced.deleted}
    if asked.as_json:
        output.print_json({kind: list(names) for kind, names in changes.items()})
        return
    for kind, names in changes.items():
        for one in names:
            click.echo(f"{click.style(kind, fg='green')}  {one}")
    if not any(changes.values()):
        click.echo("nothing has changed")


@mcp.command()
@click.argument("name")
@click.pass_obj
def test(asked: Asked, name: str) -> int:
    """Connect to the MCP server NAME and ask for its tools; nothing is stored. Exit code 5 where
    that fails."""

    async def work(servers: McpServers) -> tuple[list[Found], float]:
        server, began = await servers.named(LOCAL_ACTOR, name), time.monotonic()
        return await servers.listing(LOCAL_ACTOR, server), time.monotonic() - began

    found, took_s = with_servers(asked, work)
    names = [one.remote_name for one in found]
    problems = {one.remote_name: list(one.problems) for one in found if one.problems}
    if asked.as_json:
        output.print_json({"tools": names, "problems": problems, "took_s": round(took_s, 3)})
        return 0
    click.echo(f"{click.style('answers', fg='green')}  {len(names)} tools, {took_s:.1f} s")
    for tool, words in problems.items():
        click.secho(f"{tool}: {output.visible('; '.join(words))}", fg="yellow", err=True)
    return 0


@mcp.command()
@click.argument("name")
@click.argument("tool")
@click.option("--args", "arguments", default="{}", help='Its arguments: \'{"city": "北京"}\'.')
@click.pass_obj
def run(asked: Asked, name: str, tool: str, arguments: str) -> int:
    """Call TOOL of the MCP server NAME, and print what it answers. Exit code 1 where it says that
    it failed, 5 where the server can't be reached."""
    given = arguments_of(arguments)

    async def work(servers: McpServers) -> Answered:
        server = await servers.named(LOCAL_ACTOR, name)
        there = await servers.tools(LOCAL_ACTOR, server.id)
        for one in there:
            if tool in (one.tool.name, one.of.remote_name, one.tool.id):
                return await servers.run(LOCAL_ACTOR, server.id, one.tool.id, given)
        names = ", ".join(one.tool.name for one in there) or "none"
        raise ToolNotFound(f"The MCP server {server.name!r} has no tool {tool!r}; it has {names}.")

    answered = with_servers(asked, work)
    if asked.as_json:
        output.print_json({"ok": answered.ok, "text": answered.text})
    else:
        click.echo(output.visible(answered.text), err=not answered.ok)
    return 0 if answered.ok else 1


@mcp.command()
@click.argument("name")
@click.pass_obj
def remove(asked: Asked, name: str) -> None:
    """Remove the MCP server NAME, or of this id, with its tools; agents lose them."""

    async def work(servers: McpServers) -> McpServer:
        return await servers.delete(LOCAL_ACTOR, (await servers.named(LOCAL_ACTOR, name)).id)

    gone = with_servers(asked, work)
    if asked.as_json:
        output.print_json({"removed": gone.id, "name": gone.name})
    else:
        click.echo(f"{click.style('removed', fg='green')}  {gone.name}  {gone.id}")


def with_servers(asked: Asked, work: Callable[[McpServers], Awaitable[T]]) -> T:
    settings = local_settings(asked)

    async def run(database: Database) -> T:
        servers = mcp_servers(settings, database)
        try:
            return await work(servers)
        finally:
            await servers.pool.close()

    return with_database(asked, run)


def where(one: McpServer) -> str:
    """The command or address, without secrets."""
    if one.transport is Transport.STDIO:
        return " ".join([one.config["command"], *one.config["args"]])
    return one.config["url"]


def public(one: McpServer) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "transport": one.transport.value,
        "where": where(one),
        "problem": one.problem,
        "synced_at": None if one.synced_at is None else one.synced_at.isoformat(),
        "created_at": one.created_at.isoformat(),
    }


def told(one: Lent) -> dict[str, Any]:
    return {
        "id": one.tool.id,
        "name": one.tool.name,
        "server_name": one.of.remote_name,
        "description": one.tool.description,
        "parameters": dict(one.tool.json_schema["parameters"]),
        "problems": list(one.of.problems),
    }


def tell_tools(found: Sequence[Lent]) -> None:
    for one in found:
        click.echo(f"  {one.tool.name}  {output.one_line(one.tool.description, WIDTH)}")
