"""Which process holds a lease, and whether it is still there."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from uuid import uuid4


def new_holder() -> str:
    """Names this process: its machine, its number there, when that was given, and a random part."""
    pid = os.getpid()
    return f"{machine()}/{pid}/{began(pid)}/{uuid4().hex[:8]}"


def machine() -> str:
    """Where numbers of processes mean the same: a host, and inside it a container."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{socket.gethostname()}{space.removeprefix('pid:')}"


def is_dead(holder: str) -> bool:
    """Whether the process is gone for sure; one of another machine never is."""
    host, pid, since, _ = holder.rsplit("/", 3)
    if host != machine():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return began(int(pid)) != since
    return began(int(pid)) != since


def began(pid: int) -> str:
    """When a process was started, in ticks since the machine was; empty where nobody says."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return told.rsplit(")", 1)[-1].split()[19]
