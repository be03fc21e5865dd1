"""`yiku agent export` and `yiku agent import`: agents as files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from yiku.cli import output
from yiku.cli.agent.named import named_agent
from yiku.cli.change import counted
from yiku.cli.export import whole_file
from yiku.cli.options import Asked, Command, NewFile
from yiku.cli.programs import tell_rest
from yiku.cli.progress import Bar
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient
from yiku.server.v1.wire_agents import AgentOut
from yiku.server.wire_transfer import ImportOut

Rest = dict[str, int]
"""What is left out, and how often it is there."""
MANY = 10_000


@click.command("export", cls=Command)
@click.argument("named", metavar="AGENT")
@click.option("-o", "--output", "target", type=NewFile(), help="A file. Default: stdout.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--no-messages", is_flag=True, help="The agent without its conversations.")
@click.option("--conversation", metavar="ID", help="This one, in the place of its own; no others.")
@click.option("--legacy", is_flag=True, help="The older form, without archives.")
@click.pass_obj
def export_agent(
    asked: Asked,
    named: str,
    target: Path | None,
    force: bool,
    no_messages: bool,
    conversation: str | None,
    legacy: bool,
) -> None:
    """Write an agent with all it has to a file, for `yiku agent import` here or elsewhere.

    The values of its secrets are not in it, nor are its schedules; what is left out is told.
    """

    async def work(memory: MemoryClient, write: Callable[[bytes], Any]) -> tuple[AgentOut, Rest]:
        one = await named_agent(memory.agents, named)
        pieces = memory.transfer.export_agent(
            one.id, scrub_messages=no_messages, legacy=legacy, conversation_id=conversation
        )
        async for piece in pieces:
            write(piece)
        return one, await rest_of(memory, one, legacy=legacy)

    if target is None:
        stdout = sys.stdout.buffer
        _, rest = with_memory(asked, lambda memory: work(memory, stdout.write))
        stdout.flush()
        tell_left(rest)
        return
    with whole_file(target, replace=force) as file:
        one, rest = with_memory(asked, lambda memory: work(memory, file.buffer.write))
        size = file.buffer.tell()
    if asked.as_json:
        told = {"agent": one.name, "path": str(target), "bytes": size, "left_out": rest}
        output.print_json(told)
        return
    words = f"{output.visible(one.name)}  {size:,} bytes  {target}"
    click.echo(f"{click.style('exported', fg='green')}  {words}")
    tell_left(rest)


async def rest_of(memory: MemoryClient, one: AgentOut, *, legacy: bool) -> Rest:
    """What an agent has that its file hasn't, but for what somebody wanted to be left out."""
    left = {"schedule": len(await memory.schedules.list(one.id))}
    if legacy:
        talks = await memory.conversations.list(one.id, archive_status="all", limit=MANY)
        left |= {"conversation": len(talks), "folder": len(one.sources)}
    return {what: times for what, times in left.items() if times}


def tell_left(rest: Rest) -> None:
    if rest:
        parts = ", ".join(counted(times, what) for what, times in rest.items())
        output.note(f"not in the file: {parts}")


@click.command("import", cls=Command)
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What the agent is called here.")
@click.option("--model", metavar="HANDLE", help="PROVIDER/MODEL, in place of the file's.")
@click.option("--no-messages", is_flag=True, help="The agents without their conversations.")
@click.option("--keep-tools", is_flag=True, help="Tools that are here keep their source.")
@click.option("--again", is_flag=True, help="New agents, even if it was imported before.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, store nothing.")
@click.pass_obj
def import_agents(
    asked: Asked,
    source: Path,
    name: str | None,
    model: str | None,
    no_messages: bool,
    keep_tools: bool,
    again: bool,
    dry_run: bool,
) -> None:
    """Make the agents of the file SOURCE: of `yiku agent export`, or of the retired server (.af).

    The file is checked whole before anything is stored. Interrupted, a second run of the same goes
    on where the first one stood.
    """
    with source.open("rb") as file, Bar(f"importing {source.name}", asked, unit="messages") as bar:
        done = with_memory(
            asked,
            lambda memory: memory.transfer.import_agents(
                file,
                dry_run=dry_run,
                again=again,
                name=name,
                model=model,
                without_messages=no_messages,
                keep_tools=keep_tools,
                watch=bar.update,
            ),
        )
    if asked.as_json:
        output.print_model(done)
        return
    show(source, done)


def show(source: Path, done: ImportOut) -> None:
    state = "would import" if done.dry_run else "imported"
    if done.repeated:
        state = "imported before"
    names = ", ".join(output.visible(one) for one in done.agents)
    ids = " ".join(done.agent_ids)
    click.echo(f"{click.style(state, fg='green')}  {source.name}: {names}  {ids}".rstrip())
    parts = [
        counted(done.conversations, "conversation"),
        counted(done.messages, "message"),
        counted(done.blocks, "block"),
        counted(done.tools, "tool"),
        counted(done.archives, "archive"),
        counted(done.passages, "passage"),
        counted(done.folders, "folder"),
        counted(done.files, "file"),
        counted(done.skills, "memory skill"),
        counted(done.groups, "group"),
        counted(done.servers, "MCP server"),
    ]
    output.note(", ".join(part for part in parts if not part.startswith("0 ")) or "empty")
    if done.repeated:
        output.note("--again makes new agents of it")
        return
    tell_rest(done)
