"""`yiku tool add | list | show | run | remove`: on this machine's database, or on a server."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from yiku.app import sandbox_limits, toolbox
from yiku.cli import output
from yiku.cli.options import Asked, Group, decoded
from yiku.cli.running import is_remote, local_settings, with_database, with_memory
from yiku.client.memory import MemoryClient
from yiku.core.errors import InvalidTool
from yiku.core.tenant import LOCAL_ACTOR
from yiku.core.tool import (
    Killed,
    OutOfMemory,
    OutputTooLarge,
    Raised,
    Ran,
    Returned,
    TimedOut,
    Tool,
    ToolDraft,
    ToolFilter,
    ToolPage,
)
from yiku.server.v1.wire_tools import ToolOut, ToolReturnOut
from yiku.tools.registry import Toolbox, reason, shown
from yiku.tools.sandbox import sandbox

T = TypeVar("T")
WIDTH = 70
SAID = {
    "id",
    "name",
    "description",
    "tool_type",
    "source_type",
    "source_code",
    "json_schema",
    "tags",
}
"""What `--json` has of a tool, wherever it is."""


@click.group(cls=Group)
def tool() -> None:
    """Add, list, show, run and remove custom tools."""


@tool.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tag", "tags", multiple=True, help="A tag; may be repeated.")
@click.option("--replace", is_flag=True, help="Put it in the place of the tool of its name.")
@click.pass_obj
def add(asked: Asked, file: Path, tags: Sequence[str], replace: bool) -> None:
    """Make a tool of the last public function in FILE."""
    code = decoded(file.read_bytes(), str(file))
    if is_remote(asked):
        sent = with_memory(
            asked, lambda memory: memory.tools.create(code, replace=replace, tags=[*tags])
        )
        made = sent_out(sent)
    else:
        draft = ToolDraft(source_code=code, tags=tags)
        here = with_tools(
            asked, lambda box: (box.upsert if replace else box.create)(LOCAL_ACTOR, draft)
        )
        made = public(here)
    if asked.as_json:
        output.print_json(made)
    else:
        click.echo(f"{click.style('added', fg='green')}  {made['name']}  {made['id']}")


@tool.command("list")
@click.option("--search", help="Only tools with this in their name.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@click.pass_obj
def list_tools(asked: Asked, search: str | None, limit: int) -> None:
    """Show the tools there are, the oldest first."""
    if is_remote(asked):
        sent = with_memory(asked, lambda memory: memory.tools.list(search=search, limit=limit))
        found = [sent_out(one) for one in sent]
    else:
        wanted, page = ToolFilter(name_has=search), ToolPage(limit=limit)
        here = with_tools(asked, lambda box: box.listed(LOCAL_ACTOR, wanted, page))
        found = [public(one) for one in here]
    if asked.as_json:
        output.print_json({"tools": found})
        return
    output.print_table(
        ["name", "for", "type", "id"],
        (
            [one["name"], output.one_line(one["description"], WIDTH), one["tool_type"], one["id"]]
            for one in found
        ),
        whole=["name"],  # it is what agents call it
    )


@tool.command()
@click.argument("name")
@click.pass_obj
def show(asked: Asked, name: str) -> None:
    """Show the tool NAME, or of this id: its schema and its source."""
    if is_remote(asked):
        found = sent_out(with_memory(asked, lambda memory: memory.tools.get(name)))
    else:
        found = public(with_tools(asked, lambda box: box.named(LOCAL_ACTOR, name)))
    if asked.as_json:
        output.print_json(found)
        return
    click.secho(f"{found['name']}  {found['id']}", bold=True)
    click.echo(output.visible(json.dumps(found["json_schema"], ensure_ascii=False, indent=2)))
    if found["source_code"]:
        click.echo(f"\n{output.visible(found['source_code'])}")


@tool.command()
@click.argument("name")
@click.option("--args", "arguments", default="{}", help='Its arguments: \'{"city": "北京"}\'.')
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.pass_obj
def run(asked: Asked, name: str, arguments: str, variables: Sequence[str]) -> int:
    """Run the tool NAME in the sandbox, and print what it returns; what it prints, on stderr."""
    given = arguments_of(arguments)
    environment = dict(variable_of(one) for one in variables)
    if is_remote(asked):
        return run_there(asked, name, given, environment)

    async def work(box: Toolbox) -> tuple[Tool, Ran]:
        one = await box.named(LOCAL_ACTOR, name)
        return one, await box.run(LOCAL_ACTOR, one, given, environment)

    one, ran = with_tools(asked, work)
    returned = isinstance(ran.outcome, Returned)
    if asked.as_json:
        output.print_json(told(ran))
        return 0 if returned else 1
    for text in filter(None, (ran.stdout, ran.stderr)):
        click.echo(output.visible(text).rstrip("\n"), err=True)
    if returned:
        click.echo(output.visible(shown(one, ran) or ""))
        return 0
    click.secho(f"error: {output.visible(reason(ran))}", fg="red", err=True)
    return 1


@tool.command()
@click.argument("name")
@click.pass_obj
def remove(asked: Asked, name: str) -> None:
    """Remove the tool NAME, or of this id."""

    async def here(box: Toolbox) -> Tool:
        one = await box.named(LOCAL_ACTOR, name)
        await box.delete(LOCAL_ACTOR, one.id)
        return one

    async def there(memory: MemoryClient) -> ToolOut:
        one = await memory.tools.get(name)
        await memory.tools.delete(one.id)
        return one

    gone = with_memory(asked, there) if is_remote(asked) else with_tools(asked, here)
    if asked.as_json:
        output.print_json({"removed": gone.id, "name": gone.name})
    else:
        click.echo(f"{click.style('removed', fg='green')}  {gone.name}  {gone.id}")


def run_there(
    asked: Asked, name: str, given: Mapping[str, Any], environment: Mapping[str, str]
) -> int:
    """In a server's sandbox, which tells how it ended in words. Returns the exit code."""

    async def work(memory: MemoryClient) -> ToolReturnOut:
        one = await memory.tools.get(name)
        if not one.source_code:
            raise InvalidTool(f"`{name}` has no code that could be run alone.")
        return await memory.tools.run_code(one, given, environment)

    ran = with_memory(asked, work)
    returned = ran.status == "success"
    if asked.as_json:
        ended = {"outcome": "returned", "returned": ran.tool_return}
        failed = {"outcome": "failed", "message": ran.tool_return}
        said = {"stdout": "\n".join(ran.stdout), "stderr": "\n".join(ran.stderr)}
        output.print_json({**(ended if returned else failed), **said})
        return 0 if returned else 1
    for text in filter(None, ("\n".join(ran.stdout), "\n".join(ran.stderr))):
        click.echo(output.visible(text).rstrip("\n"), err=True)
    if returned:
        click.echo(output.visible(ran.tool_return))
    else:
        click.secho(f"error: {output.visible(ran.tool_return)}", fg="red", err=True)
    return 0 if returned else 1


