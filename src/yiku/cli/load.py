"""`yiku import`: a file is checked whole, then stored in chunks, each with how far it goes."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypedDict, cast

import click

from yiku.cli import output
from yiku.cli.change import counted
from yiku.cli.export import whole_file
from yiku.cli.options import Asked, Command, place_options
from yiku.cli.programs import PROGRAMS, Program, take_export
from yiku.cli.progress import Bar
from yiku.cli.records import FORMATS, SUFFIXES, Format, Reading, Record, Split, records
from yiku.cli.running import home_of, with_memory
from yiku.client.memory import MemoryClient
from yiku.core.errors import InvalidFile, JobConflict
from yiku.settings import load

CHUNK = 256
CHUNK_BYTES = 4_000_000
SPOOLED = 64_000_000
SHOWN = 5


@dataclass(slots=True)
class Checked:
    """What a first reading of the file has found."""

    good: int = 0
    bad: list[Record] = field(default_factory=list[Record])
    digest: str = ""


@dataclass(slots=True)
class Outcome:
    """What an import did."""

    passages: int
    """In the file, without bad ones."""
    skipped: int
    """Stored by an earlier run."""
    added: int = 0
    known: int = 0
    """Linked to passages that held them already."""
    rejected: int = 0
    seconds: float = 0.0


@click.command("import", cls=Command)
@click.argument(
    "source", type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True)
)
@place_options
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Default: by the file's name.")
@click.option(
    "--split",
    type=click.Choice(["line", "paragraph"]),
    default="line",
    show_default=True,
    help="What one passage of a plain text is.",
)
@click.option("--speaker", help="For passages that name none.")
@click.option("--conversation", help="For passages that name none.")
@click.option("--tag", "tags", multiple=True, help="For passages that have none; repeatable.")
@click.option("--skip-bad", is_flag=True, help="Write bad lines to FILE.rejected.jsonl, go on.")
@click.option("--again", is_flag=True, help="Begin anew, even if it was imported before.")
@click.option("--from", "program", type=click.Choice(PROGRAMS), help="Another program's export.")
@click.option("--agent", metavar="AGENT", help="With --from: whose memory it goes into.")
@click.option("--dry-run", is_flag=True, help="With --from: say what would happen.")
@click.pass_obj
def import_file(
    asked: Asked,
    source: Path,
    program: Program | None,
    agent: str | None,
    dry_run: bool,
    kind: Format | None,
    split: Split,
    skip_bad: bool,
    again: bool,
    user: str,
    archive: str,
    **defaults: Any,
) -> None:
    """Remember the file SOURCE (`-`: what is piped in), a passage a line or paragraph.

    The file is checked whole before anything is stored. Interrupted, a second run of the same file
    goes on where the first one stood, and stores nothing twice.

    --from chatgpt, claude or mem0 reads what those export, as it came (JSON or zip): conversations
    become the agent's, memories go into its archive, each once, however often they are imported.
    """
    if program is not None:
        if agent is None:
            raise click.UsageError(
                "Say whose memory it goes into: --agent", click.get_current_context()
            )
        take_export(asked, source, program, agent, dry_run=dry_run)
        return
    if agent is not None or dry_run:
        raise click.UsageError("--agent and --dry-run need --from", click.get_current_context())
    how = Reading(
        format=kind or format_of(source),
        split=split,
        name="" if str(source) == "-" else source.name,
        max_text_bytes=load(**home_of(asked)).max_text_bytes,
        defaults={name: list(v) if name == "tags" else v for name, v in defaults.items() if v},
    )
    with opened_twice(source) as file:
        checked = check_all(file, how)
        if checked.bad and not skip_bad:
            refuse(source, checked.bad)
        if checked.bad:
            write_rejected(source, checked.bad)
        job = job_name(checked.digest, how, user, archive)
        where: Where = {"user": user, "archive": archive}
        plan = Plan(file, how, job, where, checked.good, again)
        started = time.perf_counter()
        with Bar(f"importing {source.name}", asked, unit="passages") as bar:
            done = with_memory(asked, lambda memory: store(memory, plan, bar))
    done.rejected = len(checked.bad)
    done.seconds = round(time.perf_counter() - started, 3)
    show(asked, source, done)


class Where(TypedDict):
    """The archive, as the client takes it."""

    user: str
    archive: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be stored, and under which job."""

    file: BinaryIO
    how: Reading
    job: str
    where: Where
    passages: int
    again: bool


