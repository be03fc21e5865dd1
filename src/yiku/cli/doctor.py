"""`yiku doctor`: each line says what is, and what to do where it isn't well."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import click

from yiku.app import embedder_choice, models_choice
from yiku.cli import output
from yiku.cli.options import Asked, Command
from yiku.cli.running import local_settings
from yiku.cli.upkeep import SQLITE, sqlite_path
from yiku.core import errors
from yiku.core.tenant import LOCAL_ACTOR
from yiku.providers.choose import LOCAL, embedder
from yiku.providers.models import Models
from yiku.providers.offline import HANDLE as OFFLINE
from yiku.providers.presets import local_preset
from yiku.providers.weights import find_weights, sha256_of
from yiku.settings import Settings, unread_variables
from yiku.store import archives, outbox, schema, verify
from yiku.store.database import Database, Tx, now_utc, open_database, redacted

State = Literal["ok", "warn", "fail"]
COLOURS: dict[State, str] = {"ok": "green", "warn": "yellow", "fail": "red"}
OPTIONS = ("YIKU_URL", "YIKU_API_KEY")
"""Variables that are the command's own."""
SECRET = frozenset({"embedding_api_key", "model_api_key"})

OLDEST_SQLITE = (3, 35)
LITTLE_SPACE = 500_000_000
NO_SPACE = 50_000_000
MANY_JOBS = 10_000
LATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's."""

    state: State
    what: str
    found: str
    todo: str = ""


@click.command(cls=Command)
@click.option("--migrate", is_flag=True, help="Bring the database's schema up to date.")
@click.pass_obj
def doctor(asked: Asked, migrate: bool) -> None:
    """Check this installation, and say what to do. Exit code 1 where something fails."""
    findings: list[Finding] = []

    async def run() -> None:
        async for one in examine(asked, migrate):
            findings.append(one)
            if not asked.as_json:
                print_finding(one)

    asyncio.run(run())
    if asked.as_json:
        output.print_json(
            {
                "ok": all(one.state != "fail" for one in findings),
                "findings": [as_json(one) for one in findings],
            }
        )
    if any(one.state == "fail" for one in findings):
        click.get_current_context().exit(1)


def as_json(one: Finding) -> dict[str, str]:
    return {name: getattr(one, name) for name in Finding.__slots__}


def print_finding(one: Finding) -> None:
    click.echo(f"{click.style(f'{one.state:<5}', fg=COLOURS[one.state])}{one.what}: {one.found}")
    if one.todo:
        click.echo(f"{output.INDENT}→ {one.todo}")


async def examine(asked: Asked, migrate: bool) -> AsyncIterator[Finding]:
    try:
        settings = local_settings(asked)
    except errors.SettingInvalid as error:
        yield Finding("fail", "settings", error.message, "Correct or unset the variable.")
        return
    yield about_settings(settings)
    for name, near in unread_variables(OPTIONS).items():
        todo = f"Is it {near}?" if near else "See docs/reference/settings.md."
        yield Finding("warn", "settings", f"{name} is none, and has no effect", todo)
    for one in about_folder(settings):
        yield one
    async for one in about_database(settings, migrate):
        yield one
    async for one in about_model(settings):
        yield one
    yield about_language_model(settings)


def about_settings(settings: Settings) -> Finding:
    changed = [
        f"YIKU_{name.upper()}={'…' if name in SECRET else redacted(str(value))}"
        for name, field in type(settings).model_fields.items()
        if (value := getattr(settings, name)) != field.default
    ]
    return Finding("ok", "settings", ", ".join(changed) or "all as they are by default")


def about_folder(settings: Settings) -> Iterator[Finding]:
    home = settings.home_dir
    if not home.exists():
        yield Finding("ok", "data directory", f"{home}, made by the first `yiku add`")
    elif not os.access(home, os.W_OK | os.X_OK):
        todo = f"Let this user write to {home}, or set YIKU_HOME."
        yield Finding("fail", "data directory", f"{home} can't be written to", todo)
    else:
        yield Finding("ok", "data directory", str(home))
        private = [home, *(p for p in (home / "yiku.db",) if p.exists())]
        for path in private:
            if os.name == "posix" and path.stat().st_mode & 0o004:
                yield Finding(
                    "warn",
                    "permissions",
                    f"every user of this machine may read {path}",
                    f"chmod {'700' if path.is_dir() else '600'} {path}",
                )
    yield about_space(settings)


