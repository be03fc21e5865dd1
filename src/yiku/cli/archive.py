"""`yiku archive list | create | rename | delete`."""

from __future__ import annotations

import click

from yiku.cli import output
from yiku.cli.change import confirm, counted
from yiku.cli.options import Asked, Group, user_option
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient
from yiku.core.errors import ArchiveNotFound
from yiku.server.wire import ArchiveOut, ArchivesOut


@click.group(cls=Group)
def archive() -> None:
    """List, make, rename and delete archives."""


@archive.command("list")
@click.option("--user", help="Only this user's; empty: only the shared ones.")
@click.pass_obj
def list_archives(asked: Asked, user: str | None) -> None:
    """Show the archives there are."""
    found = with_memory(asked, lambda memory: memory.archives(user))
    if asked.as_json:
        output.print_model(ArchivesOut(archives=found))
        return
    output.print_table(
        ["user", "archive", "passages", "embedding model", "id"],
        ([a.user, a.name, f"{a.passages or 0:,}", a.embedding_model or "", a.id] for a in found),
    )


@archive.command()
@click.argument("name")
@user_option
@click.option("--description", default="")
@click.pass_obj
def create(asked: Asked, name: str, user: str, description: str) -> None:
    """Make an archive; adding to one that isn't there makes it too."""
    show(
        asked,
        "made",
        with_memory(
            asked, lambda memory: memory.create_archive(name, user=user, description=description)
        ),
    )


@archive.command()
@click.argument("name")
@click.argument("new_name")
@user_option
@click.option("--description", help="A new description.")
@click.pass_obj
def rename(asked: Asked, name: str, new_name: str, user: str, description: str | None) -> None:
    """Give the archive NAME another name."""

    async def work(memory: MemoryClient) -> ArchiveOut:
        found = await named(memory, user, name)
        return await memory.rename_archive(found.id, new_name, description=description)

    show(asked, "renamed", with_memory(asked, work))


@archive.command()
@click.argument("name")
@user_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def delete(asked: Asked, name: str, user: str, yes: bool) -> None:
    """Erase the archive NAME and all it holds, for good."""

    async def work(memory: MemoryClient) -> int:
        found = await named(memory, user, name)
        if not yes:
            held = counted(found.passages or 0, "passage")
            confirm(f"Erase the archive {name!r} and all it holds, {held}, for good?")
        return await memory.delete_archive(found.id)

    deleted = with_memory(asked, work)
    if asked.as_json:
        output.print_json({"deleted": deleted})
    else:
        click.echo(f"{click.style('erased', fg='green')}  {name}, {counted(deleted, 'passage')}")


async def named(memory: MemoryClient, user: str, name: str) -> ArchiveOut:
    """The user's archive of this name, or any archive of this id. Raises: ArchiveNotFound."""
    for one in await memory.archives():
        if (one.user, one.name) == (user, name) or one.id == name:
            return one
    whose = f" of {user!r}" if user else ""
    raise ArchiveNotFound(
        f"There is no archive {name!r}{whose}. `yiku archive list` shows what there is."
    )


def show(asked: Asked, done: str, one: ArchiveOut) -> None:
    if asked.as_json:
        output.print_model(one)
    else:
        click.echo(f"{click.style(done, fg='green')}  {one.name}  {one.id}")
