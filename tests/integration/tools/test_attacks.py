"""Hostile code in the sandbox, for real: each attack ends, tells nothing, and leaves nothing."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

import pytest

from yiku.core.ports import Sandbox
from yiku.core.tool import (
    Code,
    Killed,
    Outcome,
    OutOfMemory,
    OutputTooLarge,
    Raised,
    Ran,
    Returned,
    TimedOut,
)
from yiku.tools.sandbox import Limits, sandbox

pytestmark = [
    pytest.mark.platform("bubblewrap is for Linux"),
    pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux"),
]

TIMEOUT_S = 60.0
"""Of calls that end by themselves, however busy the machine is."""
SHORT_S = 2.0
"""Of calls that don't."""
GONE_S = 30.0
Run = Callable[..., Awaitable[Ran]]

endless = pytest.mark.parametrize("timeout_s", [SHORT_S])


@pytest.fixture
def timeout_s() -> float:
    return TIMEOUT_S


@pytest.fixture
async def box(timeout_s: float) -> AsyncIterator[Sandbox]:
    made = sandbox("bwrap", Limits(timeout_s=timeout_s, memory_mb=128))
    yield made
    made.close()


@pytest.fixture
def run(box: Sandbox) -> Run:
    async def call(body: str, environment: dict[str, str] | None = None, **arguments: Any) -> Ran:
        lines = dedent(body).strip().splitlines()
        source = "\n".join([f"def tool({', '.join(arguments)}):", *(f"    {x}" for x in lines)])
        return await box.run(
            Code(
                source=source,
                function="tool",
                arguments=arguments,
                environment=environment or {},
            )
        )

    return call


@pytest.fixture
def nothing_left(box: Sandbox) -> Iterator[str]:
    """A word for the command lines of what an attack starts; afterwards no process has it."""
    word = f"attack-{uuid4()}"
    yield word
    until = time.monotonic() + GONE_S
    while (left := processes_with(word)) and time.monotonic() < until:
        time.sleep(0.02)
    assert left == []


def processes_with(word: str) -> list[str]:
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if word.encode() in line and path.parent.name != str(os.getpid()):
            found.append(line.replace(b"\0", b" ").decode("utf-8", "replace")[:200])
    return found


def value_of(ran: Ran) -> Any:
    assert isinstance(ran.outcome, Returned), ran
    return ran.outcome.value


def refused(ran: Ran, *errors: str) -> None:
    assert isinstance(ran.outcome, Raised), ran
    assert ran.outcome.error in errors, ran.outcome


# What eats


async def test_a_fork_bomb_ends_and_leaves_nothing(run: Run, nothing_left: str) -> None:
    ran = await run(
        """
        import os, sys, time
        made = 0
        while True:
            try:
                if os.fork() == 0:
                    wait = [sys.executable, "-c", "import time; time.sleep(60)", word]
                    os.execv(sys.executable, wait)
                made += 1
            except OSError:
                return made
        """,
        word=nothing_left,
    )
    assert 0 < value_of(ran) < 40


BOMB = """
import subprocess, sys
bomb = "import os\\nwhile True:\\n    try: os.fork()\\n    except OSError: pass"
subprocess.run([sys.executable, "-c", bomb, word])
"""


@endless
async def test_a_fork_bomb_that_never_stops_is_stopped(run: Run, nothing_left: str) -> None:
    ran = await run(BOMB, word=nothing_left)
    assert ran.outcome == TimedOut(timeout_s=SHORT_S)


async def test_one_calls_fork_bomb_is_no_other_calls(run: Run, nothing_left: str) -> None:
    bomb = asyncio.create_task(run(BOMB, word=nothing_left))
    while len(processes_with(nothing_left)) < 20:  # noqa: ASYNC110 - they tell nobody
        await asyncio.sleep(0.05)
    ran = await run("import subprocess\nreturn subprocess.run(['echo', 'x']).returncode")
    assert value_of(ran) == 0
    assert not bomb.done()
    bomb.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bomb


async def test_a_memory_bomb_ends_as_one(run: Run) -> None:
    ran = await run("kept = []\nwhile True: kept.append(bytearray(1 << 20))")
    assert ran.outcome == OutOfMemory(memory_mb=128)


async def test_memory_of_many_processes_counts_together(run: Run) -> None:
    """Each stays under the limit of one process."""
    ran = await run(
        """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                kept = bytearray(os.urandom(1 << 20)) * 60
                time.sleep(600)
        time.sleep(600)
        """
    )
    assert ran.outcome == OutOfMemory(memory_mb=128)


