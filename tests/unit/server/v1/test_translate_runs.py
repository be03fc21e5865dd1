"""Runs and steps in forms that the real client knows."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from letta_client.types import Step as ClientStep
from letta_client.types.agents import Run as ClientRun
from letta_client.types.runs import UsageRetrieveResponse
from letta_client.types.steps import MetricRetrieveResponse

from tests.fixtures.wired import A_RUN, A_STEP, NOW, as_sent, known, run, step
from yiku.core import errors
from yiku.core.model import Usage
from yiku.core.run import Failure, RunRequest, RunStatus, StepStatus, StopReason
from yiku.server.v1 import wire_runs as wire
from yiku.server.v1.translate_messages import Form
from yiku.server.v1.translate_runs import (
    metrics_out,
    moment_in,
    run_filter,
    run_out,
    run_page,
    run_usage_out,
    runs_can_match,
    spans_out,
    step_out,
    steps_can_match,
)

USAGE = Usage(
    prompt_tokens=10,
    completion_tokens=5,
    cached_tokens=4,
    cache_write_tokens=3,
    reasoning_tokens=2,
)


def test_a_run_says_how_it_was_asked_for_and_what_became_of_it() -> None:
    request = RunRequest(
        background=True,
        wire=Form(message_tool="say", types=frozenset({"user_message"})).as_json(),
    )
    one = run(
        request=request,
        status=RunStatus.FAILED,
        stop_reason=StopReason.LLM_API_ERROR,
        failure=Failure(kind="ProviderUnavailable", message="No answer."),
        completed_at=NOW + timedelta(seconds=2),
        duration_ns=2_000_000_000,
        ttft_ns=7,
    )
    found: Any = known(ClientRun, as_sent(run_out(one)))
    assert (found.id, found.status, found.stop_reason) == (A_RUN, "failed", "llm_api_error")
    assert (found.background, found.total_duration_ns, found.ttft_ns) == (True, 2_000_000_000, 7)
    assert found.completed_at == one.completed_at
    assert found.metadata["error"] == {"type": "ProviderUnavailable", "message": "No answer."}
    config = found.request_config
    assert config.use_assistant_message
    assert config.assistant_message_tool_name == "say"
    assert config.include_return_message_types == ["user_message"]


def test_a_step_says_what_it_cost() -> None:
    one = step(
        usage=USAGE,
        status=StepStatus.FAILED,
        failure=Failure(kind="ProviderRefused", message="No."),
        model="openrouter/meta/llama",
        tags=("good",),
        feedback="positive",
    )
    found: Any = known(ClientStep, as_sent(step_out(one)))
    assert (found.id, found.run_id, found.status) == (A_STEP, A_RUN, "failed")
    assert (found.model, found.api_model_handle) == ("meta/llama", "openrouter/meta/llama")
    assert (found.provider_name, found.context_window_limit) == ("openrouter", 32_000)
    assert (found.prompt_tokens, found.completion_tokens, found.total_tokens) == (10, 5, 15)
    assert (found.cached_input_tokens, found.cache_write_tokens, found.reasoning_tokens) == (
        4,
        3,
        2,
    )
    assert (found.error_type, found.error_data["message"]) == ("ProviderRefused", "No.")
    assert (found.feedback, found.tags, found.messages) == ("positive", ["good"], [])


def test_usage_has_details_where_the_provider_told_them() -> None:
    found: Any = known(UsageRetrieveResponse, as_sent(run_usage_out(USAGE)))
    assert (found.total_tokens, found.prompt_tokens_details.cached_tokens) == (15, 4)
    assert found.completion_tokens_details.reasoning_tokens == 2
    plain = run_usage_out(Usage())
    assert (plain.prompt_tokens_details, plain.completion_tokens_details) == (None, None)


def test_times_are_told_where_they_are_known() -> None:
    found: Any = known(MetricRetrieveResponse, as_sent(metrics_out(step(model_ns=30, tools_ns=12))))
    assert (found.id, found.llm_request_ns, found.tool_execution_ns) == (A_STEP, 30, 12)
    assert (found.step_ns, found.step_start_ns) == (42, int(NOW.timestamp()) * 10**9)
    assert metrics_out(step()).step_ns is None


def test_a_trace_is_the_run_with_its_steps() -> None:
    spans = list(spans_out(run(duration_ns=50), [step(model_ns=30, tools_ns=12)]))
    assert [(one.name, one.duration_ns) for one in spans] == [
        ("run", 50),
        ("step", 42),
        ("model", 30),
        ("tools", 12),
    ]
    ids = {one.span_id for one in spans}
    assert len(ids) == 4
    assert {one.parent_span_id for one in spans} - {None} <= ids


def test_active_narrows_the_statuses() -> None:
    def statuses(**query: Any) -> set[str]:
        return {one.value for one in run_filter(wire.RunQuery(**query)).statuses}

    assert statuses() == set()
    assert statuses(active=True) == {"created", "running"}
    assert statuses(active=True, statuses=["running", "failed"]) == {"running"}
    assert statuses(statuses=["failed"]) == {"failed"}
    assert not runs_can_match(wire.RunQuery(active=True, statuses=["failed"]))
    assert not runs_can_match(wire.RunQuery(stop_reason="insufficient_credits"))
    assert runs_can_match(wire.RunQuery(active=True, statuses=["running", "failed"]))


def test_older_names_of_what_is_listed() -> None:
    query = wire.RunQuery(agent_ids=["agent-1", "agent-2"], agent_id="agent-1", ascending=True)
    assert run_filter(query).agent_ids == ("agent-1", "agent-2")
    assert not run_page(query).newest_first
    assert run_page(wire.RunQuery()).newest_first
    assert not steps_can_match(wire.StepQuery(trace_ids=["t"]))


def test_dates_without_a_zone_are_utc() -> None:
    assert moment_in("start_date", None) is None
    assert moment_in("start_date", "2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    west = timezone(timedelta(hours=-8))
    assert moment_in("x", "2025-01-29T15:01:19-08:00") == datetime(2025, 1, 29, 15, 1, 19, 0, west)
    with pytest.raises(errors.Invalid) as error:
        moment_in("end_date", "soon")
    assert error.value.facts["field"] == "end_date"
