"""`yiku agent list | show | create | update | delete | messages | context`, `export`, `import`, and
`run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import click

from yiku.cli import output
from yiku.cli.agent.context import print_context
from yiku.cli.agent.named import LIGHT, demand_free, named_agent
from yiku.cli.agent.runs import run as run_group
from yiku.cli.agent.show import print_agent, print_message
from yiku.cli.agent.transfer import export_agent, import_agents
from yiku.cli.change import confirm
from yiku.cli.options import Asked, Group, combined, decoded
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient
from yiku.core.errors import BlockNotFound, ToolNotFound
from yiku.server.v1.wire_agents import AgentOut

KINDS = {
    "standard": "letta_v1_agent",
    "memgpt": "memgpt_agent",
    "v2": "memgpt_v2_agent",
    "react": "react_agent",
    "workflow": "workflow_agent",
    "sleeptime": "sleeptime_agent",
    "voice": "voice_convo_agent",
    "ephemeral": "ephemeral_agent",
    "batch": "batch_agent",
}
"""Short names; v1's own are taken too."""


class Kind(click.ParamType[str]):
    name = "kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in KINDS.values():
            return value
        if value not in KINDS:
            self.fail(f"{value!r} is none; there are {', '.join(KINDS)}", param, ctx)
        return KINDS[value]


class LabelledText(click.ParamType[tuple[str, str]]):
    """`label=value`; a value `@file` is what the file says."""

    name = "label=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value  # pyright: ignore[reportUnknownVariableType] # converted before
        label, equals, text = str(value).partition("=")
        if not (label and equals):
            self.fail(f"{value!r:.60} is not label=value", param, ctx)
        if not text.startswith("@"):
            return label, text
        file = Path(text[1:])
        if not file.is_file():
            self.fail(f"there is no file {text[1:]!r} for the block {label!r}", param, ctx)
        return label, decoded(file.read_bytes(), str(file))


BLOCK_HELP = "A memory block; @FILE as the value: what it says. Repeatable."
AGAIN_HELP = "Even if an agent has this name."
ASK_HELP = "Calls of it wait for your approval; repeatable."
fields_options = combined(
    click.option("--model", metavar="HANDLE", help="PROVIDER/MODEL."),
    click.option("--system", metavar="TEXT", help="Its instructions."),
    click.option("--description", metavar="TEXT"),
    click.option("--block", "blocks", multiple=True, type=LabelledText(), help=BLOCK_HELP),
    click.option("--context-window", type=click.IntRange(1_000), help="In tokens."),
    click.option("--tag", "tags", multiple=True, help="Repeatable."),
    click.option("--ask-before", multiple=True, metavar="TOOL", help=ASK_HELP),
    click.option("--role-memory/--no-role-memory", default=None, help="Memory sorted by roles."),
)


@click.group(cls=Group)
def agent() -> None:
    """Make, show, change and delete agents; see their messages, context and runs.

    AGENT is a name or an id. Talk with one by `yiku chat AGENT`.
    """


agent.add_command(run_group)
agent.add_command(export_agent)
agent.add_command(import_agents)


@agent.command("list")
@click.option("--tag", "tags", multiple=True, help="Only agents with it; repeatable: any of them.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--after", metavar="ID", help="Only agents listed after this one.")
@click.pass_obj
def list_agents(asked: Asked, tags: Sequence[str], limit: int, after: str | None) -> None:
    """Show the agents there are, the newest first."""
    include = None if asked.as_json else LIGHT
    found = with_memory(
        asked,
        lambda memory: memory.agents.list(
            tags=tags or None, limit=limit, after=after, include=include
        ),
    )
    if asked.as_json:
        output.print_json({"agents": [one.model_dump(mode="json") for one in found]})
        return
    if not found:
        output.note("there is no agent yet; `yiku chat` makes one")
        return
    output.print_table(
        ["name", "model", "kind", "last run", "tags", "id"],
        ([one.name, one.model, kind_of(one), last_run(one), *tail(one)] for one in found),
    )