@pytest.mark.parametrize(
    "body",
    [
        "import os\nreturn os.memfd_create('x')",
        "import ctypes\nc = ctypes.CDLL(None, use_errno=True)\n"
        "if c.shmget(0, 1 << 20, 0o1600) < 0: raise OSError(ctypes.get_errno(), 'shmget')",
    ],
    ids=["memfd", "shared memory"],
)
async def test_memory_that_no_limit_counts_is_not_given(run: Run, body: str) -> None:
    refused(await run(body), "PermissionError")


@pytest.mark.parametrize("folder", ["/work", "/dev/shm"])
async def test_memory_of_empty_files_counts(folder: str) -> None:
    """They fill no folder, and are no process's; a child that has ended hides none of them."""
    box = sandbox("bwrap", Limits(timeout_s=20, memory_mb=64))
    source = """
def tool(folder):
    import os
    if not os.fork():
        os._exit(0)
    for n in range(10_000_000):
        os.close(os.open(f"{folder}/{n}", os.O_CREAT))
"""
    try:
        ran = await box.run(Code(source=source, function="tool", arguments={"folder": folder}))
        assert ran.outcome == OutOfMemory(memory_mb=64)
    finally:
        box.close()


async def test_what_waits_in_sockets_is_bounded(run: Run) -> None:
    ran = await run(
        """
        import socket
        kept = []
        while True:
            kept.append(socket.socketpair())
        """
    )
    assert isinstance(ran.outcome, Raised)
    assert "Too many open files" in ran.outcome.message
    ran = await run("import resource as r\nreturn r.getrlimit(r.RLIMIT_NOFILE)")
    assert value_of(ran) == [64, 64]


async def test_endless_output_is_cut_and_ended(run: Run) -> None:
    ran = await run("while True: print('x' * 10_000)")
    assert isinstance(ran.outcome, OutputTooLarge)
    assert len(ran.stdout) < 70_000
    assert "more bytes were cut off" in ran.stdout


async def test_much_output_is_cut_with_a_note(run: Run) -> None:
    ran = await run(
        "import sys\nprint('a' * 100_000)\nprint('b' * 70_000, file=sys.stderr)\nreturn 1"
    )
    assert value_of(ran) == 1
    assert ran.stdout.startswith("aaa")
    assert "34,465 more bytes" in ran.stdout
    assert "more bytes" in ran.stderr


async def test_a_value_that_is_too_large_is_told_so(run: Run) -> None:
    assert isinstance((await run("return 'x' * (6 << 20)")).outcome, OutputTooLarge)


@endless
async def test_an_endless_loop_ends_in_time(run: Run) -> None:
    ran = await run("while True: pass")
    assert ran.outcome == TimedOut(timeout_s=SHORT_S)
    assert ran.took_s < 15 * SHORT_S


@endless
async def test_ignoring_signals_does_not_help(run: Run) -> None:
    ran = await run(
        """
        import signal, time
        for n in range(1, 65):
            try: signal.signal(n, signal.SIG_IGN)
            except (OSError, ValueError): pass
        while True: time.sleep(1)
        """
    )
    assert isinstance(ran.outcome, TimedOut)


async def test_a_big_file_is_refused(run: Run) -> None:
    ran = await run(
        """
        with open("big", "wb") as file:
            while True: file.write(b"x" * (1 << 20))
        """
    )
    refused(ran, "OSError")


async def test_many_files_are_refused_together(run: Run) -> None:
    ran = await run(
        """
        total = 0
        try:
            for n in range(1000):
                with open(f"f{n}", "wb") as file:
                    file.write(b"x" * (8 << 20))
                total += 8
        except OSError:
            return total
        """
    )
    assert value_of(ran) <= 64


# What looks


async def test_the_servers_files_are_not_there(run: Run, tmp_path: Path) -> None:
    home = Path.home()
    secret = tmp_path / "yiku.db"
    secret.write_text("secret")
    for path in (
        secret,
        home,
        "/etc/passwd",
        "/etc/shadow",
        "/root",
        "/home",
        "/var",
        Path(__file__),
    ):
        ran = await run(
            "import os\nreturn os.listdir(path) if os.path.isdir(path) else open(path).read()",
            path=str(path),
        )
        refused(ran, "FileNotFoundError", "PermissionError")


async def test_nothing_can_be_written_but_in_its_own_folder(run: Run) -> None:
    ran = await run(
        """
        import os
        wrote = []
        for top, folders, names in os.walk("/"):
            if top.startswith("/proc"):
                folders[:] = []
                continue
            if top.count("/") > 1 and top.startswith(("/usr", "/python", "/packages")):
                folders[:] = []  # one mount each, and large
            path = os.path.join(top, "written")
            try:
                open(path, "w").close()
                wrote.append(top)
            except OSError:
                pass
        return wrote
        """
    )
    assert set(value_of(ran)) == {"/work", "/dev/shm"}


