"""`yiku conversation list | show | fork | delete`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from yiku.cli import output
from yiku.cli.agent.named import named_agent, names_of
from yiku.cli.agent.show import print_message
from yiku.cli.change import confirm
from yiku.cli.options import Asked, Group
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient
from yiku.server.v1.wire_conversations import ConversationOut
from yiku.server.v1.wire_messages import AnyMessageOut

WIDTH = 40
"""Of a summary in the list."""


@click.group(cls=Group)
def conversation() -> None:
    """List, show, fork and delete conversations of agents beside their own."""


@conversation.command("list")
@click.argument("named", metavar="[AGENT]", required=False)
@click.option("--archived", is_flag=True, help="Those that were put away, too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--after", metavar="ID", help="Only those listed after this one.")
@click.pass_obj
def list_conversations(
    asked: Asked, named: str | None, archived: bool, limit: int, after: str | None
) -> None:
    """Show the conversations of an agent, or of all, the newest first."""

    async def work(memory: MemoryClient) -> tuple[Sequence[ConversationOut], dict[str, str]]:
        one = None if named is None else (await named_agent(memory.agents, named)).id
        found = await memory.conversations.list(
            one, archive_status="all" if archived else "unarchived", limit=limit, after=after
        )
        return found, await names_of(memory.agents)

    found, names = with_memory(asked, work)
    if asked.as_json:
        output.print_json({"conversations": [one.model_dump(mode="json") for one in found]})
        return
    output.print_table(
        ["begun", "agent", "summary", "last message", "id"],
        (
            [
                output.moment(one.created_at),
                names.get(one.agent_id, one.agent_id),
                output.one_line(one.summary or "", WIDTH),
                "" if one.last_message_at is None else output.moment(one.last_message_at),
                one.id,
            ]
            for one in found
        ),
    )


@conversation.command()
@click.argument("conversation_id")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--before", metavar="ID", help="Only messages before this one.")
@click.pass_obj
def show(asked: Asked, conversation_id: str, limit: int, before: str | None) -> None:
    """Show a conversation and its last messages, the oldest first."""

    async def work(memory: MemoryClient) -> tuple[ConversationOut, Sequence[AnyMessageOut]]:
        one = await memory.conversations.get(conversation_id)
        read = memory.conversations.messages
        # Of the newest first, the older ones come after.
        return one, await read(conversation_id, limit=limit, after=before)

    one, messages = with_memory(asked, work)
    if asked.as_json:
        listed = [each.model_dump(mode="json") for each in messages[::-1]]
        output.print_json({"conversation": one.model_dump(mode="json"), "messages": listed})
        return
    click.secho(output.visible(one.summary or one.id), bold=True)
    facts = [output.moment(one.created_at), one.model or "", "archived" if one.archived else ""]
    click.secho("  ".join(filter(None, [*facts, one.id, one.agent_id])), dim=True)
    for each in messages[::-1]:
        print_message(each)


@conversation.command()
@click.argument("named", metavar="CONVERSATION_ID|AGENT")
@click.option("--message", "message_id", metavar="ID", help="The last one that is taken along.")
@click.pass_obj
def fork(asked: Asked, named: str, message_id: str | None) -> None:
    """Begin a conversation with what another one has in its context, or an agent's own."""

    async def work(memory: MemoryClient) -> ConversationOut:
        fork = memory.conversations.fork
        if named.startswith("conv-"):
            return await fork(named, message_id=message_id)
        agent = await named_agent(memory.agents, named)
        return await fork("default", agent_id=agent.id, message_id=message_id)

    made = with_memory(asked, work)
    if asked.as_json:
        output.print_json(made.model_dump(mode="json"))
    else:
        click.echo(f"{click.style('made', fg='green')}  {made.id}")


@conversation.command()
@click.argument("conversation_id")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def delete(asked: Asked, conversation_id: str, yes: bool) -> None:
    """Erase a conversation for good, with its messages and runs; the agent's memory stays."""

    async def work(memory: MemoryClient) -> None:
        one = await memory.conversations.get(conversation_id)
        if not yes:
            confirm(f"Erase the conversation {one.summary or one.id!r} for good?")
        await memory.conversations.delete(conversation_id)

    with_memory(asked, work)
    if asked.as_json:
        output.print_json({"deleted": conversation_id})
    else:
        click.echo(f"{click.style('erased', fg='green')}  {conversation_id}")