def about_space(settings: Settings) -> Finding:
    """A backup and a migration need as much again as the database takes."""
    database = sqlite_path(settings) if settings.database.startswith(SQLITE) else None
    files = [] if database is None else [database, database.with_name(f"{database.name}-wal")]
    used = sum(path.stat().st_size for path in files if path.exists())
    place = settings.home_dir if database is None else database.parent
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:,.1f} GB free, the database takes {used / 1e6:,.1f} MB"
    if free < NO_SPACE:
        return Finding("fail", "disk", found, "Make room: writes will fail soon.")
    if free < max(LITTLE_SPACE, 2 * used):
        return Finding("warn", "disk", found, "Make room: a backup needs as much again.")
    return Finding("ok", "disk", found)


async def about_database(settings: Settings, migrate: bool) -> AsyncIterator[Finding]:
    where = redacted(settings.database)
    if settings.database.startswith(SQLITE) and not sqlite_path(settings).exists():
        yield Finding("ok", "database", f"{where}, made by the first `yiku add`")
        return
    try:
        database = await open_database(
            settings.database, busy_timeout_s=settings.busy_timeout_s, auto_migrate=migrate
        )
    except errors.MigrationNeeded as error:
        newer = "newer" in error.message
        state: State = "warn" if settings.auto_migrate and not newer else "fail"
        todo = "" if newer else "Back it up, then run `yiku doctor --migrate`."
        yield Finding(state, "schema", error.message, todo)
        return
    except errors.StoreError as error:
        yield Finding("fail", "database", error.message, todo_of(error))
        return
    try:
        yield await reachable(database)
        yield await sound(database)
        yield await about_archives(database, configured_model(settings))
        yield await about_jobs(database)
    except errors.StoreError as error:
        yield Finding("fail", "database", error.message, todo_of(error))
    finally:
        await database.close()


def todo_of(error: errors.StoreError) -> str:
    match error:
        case errors.DatabaseForeign():
            return "Move that file away, or set YIKU_HOME or YIKU_DATABASE_URL."
        case errors.DatabaseDamaged():
            return "Put a backup in its place: yiku restore BACKUP --replace"
        case errors.DatabaseBusy():
            return "See which program keeps writing, and try again."
        case _:
            return "Check YIKU_DATABASE_URL, and that the database runs."


async def reachable(database: Database) -> Finding:
    def unit(tx: Tx) -> tuple[str, str | None]:
        return verify.engine(tx.connection), schema.current(tx.connection)

    engine, version = await database.read(LOCAL_ACTOR, unit)
    found = f"{redacted(database.url)}, {engine}, schema {version}"
    program, _, number = engine.partition(" ")
    if program == "SQLite" and tuple(map(int, number.split(".")[:2])) < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        return Finding("fail", "database", found, f"Yiku needs SQLite {oldest}: a newer Python.")
    return Finding("ok", "database", found)


async def sound(database: Database) -> Finding:
    problems = await database.read(
        LOCAL_ACTOR, lambda tx: verify.file_problems(tx.connection, quick=True)
    )
    if problems:
        todo = "Put a backup in its place: yiku restore BACKUP --replace"
        return Finding("fail", "integrity", "; ".join(problems[:3]), todo)
    return Finding("ok", "integrity", "the file is sound; `yiku verify` reads every row")


async def about_archives(database: Database, configured: str) -> Finding:
    """Vectors of another model than the configured one can't be searched."""
    found = await database.read(LOCAL_ACTOR, archives.list_all)
    others = [one for one, _ in found if one.embedding_model not in (None, configured)]
    total = f"{sum(count for _, count in found):,} passages in {len(found):,} archives"
    if not others:
        return Finding("ok", "archives", total)
    first = others[0]
    whose = f" --user {first.owner}" if first.owner else ""
    return Finding(
        "warn",
        "archives",
        f"{len(others)} of {len(found)} have vectors of another model: {first.name!r} of"
        f" {first.embedding_model}, {configured} is configured",
        f"Set YIKU_EMBEDDING back, or: yiku reembed {first.name}{whose}",
    )