@agent.command()
@click.argument("named", metavar="AGENT")
@click.pass_obj
def show(asked: Asked, named: str) -> None:
    """Show an agent: its settings, memory blocks, tools and last run."""
    tell(asked, with_memory(asked, lambda memory: named_agent(memory.agents, named)))


@agent.command()
@click.argument("name")
@fields_options
@click.option("--tool", "tools", multiple=True, metavar="NAME", help="A tool; repeatable.")
@click.option("--kind", type=Kind(), default="standard", show_default=True, help=", ".join(KINDS))
@click.option("--again", is_flag=True, help=AGAIN_HELP)
@click.pass_obj
def create(
    asked: Asked,
    name: str,
    again: bool,
    blocks: Sequence[tuple[str, str]],
    ask_before: Sequence[str],
    tools: Sequence[str],
    kind: str,
    **fields: Any,
) -> None:
    """Make an agent. Without --block it has an empty `human` and `persona`."""
    values = dict(blocks) or {"human": "", "persona": ""}
    if not name.strip():
        raise click.UsageError("The name is empty", click.get_current_context())

    async def work(memory: MemoryClient) -> AgentOut:
        if not again:
            await demand_free(memory.agents, name)
        made = await memory.agents.create(
            name, blocks=values, tools=tools, kind=kind, **as_v1(fields)
        )
        try:
            demand_tools(made, ask_before)
        except ToolNotFound:  # which tools it has by its kind is known only now
            await memory.agents.delete(made.id)
            raise
        for tool in ask_before:
            await memory.agents.ask_before(made.id, tool)
        return await memory.agents.get(made.id) if ask_before else made

    made = with_memory(asked, work)
    if asked.as_json:
        output.print_model(made)
        return
    click.echo(f"{click.style('made', fg='green')}  {output.visible(made.name)}  {made.id}")
    output.note(f"talk with it: yiku chat {made.id if again else quote(made.name)}")


@agent.command()
@click.argument("named", metavar="AGENT")
@click.option("--name", help="Its new name.")
@click.option("--again", is_flag=True, help=AGAIN_HELP)
@fields_options
@click.option("--add-tool", multiple=True, metavar="NAME", help="Repeatable.")
@click.option("--remove-tool", multiple=True, metavar="NAME", help="Repeatable.")
@click.option("--dont-ask-before", multiple=True, metavar="TOOL", help="Repeatable.")
@click.pass_obj
def update(
    asked: Asked,
    named: str,
    again: bool,
    blocks: Sequence[tuple[str, str]],
    add_tool: Sequence[str],
    remove_tool: Sequence[str],
    ask_before: Sequence[str],
    dont_ask_before: Sequence[str],
    **fields: Any,
) -> None:
    """Change an agent.

    --block sets a block's value, or makes the block; --tag names all the tags it has from now on.
    """
    changes = as_v1(fields)
    if not (changes or blocks or add_tool or remove_tool or ask_before or dont_ask_before):
        raise click.UsageError("Say what to change", click.get_current_context())

    async def work(memory: MemoryClient) -> AgentOut:
        one = await named_agent(memory.agents, named)
        name = changes.get("name")
        if name is not None and name != one.name and not again:
            await demand_free(memory.agents, name)
        # Before anything is changed, so that nothing is changed by half.
        for tool in add_tool:
            await demand_tool(memory, tool)
        demand_tools(one, (*remove_tool, *ask_before, *dont_ask_before), add_tool)
        if changes:
            await memory.agents.update(one.id, **changes)
        for label, value in blocks:
            await set_block(memory, one.id, label, value)
        for tool in add_tool:
            await memory.agents.add_tool(one.id, tool)
        for tool in remove_tool:
            await memory.agents.remove_tool(one.id, tool)
        for tool in ask_before:
            await memory.agents.ask_before(one.id, tool)
        for tool in dont_ask_before:
            await memory.agents.ask_before(one.id, tool, False)
        return await memory.agents.get(one.id)

    tell(asked, with_memory(asked, work), done="changed")


