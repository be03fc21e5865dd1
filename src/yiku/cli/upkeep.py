"""`yiku backup`, `restore`, `verify`, `reembed`: on the database itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from yiku.app import build
from yiku.cli import output
from yiku.cli.change import counted
from yiku.cli.options import Asked, Command, NewFile, user_option
from yiku.cli.progress import Bar
from yiku.cli.running import local_settings
from yiku.core.errors import Invalid, NotFound
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.archival import Place
from yiku.memory.reembed import reembed as move
from yiku.settings import Settings
from yiku.store import restore as restoring
from yiku.store import verify as verifying
from yiku.store.database import BY_OTHERS, now_utc, open_database
from yiku.store.sqlite_file import copy_database
from yiku.store.verify import Report

SQLITE = "sqlite:///"
SHOWN = {
    "archive": ("archive", "archives"),
    "passage": ("passage", "passages"),
    "forgotten": ("of them forgotten", "of them forgotten"),
    "superseded": ("of them superseded", "of them superseded"),
    "change": ("history entry", "history entries"),
    "sighting": ("repetition", "repetitions"),
    "role": ("role", "roles"),
    "role_passage": ("memory in a role", "memories in roles"),
    "block": ("block", "blocks"),
    "tool": ("tool", "tools"),
    "agent": ("agent", "agents"),
    "message": ("message", "messages"),
    "run": ("run", "runs"),
    "api_key": ("API key", "API keys"),
}
"""Which counts of a report people are told, and how one and several are called."""


@click.command(cls=Command)
@click.argument("target", type=NewFile())
@click.pass_obj
def backup(asked: Asked, target: Path) -> None:
    """Copy the database to the file TARGET, one consistent state, while it is in use.

    The database isn't changed, not even brought up to date.
    """
    settings = local_settings(asked)
    if not settings.database.startswith(SQLITE):
        raise Invalid(BY_OTHERS)
    existing(settings)
    path = sqlite_path(settings)
    # As it is: whoever upgrades takes a backup before anything is brought up to date.
    restoring.open_file(path).close()
    with Bar("backing up", asked, unit="pages") as bar:
        copy_database(path, target, bar.update)
    size = target.stat().st_size
    if asked.as_json:
        output.print_json({"path": str(target), "bytes": size})
    else:
        click.echo(f"{click.style('backed up', fg='green')}  {target}  {size:,} bytes")


@click.command(cls=Command)
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Keep the database that is there beside the new one.")
@click.pass_obj
def restore(asked: Asked, source: Path, replace: bool) -> None:
    """Put the backup SOURCE, once it is checked, in the database's place.

    Refuses where there is a database; with --replace that one is kept as
    yiku.db.before-restore-<time>.
    """
    path = sqlite_path(local_settings(asked))
    with Bar("restoring", asked, unit="pages") as bar:
        kept = restoring.restore(source, path, replace=replace, now=now_utc(), progress=bar.update)
    if asked.as_json:
        output.print_json({"path": str(path), "kept": None if kept is None else str(kept)})
    else:
        click.echo(f"{click.style('restored', fg='green')}  {path}")
        if kept is not None:
            click.echo(f"{output.INDENT}what was there before: {kept}")


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@click.pass_obj
def verify(asked: Asked, file: Path | None) -> None:
    """Check the database, or the backup FILE: the file, then every row in it.

    Exit code 1 where anything is wrong.
    """
    settings = local_settings(asked)
    with Bar("verifying", asked, unit="passages") as bar:
        if file is not None:
            report = restoring.verify_file(file, bar.update)
        else:
            existing(settings)
            report = asyncio.run(verify_database(settings, bar))
    if asked.as_json:
        output.print_json(
            {"schema": report.schema, "counts": report.counts, "problems": report.problems}
        )
    else:
        print_report(report)
    if report.problems:
        click.get_current_context().exit(1)


async def verify_database(settings: Settings, bar: Bar) -> Report:
    database = await open_database(
        settings.database, busy_timeout_s=settings.busy_timeout_s, auto_migrate=False
    )
    try:
        return await database.read(
            LOCAL_ACTOR, lambda tx: verifying.check(tx.connection, bar.update)
        )
    finally:
        await database.close()


def print_report(report: Report) -> None:
    for name, (one, several) in SHOWN.items():
        if name in report.counts:
            count = report.counts[name]
            click.echo(f"{count:>12,}  {one if count == 1 else several}")
    for problem in report.problems:
        click.secho(f"{output.INDENT}{problem}", fg="red")
    if report.problems:
        click.secho(counted(len(report.problems), "problem"), fg="red")
    else:
        click.echo(f"{click.style('sound', fg='green')}  schema {report.schema}")


@click.command(cls=Command)
@click.argument("archive")
@user_option
@click.pass_obj
def reembed(asked: Asked, archive: str, user: str) -> None:
    """Move the archive ARCHIVE to the configured embedding model.

    It stays in use by its old model until all is done. Interrupted, a second run goes on where
    the first one stood.
    """
    settings = local_settings(asked)

    async def run(bar: Bar) -> tuple[int, str]:
        async with build(settings) as app:
            place = Place(user, archive)
            made = await move(app.memory, LOCAL_ACTOR, place, bar.update)
            return made, app.memory.embedder.model

    with Bar(f"embedding {archive}", asked, unit="passages") as bar:
        made, model = asyncio.run(run(bar))
    if asked.as_json:
        output.print_json({"archive": archive, "user": user, "embedded": made, "model": model})
    else:
        click.echo(
            f"{click.style('moved', fg='green')}  {archive} to {model},"
            f" {counted(made, 'passage')} embedded"
        )


def sqlite_path(settings: Settings) -> Path:
    """Raises: Invalid where the database is not SQLite's."""
    if not settings.database.startswith(SQLITE):
        raise Invalid(
            "A Postgres database is restored by its own tools: pg_restore, or your provider's"
            " snapshots."
        )
    return Path(settings.database.removeprefix(SQLITE))


def existing(settings: Settings) -> None:
    """Raises: NotFound where there is no database file: opening it would make an empty one."""
    if settings.database.startswith(SQLITE) and not sqlite_path(settings).exists():
        raise NotFound(f"There is no database at {sqlite_path(settings)} yet.")
