"""Options that commands share, and the types of their values."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from yiku.core.errors import InvalidFile

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Asked:
    """What holds for every command: which memory, and how to answer."""

    home: Path | None
    url: str | None
    api_key: str | None
    as_json: bool


def combined(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, shown in this order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


HOME_HELP = "Data directory, instead of YIKU_HOME."
URL_HELP = "A server (http://…), or a database file (yiku:///path.db)."
KEY_HELP = "API key for the server."
JSON_HELP = "Answer as JSON."

shared_options = combined(
    click.option("--home", type=click.Path(file_okay=False, path_type=Path), help=HOME_HELP),
    click.option("--url", envvar="YIKU_URL", show_envvar=True, help=URL_HELP),
    click.option("--api-key", envvar="YIKU_API_KEY", show_envvar=True, help=KEY_HELP),
    click.option("--json", "as_json", is_flag=True, help=JSON_HELP),
)


class Command(click.Command):
    """A command that takes the shared options too, so that they may stand after its name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [
            shared("--home", "home", type=click.Path(file_okay=False, path_type=Path), hidden=True),
            shared("--url", "url", hidden=True),
            shared("--api-key", "api_key", hidden=True),
            shared("--json", "as_json", is_flag=True, default=None, help=JSON_HELP),
        ]


class Suggesting(click.Group):
    """A group that names the command which may be meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises: UsageError."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), 1)
            if not near:
                raise
            words = f"{error.message} Did you mean {near[0]!r}?"
            raise click.UsageError(words, ctx) from error


class Group(Suggesting):
    """A group of such commands."""

    command_class = Command


def shared(flag: str, name: str, **attributes: Any) -> click.Option:
    def keep(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None and isinstance(ctx.obj, Asked):
            setattr(ctx.obj, name, value)

    return click.Option([flag, name], expose_value=False, callback=keep, **attributes)


class When(click.ParamType[datetime]):
    """A date or a moment in ISO 8601; without a time zone, in this machine's."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.astimezone()
        except (ValueError, OverflowError, OSError):
            self.fail(
                f"{value!r} is no date or time; write 2026-09-20 or 2026-09-20T18:30+08:00",
                param,
                ctx,
            )


class NewFile(click.Path):
    """A file that is to be written, in a folder that is there."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        super().convert(value, param, ctx)
        folder = Path(value).parent
        if not folder.is_dir():
            self.fail(f"there is no folder {str(folder)!r} to write it to", param, ctx)
        return Path(value)


class Pair(click.ParamType[tuple[str, Any]]):
    """`name=value`; a value that is a JSON number, boolean, null, list or object is that."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value  # pyright: ignore[reportUnknownVariableType] # converted before
        name, equals, given = str(value).partition("=")
        if not (name and equals):
            self.fail(f"{value!r} is not name=value", param, ctx)
        try:
            return name, json.loads(given, parse_constant=lambda word: word)
        except ValueError:
            return name, given


def metadata_of(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A name given several times has a list of its values."""
    made: dict[str, list[Any]] = {}
    for name, value in pairs:
        made.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in made.items()}


user_option = click.option("--user", default="", help="Whose memory; default: the shared one.")
place_options = combined(
    user_option,
    click.option("--archive", default="default", show_default=True, help="The archive's name."),
)
said_options = combined(
    click.option("--speaker", help="Who said it; default: the user."),
    click.option("--at", type=When(), help="When it was said; default: now."),
    click.option("--conversation", help="The conversation it was said in."),
    click.option("--message", help="The message it was said in."),
    click.option("--tag", "tags", multiple=True, help="A tag; may be repeated."),
    click.option("--meta", "metadata", multiple=True, type=Pair(), help="Metadata; repeatable."),
    click.option("--valid-from", type=When(), help="True from then; default: when it was said."),
    click.option("--valid-to", type=When(), help="True until then."),
)
reason_option = click.option("--reason", help="Why; kept in the history.")


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was said on the command line, as the client takes it."""
    kept = {name: value for name, value in fields.items() if value not in (None, ())}
    if "metadata" in kept:
        kept["metadata"] = metadata_of(kept["metadata"])
    return kept


def text_of(argument: str | None, file: Path | None) -> str:
    """The text from the argument, a file, or a pipe.

    Raises: UsageError, InvalidFile.
    """
    if argument is not None and file is not None:
        raise click.UsageError("Give the text or --file, not both", click.get_current_context())
    if argument is not None and argument != "-":
        return argument
    if file is not None:
        return decoded(file.read_bytes(), str(file))
    if argument is None and sys.stdin.isatty():
        raise click.UsageError(
            "A text is missing: give it, name a --file, or pipe it in", click.get_current_context()
        )
    return decoded(sys.stdin.buffer.read(), "the input")


def decoded(content: bytes, name: str) -> str:
    """UTF-8, its mark and the last line's end taken off. Raises: InvalidFile."""
    try:
        return content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise InvalidFile(
            f"{name} is not UTF-8: byte {error.start} is 0x{content[error.start]:02X}."
        ) from error