async def about_jobs(database: Database) -> Finding:
    """What was to be done in the background, and wasn't."""
    found = await database.read(LOCAL_ACTOR, lambda tx: outbox.everywhere(tx.connection, MANY_JOBS))
    left = [one for one in found if one.tries >= outbox.MOST_TRIES]
    late = [one for one in found if one not in left and now_utc() - one.due_at > LATE]
    if left:
        problems = sorted({f"{one.kind}: {one.problem}" for one in left})
        return Finding(
            "warn",
            "jobs",
            f"{len(left)} failed {outbox.MOST_TRIES} times; {'; '.join(problems[:3])}",
            "Mend that. A conversation's job is tried again with its next message.",
        )
    if late:
        since = f"{late[0].due_at:%Y-%m-%d %H:%M} UTC"
        todo = "Start `yiku serve` or `yiku worker`."
        return Finding("warn", "jobs", f"{len(late)} wait, the oldest since {since}", todo)
    return Finding("ok", "jobs", f"{len(found)} wait" if found else "none wait")


def configured_model(settings: Settings) -> str:
    """As archives name it. Raises: SettingInvalid, ModelNotFound (no such preset)."""
    return embedder(embedder_choice(settings)).model


async def about_model(settings: Settings) -> AsyncIterator[Finding]:
    """Where the weights are, whether they are the right ones, and whether they embed a word."""
    try:
        provider, _, name = settings.embedding.partition("/")
        if provider == LOCAL:
            yield about_weights(settings, name)
        settings.make_home()  # before a cache in it is made
        made = embedder(embedder_choice(settings))
        try:
            started = time.perf_counter()
            await made.embed(["忆"], purpose="query")
            took = 1000 * (time.perf_counter() - started)
            yield Finding(
                "ok", "embedding", f"{made.model} answers, in {took:,.0f} ms with loading"
            )
        finally:
            await made.close()
    except (errors.ProviderError, errors.SettingInvalid) as error:
        yield Finding("fail", "embedding", error.message, todo_of_model(error, settings))


def about_language_model(settings: Settings) -> Finding:
    """Whether it could be asked; nothing is sent."""
    try:
        models = Models(models_choice(settings))
        models.get()
    except (errors.SettingInvalid, errors.Invalid, errors.ProviderError) as error:
        todo = "Correct YIKU_MODEL, or what it needs: yiku model list"
        return Finding("fail", "language model", error.message, todo)
    if models.default == OFFLINE:
        return Finding("ok", "language model", f"none: agents answer as {OFFLINE}")
    return Finding("ok", "language model", f"{models.default}; `yiku model test` tries it")


def about_weights(settings: Settings, name: str) -> Finding:
    preset = local_preset(name)
    path = find_weights(preset, settings.home_dir, settings.model_dir)
    if preset.sha256 is None:
        return Finding("ok", "model", f"{path}, its hash is not pinned")
    if sha256_of(path) != preset.sha256:
        todo = f"Fetch it again: yiku model pull {name}"
        return Finding("fail", "model", f"{path} is damaged or another model", todo)
    return Finding("ok", "model", f"{path}, SHA-256 as published")


def todo_of_model(error: errors.YikuError, settings: Settings) -> str:
    match error:
        case errors.ModelNotFound() if settings.model_dir is None:
            return f"yiku model pull {settings.embedding.partition('/')[2]}"
        case errors.ProviderUnavailable():
            return "Check YIKU_EMBEDDING_BASE_URL and the network."
        case errors.ProviderRefused():
            return "Check YIKU_EMBEDDING_API_KEY and YIKU_EMBEDDING."
        case _:
            return "Check YIKU_EMBEDDING and what belongs to it."
