"""`yiku mcp add | list | show | update | tools | refresh | test | run | remove`.

They are of this machine's database, or a server's; `test` is of this machine alone."""

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
from yiku.cli.mcp_show import WIDTH, facts_of, given_of, public, tell, tell_tools, told, where
from yiku.cli.options import Asked, Group
from yiku.cli.running import is_remote, local_settings, with_database, with_memory
from yiku.cli.tool import arguments_of, variable_of
from yiku.client.calls import asked_for
from yiku.client.tools import McpClient
from yiku.core.errors import ToolNotFound
from yiku.core.mcp import Answered, Found, Transport
from yiku.core.tenant import LOCAL_ACTOR
from yiku.server.v1.wire_mcp import RefreshOut, ServerOut
from yiku.server.v1.wire_tools import ToolOut
from yiku.store.database import Database
from yiku.tools.mcp.servers import McpServers

T = TypeVar("T")
FORMS = {"http": Transport.HTTP, "sse": Transport.SSE}
OPTIONS = {"env": "--env", "custom_headers": "--header", "auth_token": "--token"}

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
    """Add, list, try and remove MCP servers: their tools are for agents."""


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
    config: dict[str, Any]
    if address is None:
        if wrong := [*(["token"] if token else []), *(["header"] if headers else [])]:
            raise click.UsageError(f"A program has no --{' and no --'.join(wrong)}")
        config = {
            "mcp_server_type": Transport.STDIO.value,
            "command": program(asked, command[0]),
            "args": [*command[1:]],
            "env": dict(map(variable_of, variables)),
        }
    else:
        if variables:
            raise click.UsageError("An address has no --env; --header is what it is sent")
        config = {
            "mcp_server_type": FORMS[transport or "http"].value,
            "server_url": address,
            "auth_token": token,
            "custom_headers": dict(map(variable_of, headers)),
        }

    async def work(servers: McpClient) -> tuple[ServerOut, list[ToolOut]]:
        made = await servers.create(name, asked_for(config))
        return made, await servers.tools(made.id)

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

    async def work(servers: McpClient) -> tuple[ServerOut, list[ToolOut]]:
        there = await servers.get(name)
        given: dict[str, Any] = {}
        if variables:
            given["env"] = {**given_of(there), **dict(map(variable_of, variables))}
        if headers:
            given["custom_headers"] = {**given_of(there), **dict(map(variable_of, headers))}
        if command:
            given |= {"command": program(asked, command[0]), "args": [*command[1:]]}
        if address is not None:
            given["server_url"] = address
        if token is not None:
            given["auth_token"] = token
        to = spoken(Transport(there.mcp_server_type), command, address, transport)
        foreign = {"env"} if to is not Transport.STDIO else {"custom_headers", "auth_token"}
        if wrong := sorted(OPTIONS[one] for one in foreign & given.keys()):
            raise click.UsageError(
                f"A server of the transport {to} has no {' and no '.join(wrong)}"
            )
        config = {"mcp_server_type": to.value, **given}
        put = await servers.update(there.id, config, name=new_name)
        return put, await servers.tools(put.id)

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


def program(asked: Asked, command: str) -> str:
    """One in a folder of this machine is found from here now, and from wherever Yiku runs later."""
    return command if is_remote(asked) or "/" not in command else str(Path(command).absolute())


