"""`yiku skill canary show | approve | reject | rollback`: what is decided about a prompt."""

from __future__ import annotations

import difflib

import click

from yiku.cli import output
from yiku.cli.change import confirm
from yiku.cli.options import Asked, Command, Group, reason_option
from yiku.cli.running import with_memory
from yiku.cli.skill import show as shown
from yiku.client.memory import MemoryClient
from yiku.core.errors import NotACanary
from yiku.server.wire_skills import SkillDecidedOut, SkillOut, SkillPreviewOut

LEFT = "Nothing was changed."
yes_option = click.option("--yes", is_flag=True, help="Don't ask.")


@click.group(cls=Group)
def canary() -> None:
    """A better prompt that waits for a decision."""


@canary.command("show")
@click.argument("change", metavar="NAME|ID")
@click.option("--all", "everything", is_flag=True, help="Every pair of its trial, whole.")
@click.pass_obj
def show_canary(asked: Asked, change: str, everything: bool) -> None:
    """Show what approving a canary would do: the diff, the report, the trial's pairs.

    It is named by its skill, or by the id of any change in the changelog.
    """
    found = with_memory(asked, lambda memory: memory.skills.preview(change))
    if asked.as_json:
        output.print_model(found)
        return
    shown.print_preview(found)
    shown.print_pairs(found.change.pairs, everything=everything)
    if found.obstacle is not None:
        output.note(f"it can't be approved: {found.obstacle}.")


@click.command(cls=Command)
@click.argument("change", metavar="NAME|ID")
@yes_option
@reason_option
@click.pass_obj
def approve(asked: Asked, change: str, yes: bool, reason: str | None) -> None:
    """Make a canary its skill's active version.

    It is named by its skill, or by its change's id. What will change is shown first.
    """

    async def work(memory: MemoryClient) -> SkillDecidedOut:
        found = await memory.skills.preview(change)
        if found.obstacle is not None:
            raise NotACanary(f"{found.obstacle}.")
        if not asked.as_json:
            shown.print_preview(found)
        if not yes:
            confirm(question_of(found), left=LEFT)
        return await memory.skills.approve(found.change.id, reason=reason or "")

    decided(asked, "approved", with_memory(asked, work))


def question_of(found: SkillPreviewOut) -> str:
    old = "none" if found.old is None else f"version {found.old.version}"
    verdict = found.change.report.get("verdict", "none")
    return (
        f"Make version {found.new.version} of {found.new.name} active in place of {old}?"
        f" (Its trial: {verdict}.)"
    )


@click.command(cls=Command)
@click.argument("change", metavar="NAME|ID")
@reason_option
@click.pass_obj
def reject(asked: Asked, change: str, reason: str | None) -> None:
    """Deprecate a canary; what is active stays."""
    made = with_memory(asked, lambda memory: memory.skills.reject(change, reason=reason or ""))
    decided(asked, "rejected", made)


@click.command(cls=Command)
@click.argument("name")
@yes_option
@reason_option
@click.pass_obj
def rollback(asked: Asked, name: str, yes: bool, reason: str | None) -> None:
    """Make the version active again that the active one was made from: one step.

    What will change is shown first. Memories stay as they were written.
    """

    async def work(memory: MemoryClient) -> SkillDecidedOut:
        found = await memory.skills.get(name)
        now = found.active
        then = next(
            (one for one in found.versions if now is not None and one.id == now.parent_id), None
        )
        if now is not None and then is not None:
            if not asked.as_json:
                print_both(now, then)
            if not yes:
                words = f"Make version {then.version} of {name} active in place of {now.version}?"
                confirm(words, left=LEFT)
        return await memory.skills.rollback(name, reason=reason or "")

    decided(asked, "rolled back", with_memory(asked, work))


def print_both(now: SkillOut, then: SkillOut) -> None:
    lines = difflib.unified_diff(
        now.prompt_template.splitlines(),
        then.prompt_template.splitlines(),
        fromfile=f"{now.name} version {now.version}",
        tofile=f"{then.name} version {then.version}",
        lineterm="",
    )
    shown.print_diff("\n".join(lines))
    for one in (now, then):
        output.note(f"version {one.version}: {shown.judged(one)}")


def decided(asked: Asked, done: str, made: SkillDecidedOut) -> None:
    if asked.as_json:
        output.print_model(made)
        return
    active, other = made.active, made.other
    click.echo(f"{click.style(done, fg='green')}  {output.visible(other.name)}  {made.change.id}")
    if active is not None:
        click.echo(f"{output.INDENT}version {active.version} is active  {active.id}")
    click.echo(f"{output.INDENT}version {other.version} is {other.status}  {other.id}")
