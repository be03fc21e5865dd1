"""Runs and steps in v1's forms; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from yiku.core.errors import ConversationNotFound, Invalid
from yiku.core.ids import AgentId, ConversationId, RunId, StepId
from yiku.core.memory import Json
from yiku.core.model import Usage
from yiku.core.run import (
    Failure,
    Run,
    RunFilter,
    RunPage,
    RunStatus,
    Step,
    StepFilter,
    StepPage,
    StopReason,
)
from yiku.server.v1 import wire_messages
from yiku.server.v1 import wire_runs as wire
from yiku.server.v1.translate_messages import form_of
from yiku.store.step_traces import StepTrace

ACTIVE = (RunStatus.CREATED, RunStatus.RUNNING)


def failure_out(one: Failure) -> dict[str, Json]:
    return {"type": one.kind, "message": one.message}


def run_out(one: Run) -> wire.RunOut:
    form = form_of(one.request.wire)
    metadata: dict[str, Json] = dict(one.metadata)
    if one.failure is not None:
        metadata["error"] = failure_out(one.failure)
    return wire.RunOut(
        id=one.id,
        agent_id=one.agent_id,
        conversation_id=one.conversation_id,
        status=one.status.value,
        stop_reason=None if one.stop_reason is None else one.stop_reason.value,
        background=one.request.background,
        created_at=one.created_at,
        completed_at=one.completed_at,
        total_duration_ns=one.duration_ns,
        ttft_ns=one.ttft_ns,
        metadata=metadata,
        request_config=wire.RequestConfigOut(
            use_assistant_message=form.message_tool is not None,
            assistant_message_tool_name=form.message_tool or "send_message",
            assistant_message_tool_kwarg=form.message_argument,
            include_return_message_types=None if form.types is None else sorted(form.types),
        ),
        callback_url=one.request.callback_url,
        callback_sent_at=one.callback_sent_at,
        callback_status_code=one.callback_status_code,
        callback_error=one.callback_error,
    )


def stop_reason_out(one: Run) -> wire_messages.StopReasonOut:
    """Of a run that has ended."""
    return wire_messages.StopReasonOut(stop_reason=one.stop_reason or StopReason.ERROR)


def usage_out(one: Run) -> wire_messages.UsageOut:
    return wire_messages.UsageOut(
        completion_tokens=one.usage.completion_tokens,
        prompt_tokens=one.usage.prompt_tokens,
        total_tokens=one.usage.total_tokens,
        step_count=one.step_count,
        run_ids=[one.id],
        cached_input_tokens=one.usage.cached_tokens,
        cache_write_tokens=one.usage.cache_write_tokens,
        reasoning_tokens=one.usage.reasoning_tokens,
        context_tokens=one.context_tokens,
    )


def prompt_details(one: Usage) -> wire.PromptDetailsOut | None:
    if one.cached_tokens is None and one.cache_write_tokens is None:
        return None
    return wire.PromptDetailsOut(
        cached_tokens=one.cached_tokens or 0,
        cache_read_tokens=one.cached_tokens,
        cache_creation_tokens=one.cache_write_tokens,
    )


def completion_details(one: Usage) -> wire.CompletionDetailsOut | None:
    if one.reasoning_tokens is None:
        return None
    return wire.CompletionDetailsOut(reasoning_tokens=one.reasoning_tokens)


def run_usage_out(one: Usage) -> wire.RunUsageOut:
    return wire.RunUsageOut(
        prompt_tokens=one.prompt_tokens,
        completion_tokens=one.completion_tokens,
        total_tokens=one.total_tokens,
        prompt_tokens_details=prompt_details(one),
        completion_tokens_details=completion_details(one),
    )


def step_out(one: Step) -> wire.StepOut:
    provider, _, model = one.model.partition("/")
    prompt, completion = prompt_details(one.usage), completion_details(one.usage)
    return wire.StepOut(
        id=one.id,
        agent_id=one.agent_id,
        run_id=one.run_id,
        status=one.status.value,
        stop_reason=None if one.stop_reason is None else one.stop_reason.value,
        error_type=None if one.failure is None else one.failure.kind,
        error_data=None if one.failure is None else {**failure_out(one.failure)},
        model=model or one.model,
        model_handle=one.model,
        provider_name=provider,
        context_window_limit=one.context_window,
        prompt_tokens=one.usage.prompt_tokens,
        completion_tokens=one.usage.completion_tokens,
        total_tokens=one.usage.total_tokens,
        cached_input_tokens=one.usage.cached_tokens,
        cache_write_tokens=one.usage.cache_write_tokens,
        reasoning_tokens=one.usage.reasoning_tokens,
        prompt_tokens_details=None if prompt is None else prompt.model_dump(),
        completion_tokens_details=None if completion is None else completion.model_dump(),
        feedback=one.feedback,
        tags=[*one.tags],
    )


def nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1e6) * 1000


def metrics_out(one: Step) -> wire.MetricsOut:
    known = [took for took in (one.model_ns, one.tools_ns) if took is not None]
    start = nanoseconds(one.created_at)
    return wire.MetricsOut(
        id=one.id,
        agent_id=one.agent_id,
        run_id=one.run_id,
        step_start_ns=start,
        step_ns=sum(known) if known else None,
        llm_request_start_ns=start,
        llm_request_ns=one.model_ns,
        tool_execution_ns=one.tools_ns,
    )


def trace_out(one: Step, kept: StepTrace) -> wire.TraceOut:
    return wire.TraceOut(
        id=f"provider_trace-{one.id.removeprefix('step-')}",
        step_id=one.id,
        run_id=one.run_id,
        agent_id=one.agent_id,
        org_id=one.organization_id,
        request_json=dict(kept.request),
        response_json=dict(kept.response),
        created_at=kept.created_at,
        latency_ms=None if one.model_ns is None else one.model_ns // 1_000_000,
        llm_config={"handle": one.model, "context_window": one.context_window},
    )


def spans_out(run: Run, steps: Sequence[Step]) -> Iterator[wire.SpanOut]:
    """The run, its steps, and in each the model's and the tools' part."""
    yield wire.SpanOut(
        name="run",
        span_id=run.id,
        parent_span_id=None,
        start=run.created_at,
        duration_ns=run.duration_ns,
        attributes={"agent_id": run.agent_id, "status": run.status.value},
    )
    for one in steps:
        took = metrics_out(one)
        about: dict[str, Json] = {"n": one.n, "status": one.status.value, "model": one.model}
        inside = {"model": one.model_ns, "tools": one.tools_ns}
        yield wire.SpanOut(
            name="step",
            span_id=one.id,
            parent_span_id=run.id,
            start=one.created_at,
            duration_ns=took.step_ns,
            attributes={**about},
        )
        for name in ("model", "tools"):
            if inside[name] is not None:
                yield wire.SpanOut(
                    name=name,
                    span_id=f"{one.id}/{name}",
                    parent_span_id=one.id,
                    start=one.created_at,
                    duration_ns=inside[name],
                    attributes={},
                )


def run_filter(query: wire.RunQuery) -> RunFilter:
    """Those of all agents that are named; `active` narrows `statuses`."""
    agents = [*(query.agent_ids or ()), *([query.agent_id] if query.agent_id else ())]
    if query.conversation_id is not None and query.conversation_id.startswith("agent-"):
        agents = [one for one in agents or [query.conversation_id] if one == query.conversation_id]
        agents = agents or [""]  # another's conversation: there are none
    statuses = tuple(RunStatus(one) for one in query.statuses or ())
    if query.active:
        statuses = tuple(one for one in statuses or ACTIVE if one in ACTIVE)
    return RunFilter(
        agent_ids=tuple(AgentId(one) for one in dict.fromkeys(agents)),
        statuses=statuses,
        stop_reason=stop_reason_in(query.stop_reason),
        background=query.background,
        conversation_id=run_conversation(query.conversation_id),
    )


def run_conversation(named: str | None) -> ConversationId | None:
    """As rows of runs name it: empty is an agent's own; None: all."""
    if named is None:
        return None
    if named == "default" or named.startswith("agent-"):
        return ConversationId("")
    return conversation_named(named)