@mcp.command("list")
@click.pass_obj
def list_servers(asked: Asked) -> None:
    """Show the MCP servers there are, the oldest first."""
    found = with_servers(asked, lambda servers: servers.list())
    if asked.as_json:
        output.print_json({"servers": [public(one) for one in found]})
        return
    output.print_table(
        ["name", "transport", "where", "state", "id"],
        (
            [
                one.server_name,
                one.mcp_server_type,
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

    async def work(servers: McpClient) -> tuple[ServerOut, list[ToolOut]]:
        there = await servers.get(name)
        return there, await servers.tools(there.id)

    one, found = with_servers(asked, work)
    given = sorted(given_of(one))
    if asked.as_json:
        output.print_json({**public(one), "given": given, "tools": [each.name for each in found]})
        return
    click.echo(f"{one.server_name}  {one.mcp_server_type}  {one.id}")
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

    async def work(servers: McpClient) -> list[ToolOut]:
        return await servers.tools((await servers.get(name)).id)

    found = with_servers(asked, work)
    if asked.as_json:
        output.print_json({"tools": [told(one) for one in found]})
        return
    output.print_table(
        ["name", "for", "id"],
        ([one.name, output.one_line(one.description, WIDTH), one.id] for one in found),
        whole=["name"],
    )
    for one in found:
        for problem in facts_of(one).get("schema_problems", ()):
            click.secho(f"{one.name}: {output.visible(problem)}", fg="yellow", err=True)


@mcp.command()
@click.argument("name")
@click.pass_obj
def refresh(asked: Asked, name: str) -> None:
    """Read the tools of the MCP server NAME again; those it has no more are deleted."""

    async def work(servers: McpClient) -> RefreshOut:
        return await servers.refresh((await servers.get(name)).id)

    changes = with_servers(asked, work).model_dump()
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
    """Connect to the MCP server NAME from here and ask for its tools; nothing is stored. Exit code
    5 where that fails."""
    if is_remote(asked):
        raise click.UsageError(
            "This connects from this machine: run it on the server's, without a URL;"
            f" `yiku mcp refresh {name}` has the server connect",
            click.get_current_context(),
        )

    async def work(servers: McpServers) -> tuple[list[Found], float]:
        server, began = await servers.named(LOCAL_ACTOR, name), time.monotonic()
        return await servers.listing(LOCAL_ACTOR, server), time.monotonic() - began

    found, took_s = with_servers_here(asked, work)
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

    async def there(servers: McpClient) -> Answered:
        server = await servers.get(name)
        lent = await servers.tools(server.id)
        for one in lent:
            if tool in (one.name, facts_of(one).get("tool_name"), one.id):
                ended = await servers.call(server.id, one.id, given)
                return Answered(text=str(ended.func_return), ok=ended.status == "success")
        raise no_tool(server.server_name, tool, [one.name for one in lent])

    async def here(servers: McpServers) -> Answered:
        server = await servers.named(LOCAL_ACTOR, name)
        lent = await servers.tools(LOCAL_ACTOR, server.id)
        for one in lent:
            if tool in (one.tool.name, one.of.remote_name, one.tool.id):
                return await servers.run(LOCAL_ACTOR, server.id, one.tool.id, given)
        raise no_tool(server.name, tool, [one.tool.name for one in lent])

    # A server tells in words that it can't be reached; here it is an error of its own.
    answered = with_servers(asked, there) if is_remote(asked) else with_servers_here(asked, here)
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

    async def work(servers: McpClient) -> ServerOut:
        one = await servers.get(name)
        await servers.delete(one.id)
        return one

    gone = with_servers(asked, work)
    if asked.as_json:
        output.print_json({"removed": gone.id, "name": gone.server_name})
    else:
        click.echo(f"{click.style('removed', fg='green')}  {gone.server_name}  {gone.id}")


def with_servers(asked: Asked, work: Callable[[McpClient], Awaitable[T]]) -> T:
    return with_memory(asked, lambda memory: work(memory.mcp_servers))


def with_servers_here(asked: Asked, work: Callable[[McpServers], Awaitable[T]]) -> T:
    settings = local_settings(asked)

    async def run(database: Database) -> T:
        servers = mcp_servers(settings, database)
        try:
            return await work(servers)
        finally:
            await servers.pool.close()

    return with_database(asked, run)


def no_tool(server: str, tool: str, there: Sequence[str]) -> ToolNotFound:
    names = ", ".join(there) or "none"
    return ToolNotFound(f"The MCP server {server!r} has no tool {tool!r}; it has {names}.")
