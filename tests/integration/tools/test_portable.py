"""`run_code` where there is no sandbox: the portable interpreter keeps to its limits."""

from dataclasses import replace

import pytest

from tests.fixtures.desks import a_desk, one_call
from yiku.app import App
from yiku.core.errors import SandboxUnavailable
from yiku.core.tool import Code, OutOfMemory, Raised, Ran, Returned, TimedOut
from yiku.tools.portable import Portable, portable
from yiku.tools.sandbox import Limits, NoSandbox

LIMITS = Limits(timeout_s=60, memory_mb=64)


class NoBubblewrap:
    """As on a machine that forbids user namespaces."""

    async def run(self, code: Code) -> Ran:
        raise SandboxUnavailable("The sandbox didn't start.")

    def close(self) -> None: ...


async def test_it_runs_code_and_tells_the_last_value() -> None:
    made = portable(LIMITS)
    assert made is not None
    ran = await made.run("print('你好')\nsum(i * i for i in range(4))")
    assert (ran.outcome, ran.stdout) == (Returned(value="14"), "你好\n")
    assert (await made.run("x = 1")).outcome == Returned(value=None)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("x = 'a' * (1 << 30)", OutOfMemory),
        ("1 / 0", Raised),
        ("def f(:", Raised),
        ("open('/etc/passwd').read()", Raised),
        ("import os\nos.environ['PATH']", Raised),
        ("import socket", Raised),
        ("def f(n): return f(n + 1)\nf(0)", Raised),
    ],
)
async def test_it_keeps_to_its_limits(code: str, kind: type) -> None:
    ran = await Portable(LIMITS).run(code)
    assert isinstance(ran.outcome, kind), ran


async def test_it_ends_in_time() -> None:
    ran = await Portable(replace(LIMITS, timeout_s=0.5)).run("while True: pass")
    assert ran.outcome == TimedOut(timeout_s=0.5)


async def test_run_code_uses_it_where_there_is_no_sandbox_and_not_where_it_is_off(app: App) -> None:
    desk = await a_desk(app)
    box = replace(app.tools, sandbox=NoBubblewrap(), portable=portable(LIMITS))
    answer = await one_call(app, replace(desk, toolbox=box), "run_code", code="6 * 7")
    assert (answer.ok, answer.text) == (True, "42")
    answer = await one_call(
        app, replace(desk, toolbox=replace(box, portable=None)), "run_code", code="6 * 7"
    )
    assert not answer.ok
    assert "pip install 'yiku[monty]'" in answer.text
    off = replace(box, sandbox=NoSandbox())
    answer = await one_call(app, replace(desk, toolbox=off), "run_code", code="6 * 7")
    assert not answer.ok
    assert "YIKU_SANDBOX=off" in answer.text