def conversation_named(some_id: str) -> ConversationId:
    """Raises: ConversationNotFound where it can't be one's id, and no database be asked for it."""
    if not some_id.isprintable():
        raise ConversationNotFound(f"There is no conversation {some_id!r}.")
    return ConversationId(some_id)


def runs_can_match(query: wire.RunQuery) -> bool:
    """Whether there can be such runs at all: a run ends or is active, and needs no credits."""
    wanted = query.statuses
    return query.stop_reason != "insufficient_credits" and not (
        query.active and wanted and not {*wanted} & {one.value for one in ACTIVE}
    )


def stop_reason_in(name: str | None) -> StopReason | None:
    if name is None or name == "insufficient_credits":
        return None
    return StopReason(name)


def run_page(query: wire.RunQuery) -> RunPage:
    oldest_first = query.order == "asc" if query.ascending is None else query.ascending
    return RunPage(
        limit=query.limit,
        after=None if query.after is None else RunId(query.after),
        before=None if query.before is None else RunId(query.before),
        newest_first=not oldest_first,
    )


def step_filter(query: wire.StepQuery) -> StepFilter:
    """Raises: Invalid."""
    return StepFilter(
        agent_id=None if query.agent_id is None else AgentId(query.agent_id),
        model=query.model,
        feedback=query.feedback,
        has_feedback=query.has_feedback,
        tags=tuple(query.tags or ()),
        since=moment_in("start_date", query.start_date),
        until=moment_in("end_date", query.end_date),
    )


def steps_can_match(query: wire.StepQuery) -> bool:
    return query.project_id is None and not query.trace_ids


def step_page(query: wire.NewestPage) -> StepPage:
    return StepPage(
        limit=query.limit,
        after=None if query.after is None else StepId(query.after),
        before=None if query.before is None else StepId(query.before),
        newest_first=query.order == "desc",
    )


def moment_in(field: str, text: str | None) -> datetime | None:
    """A date, or a moment; UTC where it doesn't say. Raises: Invalid."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"`{field}` isn't an ISO date: {text!r}.", field=field) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
