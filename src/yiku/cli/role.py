"""`yiku role add | list | show | edit | remove | template | stats`; the others are in `moves`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from yiku.cli import output, role_show
from yiku.cli.change import confirm
from yiku.cli.export import whole_file
from yiku.cli.moves import again, correct, log, reroute, why
from yiku.cli.options import Asked, Group, combined, given, place_options, reason_option
from yiku.cli.role_files import roles_in, template_of
from yiku.cli.running import is_remote, local_settings, with_memory
from yiku.client.memory import MemoryClient
from yiku.core.errors import Invalid
from yiku.core.role import Retention, RoleType
from yiku.memory.roles.templates import template_text
from yiku.server.wire_roles import RoleConfigOut, RoleOut, RolesOut

FEW = 3
"""Roles that a hint names."""


@click.group(cls=Group)
def role() -> None:
    """Experts with a memory of their own: make and change them, see and correct what they have."""


for other in (reroute, correct, log, why):
    role.add_command(other)

config_options = combined(
    click.option("--description", "role_description", help="What it is about: a text."),
    click.option("--name", "role_name", help="What people call it; default: its id."),
    click.option(
        "--type",
        "role_type",
        type=click.Choice([one.value for one in RoleType]),
        help="For people and the prompt; default: custom.",
    ),
    click.option(
        "--activation-threshold",
        type=click.FloatRange(0, 1),
        help="Score from which a context activates it; default: 0.4.",
    ),
    click.option("--max-memory-size", type=int, help="Memories it keeps; default: 100."),
    click.option(
        "--retention",
        "memory_retention_strategy",
        type=click.Choice([one.value for one in Retention]),
        help="What goes when it is full; default: semantic.",
    ),
)
language_option = click.option(
    "--language", default="en", show_default=True, help="In which templates name their roles."
)


@role.command()
@click.argument("role_id", required=False)
@config_options
@click.option("--keyword", "keywords", multiple=True, help="A word of its field; repeatable.")
@click.option("--example", "examples", multiple=True, help="A text that belongs to it; repeatable.")
@click.option("--template", "templates", multiple=True, help="Make it of this one; repeatable.")
@click.option("--set", "template_set", help="Make all of this set of templates.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make those of a file: JSON or TOML.",
)
@language_option
@place_options
@click.pass_obj
def add(
    asked: Asked,
    role_id: str | None,
    templates: Sequence[str],
    template_set: str | None,
    file: Path | None,
    language: str,
    user: str,
    archive: str,
    **fields: Any,
) -> None:
    """Make the role ROLE_ID, or roles of templates or a file.

    Memories that are there already stay where they are: `yiku role reroute` lets new roles claim
    theirs.
    """
    described = given(fields)
    if role_id is None and described:
        raise click.UsageError("A ROLE_ID is missing", click.get_current_context())
    if role_id is None and not (templates or template_set or file):
        raise click.UsageError(
            "Give a ROLE_ID with --description, a --template, a --set, or a --file",
            click.get_current_context(),
        )
    if role_id is not None and "role_description" not in described:
        raise click.UsageError(
            "A role needs a --description: similarity to it decides", click.get_current_context()
        )
    configs = [one.as_json() for one in roles_in(file, language)] if file else []
    configs += [{"role_id": role_id, **described}] if role_id is not None else []

    async def work(memory: MemoryClient) -> tuple[list[RoleOut], int]:
        made = await memory.add_roles(
            configs,
            templates=templates,
            template_set=template_set,
            language=language,
            user=user,
            archive=archive,
        )
        there = {one.name: one.passages or 0 for one in await memory.archives(user)}
        return made, there.get(archive, 0)

    made, memories = with_memory(asked, work)
    if asked.as_json:
        output.print_json({**RolesOut(roles=made).model_dump(mode="json"), "memories": memories})
        return
    role_show.print_made("made", made)
    if memories:
        names = [one.role_id for one in made] if len(made) <= FEW else []
        command = again(asked, *names, *place_of(user, archive))
        output.note(
            f"{role_show.memories(memories)} stored before, unmoved; to let the roles claim"
            f" theirs: {command}"
        )


def place_of(user: str, archive: str) -> list[str]:
    """The place as options, for a command that is told to people."""
    words = ["--user", user] if user else []
    return words + (["--archive", archive] if archive != "default" else [])


@role.command("list")
@place_options
@click.pass_obj
def list_roles(asked: Asked, **place: Any) -> None:
    """Show the roles of an archive, the oldest first."""
    found = with_memory(asked, lambda memory: memory.roles(**place))
    if asked.as_json:
        output.print_model(RolesOut(roles=found))
    elif found:
        role_show.print_roles(found)
    else:
        output.note("no roles yet: `yiku role add --set personal_assistant_set` makes some")


@role.command()
@click.argument("role_id")
@place_options
@click.pass_obj
def show(asked: Asked, role_id: str, **place: Any) -> None:
    """Show a role: its configuration, versions and figures."""

    async def work(memory: MemoryClient) -> role_show.Whole:
        found = await memory.role(role_id, **place)
        versions = await memory.role_history(role_id, **place)
        summary = await memory.role_stats(**place)
        own = next(one for one in summary.roles if one.role_id == role_id)
        return role_show.Whole(found, versions, own)

    whole = with_memory(asked, work)
    if asked.as_json:
        output.print_json(whole.as_json())
    else:
        role_show.print_whole(whole)


@role.command()
@click.argument("role_id")
@config_options
@click.option("--add-keyword", multiple=True, help="A word of its field; repeatable.")
@click.option("--remove-keyword", multiple=True, help="One that it no longer has; repeatable.")
@click.option("--add-example", multiple=True, help="A text that belongs to it; repeatable.")
@click.option("--remove-example", multiple=True, help="One that it no longer has; repeatable.")
@click.option("--version", type=int, help="Give it the configuration of this version again.")
@reason_option
@place_options
@click.pass_obj
def edit(
    asked: Asked,
    role_id: str,
    add_keyword: Sequence[str],
    remove_keyword: Sequence[str],
    add_example: Sequence[str],
    remove_example: Sequence[str],
    version: int | None,
    reason: str | None,
    user: str,
    archive: str,
    **fields: Any,
) -> None:
    """Change a role, or bring an earlier version back.

    Every configuration it had is kept. Its memories stay with it until `yiku role reroute` looks at
    them again.
    """
    place = {"user": user, "archive": archive}
    changes = given(fields)
    lists = {
        "keywords": (add_keyword, remove_keyword),
        "examples": (add_example, remove_example),
    }
    listed = any((*add_keyword, *remove_keyword, *add_example, *remove_example))
    if version is not None and (changes or listed or reason):
        raise click.UsageError("--version stands alone", click.get_current_context())
    if version is None and not (changes or listed):
        raise click.UsageError("Nothing to change was given", click.get_current_context())

    async def work(memory: MemoryClient) -> tuple[RoleOut, RoleOut]:
        before = await memory.role(role_id, **place)
        if version is not None:
            return before, await memory.restore_role(role_id, version, **place)
        for name, (more, fewer) in lists.items():
            if more or fewer:
                changes[name] = edited(name, getattr(before, name), more, fewer)
        return before, await memory.edit_role(role_id, reason=reason, **place, **changes)

    before, after = with_memory(asked, work)
    if asked.as_json:
        output.print_model(after)
    elif after.version == before.version:
        output.note(f"{role_id} is so already, version {after.version}")
    else:
        role_show.print_made("edited", [after])
        if role_show.texts_of(before) != role_show.texts_of(after):
            command = again(asked, role_id, *place_of(user, archive))
            output.note(f"its memories stay with it; to look at all memories again: {command}")


def edited(
    name: str, before: Sequence[str], more: Sequence[str], fewer: Sequence[str]
) -> list[str]:
    """Raises: Invalid where one that is to go isn't there."""
    missing = [one for one in fewer if one not in before]
    if missing:
        raise Invalid(f"Its {name} don't have {missing[0]!r}; `yiku role show` lists them.")
    return list(dict.fromkeys([*(one for one in before if one not in fewer), *more]))