def with_tools(asked: Asked, work: Callable[[Toolbox], Awaitable[T]]) -> T:
    settings = local_settings(asked)
    box = sandbox(settings.sandbox, sandbox_limits(settings))
    try:
        return with_database(asked, lambda database: work(toolbox(settings, database, box)))
    finally:
        box.close()


def arguments_of(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"--args is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise click.UsageError('--args is an object: {"name": value}')
    return found  # pyright: ignore[reportUnknownVariableType] # JSON's names are texts


def variable_of(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.UsageError(f"--env {name!r:.40} is not NAME=VALUE")
    return name, value


def public(one: Tool) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "tool_type": one.tool_type.value,
        "source_type": one.source_type.value,
        "source_code": one.source_code,
        "json_schema": dict(one.json_schema),
        "tags": list(one.tags),
        "created_at": one.created_at.isoformat(),
        "updated_at": one.updated_at.isoformat(),
    }


def sent_out(one: ToolOut) -> dict[str, Any]:
    """As `public` says it, but for what a server doesn't say."""
    return one.model_dump(mode="json", include=SAID)


def told(ran: Ran) -> dict[str, Any]:
    """`outcome` names how it ended; `returned` is there where it returned."""
    base = {"stdout": ran.stdout, "stderr": ran.stderr, "took_s": round(ran.took_s, 4)}
    match ran.outcome:
        case Returned(value=value):
            return {"outcome": "returned", "returned": value, **base}
        case Raised() as raised:
            return {
                "outcome": "raised",
                "error": raised.error,
                "message": raised.message,
                "traceback": raised.traceback,
                **base,
            }
        case TimedOut():
            name = "timed_out"
        case OutOfMemory():
            name = "out_of_memory"
        case Killed():
            name = "killed"
        case OutputTooLarge():
            name = "output_too_large"
    return {"outcome": name, "message": reason(ran), **base}
