"""What the sandbox gives to honest code, and what it says where it can't be made."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from yiku.core.errors import SandboxUnavailable
from yiku.core.ports import Sandbox
from yiku.core.tool import Code, OutOfMemory, Raised, Ran, Returned, TimedOut
from yiku.tools import bubblewrap
from yiku.tools.sandbox import Limits, sandbox

linux = [
    pytest.mark.platform("bubblewrap is for Linux"),
    pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux"),
]


@pytest.fixture
def timeout_s() -> float:
    """Enough for calls that end by themselves, however busy the machine is."""
    return 60


@pytest.fixture(params=[pytest.param("bwrap", marks=linux), "process"])
async def box(request: pytest.FixtureRequest, timeout_s: float) -> AsyncIterator[Sandbox]:
    made = sandbox(request.param, Limits(timeout_s=timeout_s, memory_mb=256))
    yield made
    made.close()


async def call(box: Sandbox, source: str, **arguments: Any) -> Ran:
    environment = {"KEY": "v"}
    code = Code(source=source, function="f", arguments=arguments, environment=environment)
    return await box.run(code)


async def value(box: Sandbox, source: str, **arguments: Any) -> Any:
    ran = await call(box, source, **arguments)
    assert isinstance(ran.outcome, Returned), ran
    return ran.outcome.value


@pytest.mark.parametrize("given", [None, 1, 1.5, "北京 ☀", [1, {"a": []}], {"": True}])
async def test_values_go_in_and_come_back(box: Sandbox, given: Any) -> None:
    assert await value(box, "def f(x): return x", x=given) == given


async def test_what_json_cannot_say_becomes_what_it_can(box: Sandbox) -> None:
    source = """
from dataclasses import dataclass
from datetime import date
from pydantic import BaseModel
@dataclass
class D:
    a: int
class M(BaseModel):
    b: int
def f(): return [D(1), M(b=2), {3}, b"4", date(2026, 1, 2), (5,)]
"""
    assert await value(box, source) == [{"a": 1}, {"b": 2}, [3], "4", "2026-01-02", [5]]


async def test_models_come_as_models(box: Sandbox) -> None:
    source = """
from pydantic import BaseModel
class P(BaseModel):
    x: int
def f(ps: list[P]): return sum(p.x for p in ps)
"""
    assert await value(box, source, ps=[{"x": 1}, {"x": "2"}]) == 3
    ran = await call(box, source, ps=[{"x": "no"}])
    assert isinstance(ran.outcome, Raised)
    assert ran.outcome.error == "ValidationError"


async def test_coroutines_are_awaited(box: Sandbox) -> None:
    source = "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 1"
    assert await value(box, source) == 1


async def test_streams_are_kept_apart_and_the_environment_is_the_calls(box: Sandbox) -> None:
    source = (
        "import os, sys\ndef f():\n    print('out')\n    print('err', file=sys.stderr)\n"
        "    return sorted(os.environ)"
    )
    ran = await call(box, source)
    assert (ran.stdout, ran.stderr) == ("out\n", "err\n")
    assert isinstance(ran.outcome, Returned)
    assert set(ran.outcome.value) <= {
        *("KEY", "PATH", "HOME", "TMPDIR", "LANG", "PYTHONUTF8", "PWD", "LC_CTYPE"),
    }


async def test_an_error_is_told_with_its_lines_alone(box: Sandbox) -> None:
    ran = await call(box, "def g(): raise KeyError('k')\ndef f(): g()")
    assert isinstance(ran.outcome, Raised)
    assert (ran.outcome.error, ran.outcome.message) == ("KeyError", "'k'")
    assert "def f(): g()" in ran.outcome.traceback
    assert "called" not in ran.outcome.traceback


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("def f(:", "SyntaxError"),
        ("import sys\ndef f(): sys.exit(3)", "SystemExit"),
        ("def f(): f()", "RecursionError"),
        ("def g(): ...", "KeyError"),
        ("def f():\n    x = []\n    x.append(x)\n    return x", "ValueError"),
    ],
)
async def test_every_way_to_fail_is_the_tools_own(box: Sandbox, source: str, error: str) -> None:
    ran = await call(box, source)
    assert isinstance(ran.outcome, Raised)
    assert ran.outcome.error == error


async def test_its_folder_is_its_own_and_new(box: Sandbox) -> None:
    source = "import os\ndef f():\n    open('a', 'w').close()\n    return os.listdir()"
    assert await value(box, source) == ["a"]
    assert await value(box, source) == ["a"]


async def test_memory_is_bounded(box: Sandbox) -> None:
    hungry = await call(box, "def f():\n    return len(bytearray(1 << 30))")
    assert hungry.outcome == OutOfMemory(memory_mb=256)


@pytest.mark.parametrize("timeout_s", [1])
async def test_time_is_bounded(box: Sandbox) -> None:
    slow = await call(box, "import time\ndef f(): time.sleep(600)")
    assert slow.outcome == TimedOut(timeout_s=1)


async def test_large_arguments_come_whole(box: Sandbox) -> None:
    large = "北京" * 200_000
    assert await value(box, "def f(x): return [len(x), x[-2:]]", x=large) == [400_000, "北京"]


async def test_many_calls_at_once_are_each_answered(box: Sandbox) -> None:
    source = "def f(n): return n"
    assert await asyncio.gather(*(value(box, source, n=n) for n in range(24))) == list(range(24))


@pytest.fixture
def without_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bubblewrap, "SYSTEM_PATH", "/nowhere")
    bubblewrap.program.cache_clear()
    yield
    bubblewrap.program.cache_clear()


@pytest.mark.usefixtures("without_bubblewrap")
async def test_without_bubblewrap_it_says_what_to_install() -> None:
    box = sandbox("bwrap", Limits())
    with pytest.raises(SandboxUnavailable, match=r"YIKU_SANDBOX=process") as refused:
        await call(box, "def f(): ...")
    if sys.platform == "linux":
        assert "apt-get install bubblewrap" in refused.value.message
    box.close()


@pytest.mark.platform("bubblewrap is for Linux")
@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")
async def test_where_namespaces_are_forbidden_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "bwrap").write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n"
    )
    (tmp_path / "bwrap").chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("test_", "popen-", "pytest-")):
            folder.chmod(0o755)  # another user starts it
    monkeypatch.setattr(bubblewrap, "SYSTEM_PATH", f"{tmp_path}:/usr/bin:/bin")
    bubblewrap.program.cache_clear()
    box = sandbox("bwrap", Limits())
    with pytest.raises(SandboxUnavailable, match=r"user namespaces.*No permissions"):
        await call(box, "def f(): ...")
    box.close()
    bubblewrap.program.cache_clear()
