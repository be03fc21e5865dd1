"""What rooms tell of their work: for whom it is done, and what goes on. Nobody listens by default.

A room says `with telemetry.doing(Kind.STEP, …)` around what it does, and nothing of counters,
traces or logs: who listens makes of it what they keep (`yiku.telemetry`). It never tells texts: of
memories, messages, prompts, arguments; only names, kinds, ids and numbers.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from enum import StrEnum
from types import MappingProxyType, TracebackType
from typing import Protocol

Fact = str | int | float | bool
Name = str | int
"""What an id in a log line may be."""


class Kind(StrEnum):
    """What goes on."""

    REQUEST = "request"
    RUN = "run"
    STEP = "step"
    MODEL = "model"
    """A call of a language model, with its tries."""
    EMBEDDING = "embedding"
    TOOL = "tool"
    TRANSACTION = "transaction"
    JOB = "job"
    """One of the outbox."""


class Doing(Protocol):
    """Something that goes on."""

    def note(self, **facts: Fact | None) -> None:
        """Tell what is known of it by now; what is None isn't told."""
        ...


class Telemetry(Protocol):
    """Who is told of what goes on. Any thread may tell."""

    def doing(self, kind: Kind, name: str, **facts: Fact | None) -> AbstractContextManager[Doing]:
        """It goes on while the context is open; what is raised through it ended it."""
        ...

    def done(self, kind: Kind, name: str, **facts: Fact | None) -> None:
        """It was done as a part of something else, whose time it took."""
        ...


class Silent:
    """Tells nobody: what is done while nobody listens costs a call of this."""

    __slots__ = ()

    def __enter__(self) -> Silent:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """What is raised goes on."""

    def note(self, **facts: Fact | None) -> None:
        """To nobody."""

    def doing(self, kind: Kind, name: str, **facts: Fact | None) -> Silent:
        return self

    def done(self, kind: Kind, name: str, **facts: Fact | None) -> None:
        """To nobody."""


SILENT = Silent()

_here: ContextVar[Mapping[str, Name]] = ContextVar("yiku_here", default=MappingProxyType({}))


def here() -> Mapping[str, Name]:
    """For whom this task works: `request`, `organization`, `agent`, `run` …, as far as is known."""
    return _here.get()


def note_here(**ids: Name | None) -> None:
    """Add what has become known; it holds as long as the `within` around it."""
    _here.set({**_here.get(), **{name: one for name, one in ids.items() if one is not None}})


@contextmanager
def within(**ids: Name | None) -> Generator[None]:
    """What is logged and traced inside, in tasks begun there too, bears these ids."""
    token = _here.set({**_here.get(), **{n: one for n, one in ids.items() if one is not None}})
    try:
        yield
    finally:
        _here.reset(token)
