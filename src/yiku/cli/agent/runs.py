"""`yiku agent run list | show | cancel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from yiku.cli import output
from yiku.cli.agent.named import named_agent, names_of
from yiku.cli.options import Asked, Group
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient
from yiku.server.v1.wire_runs import RunOut, StepOut

WIDTH = 20
"""Of an agent's name: ids are long, and must not be broken."""


@click.group(cls=Group)
def run() -> None:
    """List and show the runs of agents; cancel those that go on."""


@run.command("list")
@click.argument("named", metavar="[AGENT]", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.pass_obj
def list_runs(asked: Asked, named: str | None, limit: int) -> None:
    """Show the runs of an agent, or of all, the newest first."""

    async def work(memory: MemoryClient) -> tuple[Sequence[RunOut], dict[str, str]]:
        one = None if named is None else (await named_agent(memory.agents, named)).id
        return await memory.agents.runs(one, limit=limit), await names_of(memory.agents)

    found, names = with_memory(asked, work)
    if asked.as_json:
        output.print_json({"runs": [one.model_dump(mode="json") for one in found]})
        return
    output.print_table(
        ["begun", "agent", "status", "ended by", "took", "id"],
        (
            [
                output.moment(one.created_at),
                output.one_line(names.get(one.agent_id, one.agent_id), WIDTH),
                one.status,
                one.stop_reason or "",
                seconds(one.total_duration_ns),
                one.id,
            ]
            for one in found
        ),
    )


@run.command()
@click.argument("run_id")
@click.pass_obj
def show(asked: Asked, run_id: str) -> None:
    """Show a run and its steps."""

    async def work(memory: MemoryClient) -> tuple[RunOut, Sequence[StepOut]]:
        return await memory.agents.get_run(run_id), await memory.agents.steps(run_id)

    one, steps = with_memory(asked, work)
    if asked.as_json:
        listed = [step.model_dump(mode="json") for step in steps]
        output.print_json({"run": one.model_dump(mode="json"), "steps": listed})
        return
    click.secho(f"{one.status}  {one.stop_reason or ''}".rstrip(), bold=True)
    error: Any = one.metadata.get("error")
    if error:
        click.secho(f"  {output.visible(words_of(error))}", fg="red")
    first = seconds(one.ttft_ns)
    facts = [output.moment(one.created_at), seconds(one.total_duration_ns)]
    facts += [f"first token after {first}"] if first else []
    click.secho("  ".join(filter(None, [*facts, one.id, one.agent_id])), dim=True)
    output.print_table(
        ["step", "status", "model", "tokens in", "out", "ended by"],
        (
            [
                str(n),
                step.status,
                step.model_handle,
                f"{step.prompt_tokens:,}",
                f"{step.completion_tokens:,}",
                step.stop_reason or "",
            ]
            for n, step in enumerate(steps, 1)
        ),
    )


@run.command()
@click.argument("run_id")
@click.pass_obj
def cancel(asked: Asked, run_id: str) -> None:
    """End a run that goes on; what it has done stays."""

    async def work(memory: MemoryClient) -> dict[str, Any]:
        one = await memory.agents.get_run(run_id)
        return await memory.agents.cancel(one.agent_id, one.id)

    found = with_memory(asked, work)
    if asked.as_json:
        output.print_json(found)
        return
    for one, became in found.items():
        click.echo(f"{one}  {became}")


def seconds(nanoseconds: int | None) -> str:
    return "" if nanoseconds is None else f"{nanoseconds / 1e9:.2f} s"


def words_of(error: Any) -> str:
    if isinstance(error, dict):
        return str(error.get("message") or error)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] # what JSON holds
    return str(error)
