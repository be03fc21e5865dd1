"""The packages that tools' code asks for: each set installed once, in a folder of its own."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import logging
import os
import re
import shutil
import sys
import sysconfig
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from yiku.core.errors import InvalidTool, NotAllowed
from yiku.core.tenant import Actor, Scope
from yiku.core.tool import Requirement, Tool

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

Installing = Literal["off", "admin", "write"]

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._,-]*\])?")
"""Of a package, and of nothing else that pip takes: no path, no address, no option."""
TIMEOUT_S = 600.0
WAIT_S = 0.1
TOLD_LINES = 12


@dataclass(frozen=True, slots=True)
class Packages:
    """Wheels only: installing one unpacks it, and runs none of its code. That runs in the sandbox.

    A folder's name is a hash of what is asked for and of this Python, so a set is installed once,
    whichever tools ask for it. Requirements without a version stay at the one that was newest then.
    """

    home: Path
    """`<YIKU_HOME>/tools/env`."""
    installing: Installing
    """Whose calls may install; what is installed, any call may use."""

    async def folder(self, actor: Actor, tool: Tool) -> str | None:
        """Where the tool's packages are, installed if they aren't yet; None: it needs none.

        Raises: InvalidTool, NotAllowed.
        """
        if tool.npm_requirements:
            named = ", ".join(one.name for one in tool.npm_requirements)
            raise InvalidTool(
                f"`{tool.name}` needs {named} of npm. Tools run in Python here; npm's packages"
                " can't be used."
            )
        if not tool.pip_requirements:
            return None
        wanted = sorted({spec(one) for one in tool.pip_requirements})
        there = self.home / digest(wanted)
        if not there.exists():
            self._demand(actor, tool, wanted)
            async with locked(self.home, there.name):
                if not there.exists():
                    await installed(there, wanted)
        return str(there)

    def _demand(self, actor: Actor, tool: Tool, wanted: Sequence[str]) -> None:
        """Raises: InvalidTool, NotAllowed."""
        named = ", ".join(wanted)
        if self.installing == "off":
            raise InvalidTool(
                f"`{tool.name}` needs {named}, and installing packages is switched off"
                " (YIKU_TOOL_REQUIREMENTS=off)."
            )
        if not actor.may(Scope.ADMIN if self.installing == "admin" else Scope.WRITE):
            raise NotAllowed(
                f"`{tool.name}` needs {named}, which isn't installed yet. A key with the scope"
                f" {self.installing} may install it: run the tool once with one"
                " (YIKU_TOOL_REQUIREMENTS)."
            )


def spec(one: Requirement) -> str:
    """As pip takes it. Raises: InvalidTool."""
    if not NAME.fullmatch(one.name):
        raise InvalidTool(f"{one.name!r:.80} is no name of a package on an index.")
    return one.name if one.version is None else f"{one.name}=={one.version}"


def digest(wanted: Sequence[str]) -> str:
    python = f"{sys.implementation.cache_tag} {sysconfig.get_platform()}"
    return hashlib.sha256("\n".join([python, *wanted]).encode()).hexdigest()[:32]


@asynccontextmanager
async def locked(home: Path, name: str) -> AsyncGenerator[None]:
    """One installs, others wait for it: in this process and in every other of this home."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(home / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while sys.platform != "win32":
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            await asyncio.sleep(WAIT_S)
        yield
    finally:
        os.close(handle)


async def installed(there: Path, wanted: Sequence[str]) -> None:
    """Whole or not at all. Raises: InvalidTool with what pip says."""
    if importlib.util.find_spec("pip") is None:
        raise InvalidTool(
            f"{', '.join(wanted)} can't be installed: this Python ({sys.executable}) has no pip."
            " Install it: python -m ensurepip."
        )
    # Whoever has the lock is alone: what is left of an install that was killed is swept away.
    partial = there.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    logger.info("installing packages of a tool", extra={"packages": list(wanted)})
    command = [
        *(sys.executable, "-I", "-m", "pip", "install", "--target", str(partial)),
        *("--only-binary", ":all:", "--no-input", "--disable-pip-version-check"),
        *("--progress-bar", "off", "--no-warn-conflicts", "--", *wanted),
    ]
    try:
        code, said = await ran(command)
        if code != 0:
            raise InvalidTool(
                f"{', '.join(wanted)} could not be installed. Only packages that come as wheels"
                f" can be. pip said:\n{said}"
            )
        os.replace(partial, there)
    finally:
        await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
    logger.info("packages of a tool are installed", extra={"packages": list(wanted)})


async def ran(command: Sequence[str]) -> tuple[int, str]:
    """How it ended, and the last lines it said; each line is logged as it comes.

    Raises: InvalidTool where it takes too long.
    """
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert child.stdout is not None
    last: deque[str] = deque(maxlen=TOLD_LINES)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async for line in child.stdout:
                last.append(line.decode("utf-8", "replace").rstrip())
                logger.info("pip", extra={"said": last[-1]})
            return await child.wait(), "\n".join(last)
    except TimeoutError as error:
        raise InvalidTool(f"pip took longer than {TIMEOUT_S:g} s and was ended.") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
