"""`yiku role reroute | correct | log | why`: where memories went, and putting it right."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from yiku.cli import decision, output
from yiku.cli.change import counted
from yiku.cli.options import Asked, Command, place_options
from yiku.cli.progress import Bar
from yiku.cli.role_show import memories
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient
from yiku.server.wire_roles import DecisionsOut, MembershipsOut, RerouteOut


@dataclass(slots=True)
class Going:
    """How far a rerouting is, and what this run of it has done."""

    job: str = ""
    state: str = "running"
    position: int = 0
    total: int = 0
    looked_at: int = 0
    joined: int = 0
    left: int = 0

    def add(self, step: RerouteOut, bar: Bar) -> None:
        self.job, self.state = step.job, step.state
        self.position, self.total = step.position, step.total
        self.looked_at += step.looked_at
        self.joined += step.joined
        self.left += step.left
        bar.update(step.position, max(step.total, step.position))


@click.command(cls=Command)
@click.argument("role_ids", metavar="[ROLE_ID]...", nargs=-1)
@place_options
@click.option("--job", metavar="ID", help="Go on with this one.")
@click.option("--undo", metavar="ID", help="Take back all that this one moved.")
@click.pass_obj
def reroute(
    asked: Asked, role_ids: Sequence[str], job: str | None, undo: str | None, **place: Any
) -> None:
    """Look at all memories again, after roles have changed.

    For the roles named, or for all: memories come to those that claim them now, and leave those
    that no longer do. What somebody put into a role or took out of one stays so. Interrupted, it
    goes on with --job.
    """
    if sum(map(bool, (role_ids, job, undo))) > 1:
        raise click.UsageError(
            "Give roles, a --job or an --undo, not several of them", click.get_current_context()
        )
    if undo is not None:
        moved = with_memory(asked, lambda memory: memory.undo_reroute(undo))
        if asked.as_json:
            output.print_json({"job": undo, "moved": moved})
        else:
            click.echo(f"{click.style('undone', fg='green')}  {counted(moved, 'move')}")
        return
    going = Going(job=job or "")
    try:
        with Bar("rerouting", asked, unit="passages") as bar:
            with_memory(asked, lambda memory: rerouted(memory, going, bar, role_ids, place))
    except BaseException:
        if going.position:
            rest = f"{going.position:,} of {memories(going.total)} are looked at"
            output.note(f"{rest}; to go on: {again(asked, '--job', going.job)}")
            output.note(f"to undo it: {again(asked, '--undo', going.job)}")
        raise
    if asked.as_json:
        output.print_json(asdict(going))
        return
    moved = f"{memories(going.looked_at)} looked at, {going.joined:,} joined, {going.left:,} left"
    click.echo(f"{click.style('rerouted', fg='green')}  {moved}")
    if going.joined or going.left:
        output.note(f"to undo it: {again(asked, '--undo', going.job)}")


async def rerouted(
    memory: MemoryClient, going: Going, bar: Bar, role_ids: Sequence[str], place: dict[str, Any]
) -> None:
    """Step by step to the end."""
    if not going.job:
        await whole(memory.reroute(roles=role_ids, **place), going, bar)
    while going.state == "running":
        await whole(memory.reroute(going.job, **place), going, bar)


async def whole(step: Coroutine[Any, Any, RerouteOut], going: Going, bar: Bar) -> None:
    """A step to its end, also when Ctrl-C comes meanwhile: so it is known what it did."""
    task = asyncio.ensure_future(step)
    try:
        going.add(await asyncio.shield(task), bar)
    except asyncio.CancelledError:
        going.add(await task, bar)
        raise


def again(asked: Asked, *words: str) -> str:
    """The command as it is to be called for the same memory; a key is not told."""
    shared = [] if asked.home is None else ["--home", str(asked.home)]
    shared += [] if asked.url is None else ["--url", asked.url]
    return shlex.join(["yiku", *shared, "role", "reroute", *words])


@click.command(cls=Command)
@click.argument("passage_id")
@click.option("--to", multiple=True, metavar="ROLE", help="It belongs there; repeatable.")
@click.option("--out-of", multiple=True, metavar="ROLE", help="It doesn't; repeatable.")
@click.pass_obj
def correct(asked: Asked, passage_id: str, to: Sequence[str], out_of: Sequence[str]) -> None:
    """Say which roles a memory belongs to, or doesn't.

    The roles learn from it at once.
    """
    if not to and not out_of:
        raise click.UsageError("Give --to or --out-of", click.get_current_context())
    found = with_memory(asked, lambda memory: memory.correct(passage_id, to=to, out_of=out_of))
    if asked.as_json:
        output.print_model(MembershipsOut(roles=found))
        return
    where = ", ".join(output.visible(one.role_id) for one in found) or "the general memory"
    click.echo(f"{click.style('corrected', fg='green')}  it is in {where}")
    for role_id in sorted({*to} - {one.role_id for one in found}):
        output.note(f"{output.visible(role_id)} is full, and what it keeps comes before this one")


@click.command(cls=Command)
@place_options
@click.option("--passage", "passage_id", metavar="ID", help="Only those about this memory.")
@click.option("--kind", type=click.Choice(["route", "gate"]), help="Default: both.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@click.pass_obj
def log(asked: Asked, **which: Any) -> None:
    """Show what was decided lately, the newest first.

    Routings of stored memories, and gatings; `yiku role why` explains one.
    """
    found = with_memory(asked, lambda memory: memory.decisions(**which))
    if asked.as_json:
        output.print_model(DecisionsOut(decisions=found))
        return
    if not found:
        output.note("nothing was decided here yet")
        return
    for one in found:
        nobody = click.style("general memory" if one.kind == "route" else "nobody", fg="yellow")
        chosen = output.visible(", ".join(one.chosen)) or nobody
        click.echo(f"{click.style(one.kind, fg='cyan'):<5}  {one.margin:+.2f}  {chosen}")
        about = one.passage_id or output.visible(one.conversation or "")
        facts = "  ".join(filter(None, (output.moment(one.at), one.id, about)))
        click.secho(f"{output.INDENT}{facts}", dim=True)


@click.command(cls=Command)
@click.argument("decision_id")
@click.pass_obj
def why(asked: Asked, decision_id: str) -> None:
    """Explain a decision as it was made.

    Every role, its score, and why it was chosen or not.
    """
    made = with_memory(asked, lambda memory: memory.decision(decision_id))
    if not asked.as_json:
        decision.print_facts(made)
    decision.show(asked, made, explain=True)
