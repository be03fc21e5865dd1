"""An agent and its messages as text."""

from __future__ import annotations

import click

from yiku.cli import output
from yiku.cli.chat.screen import brief
from yiku.client.events import Call
from yiku.server.v1 import wire_messages as wire
from yiku.server.v1.wire_agents import AgentOut

INDENT = "  "
COLOURS = {"user": "cyan", "assistant": "green", "system": "magenta"}


def print_agent(one: AgentOut) -> None:
    click.secho(f"{output.visible(one.name)}  {one.id}", bold=True)
    window = one.llm_config.context_window
    facts = {
        "description": one.description or "",
        "model": f"{one.model}  ({window:,} tokens)",
        "kind": one.agent_type,
        "role memory": "on" if one.role_memory else "",
        "tags": " ".join(f"#{tag}" for tag in one.tags),
        "made": output.moment(one.created_at),
        "last run": last_run(one),
    }
    for name, value in facts.items():
        if value:
            click.echo(f"{INDENT}{name:<12}  {output.visible(value)}")
    heading("memory blocks")
    for block in one.blocks:
        size = f"{len(block.value):,} of {block.limit:,} characters"
        marks = "  read-only" if block.read_only else ""
        click.echo(f"{INDENT}{output.visible(block.label)}  ", nl=False)
        click.secho(f"{size}{marks}  {block.id}", dim=True)
        if block.value:
            body = output.visible(block.value).rstrip()
            click.echo(f"{INDENT * 2}{body}".replace("\n", f"\n{INDENT * 2}"))
    heading("tools")
    names = sorted(tool.name for tool in one.tools)
    click.echo(INDENT + (", ".join(map(output.visible, names)) or "none"))
    rules = [f"{rule.tool_name}: {str(rule.type).replace('_', ' ')}" for rule in one.tool_rules]
    if rules:
        heading("tool rules")
        click.echo("\n".join(INDENT + output.visible(rule) for rule in rules))
    if waits(one):
        output.note(f"a tool call waits for approval: yiku chat {one.name} --message /approve")


def waits(one: AgentOut) -> bool:
    """Whether calls of its wait for somebody's approval."""
    return one.pending_approval is not None or one.last_stop_reason == "requires_approval"


def heading(text: str) -> None:
    click.secho(f"{INDENT}{text}", dim=True)


def last_run(one: AgentOut) -> str:
    if one.last_run_completion is None:
        return "none yet"
    took = "" if one.last_run_duration_ms is None else f"{one.last_run_duration_ms / 1000:.1f} s"
    facts = (output.moment(one.last_run_completion), one.last_stop_reason, took)
    return "  ".join(fact for fact in facts if fact)


def print_message(one: wire.AnyMessageOut) -> None:
    """Who said what; thoughts and the work of tools each in a dim line."""
    match one:
        case wire.UserMessageOut():
            said("user", content_of(one), one)
        case wire.AssistantMessageOut():
            said("assistant", one.content, one)
        case wire.SystemMessageOut():
            said("system", output.one_line(one.content, output.terminal_width() - 4), one)
        case wire.SummaryMessageOut():
            said("summary", one.summary, one)
        case _:
            for line in worked(one, output.terminal_width() - 6):
                click.secho(f"{INDENT}{line}", dim=True)


def worked(one: wire.AnyMessageOut, width: int) -> list[str]:
    match one:
        case wire.ToolCallMessageOut(tool_calls=list() as calls):
            return [f"· {told(call, width)}" for call in calls]
        case wire.ApprovalRequestMessageOut(tool_calls=calls):
            return [f"? {told(call, width)}" for call in calls]
        case wire.ToolReturnMessageOut(tool_returns=found):
            return [returned(part, width) for part in found]
        case wire.ReasoningMessageOut(reasoning=text):
            return [f"~ {output.one_line(text, width)}"]
        case wire.ApprovalResponseMessageOut(approvals=answers):
            return [f"! {approved(answer)}" for answer in answers]
        case _:
            return []


def returned(part: wire.ToolReturnOut, width: int) -> str:
    mark = "→" if part.status == "success" else "✗"
    return f"{INDENT}{mark} {output.one_line(part.tool_return, width)}"


def content_of(one: wire.UserMessageOut) -> str:
    if isinstance(one.content, str):
        return one.content
    return " ".join(
        part.text if isinstance(part, wire.TextOut) else "[picture]" for part in one.content
    )


def told(call: wire.ToolCallOut, width: int) -> str:
    return brief(Call(id=call.tool_call_id, name=call.name, arguments=call.arguments), width)


def approved(answer: wire.ApprovalOut | wire.ToolReturnOut) -> str:
    if isinstance(answer, wire.ToolReturnOut):
        return f"returned by the client: {output.one_line(answer.tool_return, 60)}"
    return "allowed" if answer.approve else f"refused: {answer.reason or 'no reason given'}"


def said(who: str, text: str, one: wire.MessageOut) -> None:
    head = click.style(one.name or who, fg=COLOURS.get(who, "white"), bold=True)
    click.echo(f"{head}  {click.style(f'{output.moment(one.date)}  {one.id}', dim=True)}")
    click.echo(f"{INDENT}{output.visible(text).rstrip()}".replace("\n", f"\n{INDENT}"))
