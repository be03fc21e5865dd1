"""MCP servers through the command line, as an installed program."""

import sys

import pytest

from tests.e2e.conftest import Cli
from tests.fixtures.mcp import PROGRAM

COMMAND = (sys.executable, PROGRAM, "stdio")


def test_a_program_is_added_called_and_removed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = cli("mcp", "add", "ours", "--", *COMMAND, code=1)
    assert "YIKU_MCP_STDIO=true" in refused.err
    monkeypatch.setenv("YIKU_MCP_STDIO", "true")
    added = cli("mcp", "add", "ours", "--env", "TEAM=tea", "--json", "--", *COMMAND).json
    assert added["problem"] is None
    assert "echo" in added["tools"]
    assert "ours" in cli("mcp", "list").out
    near = cli.folder / "near"
    near.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{PROGRAM}' stdio\n")
    near.chmod(0o700)
    there = cli("mcp", "add", "near", "--json", "--", "./near").json
    assert (there["where"], there["problem"]) == (str(near), None)
    cli("mcp", "remove", "near")
    [told] = [one for one in cli("mcp", "tools", "ours", "--json").json["tools"] if
              one["name"] == "echo"]  # fmt: skip
    assert told["parameters"]["required"] == ["text"]
    assert "answers" in cli("mcp", "test", "ours").out
    assert "nothing has changed" in cli("mcp", "refresh", "ours").out

    ran = cli("mcp", "run", "ours", "variable", "--args", '{"text": "TEAM"}')
    assert ran.out.strip() == "tea"
    changed = cli("mcp", "update", "ours", "--name", "mine", "--env", "MORE=x", "--json").json
    assert (changed["name"], changed["id"]) == ("mine", added["id"])
    shown = cli("mcp", "show", "mine", "--json").json
    assert (shown["given"], "echo" in shown["tools"]) == (["MORE", "TEAM"], True)
    assert "tea" not in cli("mcp", "show", "mine").out
    cli("mcp", "update", "mine", "--token", "x", code=2)
    cli("mcp", "update", "mine", "--name", "ours")
    assert "no such luck" in cli("mcp", "run", "ours", "fail", code=1).err
    assert "memory is full" in cli("mcp", "run", "ours", "die", code=5).err
    assert "it has echo" in cli("mcp", "run", "ours", "sing", code=3).err
    assert cli("mcp", "remove", "ours", "--json").json["removed"] == added["id"]
    assert cli("mcp", "list", "--json").json["servers"] == []


def test_an_address_where_nobody_is_is_added_with_the_problem(cli: Cli) -> None:
    made = cli(
        "mcp", "add", "nobody", "--server", "http://127.0.0.1:9/mcp?key=qu3ry", "--token", "t0ken",
        "--json", code=1,
    ).json  # fmt: skip
    assert made["where"] == "http://127.0.0.1:9/mcp"
    assert "can't be reached" in made["problem"]
    cli("mcp", "test", "nobody", code=5)
    moved = cli("mcp", "update", "nobody", "--server", "http://127.0.0.1:8/", "--json", code=1).json
    assert moved["where"] == "http://127.0.0.1:8/"
    cli("mcp", "add", "nobody", "--server", "http://127.0.0.1:9/", code=4)
    cli("mcp", "add", "both", "--server", "http://127.0.0.1:9/", "--", "true", code=2)


def test_a_server_is_asked_for_its_mcp_servers(cli: Cli) -> None:
    url, _ = cli.serve(YIKU_MCP_STDIO="true")
    there = ("--url", url)
    added = cli("mcp", "add", "ours", "--env", "TEAM=tea", "--json", *there, "--", *COMMAND).json
    assert "echo" in added["tools"]
    assert cli("mcp", "list", "--json", *there).json["servers"][0]["id"] == added["id"]
    # It is the same for who asks there.
    assert cli("mcp", "list", "--json").json["servers"][0]["id"] == added["id"]
    cli("mcp", "update", "ours", "--name", "mine", "--env", "MORE=x", *there)
    assert cli("mcp", "show", "mine", "--json", *there).json["given"] == ["MORE", "TEAM"]
    assert "echo" in cli("mcp", "tools", "mine", *there).out
    assert "nothing has changed" in cli("mcp", "refresh", "mine", *there).out
    ran = cli("mcp", "run", "mine", "variable", "--args", '{"text": "TEAM"}', *there)
    assert ran.out.strip() == "tea"
    assert "no such luck" in cli("mcp", "run", "mine", "fail", *there, code=1).err
    assert "it has echo" in cli("mcp", "run", "mine", "sing", *there, code=3).err
    assert "yiku mcp refresh mine" in cli("mcp", "test", "mine", *there, code=2).err
    cli("mcp", "remove", "mine", *there)
    assert "no MCP server mine" in cli("mcp", "remove", "mine", *there, code=3).err


def test_what_is_not_of_a_program_or_an_address_is_refused(cli: Cli) -> None:
    program = cli("mcp", "add", "x", "--token", "t", "--", "true", code=2)
    assert "A program has no --token" in program.err
    address = cli("mcp", "add", "x", "--server", "http://127.0.0.1:9/", "--env", "A=b", code=2)
    assert "--header" in address.err
    assert cli("mcp", "list", "--json").json["servers"] == []
