"""Tools through the command line: added, run in the real sandbox, removed."""

import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli

pytestmark = [
    pytest.mark.platform("bubblewrap is for Linux"),
    pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux"),
]

TOOL = '''
def _helper(city):
    return f"{city}晴"

def weather(city: str, days: int = 1) -> dict:
    """Say what the weather will be.

    Args:
        city: Where
        days: How many days
    """
    import os
    print("asking")
    if city == "nowhere":
        raise ValueError("no such city")
    while city == "forever":
        pass
    return {"says": [_helper(city)] * days, "key": os.environ.get("KEY")}
'''


@pytest.fixture
def file(cli: Cli) -> Path:
    path = cli.folder / "weather.py"
    path.write_text(TOOL, encoding="utf-8")
    return path


def test_a_tool_is_added_run_and_removed(cli: Cli, file: Path) -> None:
    added = cli("tool", "add", file, "--tag", "sky", "--json").json
    assert added["json_schema"]["parameters"]["required"] == ["city"]
    assert "weather" in cli("tool", "list").out
    assert cli("tool", "list", "--json").json["tools"] == [added]
    assert "Say what the weather will be." in cli("tool", "show", "weather").out

    plain = cli("tool", "run", "weather", "--args", '{"city": "北京"}', "--env", "KEY=v")
    assert plain.out.strip() == '{"says": ["北京晴"], "key": "v"}'
    assert plain.err.strip() == "asking"
    ran = cli("tool", "run", added["id"], "--args", '{"city": "a", "days": 2}', "--json").json
    assert (ran["outcome"], ran["returned"]["says"]) == ("returned", ["a晴", "a晴"])
    assert ran["stdout"] == "asking\n"

    cli("tool", "add", file, code=4)
    assert cli("tool", "add", file, "--replace", "--json").json["id"] == added["id"]
    cli("tool", "remove", "weather")
    cli("tool", "show", "weather", code=3)


def test_what_goes_wrong_is_told(cli: Cli, file: Path) -> None:
    cli("tool", "add", file)
    raised = cli("tool", "run", "weather", "--args", '{"city": "nowhere"}', "--json", code=1).json
    assert (raised["error"], raised["message"]) == ("ValueError", "no such city")
    assert 'raise ValueError("no such city")' in raised["traceback"]
    slow = cli(
        *("tool", "run", "weather", "--args", '{"city": "forever"}'),
        code=1,
        YIKU_SANDBOX_TIMEOUT_S="1",
    )
    assert "longer than 1 s" in slow.err
    assert "needs `city`" in cli("tool", "run", "weather", code=2).err
    assert "no JSON" in cli("tool", "run", "weather", "--args", "{", code=2).err
    off = cli("tool", "run", "weather", "--args", '{"city": "a"}', code=5, YIKU_SANDBOX="off")
    assert "YIKU_SANDBOX=off" in off.err


def test_without_isolation_only_where_that_is_asked_for(cli: Cli, file: Path) -> None:
    cli("tool", "add", file)
    ran = cli(
        *("tool", "run", "weather", "--args", '{"city": "a"}', "--json"), YIKU_SANDBOX="process"
    )
    assert ran.json["returned"] == {"says": ["a晴"], "key": None}


def test_a_tool_that_lacks_something_is_not_added(cli: Cli) -> None:
    (cli.folder / "bad.py").write_text('def f(x):\n    """F."""\n')
    assert "`f`, parameter `x` has no type" in cli("tool", "add", "bad.py", code=2).err
    assert cli("tool", "list", "--json").json == {"tools": []}


def test_a_server_is_asked_for_its_tools(cli: Cli, file: Path) -> None:
    url, _ = cli.serve()
    there = ("--url", url)
    added = cli("tool", "add", file, "--tag", "sky", "--json", *there).json
    assert added.items() <= cli("tool", "show", "weather", "--json").json.items()
    assert cli("tool", "show", added["id"], "--json", *there).json == added
    assert [added] == cli("tool", "list", "--search", "weather", "--json", *there).json["tools"]
    assert "weather" in cli("tool", "list", "--limit", "1000", *there).out
    cli("tool", "add", file, *there, code=4)
    assert cli("tool", "add", file, "--replace", "--json", *there).json["id"] == added["id"]
    here, told = (
        cli("tool", "run", "weather", "--args", '{"city": "北京"}', "--env", "KEY=v", *where)
        for where in ((), there)
    )
    assert (told.out, told.err) == (here.out, here.err)
    failed = cli(
        "tool", "run", "weather", "--args", '{"city": "nowhere"}', "--json", *there, code=1
    ).json
    assert failed["outcome"] == "failed"
    assert "needs `city`" in cli("tool", "run", "weather", *there, code=2).err
    assert "no code" in cli("tool", "run", "memory_insert", *there, code=2).err
    cli("tool", "remove", "weather", *there)
    assert "no tool 'weather'" in cli("tool", "show", "weather", *there, code=3).err
