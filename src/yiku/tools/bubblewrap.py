"""The command line of bubblewrap: an empty machine with Python on it."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from yiku.core.errors import SandboxUnavailable
from yiku.tools import seccomp
from yiku.tools.watch import Command

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY = 65534
FIRST_USER = 1_900_000_000
"""No system gives out user numbers from here on, so each call has one that owns nothing."""
USERS = 100_000
SHARED_MEMORY_BYTES = 16 << 20

NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl")
LINKER_FILES = ("/etc/ld.so.cache",)

_next_user = itertools.count(os.getpid())


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubblewrap:
    """One call's box. `bound`: folders and files by where they are seen inside, read-only."""

    network: bool
    folder_bytes: int
    bound: Mapping[str, str]

    @property
    def in_memory(self) -> Mapping[str, int]:
        """The folders that can be written to, and their sizes in bytes."""
        return {"/work": self.folder_bytes, "/dev/shm": SHARED_MEMORY_BYTES}

    def command(self, words: Sequence[str]) -> Command:
        """Python with `words` and the answer's descriptor. Raises: SandboxUnavailable."""
        bwrap = program("bwrap", "bubblewrap")
        setpriv = program("setpriv", "util-linux") if os.geteuid() == 0 else None
        prefix, python = own_python()
        named = [*LINKER_FILES, *(NETWORK_FILES if self.network else ())]
        seen = {path: os.path.realpath(path) for path in named if Path(path).exists()}
        seen |= dict(self.bound)
        if prefix is not None:
            seen["/python"] = prefix

        def make(answer: int, opened: ExitStack) -> tuple[list[str], list[int]]:
            rules = self._filter(opened)
            near = list(seen.values())
            first: list[str] = []
            if setpriv is not None and not all(map(reachable, near)):
                near = [f"/m{n}" for n in range(len(seen))]
                first = first_box(bwrap, zip(seen.values(), near, strict=True))
            outer = [] if setpriv is None else [*first, setpriv, *as_nobody()]
            bound = bind(zip(near, seen, strict=True))
            filtered = [] if rules is None else ["--seccomp", str(rules)]
            inner = [bwrap, *self._inner(), *bound, "--remount-ro", "/", *filtered]
            run = [python, "-I", "-S", "-B", *words, str(answer)]
            return [*outer, *inner, "--", *run], [] if rules is None else [rules]

        return make

    def _inner(self) -> list[str]:
        return [
            *("--unshare-all", "--unshare-user", *(["--share-net"] if self.network else [])),
            *("--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "tool"),
            *("--cap-drop", "ALL", "--disable-userns", "--die-with-parent", "--new-session"),
            *("--clearenv", *system()),
            *("--proc", "/proc", "--dev", "/dev"),
            *("--size", str(SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
            *("--size", str(self.folder_bytes), "--tmpfs", "/work", "--symlink", "work", "/tmp"),
            *("--chdir", "/work"),
        ]

    def _filter(self, opened: ExitStack) -> int | None:
        """A descriptor that bubblewrap reads the system calls' filter from."""
        rules = seccomp.program()
        if rules is None:
            return None
        reading, writing = os.pipe()
        opened.callback(os.close, reading)
        os.write(writing, rules)  # far less than a pipe holds
        os.close(writing)
        return reading


def first_box(bwrap: str, pairs: Iterable[tuple[str, str]]) -> list[str]:
    """A box around the real one, for root: in it, what only root can reach is near everybody."""
    return [
        # Its own PID namespace: the kernel lets this box, which has no privileges over another
        # user, not signal the one in it when the server dies; but with a namespace's first
        # process ends all that is in it.
        *(bwrap, "--unshare-pid", "--die-with-parent", *system(), *bind(pairs)),
        *("--bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev"),
        *("--perms", "1777", "--tmpfs", "/tmp", "--"),
    ]


def as_nobody() -> list[str]:
    user = unprivileged_user()
    return [f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def reachable(name: str) -> bool:
    """Whether everybody may read the file or folder, and go into each folder above it."""
    path = Path(name)
    modes = [part.stat().st_mode for part in (path, *path.parents)]
    return bool(modes[0] & 0o004) and all(mode & 0o001 or not stat.S_ISDIR(mode) for mode in modes)


def unprivileged_user() -> int:
    """Another one for each call: limits that the kernel counts by user are a call's own."""
    user = FIRST_USER + next(_next_user) % USERS
    return user if user in known_users() else NOBODY


@cache
def known_users() -> range:
    """The user numbers this machine, or the container Yiku is in, has."""
    try:
        first, _, count = map(int, Path("/proc/self/uid_map").read_text().splitlines()[0].split())
    except (OSError, ValueError, IndexError):
        return range(0)
    return range(first, first + count)


@cache
def system() -> list[str]:
    """/usr, and the names that lead to it: links, or folders of their own on older systems."""
    words = ["--ro-bind", "/usr", "/usr"]
    for name in ("lib", "lib32", "lib64", "bin", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    return words


@cache
def own_python() -> tuple[str | None, str]:
    """Where this Python is installed, None: in /usr; and its program as the box sees it."""
    prefix = Path(sys.base_prefix).resolve()
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    if prefix.is_relative_to("/usr"):
        return None, str(program)
    if not program.is_relative_to(prefix):
        raise SandboxUnavailable(
            f"Python's program {program} is outside of its folder {prefix}, so the sandbox can't"
            " show one without the other. Install Yiku with another Python."
        )
    return str(prefix), f"/python/{program.relative_to(prefix)}"


@cache
def program(name: str, package: str) -> str:
    """Raises: SandboxUnavailable, naming what to install."""
    if sys.platform != "linux":
        raise SandboxUnavailable(
            "Custom tools run in bubblewrap, which is for Linux. On this machine they can run"
            " without isolation, if you set YIKU_SANDBOX=process."
        )
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise SandboxUnavailable(
            f"Custom tools need the program {name}: apt-get install {package}."
            " Without it they can run without isolation, if you set YIKU_SANDBOX=process."
        )
    return found


def bind(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [word for source, at in pairs for word in ("--ro-bind", source, at)]
