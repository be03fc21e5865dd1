"""What the log is made of: one line a record, as text or JSON, with the ids of whom it is for.

No text of a memory, a message or a prompt comes into it, and no secret. Our own code logs names,
ids and numbers; two things are kept out here. Libraries tell at `debug` and `info` what they send
and whom they ask with which key: of them only warnings are written. And what an exception says may
hold the text that it was about: of those that are not about machines or code only the kind and the
place are written.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from yiku.core.errors import StoreError
from yiku.core.telemetry import here

LogFormat = Literal["text", "json"]
OURS = "yiku"
WORDS_ARE_SAFE = (
    AttributeError,
    ConnectionError,
    ImportError,
    NameError,
    StoreError,
    TypeError,
)
"""They tell of machines and of code."""
KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; all else is `extra`."""
TOLD_AS = (str, int, float, bool, type(None))


def begin(level: str, form: LogFormat) -> None:
    """Write the log to stderr, for all of this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(AsJson() if form == "json" else AsText())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, levels()[level]))
    logging.getLogger(OURS).setLevel(levels()[level])
    logging.captureWarnings(True)


def levels() -> dict[str, int]:
    return {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}


class AsText(logging.Formatter):
    """For people: the message, then what is known beside it."""

    def format(self, record: logging.LogRecord) -> str:
        beside = "".join(f" {name}={value}" for name, value in facts_of(record).items())
        line = (
            f"{moment(record)} {record.levelname} {record.name}: {record.getMessage()}{beside}"
        ).replace("\n", "\\n")
        return "\n".join([line, *failure_of(record)])


class AsJson(logging.Formatter):
    """For programs: an object a line."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **facts_of(record),
        }
        failure = list(failure_of(record))
        if failure:
            told["failure"] = "\n".join(failure)
        return json.dumps(told, ensure_ascii=False, default=str)


def moment(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """The ids of this task's work, and what was logged beside the message."""
    beside = {name: plain(one) for name, one in vars(record).items() if name not in KNOWN}
    return {**here(), **beside}


def plain(value: object) -> object:
    return value if isinstance(value, TOLD_AS) else str(value)


def failure_of(record: logging.LogRecord) -> Iterator[str]:
    """Where it went wrong, and what kind of error it was; as Python tells it, but for the words."""
    if not record.exc_info or record.exc_info[1] is None:
        return
    for error, why in chain_of(record.exc_info[1]):
        if why:
            yield why
        yield "Traceback (most recent call last):"
        yield from places_of(error.__traceback__)
        yield told_of(error)


def chain_of(error: BaseException) -> list[tuple[BaseException, str]]:
    """The first cause first; with each what leads on to it from the one before."""
    found: list[tuple[BaseException, str]] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        before = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
        leads = "caused:" if at.__cause__ is not None else "while that was dealt with:"
        found.append((at, "" if before is None else leads))
        at = before
    return found[::-1]


def places_of(trace: TracebackType | None) -> Iterator[str]:
    for one in traceback.extract_tb(trace):
        yield f'  File "{one.filename}", line {one.lineno}, in {one.name}'
        if one.line:
            yield f"    {one.line}"


def told_of(error: BaseException) -> str:
    kind = type(error)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    return f"{name}: {error}" if isinstance(error, WORDS_ARE_SAFE) else name
