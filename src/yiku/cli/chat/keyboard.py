"""Lines from whoever writes: a person at a terminal, or a pipe."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from yiku.cli.options import decoded

PROMPT = "› "
MORE = "… "
AGAIN_S = 0.1


def piped_lines() -> Iterator[str]:
    """Each line that isn't blank. Raises: InvalidFile where it isn't UTF-8."""
    for raw in sys.stdin.buffer:
        line = decoded(raw, "the input")
        if line.strip():
            yield line


def typed_line() -> str:
    """What a person writes; a line that ends with a backslash goes on in the next.

    Raises: EOFError, KeyboardInterrupt.
    """
    line = read(PROMPT)
    while line.endswith("\\"):
        line = f"{line[:-1]}\n{read(MORE)}"
    return line


def ask(question: str, suggested: str) -> str:
    """`suggested` stands in the line to be edited, where the terminal can do that.

    Raises: EOFError, KeyboardInterrupt.
    """
    editor = line_editor()
    if not suggested or editor is None:
        return read(question) or suggested
    editor.set_startup_hook(lambda: editor.insert_text(suggested))
    try:
        return read(question)
    finally:
        editor.set_startup_hook()


def read(prompt: str) -> str:
    line_editor()
    with heard_interrupts():
        if sys.stdout.isatty():
            return input(prompt)
        click.echo(prompt, nl=False, err=True)  # stdout is for what the agent says
        return input()


@contextmanager
def heard_interrupts() -> Generator[None]:
    """Ctrl-C raises KeyboardInterrupt, also when it comes just before `input` waits.

    Python sees a signal between two steps of its own. One that comes after the last step before
    readline waits for a key isn't seen until a key is pressed: it is sent again until it's seen.
    """
    main = threading.main_thread()
    if sys.platform == "win32" or threading.current_thread() is not main:
        yield  # Windows wakes `input` itself; other threads get no signals
        return
    seen = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not seen.is_set():
            seen.set()
            raise KeyboardInterrupt

    def send_again(arrived: socket.socket) -> None:
        if arrived.recv(1):
            while not seen.wait(AGAIN_S):
                signal.pthread_kill(main.ident or 0, signal.SIGINT)

    arrived, arriving = socket.socketpair()
    arriving.setblocking(False)
    sender = threading.Thread(target=send_again, args=(arrived,), daemon=True)
    sender.start()
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.set_wakeup_fd(arriving.fileno())
        signal.signal(signal.SIGINT, on_signal)
        yield
    finally:
        seen.set()
        signal.set_wakeup_fd(-1)
        arriving.close()
        sender.join()
        arrived.close()
        signal.signal(signal.SIGINT, before)


def line_editor() -> Any:
    """`input` edits lines and keeps their history once this is imported; Windows has its own."""
    try:
        import readline
    except ImportError:
        return None
    return readline
