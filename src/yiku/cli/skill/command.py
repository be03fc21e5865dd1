"""`yiku skill list | show | add | edit | stats | changelog`; the others are in `decide`, `revert`
and `work`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from yiku.cli import output
from yiku.cli.chat.words import language_option
from yiku.cli.export import whole_file
from yiku.cli.options import Asked, Group, NewFile, given, reason_option, text_of
from yiku.cli.running import with_memory
from yiku.cli.skill import show as shown
from yiku.cli.skill.decide import approve, canary, reject, rollback
from yiku.cli.skill.revert import revert_version
from yiku.cli.skill.work import encode_pending, evolve
from yiku.client.memory import MemoryClient
from yiku.core.errors import Invalid, SkillExists, SkillNotFound
from yiku.core.language import Language
from yiku.core.skill import SkillStatus, SkillType
from yiku.memory.skills import files
from yiku.server.wire_skills import SkillOut


@click.group(cls=Group)
def skill() -> None:
    """How memories are written and looked up: see skills, change them, decide about better ones."""


for other in (evolve, canary, approve, reject, rollback, revert_version, encode_pending):
    skill.add_command(other)

text_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@skill.command("list")
@click.option(
    "--type", "skill_type", type=click.Choice([one.value for one in SkillType]), help="Only these."
)
@click.option("--all", "everything", is_flag=True, help="Deprecated versions, too.")
@language_option
@click.pass_obj
def list_skills(asked: Asked, skill_type: str | None, everything: bool, lang: Language) -> None:
    """Show the memory skills there are, and files that can't be used."""
    status = [one.value for one in SkillStatus] if everything else None
    found = with_memory(
        asked, lambda memory: memory.skills.list(skill_type=skill_type, status=status)
    )
    if asked.as_json:
        output.print_model(found)
        return
    shown.print_skills(found.skills, lang)
    shown.print_problems(found.problems)


@skill.command()
@click.argument("name")
@click.option("--version", type=int, help="This version; default: the active one.")
@click.option("--to", "target", type=NewFile(), help="Write it as a skill's file, to start from.")
@language_option
@click.pass_obj
def show(asked: Asked, name: str, version: int | None, target: Path | None, lang: Language) -> None:
    """Show a skill: its prompt, its versions, and what waits for a decision.

    NAME may be the id of one of its versions.
    """
    found = with_memory(asked, lambda memory: memory.skills.get(name))
    one = shown.version_of(found, name, version)
    if target is not None:
        with whole_file(target, replace=False) as file:
            file.write(files.write(shown.draft_of(one)))
        done = f"{click.style('written', fg='green')}  {target}"
        told = {"skill_id": one.id, "path": str(target)}
        output.print_json(told) if asked.as_json else click.echo(done)
    elif asked.as_json:
        output.print_model(found)
    else:
        shown.print_skill(one, lang)
        shown.print_versions(found)


@skill.command()
@click.argument("file", type=text_file)
@click.pass_obj
def add(asked: Asked, file: Path) -> None:
    """Add the skill of a Markdown FILE: front matter, then the template.

    It is active at once. A file in the folder YIKU_SKILLS_DIR is taken by itself.
    """
    draft = files.read(file)  # what is wrong is told with the file's name
    try:
        made = with_memory(asked, lambda memory: memory.skills.add(file=files.write(draft)))
    except SkillExists as error:
        raise SkillExists(files.taken(file, error.message)) from error
    if asked.as_json:
        output.print_model(made)
    else:
        shown.print_done("added", made)


@skill.command()
@click.argument("name")
@click.option("--file", type=text_file, help="Take all of it from a skill's file.")
@click.option("--prompt-file", type=text_file, help="Take the template from a file.")
@click.option("--description", help="What it is for: a text.")
@click.option("--keyword", "intent_keywords", multiple=True, help="From now on; repeatable.")
@reason_option
@click.pass_obj
def edit(
    asked: Asked,
    name: str,
    file: Path | None,
    prompt_file: Path | None,
    reason: str | None,
    **fields: Any,
) -> None:
    """Change a skill: a new version, active at once, without a trial.

    With nothing given, an editor opens its file. `yiku skill rollback` takes it back.
    """
    changes = given(fields)
    if file is not None and (prompt_file or changes):
        raise click.UsageError("--file stands alone", click.get_current_context())
    if file is not None:
        changes["file"] = files.write(files.read(file))
    if prompt_file is not None:
        changes["prompt_template"] = text_of(None, prompt_file)
    if not changes and not sys.stdin.isatty():
        raise click.UsageError("Nothing to change was given", click.get_current_context())

    async def work(memory: MemoryClient) -> tuple[SkillOut | None, SkillOut]:
        before = (await memory.skills.get(name)).active
        if not changes:
            changes["file"] = edited(before)
        return before, await memory.skills.edit(name, reason=reason or "", **changes)

    before, after = with_memory(asked, work)
    if asked.as_json:
        output.print_model(after)
    elif before is not None and before.id == after.id:
        output.note(f"{name} is so already, version {after.version}")
    else:
        shown.print_done("edited", after)


def edited(before: SkillOut | None) -> str:
    """What comes out of an editor. Raises: SkillNotFound, Invalid where nothing does."""
    if before is None:
        raise SkillNotFound("No version of this skill is active.")
    text = click.edit(files.write(shown.draft_of(before)), extension=files.SUFFIX)
    if text is None:
        raise Invalid("Nothing was changed: the file was not saved.")
    return text


@skill.command()
@click.argument("name", required=False)
@click.pass_obj
def stats(asked: Asked, name: str | None) -> None:
    """Show each version in figures, what waits to be done, and files that can't be used."""
    found = with_memory(asked, lambda memory: memory.skills.stats(name))
    if asked.as_json:
        output.print_model(found)
        return
    shown.print_stats(found.versions)
    shown.print_jobs(found.jobs)
    shown.print_problems(found.problems)


@skill.command()
@click.argument("name", required=False)
@click.option("--before", metavar="CURSOR", help="The page after the one that ended with it.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@click.pass_obj
def changelog(asked: Asked, name: str | None, before: str | None, limit: int) -> None:
    """Show how skills were changed, the newest first; of one, or of all.

    `yiku skill canary show ID` shows all of one change.
    """
    found = with_memory(
        asked, lambda memory: memory.skills.changelog(name, before=before, limit=limit)
    )
    if asked.as_json:
        output.print_model(found)
        return
    shown.print_changes(found.changes)
    if found.next is not None:
        output.note(f"there are more: --before {found.next}")
