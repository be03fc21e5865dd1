"""Progress on stderr, for people who watch: never in a pipe, never with --json."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from yiku.cli.options import Asked

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

Unit = Literal["passages", "bytes", "pages", "messages", "chunks"]


class Bar:
    """A bar with rate and time left; nothing where nobody watches."""

    def __init__(self, title: str, asked: Asked, *, unit: Unit) -> None:
        self._progress = None
        if asked.as_json or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import Progress

        self._progress = Progress(*columns(unit), console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(title, total=None)

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total)

    def title(self, title: str) -> None:
        if self._progress is not None:
            self._progress.update(self._task, description=title)


def columns(unit: Unit) -> list[ProgressColumn]:
    from rich import progress
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f}/s")

    amount: list[ProgressColumn] = (
        [progress.DownloadColumn(), progress.TransferSpeedColumn()]
        if unit == "bytes"
        else [progress.MofNCompleteColumn(), Rate()]
    )
    return [
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        *amount,
        progress.TimeRemainingColumn(compact=True),
    ]