async def demand_tool(memory: MemoryClient, name: str) -> None:
    """Raises: ToolNotFound where there is none of this name."""
    if (await memory.tools.get(name)).name != name:
        raise ToolNotFound(f"There is no tool {name!r}; `yiku tool list` shows them.")


def demand_tools(one: AgentOut, names: Sequence[str], added: Sequence[str] = ()) -> None:
    """Raises: ToolNotFound where an agent hasn't a tool of them, nor is given it."""
    has = [tool.name for tool in one.tools]
    for name in names:
        if name not in (*has, *added):
            there = ", ".join(has) or "none"
            raise ToolNotFound(f"{one.name!r} has no tool {name!r}; its tools: {there}.")


@agent.command()
@click.argument("named", metavar="AGENT")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def delete(asked: Asked, named: str, yes: bool) -> None:
    """Erase an agent for good, with its messages and the blocks that were made with it."""

    async def work(memory: MemoryClient) -> AgentOut:
        one = await named_agent(memory.agents, named)
        if not yes:
            confirm(f"Erase the agent {one.name!r} ({one.id}) for good?")
        await memory.agents.delete(one.id)
        return one

    erased = with_memory(asked, work)
    if asked.as_json:
        output.print_json({"deleted": erased.id, "name": erased.name})
    else:
        click.echo(f"{click.style('erased', fg='green')}  {output.visible(erased.name)}")


@agent.command()
@click.argument("named", metavar="AGENT")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--before", metavar="ID", help="Only messages before this one.")
@click.pass_obj
def messages(asked: Asked, named: str, limit: int, before: str | None) -> None:
    """Show the last messages of an agent's conversation, the oldest of them first."""

    async def work(memory: MemoryClient) -> Sequence[Any]:
        one = await named_agent(memory.agents, named)
        # Of the newest first, the older ones come after.
        found = await memory.agents.messages(one.id, limit=limit, after=before)
        return found[::-1]

    found = with_memory(asked, work)
    if asked.as_json:
        output.print_json({"messages": [one.model_dump(mode="json") for one in found]})
        return
    for one in found:
        print_message(one)


@agent.command()
@click.argument("named", metavar="AGENT")
@click.pass_obj
def context(asked: Asked, named: str) -> None:
    """Show what fills an agent's context window."""

    async def work(memory: MemoryClient) -> dict[str, Any]:
        one = await named_agent(memory.agents, named)
        return await memory.agents.context(one.id)

    found = with_memory(asked, work)
    if asked.as_json:
        output.print_json(found)
    else:
        print_context(found)


def tell(asked: Asked, one: AgentOut, done: str | None = None) -> None:
    if asked.as_json:
        output.print_model(one)
        return
    if done:
        click.secho(done, fg="green")
    print_agent(one)


def as_v1(fields: dict[str, Any]) -> dict[str, Any]:
    """What was given, as v1 names it."""
    named = {"context_window": "context_window_limit"}
    return {
        named.get(name, name): list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType] # click's own tuples of texts
        for name, value in fields.items()
        if value not in (None, ())
    }


async def set_block(memory: MemoryClient, agent_id: str, label: str, value: str) -> None:
    try:
        await memory.agents.edit_block(agent_id, label, value=value)
    except BlockNotFound:
        await memory.agents.add_block(agent_id, label, value)


def kind_of(one: AgentOut) -> str:
    return next((short for short, kind in KINDS.items() if kind == one.agent_type), one.agent_type)


def last_run(one: AgentOut) -> str:
    if one.last_run_completion is None:
        return "none yet"
    return f"{output.moment(one.last_run_completion)} {one.last_stop_reason or ''}".rstrip()


def tail(one: AgentOut) -> tuple[str, str]:
    return " ".join(f"#{tag}" for tag in one.tags), one.id
