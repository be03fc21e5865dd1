"""`yiku agent`: agents made, shown, changed and deleted; their messages, context and runs."""

import json

import pytest

from tests.e2e.conftest import Cli
from tests.servers.dialects import Call, Says
from tests.servers.scripted_chat import Script, ScriptedChat


def test_an_agent_is_made_shown_changed_and_deleted(cli: Cli) -> None:
    (cli.folder / "persona.txt").write_text("我很冷静。\n", encoding="utf-8")
    made = cli(
        *("agent", "create", "ann", "--block", "human=Bo", "--block", "persona=@persona.txt"),
        *("--tool", "run_code", "--tag", "home", "--description", "at home", "--json"),
        *("--context-window", "16000", "--system", "Be brief.", "--ask-before", "run_code"),
    ).json

    assert made["name"] == "ann"
    assert made["llm_config"]["context_window"] == 16_000
    assert {one["label"]: one["value"] for one in made["blocks"]} == {
        "human": "Bo",
        "persona": "我很冷静。",
    }
    assert "run_code" in {one["name"] for one in made["tools"]}
    assert made["tool_rules"][-1]["type"] == "requires_approval"
    assert cli("agent", "show", made["id"], "--json").json == made
    shown = cli("agent", "show", "ann").out
    for told in ("16,000 tokens", "#home", "at home", "我很冷静。", "run_code", "none yet"):
        assert told in shown

    changed = cli(
        *("agent", "update", "ann", "--name", "anna", "--block", "human=Bo, 36"),
        *("--block", "notes=new", "--remove-tool", "run_code", "--role-memory", "--json"),
    ).json
    assert (changed["name"], changed["role_memory"]) == ("anna", True)
    values = {one["label"]: one["value"] for one in changed["blocks"]}
    assert (values["human"], values["notes"]) == ("Bo, 36", "new")
    assert "run_code" not in {one["name"] for one in changed["tools"]}

    assert "anna" in cli("agent", "list", "--tag", "home").out
    assert [one["id"] for one in cli("agent", "list", "--json").json["agents"]] == [made["id"]]
    assert "give --yes" in cli("agent", "delete", "anna", code=2).err
    cli("agent", "delete", "anna", "--yes")
    assert "no agent yet" in cli("agent", "list").err
    assert [one["label"] for one in cli("block", "list", "--json").json["blocks"]] == ["notes"]


def test_nothing_is_made_or_changed_by_half(cli: Cli) -> None:
    wrong = cli("agent", "create", "ann", "--ask-before", "run_cod", code=3).err
    assert "no tool 'run_cod'; its tools: " in wrong
    made = cli("agent", "create", "ann", "--json").json
    renamed = ("agent", "update", "ann", "--name", "anna", "--block", "human=Bo")
    assert "no tool 'nope'" in cli(*renamed, "--add-tool", "nope", code=3).err
    assert "no tool 'nope'" in cli(*renamed, "--remove-tool", "nope", code=3).err
    assert "no tool 'run_code'" in cli(*renamed, "--remove-tool", "run_code", code=3).err
    assert "no tool 'run_code'" in cli(*renamed, "--ask-before", "run_code", code=3).err
    assert cli("agent", "show", made["id"], "--json").json == made
    cli(*renamed, "--add-tool", "run_code", "--ask-before", "run_code")
    assert "name is empty" in cli("agent", "create", " ", code=2).err


def test_what_is_wrong_is_named_and_what_would_be_right(cli: Cli) -> None:
    cli("agent", "create", "helper")
    cli("agent", "create", "twin")
    taken = cli("agent", "create", "twin", "--kind", "react", code=4).err
    twin = cli("agent", "create", "twin", "--kind", "react", "--again", "--json").json

    assert "is it 'helper'" in cli("agent", "show", "halper", code=3).err
    assert "yiku agent list" in cli("agent", "show", "zzz", code=3).err
    assert "There is an agent 'twin' already (agent-" in taken
    assert "--again" in taken
    assert "already" in cli("agent", "update", "helper", "--name", "twin", code=4).err
    assert "taken for an id" in cli("agent", "create", "agent-twin", code=2).err
    ambiguous = cli("agent", "show", "twin", code=2).err
    assert "2 agents have the name 'twin'" in ambiguous
    assert twin["id"] in ambiguous
    assert cli("agent", "update", twin["id"], "--name", "twin", "--json").json["name"] == "twin"
    cli("agent", "delete", twin["id"], "--yes")
    assert "twin" in cli("agent", "show", "twin").out
    assert "standard, memgpt" in cli("agent", "create", "x", "--kind", "big", code=2).err
    assert "not label=value" in cli("agent", "create", "x", "--block", "human", code=2).err
    assert "no file" in cli("agent", "create", "x", "--block", "a=@gone.txt", code=2).err
    assert "no tool 'gone'" in cli("agent", "create", "x", "--tool", "gone", code=None).err
    assert "Say what to change" in cli("agent", "update", "helper", code=2).err
    assert "no run" in cli("agent", "run", "show", "run-x", code=3).err.lower()


def test_messages_context_and_runs_are_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    remembers = Says(
        reasoning="a name",
        calls=(Call("memory_insert", {"label": "human", "new_str": "名字：小明"}),),
    )
    with ScriptedChat(Script(remembers, "你好，小明。")) as model:
        monkeypatch.setenv("YIKU_MODEL", "openai/gpt-4o-mini")
        monkeypatch.setenv("YIKU_MODEL_BASE_URL", model.url)
        monkeypatch.setenv("YIKU_MODEL_API_KEY", "sk-test")
        cli("chat", "ann", "--message", "我叫小明")

    told = cli("agent", "messages", "ann").out
    places = [told.index(text) for text in ("我叫小明", "memory_insert(", "→", "你好，小明。")]
    assert places == sorted(places)
    found = cli("agent", "messages", "ann", "--json").json["messages"]
    last = found[-1]["id"]
    before = cli("agent", "messages", "ann", "--before", last, "--json").json["messages"]
    assert before == [one for one in found if one["id"] != last]
    assert [one["message_type"] for one in found if one["message_type"] != "system_message"] == [
        "user_message",
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]

    [run] = cli("agent", "run", "list", "ann", "--json").json["runs"]
    assert run["status"] == "completed"
    assert run["id"] in cli("agent", "run", "list").out
    shown = cli("agent", "run", "show", run["id"], "--json").json
    assert [step["model_handle"] for step in shown["steps"]] == ["openai/gpt-4o-mini"] * 2
    assert "end_turn" in cli("agent", "run", "show", run["id"]).out
    assert run["id"] in json.dumps(cli("agent", "run", "cancel", run["id"], "--json").json)

    window = cli("agent", "context", "ann", "--json").json
    parts = [value for name, value in window.items() if name.startswith("num_tokens_")]
    assert sum(parts) == window["context_window_size_current"]
    bars = cli("agent", "context", "ann").out
    assert "memory blocks" in bars
    assert "█" in bars or "▏" in bars