@role.command()
@click.argument("role_id")
@click.option("--yes", is_flag=True, help="Don't ask.")
@place_options
@click.pass_obj
def remove(asked: Asked, role_id: str, yes: bool, **place: Any) -> None:
    """Remove a role; its memories stay.

    They stay in their other roles, or the general memory.
    """
    if not yes:
        with_memory(asked, lambda memory: memory.role(role_id, **place))  # look before asking
        confirm(f"Remove the role {role_id!r}? Its memories stay.")
    memories = with_memory(asked, lambda memory: memory.remove_role(role_id, **place))
    if asked.as_json:
        output.print_json({"role_id": role_id, "memories": memories})
    else:
        had = f"it had {role_show.memories(memories)}; they stay"
        click.echo(f"{click.style('removed', fg='green')}  {role_id}, {had}")


@role.command()
@click.argument("name", required=False)
@click.option(
    "--to",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it as TOML to this file, to start from.",
)
@click.pass_obj
def template(asked: Asked, name: str | None, target: Path | None) -> None:
    """Show the templates there are, or the one called NAME."""
    if name is None:
        if target is not None:
            raise click.UsageError("Which template? Give its NAME", click.get_current_context())
        found = with_memory(asked, lambda memory: memory.role_templates())
        if asked.as_json:
            output.print_model(found)
        else:
            role_show.print_templates(found)
        return
    if target is not None:
        with whole_file(target, replace=False) as file:
            file.write(written(asked, name, target))
        shown = {"template": name, "path": str(target)}
        done = f"{click.style('written', fg='green')}  {target}"
        output.print_json(shown) if asked.as_json else click.echo(done)
        return
    one = with_memory(asked, lambda memory: memory.role_template(name))
    if asked.as_json:
        output.print_model(one)
    else:
        role_show.print_config(one)


def written(asked: Asked, name: str, target: Path) -> str:
    """The template's own file; of a server's, one made of its answer."""
    if not is_remote(asked):
        return template_text(name, folder=local_settings(asked).home_dir / "roles")
    one: RoleConfigOut = with_memory(asked, lambda memory: memory.role_template(name))
    return template_of(one.model_dump(), "en", target)


@role.command()
@place_options
@click.pass_obj
def stats(asked: Asked, **place: Any) -> None:
    """Show each role in figures: memories, gatings, drift."""
    found = with_memory(asked, lambda memory: memory.role_stats(**place))
    if asked.as_json:
        output.print_model(found)
    else:
        role_show.print_stats(found)
