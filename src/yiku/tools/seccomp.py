"""A filter of system calls for the sandbox, as a program of the kernel's classic BPF.

Namespaces and limits leave a few ways to memory that no limit counts (`memfd_create`, System V
shared memory, kernel keys), and parts of the kernel that tools don't need and that have had holes
(`io_uring`, `bpf`, `userfaultfd` …). Sockets are those of a network namespace alone: others, like
`AF_VSOCK`, lead out of it to the machine's host. Those calls answer EPERM; everything else goes on.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping, Sequence

DENIED: Mapping[str, Mapping[str, int]] = {
    "x86_64": {
        "shmget": 29,
        "semget": 64,
        "msgget": 68,
        "ptrace": 101,
        "personality": 135,
        "pivot_root": 155,
        "mount": 165,
        "umount2": 166,
        "kexec_load": 246,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "unshare": 272,
        "perf_event_open": 298,
        "name_to_handle_at": 303,
        "open_by_handle_at": 304,
        "setns": 308,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "memfd_create": 319,
        "bpf": 321,
        "userfaultfd": 323,
    },
    "aarch64": {
        "umount2": 39,
        "mount": 40,
        "pivot_root": 41,
        "personality": 92,
        "unshare": 97,
        "kexec_load": 104,
        "ptrace": 117,
        "msgget": 186,
        "semget": 190,
        "shmget": 194,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "perf_event_open": 241,
        "name_to_handle_at": 264,
        "open_by_handle_at": 265,
        "setns": 268,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "memfd_create": 279,
        "bpf": 280,
        "userfaultfd": 282,
    },
}
"""By machine; the numbers are those of the kernel's own tables."""

DENIED_EVERYWHERE: Mapping[str, int] = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "memfd_secret": 447,
}
"""Calls since Linux 5.1 have one number on every machine."""

MAKING_SOCKETS: Mapping[str, Sequence[int]] = {"x86_64": (41, 53), "aarch64": (198, 199)}
"""`socket` and `socketpair`."""
FAMILIES = (1, 2, 10, 16)
"""`AF_UNIX`, `AF_INET`, `AF_INET6`, and `AF_NETLINK`, by which libraries look for addresses."""

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_CALLS = 0x40000000
"""Numbers from here on are another way to x86_64's calls, which nothing uses."""

LOAD, IF_EQUAL, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, MACHINE = 0, 4  # where the kernel tells them
FIRST_ARGUMENT = 16
"""Its lower half, which is all that the kernel looks at of a number of 32 bits."""
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
KILL = 0x80000000


def program(machine: str | None = None) -> bytes | None:
    """The filter for this machine (or the one named); None where its calls aren't known."""
    machine = machine or platform.machine()
    if machine not in ARCHITECTURE:
        return None
    denied = sorted({*DENIED[machine].values(), *DENIED_EVERYWHERE.values()})
    checks = [(IF_EQUAL, number) for number in denied]
    if machine == "x86_64":
        checks.insert(0, (IF_AT_LEAST, X32_CALLS))
    sockets = MAKING_SOCKETS[machine]
    # Behind the last check: ALLOW, the socket's family, a check for each, REFUSE, ALLOW.
    refuse = len(checks) + len(sockets) + 2 + len(FAMILIES)
    family = len(checks) + len(sockets) + 1
    steps = [
        (LOAD, 0, 0, MACHINE),
        (IF_EQUAL, 1, 0, ARCHITECTURE[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        # A jump counts the steps that it leaves out.
        *((kind, refuse - place - 1, 0, value) for place, (kind, value) in enumerate(checks)),
        *(
            (IF_EQUAL, family - place - 1, 0, number)
            for place, number in enumerate(sockets, len(checks))
        ),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        *(
            (IF_EQUAL, refuse - place, 0, number)
            for place, number in enumerate(FAMILIES, family + 1)
        ),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
