"""`yiku`: the group of all commands. A command's module is imported when it is called."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

import click

from yiku.cli.options import Asked, Suggesting, shared_options
from yiku.core import errors

COMMANDS = {
    "chat": ("chat.command:chat", "Talk with an agent that remembers."),
    "agent": ("agent.command:agent", "Make, show, change and delete agents; see their runs."),
    "conversation": (
        "conversation:conversation",
        "List, show, fork and delete agents' conversations.",
    ),
    "schedule": ("schedule:schedule", "Send agents messages later, once or again and again."),
    "add": ("remember:add", "Remember a text."),
    "search": ("find:search", "Find memories by meaning and by words."),
    "get": ("read:get", "Show one passage."),
    "list": ("read:list_passages", "Page through an archive, in the order it was stored."),
    "history": ("read:history", "Show everything that happened to a passage."),
    "edit": ("change:edit", "Change a passage; its history keeps what was."),
    "supersede": ("change:supersede", "Put a newer text in a passage's place."),
    "forget": ("change:forget", "Hide passages from every search; undo brings them back."),
    "undo": ("change:undo", "Take back a passage's last change."),
    "delete": ("change:delete", "Erase passages for good."),
    "import": ("load:import_file", "Remember a file: JSON Lines, plain text or Markdown."),
    "export": ("export:export", "Write an archive as JSON Lines."),
    "archive": ("archive:archive", "List, make, rename and delete archives."),
    "folder": ("folder:folder", "Files that agents read: upload, see how far, give to agents."),
    "role": ("role:role", "Experts with a memory of their own: make, change, correct, reroute."),
    "skill": ("skill.command:skill", "How memories are written and found: see, change, decide."),
    "route": ("routing:route", "Show which roles a text would go to."),
    "gate": ("routing:gate", "Show which roles speak in a context."),
    "block": ("block:block", "List and show core memory's blocks; undo their changes."),
    "tool": ("tool:tool", "Add, list, show, run and remove custom tools."),
    "mcp": ("mcp:mcp", "MCP servers, whose tools agents may use: add, try, refresh, remove."),
    "backup": ("upkeep:backup", "Copy the database to a file while it is in use."),
    "restore": ("upkeep:restore", "Put a backup in the database's place."),
    "verify": ("upkeep:verify", "Check the database, or a backup, row by row."),
    "reembed": ("upkeep:reembed", "Move an archive to the configured embedding model."),
    "doctor": ("doctor:doctor", "Check this installation, and say what to do."),
    "model": ("model:model", "List and try models; fetch and find local embedding models."),
    "key": ("key:key", "Make, list and revoke API keys."),
    "user": ("tenancy.user:user", "Make, list, rename and disable users."),
    "org": ("tenancy.org:org", "Make, list and rename organizations."),
    "project": ("tenancy.project:project", "Make, list and delete projects."),
    "quota": ("tenancy.quota:quota", "Show and set what an organization may have."),
    "audit": ("tenancy.audit:audit", "Show who did what, as administrators do."),
    "serve": ("serve:serve", "Serve memory and agents over HTTP."),
    "worker": ("worker:worker", "Carry out background jobs, without serving."),
    "demo": ("demo.command:demo", "Remember a conversation and ask about it."),
    "bench": ("bench:bench", "Measure the quality of retrieval on a data set."),
}
"""Name, where it is below `yiku.cli`, and what `yiku --help` says of it."""

EXIT_CODES: dict[type[BaseException], int] = {
    errors.InvalidFile: 1,
    errors.Invalid: 2,
    errors.NotFound: 3,
    errors.Conflict: 4,
    errors.DatabaseBusy: 5,
    errors.DatabaseUnreachable: 5,
    errors.ProviderUnavailable: 5,
    errors.SandboxUnavailable: 5,
    errors.McpUnavailable: 5,
    errors.CallbackFailed: 5,
    errors.YikuError: 1,
}
"""The nearest class of an error decides."""

INTERRUPTED = 130
OPTION = re.compile("--[a-z-]+")
GC_THRESHOLD = 100_000
"""New objects between two garbage collections: at Python's own 700, starting takes 0.1 s longer."""


class Commands(Suggesting):
    """The commands, each imported by name; errors end as one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        return getattr(import_module(f"yiku.cli.{module}"), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        try:
            code = super().main(args, "yiku", standalone_mode=False)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help() if error.ctx else error.format_message())
            sys.exit(2)
        except click.ClickException as error:
            fail(told(error), error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            fail("interrupted", INTERRUPTED)
        except errors.YikuError as error:
            fail(error.message, exit_code(error))
        except BrokenPipeError:
            # Whoever read our output has gone; Python's own flush at exit must not complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
        sys.exit(code if isinstance(code, int) else 0)


def told(error: click.ClickException) -> str:
    """The message, with where the command is explained when it was called wrongly."""
    message = error.format_message()
    if isinstance(error, click.NoSuchOption) and is_text(error):
        return f"{message.rstrip('.')}. Put `--` before a text that begins with a dash."
    if isinstance(error, click.UsageError) and error.ctx is not None:
        message = message.removesuffix(".")
        end = "" if message.endswith("?") else "."
        return f"{message}{end} See `{error.ctx.command_path} --help`."
    return message


def is_text(error: click.NoSuchOption) -> bool:
    """Whether what was taken for an option is likely a text that begins with a dash."""
    takes_text = error.ctx is not None and any(
        param.name in ("text", "query") for param in error.ctx.command.params
    )
    return takes_text and not OPTION.fullmatch(error.option_name)


def exit_code(error: errors.YikuError) -> int:
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


def fail(message: str, code: int) -> NoReturn:
    line = " ".join(message.split())
    safe = f"error: {line}".encode("utf-8", "backslashreplace").decode()
    click.secho(safe, fg="red", err=True)
    sys.exit(code)


def show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"yiku {version('yiku')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=show_version,
    help="Show the version and exit.",
)
@shared_options
@click.pass_context
def main(
    ctx: click.Context, home: Path | None, url: str | None, api_key: str | None, as_json: bool
) -> None:
    """Yiku (忆库): a long-term memory for AI agents.

    A moment without a time zone is in this machine's. Exit codes: 0 done, 1 error, 2 wrong usage,
    3 not found, 4 conflict, 5 busy or unavailable, 130 interrupted.
    """
    ctx.obj = Asked(home=home, url=url, api_key=api_key, as_json=as_json)


def run() -> NoReturn:
    """The command as a process of its own."""
    gc.set_threshold(GC_THRESHOLD)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    code: Any = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    # All is closed by now. Python would take 0.2 s to free what the system frees at once.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)
