"""`yiku model list` and `yiku model test` with language models."""

from typing import Any

import pytest

from tests.e2e.conftest import Cli
from tests.servers.scripted_chat import Call, Fails, Says, ScriptedChat


def capable(request: dict[str, Any]) -> str | Says:
    if request["messages"][-1]["role"] == "tool":
        return "The password is heron."
    if request.get("tools"):
        return Says(calls=(Call("look_up_password", {"day": "today"}),))
    return "ready, one two three four five"


@pytest.fixture
def configured(fresh_home: object, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("YIKU_MODEL", "kimi/kimi-k3")
    monkeypatch.setenv("KIMI_API_KEY", "sk-secret-1")
    return monkeypatch


def states(shown: dict[str, Any]) -> dict[str, str]:
    return {one["what"]: one["state"] for one in shown["findings"]}


def test_a_model_that_can_all_passes(cli: Cli, configured: pytest.MonkeyPatch) -> None:
    with ScriptedChat(capable, models=("kimi-k3", "kimi-k2.6")) as server:
        configured.setenv("KIMI_BASE_URL", server.url)
        shown = cli("model", "test", "--json").json
        listed = cli("model", "list", "--json").json
        seen = cli("model", "list").out
    assert shown["ok"]
    assert states(shown) == {"answer": "ok", "streaming": "ok", "tools": "ok"}
    mine = {one["handle"]: one for one in listed["language_models"]}
    assert mine["kimi/kimi-k3"]["default"]
    assert mine["kimi/kimi-k2.6"]["context_window"] == 262_144
    assert "yiku/offline" in mine
    assert "OPENAI_API_KEY" in listed["unconfigured"].values()
    assert "kimi/kimi-k3  (default)" in seen


def test_what_fails_is_said_with_what_to_do(cli: Cli, configured: pytest.MonkeyPatch) -> None:
    with ScriptedChat("I call nothing.") as server:
        configured.setenv("KIMI_BASE_URL", server.url)
        without_tools = cli("model", "test", "kimi/kimi-k2.6", code=1).out
        server.script(Fails(status=401, message="bad key sk-secret-1"))
        refused = cli("model", "test", "--json", code=1).json
    assert "ok   answer" in without_tools
    assert "fail tools" in without_tools
    assert states(refused) == {"answer": "fail"}
    assert "KIMI_API_KEY" in refused["findings"][0]["found"]
    assert "sk-secret-1" not in str(refused)


def test_what_can_not_be_asked_is_said(cli: Cli, fresh_home: object) -> None:
    assert "no handle" in cli("model", "test", "gpt-4o", code=1).out
    assert "no provider `nobody`" in cli("model", "test", "nobody/x", code=1).out
    assert "ZHIPU_API_KEY" in cli("model", "test", "zhipu/glm-5.3", code=1).out
    assert "No language model" in cli("model", "test").out