async def store(memory: MemoryClient, plan: Plan, bar: Bar) -> Outcome:
    """Store what no earlier run has stored; a chunk and how far it goes are one transaction.

    Raises: JobConflict where another run stores the same file at this moment.
    """
    seen = await memory.job_position(plan.job)
    position = 0 if plan.again else seen
    outcome = Outcome(passages=plan.passages, skipped=min(position, plan.passages))
    plan.file.seek(0)
    good = (one for one in records(plan.file, plan.how) if one.problem is None)
    for chunk in chunks(islice(good, position, None)):
        bar.update(position, plan.passages)
        position += len(chunk)
        fields = [one.fields for one in chunk]
        try:
            stored = await memory.add_many(
                fields, job=plan.job, position=position, seen_position=seen, **plan.where
            )
        except JobConflict as error:
            raise JobConflict(
                f"Another run is importing the same, after {counted(outcome.added, 'passage')} of"
                " this one. Wait for its end; then a second run stores what is left."
            ) from error
        seen = position
        outcome.added += sum(one.outcome == "added" for one in stored)
        outcome.known += sum(one.outcome != "added" for one in stored)
    bar.update(position, plan.passages)
    return outcome


def chunks(found: Iterator[Record]) -> Iterator[list[Record]]:
    """Up to 256 records and 4 MB of text at a time: a server refuses larger requests."""
    chunk, size = list[Record](), 0
    for one in found:
        length = len(str(one.fields).encode("utf-8", "replace"))
        if chunk and (len(chunk) == CHUNK or size + length > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(one)
        size += length
    if chunk:
        yield chunk


def check_all(file: BinaryIO, how: Reading) -> Checked:
    """Read the whole file, without storing anything."""
    checked = Checked()
    digest = sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    checked.digest = digest.hexdigest()
    file.seek(0)
    for one in records(file, how):
        if one.problem is None:
            checked.good += 1
        else:
            checked.bad.append(one)
    return checked


def job_name(digest: str, how: Reading, user: str, archive: str) -> str:
    """Names what is imported, into where; the same content is the same job."""
    parts = [digest, how.format, how.split, how.name, how.defaults, user, archive]
    return f"import-{sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()}"


@contextmanager
def opened_twice(source: Path) -> Generator[BinaryIO]:
    """The file, or what is piped in, so that it can be read from the start again."""
    if str(source) == "-":
        with tempfile.SpooledTemporaryFile(SPOOLED) as spool:
            while block := sys.stdin.buffer.read(1 << 20):
                spool.write(block)
            spool.seek(0)
            yield cast("BinaryIO", spool)
        return
    with source.open("rb") as file:
        yield file


def format_of(source: Path) -> Format:
    found = SUFFIXES.get(source.suffix.lower())
    if found is None:
        raise click.UsageError(
            f"What kind of file {str(source)!r} is can't be told from its name: give --format",
            click.get_current_context(),
        )
    return found


def refuse(source: Path, bad: Sequence[Record]) -> None:
    """Raises: InvalidFile."""
    first = "; ".join(f"line {one.line}: {(one.problem or '').rstrip('.')}" for one in bad[:SHOWN])
    more = f"; and {len(bad) - SHOWN:,} more" if len(bad) > SHOWN else ""
    raise InvalidFile(
        f"{source} has {counted(len(bad), 'bad passage')}, nothing was stored: {first}{more}."
        " Mend them, or leave them out with --skip-bad."
    )


def write_rejected(source: Path, bad: Sequence[Record]) -> None:
    name = Path("stdin") if str(source) == "-" else source
    target = name.with_name(f"{name.name}.rejected.jsonl")
    with whole_file(target, replace=True) as file:
        for one in bad:
            row = {"line": one.line, "problem": one.problem, "source": one.source}
            text = json.dumps(row, ensure_ascii=False)
            file.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
    output.note(f"{counted(len(bad), 'bad passage')} left out, see {target}")


def show(asked: Asked, source: Path, done: Outcome) -> None:
    if asked.as_json:
        output.print_json({name: getattr(done, name) for name in Outcome.__slots__})
        return
    rate = (done.added + done.known) / max(done.seconds, 1e-9)
    parts = [counted(done.added, "passage")]
    parts += [f"{done.known:,} known already"] if done.known else []
    parts += [f"{done.skipped:,} stored by an earlier run"] if done.skipped else []
    parts += [f"{done.rejected:,} left out"] if done.rejected else []
    parts += (
        [f"{done.seconds:.1f} s", f"{rate:,.{0 if rate >= 10 else 1}f}/s"]
        if done.added + done.known
        else []
    )
    state: Literal["imported", "nothing new"] = (
        "imported" if done.added + done.known else "nothing new"
    )
    click.echo(f"{click.style(state, fg='green')}  {source.name}: {', '.join(parts)}")
