"""What a server tells of itself during a whole talk, and what it never tells.

The talk is had once, by a real process that writes its log at `debug`, counts, sends traces to a
collector and errors to a Sentry of the test's own.
"""

import gzip
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.collector import Collector, Tree
from tests.servers.scripted_chat import Call, Fails, Says, ScriptedChat
from tests.servers.served import Asked, Reply, Served
from tests.servers.warm import Warm

AGENT_KEY = "sk-model-key-7f3a9c55"
SPOKEN = "My sister Wilhelmina hides the blue violin in the attic."
SPOKEN_ZH = "我妹妹把蓝色的小提琴藏在阁楼里。"
ANSWER = "Then the attic of Wilhelmina keeps a fine violin."
KEPT = "Wilhelmina's violin was built in Cremona."
PERSONA = "I answer in rhymes about submarines."
ASKED_FOR = "which instrument was built in Cremona"
REFUSED = "The words about the violin may not be said."
SECRET_WORDS = (
    "Wilhelmina",
    "violin",
    "小提琴",
    "阁楼",
    "Cremona",
    "submarines",
    "instrument was built",
)
REQUEST_ID = "talk.of-the:day_1"


class SentryServer(Served):
    """Keeps the envelopes that it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = b""

    def read(self, body: bytes, headers: dict[str, str]) -> bytes:
        return gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body

    def reply(self, asked: Asked) -> Reply:
        self.raw += asked.body
        return Reply(body=b"{}")


@dataclass(frozen=True, kw_only=True)
class Told:
    """All that was told."""

    log: str
    metrics: str
    answers: Mapping[str, httpx.Response]
    collector: Collector
    sentry: bytes
    key: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.splitlines()]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        found = [
            float(value)
            for sample, given, value in re.findall(
                r"^(\w+)(?:\{(.*)\})? (\S+)$", self.metrics, re.MULTILINE
            )
            if sample == name
            and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', given)).items()
        ]
        assert found, f"no {name} of {labels} in\n{self.metrics}"
        return sum(found)


def says(request: dict[str, Any]) -> Says | Fails:
    last = request["messages"][-1]
    if "refuse" in json.dumps(last):
        return Fails(status=400, message=REFUSED)
    if last["role"] == "tool":
        return Says(text=ANSWER)
    return Says(
        calls=(
            Call("memory_insert", {"label": "human", "new_str": SPOKEN}, "call-1"),
            Call("archival_memory_insert", {"content": KEPT}, "call-2"),
        )
    )


@pytest.fixture(scope="module")
def told(yiku_home: Path, tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Told:
    folder = tmp_path_factory.mktemp("told")
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("YIKU_", "OTEL_"))}
    with Collector() as collector, SentryServer() as sentry, ScriptedChat(says) as model:
        settings = {
            **kept,
            "YIKU_HOME": str(yiku_home),
            "YIKU_DATABASE_URL": f"sqlite:///{folder / 'yiku.db'}",
            "YIKU_MODEL": "openai/scripted",
            "YIKU_MODEL_BASE_URL": model.url,
            "YIKU_MODEL_API_KEY": AGENT_KEY,
            "YIKU_REQUIRE_KEY": "always",
            "YIKU_LOG_LEVEL": "debug",
            "YIKU_LOG_FORMAT": "json",
            "YIKU_METRICS": "on",
            "YIKU_TRACES": "on",
            "YIKU_SENTRY_DSN": sentry.root.replace("//", "//public@") + "/1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.root,
        }
        words = ["key", "create", "talker", "--scope", "admin"]
        code, made, complaints = warm.run(words, cwd=folder, env=settings, timeout_s=60)
        assert code == 0, complaints
        key = made.decode().strip()
        words = ["serve", "--port", "0", "--json"]
        server = warm.start(words, cwd=folder, env=settings, errors=folder / "log")
        try:
            url = json.loads(server.stdout.readline())["url"]
            headers = {"Authorization": f"Bearer {key}"}
            with httpx.Client(base_url=url, headers=headers, timeout=60) as http:
                answers = talk(http)
                metrics = http.get("/metrics").text
            server.terminate()
            assert server.wait(30) == 0
        finally:
            server.kill()
            server.communicate()
    return Told(
        log=(folder / "log").read_text(),
        metrics=metrics,
        answers=answers,
        collector=collector,
        sentry=sentry.raw,
        key=key,
    )


def talk(http: httpx.Client) -> dict[str, httpx.Response]:
    """A message with a deed and an action, one that is refused, a search, and wrong asking."""
    agent = http.post(
        "/v1/agents",
        json={
            "memory_blocks": [
                {"label": "human", "value": SPOKEN_ZH},
                {"label": "persona", "value": PERSONA},
            ],
            "tools": ["memory_insert", "archival_memory_insert"],
            "secrets": {"VAULT": "vault-secret-81c2"},
        },
    ).json()
    send = f"/v1/agents/{agent['id']}/messages"

    def said(text: str, **headers: str) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": text}]}
        return http.post(send, json=body, headers=headers)

    message = said(SPOKEN, **{"X-Request-Id": REQUEST_ID})
    assert message.status_code == 200, message.text
    refused = said(f"Please refuse: {SPOKEN}")
    assert refused.status_code == 502 or refused.status_code == 422, refused.text
    found = http.post("/memory/search", json={"query": ASKED_FOR, "user": ""})
    assert found.status_code == 200
    listed = http.get(f"/v1/agents/{agent['id']}/archival-memory/search", params={"query": KEPT})
    wrong = http.post(
        "/v1/blocks/", json={"label": SPOKEN * 40, "value": 3}, headers={"X-Request-Id": "a b"}
    )
    assert wrong.status_code == 422
    stranger = http.get(
        "/v1/agents/", headers={"Authorization": f"Bearer yk_{SPOKEN[:10].encode().hex()}"}
    )
    assert stranger.status_code == 401
    return {
        "agent": http.get(f"/v1/agents/{agent['id']}"),
        "message": message,
        "refused": refused,
        "listed": listed,
        "wrong": wrong,
    }


def test_no_text_and_no_secret_is_told_to_anybody(told: Told) -> None:
    everything = {
        "log": told.log,
        "metrics": told.metrics,
        "traces": told.collector.raw.decode("utf-8", "replace"),
        "sentry": told.sentry.decode("utf-8", "replace"),
    }
    for where, text in everything.items():
        assert len(text) > 1000 or where == "sentry", f"nothing was told: {where}"
        readable = text + json.dumps(text)  # what JSON has escaped, too
        escaped = [json.dumps(word)[1:-1] for word in SECRET_WORDS]
        told_words = [word for word in (*SECRET_WORDS, *escaped) if word in readable]
        assert told_words == [], where
        for secret in (AGENT_KEY, told.key, told.key[:12], "vault-secret", "Bearer"):
            assert secret not in readable, where


def test_each_line_of_the_log_is_json_with_the_ids_of_its_work(told: Told) -> None:
    agent = told.answers["agent"].json()
    requests = [one for one in told.lines if one["message"] == "request"]
    [message] = [one for one in requests if one.get("request") == REQUEST_ID]
    assert (message["method"], message["status"]) == ("POST", 200)
    assert message["route"] == "/v1/agents/{agent_id}/messages"
    assert message["organization"].startswith("org-")
    assert message["ms"] > 0
    assert {one["level"] for one in told.lines} <= {"debug", "info", "warning", "error"}
    assert all(re.fullmatch(r"[\d-]{10}T[\d:.]{12}Z", one["at"]) for one in told.lines)
    assert not any(agent["id"] in str(one.get("route")) for one in requests)
    assert all(
        one["logger"].startswith("yiku") for one in told.lines if one["level"] in ("debug", "info")
    )


def test_a_request_is_answered_with_its_id(told: Told) -> None:
    assert told.answers["message"].headers["x-request-id"] == REQUEST_ID
    given = told.answers["wrong"].headers["x-request-id"]
    assert re.fullmatch(r"req-[0-9a-f-]{36}", given), "one that breaks lines isn't taken over"
    assert any(one.get("request") == given for one in told.lines)


def test_metrics_count_all_that_went_on(told: Told) -> None:
    value = told.value
    assert (
        value(
            "yiku_http_request_seconds_count",
            method="POST",
            route="/v1/agents/{agent_id}/messages",
            status="200",
        )
        == 1
    )
    assert value("yiku_run_seconds_count", stop_reason="end_turn") == 1
    assert value("yiku_run_seconds_count", stop_reason="llm_api_error") == 1
    assert value("yiku_step_seconds_count", outcome="ok") == 2
    assert value("yiku_model_call_seconds_count", model="openai/scripted", outcome="ok") == 2
    assert value("yiku_model_call_seconds_count", outcome="error") == 1
    assert value("yiku_model_tokens_total", of="prompt") > 0
    assert value("yiku_tool_calls_total", tool="memory_insert", outcome="ok") == 1
    assert value("yiku_tool_calls_total", tool="archival_memory_insert", outcome="ok") == 1
    assert value("yiku_tool_call_seconds_count", tool="archival_memory_insert") == 1
    assert value("yiku_database_seconds_count", mode="write", outcome="ok") > 3
    assert value("yiku_database_wait_seconds_count", mode="read") > 3
    assert value("yiku_embedding_seconds_count", outcome="ok") >= 1
    assert value("yiku_index_archives") >= 1
    assert value("yiku_index_bytes") > 0
    assert value("yiku_going", what="run") == 0
    assert value("yiku_info") == 1
    assert value("process_resident_memory_bytes") > 1e6


def test_one_message_is_one_trace_from_the_door_to_the_store(told: Told) -> None:
    collector = told.collector
    [door] = [
        one
        for one in collector.spans
        if one.attributes.get("yiku.request.id") == REQUEST_ID and one.parent == b""
    ]
    assert door.name == "POST /v1/agents/{agent_id}/messages"
    assert (door.attributes["http.response.status_code"], door.service) == (200, "yiku")
    tree: Tree = collector.trace(door.trace)
    paths = tree.paths()
    first = [door.name, "run letta_v1_agent"]
    run = [*first, "step step"]
    for path in (
        [*run, "model openai/scripted"],
        [*run, "tool archival_memory_insert", "embedding local/all-minilm-l6-v2@int8"],
        [*run, "tool archival_memory_insert", "transaction write"],
        [*run, "tool memory_insert"],
        [*run, "transaction write"],
        [door.name, "transaction write"],
    ):
        assert path in paths, f"{path} is not in\n" + "\n".join(map(str, paths))
    assert all(path[0] == door.name for path in paths), "a span has lost its parent"
    [of_run] = [one for one in tree.spans if one.name == first[-1]]
    assert of_run.attributes["yiku.run.id"].startswith("run-")
    assert of_run.attributes["yiku.stop_reason"] == "end_turn"
    asked = [one for one in tree.spans if one.name == "model openai/scripted"]
    assert all(one.attributes["gen_ai.usage.input_tokens"] > 0 for one in asked)


def test_a_call_that_fails_is_marked_in_its_trace(told: Told) -> None:
    failed = [one for one in told.collector.spans if one.failed and one.name.startswith("model ")]
    assert [one.attributes["error.type"] for one in failed] == ["ProviderRefused"]