async def test_the_programs_it_runs_cannot_be_changed(run: Run) -> None:
    ran = await run("import json\nopen(json.__file__, 'a').write('#')")
    refused(ran, "OSError", "PermissionError")


async def test_the_servers_environment_is_not_there(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIKU_SECRET_OF_THE_SERVER", "sesame-123")
    ran = await run(
        """
        import os, glob
        seen = [str(dict(os.environ))]
        for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline"):
            try:
                seen.append(open(path, "rb").read().decode("utf-8", "replace"))
            except OSError as error:
                seen.append(repr(error))
        return "\\n".join(seen)
        """,
        environment={"MY_KEY": "mine"},
    )
    told = value_of(ran)
    assert "sesame-123" not in told
    assert "'MY_KEY': 'mine'" in told


async def test_a_tools_secrets_are_on_no_command_line(run: Run, nothing_left: str) -> None:
    running = asyncio.create_task(
        run(
            "import time\ntime.sleep(0.5)\nreturn word",
            {"KEY": nothing_left},
            word=nothing_left,
        )
    )
    while not running.done():
        assert processes_with(nothing_left) == []
        await asyncio.sleep(0.05)
    assert value_of(await running) == nothing_left


async def test_proc_shows_its_own_processes_only(run: Run) -> None:
    ran = await run("import os\nreturn [int(p) for p in os.listdir('/proc') if p.isdigit()]")
    assert max(value_of(ran)) < 20


async def test_links_out_of_the_folder_lead_nowhere(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for target in (str(secret), "/proc/1/root" + str(secret), "../../../.." + str(secret)):
        ran = await run(
            "import os\nos.symlink(target, 'link')\nreturn open('link').read()", target=target
        )
        refused(ran, "FileNotFoundError", "PermissionError")


async def test_loopback_is_not_reached(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ran = await run(
            "import socket\nsocket.create_connection(('127.0.0.1', port), 1)",
            port=server.getsockname()[1],
        )
    refused(ran, "ConnectionRefusedError", "OSError")


async def test_sockets_of_the_machine_are_not_reached(run: Run) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0yiku-attack")
        server.listen()
        ran = await run("import socket\nsocket.socket(socket.AF_UNIX).connect('\\0yiku-attack')")
    refused(ran, "ConnectionRefusedError")


@pytest.mark.parametrize("family", ["AF_VSOCK", "AF_ALG", "AF_PACKET", "AF_BLUETOOTH", "AF_TIPC"])
async def test_sockets_that_no_network_namespace_holds_are_not_made(run: Run, family: str) -> None:
    """By `AF_VSOCK` a virtual machine speaks with the machine it is on."""
    for kind in ("SOCK_STREAM", "SOCK_SEQPACKET", "SOCK_RAW"):
        made = f"import socket\nsocket.socket(socket.{family}, socket.{kind})"
        refused(await run(made), "PermissionError")


async def test_sockets_of_its_own_network_are_made(run: Run) -> None:
    ran = await run(
        """
        import socket
        here, there = socket.socketpair()
        here.send(b"a")
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
            socket.socket(family, socket.SOCK_DGRAM).close()
        return there.recv(1).decode()
        """
    )
    assert value_of(ran) == "a"


async def test_with_the_network_allowed_loopback_is_reached() -> None:
    """So the test above tests something."""
    box = sandbox("bwrap", Limits(timeout_s=TIMEOUT_S, network=True))
    source = "import socket\ndef tool(port): socket.create_connection(('127.0.0.1', port), 1)"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ran = await box.run(Code(source=source, function="tool", arguments={"port": port}))
    box.close()
    assert ran.outcome == Returned(value=None)


async def test_there_is_no_disk_to_read_and_no_device_to_make(run: Run) -> None:
    ran = await run("import os\nreturn sorted(os.listdir('/dev'))")
    assert not {name for name in value_of(ran) if name.startswith(("sd", "vd", "nvme", "mem"))}
    refused(
        await run("import os\nos.mknod('d', 0o600 | 0o060000, os.makedev(254, 0))"),
        "PermissionError",
    )


# What strikes


@pytest.mark.parametrize("pid", ["os.getppid()", "1", "-1"])
async def test_killing_what_is_above_does_no_harm(run: Run, pid: str) -> None:
    ran = await run(f"import os, signal\nos.kill({pid}, signal.SIGKILL)\nreturn 'survived'")
    assert isinstance(ran.outcome, Returned | Raised | Killed)
    assert value_of(await run("return 1")) == 1


async def test_the_server_cannot_be_signalled(run: Run) -> None:
    refused(await run("import os\nos.kill(pid, 9)", pid=os.getpid()), "ProcessLookupError")


async def test_it_is_nobody_with_no_way_back(run: Run) -> None:
    ran = await run(
        """
        import os
        status = dict(line.split(None, 1) for line in open("/proc/self/status") if line.split()[1:])
        names = ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")
        return {"uid": os.getuid(), **{name: status[name + ":"].strip() for name in names}}
        """
    )
    told = value_of(ran)
    assert told["uid"] == 65534
    assert (int(told["CapEff"], 16), int(told["CapBnd"], 16)) == (0, 0)
    assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")
    for escape in ("os.setuid(0)", "os.chroot('/')", "__import__('ctypes').CDLL(None).x"):
        assert isinstance((await run(f"import os\n{escape}")).outcome, Raised)


async def test_a_new_user_namespace_is_not_given(run: Run) -> None:
    ran = await run(
        "import subprocess\nreturn subprocess.run(['unshare', '-Ur', 'true']).returncode"
    )
    assert value_of(ran) != 0


async def test_limits_cannot_be_raised(run: Run) -> None:
    ran = await run("import resource as r\nr.setrlimit(r.RLIMIT_AS, (-1, -1))")
    refused(ran, "ValueError", "OSError")


async def test_background_processes_go_with_the_call(run: Run, nothing_left: str) -> None:
    ran = await run(
        """
        import subprocess, sys
        wait = "import time; time.sleep(600)"
        subprocess.Popen([sys.executable, "-c", wait, word], start_new_session=True)
        subprocess.Popen(["setsid", "--fork", sys.executable, "-c", wait, word])
        return "left"
        """,
        word=nothing_left,
    )
    assert value_of(ran) == "left", "it waited for them"


@endless
async def test_daemons_go_when_the_call_times_out(run: Run, nothing_left: str) -> None:
    ran = await run(
        """
        import subprocess, sys, time
        wait = "import time; time.sleep(600)"
        subprocess.Popen(["setsid", "--fork", sys.executable, "-c", wait, word])
        time.sleep(600)
        """,
        word=nothing_left,
    )
    assert isinstance(ran.outcome, TimedOut)


async def test_a_cancelled_call_leaves_nothing(run: Run, nothing_left: str) -> None:
    running = asyncio.create_task(
        run(
            "import subprocess\nsubprocess.run(['sh', '-c', 'sleep 600; echo ' + word])",
            word=nothing_left,
        )
    )
    while not processes_with(nothing_left):  # noqa: ASYNC110 - it tells nobody that it began
        await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


SERVER = """
import asyncio, sys
from yiku.core.tool import Code
from yiku.tools.sandbox import Limits, sandbox
source = '''
import subprocess, sys
def tool(word):
    subprocess.run([sys.executable, "-c", "import time; time.sleep(600)", word])
'''
box = sandbox("bwrap", Limits(timeout_s=60))
asyncio.run(box.run(Code(source=source, function="tool", arguments={"word": sys.stdin.read()})))
"""


def test_nothing_outlives_a_server_that_was_killed(nothing_left: str) -> None:
    pipe = subprocess.PIPE
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=pipe, stderr=pipe, text=True)
    assert server.stdin is not None
    server.stdin.write(nothing_left)
    server.stdin.close()
    server.stdin = None
    until = time.monotonic() + 60
    while not processes_with(nothing_left) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes_with(nothing_left)
    server.send_signal(signal.SIGKILL)
    server.communicate()


# What lies


@pytest.mark.parametrize(
    "forged",
    [
        b"garbage",
        b"[" * 100_000,
        b'{"returned": ' + b"9" * 10_000 + b"}",
        b'{"raised": {"error": 1}}',
        b"\xff\xfe",
    ],
)
async def test_a_forged_answer_is_no_answer(run: Run, forged: bytes) -> None:
    ran = await run(
        """
        import os, sys
        os.write(int(sys.argv[1]), eval(forged))
        os._exit(0)
        """,
        forged=repr(forged),
    )
    assert isinstance(ran.outcome, Killed)


async def test_half_characters_do_not_come_through(run: Run) -> None:
    assert value_of(await run("return {'a': '\\ud800'}")) == {"a": "?"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("import os\nos._exit(7)", Killed(signal=None, exit_code=7)),
        ("import os\nos.abort()", Killed(signal=6, exit_code=134)),
        ("import ctypes\nctypes.string_at(0)", Killed(signal=11, exit_code=139)),
    ],
)
async def test_dying_is_told(run: Run, body: str, expected: Outcome) -> None:
    assert (await run(body)).outcome == expected


async def test_closing_every_descriptor_is_survived(run: Run) -> None:
    ran = await run("import os\nos.closerange(0, 100)\nreturn 1")
    assert isinstance(ran.outcome, Killed)
