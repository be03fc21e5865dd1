"""`yiku skill revert-version`."""

from __future__ import annotations

import click

from yiku.cli import output
from yiku.cli.change import confirm, counted
from yiku.cli.options import Asked, Command
from yiku.cli.running import with_memory
from yiku.cli.skill import show as shown
from yiku.cli.skill.decide import LEFT, yes_option
from yiku.client.memory import MemoryClient
from yiku.server.wire_skills import RevertedOut, SkillOut, SkillStatsOut

FEW = 5
"""Texts that were left, which are named."""


@click.command("revert-version", cls=Command)
@click.argument("name", metavar="NAME|ID")
@click.option("--version", type=int, help="Which one; needed unless its id is given.")
@click.option("--encode", is_flag=True, help="Have the active version encode the originals anew.")
@click.option("--undo", is_flag=True, help="Take a reverting back.")
@yes_option
@click.pass_obj
def revert_version(
    asked: Asked, name: str, version: int | None, encode: bool, undo: bool, yes: bool
) -> None:
    """Take back what a bad version wrote: the originals stand as they came.

    What has been changed since by somebody else stays, and is told. Each text is done whole or not
    at all; interrupted, the same command goes on.
    """
    if encode and undo:
        raise click.UsageError("Give --encode or --undo, not both", click.get_current_context())
    if version is None and not name.startswith("skill-"):
        raise click.UsageError(
            "Which version? Give its id or --version; `yiku skill show` lists them",
            click.get_current_context(),
        )

    async def work(memory: MemoryClient) -> RevertedOut:
        one = shown.version_of(await memory.skills.get(name), name, version)
        if not yes:
            confirm(question_of(one, await memory.skills.stats(one.name), encode, undo), left=LEFT)
        if undo:
            return await memory.skills.undo_revert(one.id)
        mode = "encode" if encode else "restore"
        return await memory.skills.revert_version(one.id, mode=mode)

    made = with_memory(asked, work)
    if asked.as_json:
        output.print_model(made)
        return
    done = click.style("brought back" if undo else "reverted", fg="green")
    one = made.skill
    click.echo(f"{done}  {output.visible(one.name)}  version {one.version}  {one.id}")
    again = f", {made.again:,} to be encoded anew" if made.again else ""
    click.echo(f"{output.INDENT}{counted(made.done, 'text')}{again}")
    for left in made.left[:FEW]:
        click.echo(f"{output.INDENT}left  {left.encoding_id}  {left.why}")
    if len(made.left) > FEW:
        output.note(f"{len(made.left) - FEW:,} more were left; --json names them")
    if made.done and not undo:
        output.note(f"to take it back: yiku skill revert-version {one.id} --undo")


def question_of(one: SkillOut, figures: SkillStatsOut, encode: bool, undo: bool) -> str:
    """What will change."""
    status = "reverted" if undo else "encoded"
    counts = {each.skill.id: each.encodings.get(status, 0) for each in figures.versions}
    texts = counted(counts.get(one.id, 0), "text")
    which = f"version {one.version} of {one.name}"
    if undo:
        return f"Bring back what {which} made of {texts}?"
    after = "are encoded by the active version" if encode else "stand as they came"
    return f"Take back what {which} made of {texts}? Their originals {after}."
