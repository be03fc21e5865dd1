"""Lines of v1's stream become events."""

import json
from typing import Any

import pytest

from yiku.client.events import (
    Began,
    Call,
    Called,
    Compacted,
    Ended,
    Event,
    EventReader,
    Failed,
    Returned,
    Text,
    Thought,
    Waits,
    as_json,
)


def told(*lines: dict[str, Any] | str) -> list[Event]:
    """The events of a stream of a run `run-1`, without its beginning."""
    reader, found = EventReader(), list[Event]()
    for one in lines:
        line = one if isinstance(one, str) else f"data: {json.dumps(one, ensure_ascii=False)}"
        found += reader.line(line)
    return [event for event in found if not isinstance(event, Began)]


def message(kind: str, **fields: Any) -> dict[str, Any]:
    return {"message_type": kind, "id": "message-1", "run_id": "run-1", **fields}


def delta(call_id: str, name: str | None, arguments: str) -> dict[str, Any]:
    piece = {"tool_call_id": call_id, "name": name, "arguments": arguments}
    return message("tool_call_message", tool_call=piece, tool_calls=piece)


USAGE = {"message_type": "usage_statistics", "step_count": 2, "run_ids": ["run-1"]}
STOP = {"message_type": "stop_reason", "stop_reason": "end_turn"}


def test_pieces_of_text_and_thought_are_told_as_they_come() -> None:
    assert told(
        message("reasoning_message", reasoning="嗯"),
        message("assistant_message", content="你"),
        message("assistant_message", content=[{"type": "text", "text": "好"}]),
        STOP,
        {**USAGE, "prompt_tokens": 7, "completion_tokens": 3, "context_tokens": 7},
        "data: [DONE]",
    ) == [
        Thought("嗯", "message-1"),
        Text("你", "message-1"),
        Text("好", "message-1"),
        Ended(
            stop_reason="end_turn",
            run_id="run-1",
            steps=2,
            prompt_tokens=7,
            completion_tokens=3,
            context_tokens=7,
        ),
    ]


def test_the_run_is_named_once_and_first() -> None:
    reader = EventReader()
    lines = [message("assistant_message", content=text) for text in "ab"]

    found = [event for one in lines for event in reader.line(f"data: {json.dumps(one)}")]

    assert found == [Began("run-1"), Text("a", "message-1"), Text("b", "message-1")]


def test_a_call_in_pieces_is_told_when_its_arguments_are_whole() -> None:
    reader, seen = EventReader(), list[list[Event]]()
    for one in (delta("c1", "remember", '{"a": "}'), delta("c1", None, '"}'), STOP):
        seen.append(list(reader.line(f"data: {json.dumps(one)}")))

    call = Call(id="c1", name="remember", arguments='{"a": "}"}')
    assert seen == [[Began("run-1")], [Called(call)], []]


def test_calls_without_arguments_or_with_broken_ones_are_told_before_what_follows() -> None:
    assert told(
        delta("c1", "now", ""),
        delta("c2", "broken", '{"a": '),
        message("ping"),
        message("assistant_message", content="x"),
    ) == [
        Called(Call(id="c1", name="now", arguments="")),
        Called(Call(id="c2", name="broken", arguments='{"a": ')),
        Text("x", "message-1"),
    ]


def test_whole_calls_and_their_returns_keep_names_and_order() -> None:
    calls = [{"tool_call_id": f"c{n}", "name": f"tool{n}", "arguments": '{"n": 1}'} for n in (1, 2)]
    returns = [
        {"tool_call_id": "c2", "status": "error", "tool_return": "no", "stderr": ["e"]},
        {"tool_call_id": "c1", "status": "success", "tool_return": "yes", "stdout": ["o"]},
    ]

    found = told(
        message("tool_call_message", tool_call=calls[0], tool_calls=calls),
        message("tool_return_message", **returns[0], tool_returns=returns),
    )

    assert found == [
        Called(Call(id="c1", name="tool1", arguments='{"n": 1}')),
        Called(Call(id="c2", name="tool2", arguments='{"n": 1}')),
        Returned(call_id="c2", name="tool2", ok=False, text="no", stderr=("e",)),
        Returned(call_id="c1", name="tool1", ok=True, text="yes", stdout=("o",)),
    ]


def test_calls_that_wait_failures_and_summaries_are_told() -> None:
    call = {"tool_call_id": "c1", "name": "rm", "arguments": "{}"}
    stats = {"messages_count_before": 40, "messages_count_after": 12}

    assert told(
        message("summary_message", summary="so far", compaction_stats=stats),
        message("approval_request_message", tool_call=call, tool_calls=[call]),
        message("error_message", error_type="ProviderError", message="no answer"),
        message("something_new", content="x"),
        ": a comment",
        "",
    ) == [
        Compacted(summary="so far", messages_before=40, messages_after=12),
        Waits((Call(id="c1", name="rm", arguments="{}"),)),
        Failed("ProviderError", "no answer"),
    ]


@pytest.mark.parametrize("line", ["data: {", "data: [1]", "data: null"])
def test_what_is_no_such_stream_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|object"):
        list(EventReader().line(line))


def test_events_say_in_json_what_they_are() -> None:
    assert as_json(Called(Call(id="c", name="n", arguments="{}"))) == {
        "event": "called",
        "call": {"id": "c", "name": "n", "arguments": "{}"},
    }
    assert as_json(Text("你", "message-1")) == {
        "event": "text",
        "text": "你",
        "message_id": "message-1",
    }
