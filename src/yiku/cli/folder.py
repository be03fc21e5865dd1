"""`yiku folder create | list | upload | status | attach | detach | delete`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from yiku.cli import output
from yiku.cli.agent.named import named_agent
from yiku.cli.change import confirm, counted
from yiku.cli.options import Asked, Group
from yiku.cli.progress import Bar
from yiku.cli.running import with_memory
from yiku.client.folders import Duplicates
from yiku.client.memory import MemoryClient
from yiku.core.errors import FileNotFound, FolderNotFound, InvalidFile
from yiku.server.v1.wire_files import FileOut, FolderOut

PREFIX = "source-"
"""Of folders' ids."""
LISTED = 1_000


@click.group(cls=Group)
def folder() -> None:
    """Files that agents read: upload them, see how far they are, give them to agents."""


@folder.command()
@click.argument("name")
@click.option("--description", help="What is in it.")
@click.option("--instructions", help="What agents are told about it.")
@click.pass_obj
def create(asked: Asked, name: str, description: str | None, instructions: str | None) -> None:
    """Make a folder."""
    made = with_memory(
        asked,
        lambda memory: memory.folders.create(
            name, description=description, instructions=instructions
        ),
    )
    told(asked, "made", made)


@folder.command("list")
@click.pass_obj
def list_folders(asked: Asked) -> None:
    """Show the folders there are."""
    found = with_memory(asked, lambda memory: memory.folders.list(limit=LISTED))
    if asked.as_json:
        output.print_json([one.model_dump(mode="json") for one in found])
        return
    rows = ([one.name, one.description or "", one.id] for one in found)
    output.print_table(["folder", "description", "id"], rows)


@folder.command()
@click.argument("folder_name", metavar="FOLDER")
@click.argument(
    "paths",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--duplicates",
    type=click.Choice(get_args(Duplicates)),
    default="suffix",
    show_default=True,
    help="What becomes of a file whose name the folder has.",
)
@click.option("--no-wait", is_flag=True, help="Don't wait until they have been read.")
@click.pass_obj
def upload(
    asked: Asked, folder_name: str, paths: tuple[Path, ...], duplicates: Duplicates, no_wait: bool
) -> None:
    """Put FILEs into FOLDER, and wait until they have been read."""

    async def work(memory: MemoryClient) -> list[FileOut]:
        home = await named(memory, folder_name)
        sent: list[FileOut] = []
        with Bar("uploading", asked, unit="bytes") as bar:
            for path in paths:
                bar.title(path.name)
                one = await memory.folders.upload(
                    home.id, path, duplicates=duplicates, progress=bar.update
                )
                sent.append(one)
        if no_wait:
            return sent
        with Bar("reading", asked, unit="chunks") as bar:
            return [await memory.folders.wait(home.id, one.id, progress=bar.update) for one in sent]

    found = with_memory(asked, work)
    show(asked, found)
    broken = [one for one in found if one.processing_status == "error"]
    if broken:
        count = counted(len(broken), "file")
        raise InvalidFile(f"{count} couldn't be read, first: {broken[0].error_message}")


@folder.command()
@click.argument("folder_name", metavar="FOLDER")
@click.pass_obj
def status(asked: Asked, folder_name: str) -> None:
    """Show the files of FOLDER, and how far each has been read."""

    async def work(memory: MemoryClient) -> list[FileOut]:
        return await memory.folders.files((await named(memory, folder_name)).id)

    show(asked, with_memory(asked, work))


@folder.command()
@click.argument("folder_name", metavar="FOLDER")
@click.argument("agent_name", metavar="AGENT")
@click.pass_obj
def attach(asked: Asked, folder_name: str, agent_name: str) -> None:
    """Give AGENT the folder FOLDER, and the tools to read it."""

    async def work(memory: MemoryClient) -> FolderOut:
        home = await named(memory, folder_name)
        await memory.folders.attach(home.id, (await named_agent(memory.agents, agent_name)).id)
        return home

    told(asked, "attached", with_memory(asked, work))


@folder.command()
@click.argument("folder_name", metavar="FOLDER")
@click.argument("agent_name", metavar="AGENT")
@click.pass_obj
def detach(asked: Asked, folder_name: str, agent_name: str) -> None:
    """Take the folder FOLDER from AGENT; it stays."""

    async def work(memory: MemoryClient) -> FolderOut:
        home = await named(memory, folder_name)
        await memory.folders.detach(home.id, (await named_agent(memory.agents, agent_name)).id)
        return home

    told(asked, "detached", with_memory(asked, work))


@folder.command()
@click.argument("folder_name", metavar="FOLDER")
@click.argument("file_name", metavar="[FILE]", required=False)
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def delete(asked: Asked, folder_name: str, file_name: str | None, yes: bool) -> None:
    """Erase FOLDER with its files, or one FILE of it, for good."""

    async def work(memory: MemoryClient) -> str:
        home = await named(memory, folder_name)
        files = await memory.folders.files(home.id)
        if file_name is None:
            if not yes:
                held = counted(len(files), "file")
                confirm(f"Erase the folder {home.name!r} and all it holds, {held}, for good?")
            await memory.folders.delete(home.id)
            return home.id
        one = next((each for each in files if file_name in names_of(each)), None)
        if one is None:
            there = ", ".join(each.file_name.partition("/")[2] for each in files[:10]) or "none"
            raise FileNotFound(f"There is no file {file_name!r} in {home.name!r}; there: {there}.")
        if not yes:
            confirm(f"Erase {one.file_name!r} for good?")
        await memory.folders.delete_file(home.id, one.id)
        return one.id

    gone = with_memory(asked, work)
    if asked.as_json:
        output.print_json({"deleted": gone})
    else:
        click.echo(f"{click.style('erased', fg='green')}  {file_name or folder_name}  {gone}")


def names_of(one: FileOut) -> tuple[str, ...]:
    return one.id, one.file_name, one.file_name.partition("/")[2]


async def named(memory: MemoryClient, name: str) -> FolderOut:
    """The folder of this id or name. Raises: FolderNotFound."""
    if name.startswith(PREFIX):
        return await memory.folders.get(name)
    found = await memory.folders.list(name=name)
    if not found:
        raise FolderNotFound(
            f"There is no folder {name!r}. `yiku folder list` shows those there are;"
            " `yiku folder create` makes one."
        )
    return found[0]


def told(asked: Asked, done: str, one: FolderOut) -> None:
    if asked.as_json:
        output.print_model(one)
    else:
        click.echo(f"{click.style(done, fg='green')}  {one.name}  {one.id}")


def show(asked: Asked, found: list[FileOut]) -> None:
    if asked.as_json:
        output.print_json([one.model_dump(mode="json") for one in found])
        return
    output.print_table(
        ["file", "status", "lines", "chunks", "id"],
        (
            [
                one.file_name,
                one.error_message or one.processing_status,
                f"{one.total_lines:,}",
                f"{one.chunks_embedded:,}/{one.total_chunks:,}",
                one.id,
            ]
            for one in found
        ),
    )
