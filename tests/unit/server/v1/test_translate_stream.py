"""A run's events become the lines of a stream, each of which the real client knows."""

import json
from typing import Any

from tests.fixtures.wired import (
    A_MESSAGE,
    A_RUN,
    A_STEP,
    NOW,
    call,
    message,
    read_lines,
    run,
    step,
)
from yiku.core.ids import MessageId, StepId
from yiku.core.message import Message, MessageRole, Reasoning, Text, ToolReturn
from yiku.core.model import CallPiece, Piece, ReasoningPiece, TextPiece, ToolSpec, Usage
from yiku.core.run import (
    Compacted,
    Ended,
    Failure,
    Run,
    RunEvent,
    RunRequest,
    RunStatus,
    Said,
    Stepped,
    StopReason,
    Stored,
)
from yiku.server.v1.translate_messages import Form, messages_out
from yiku.server.v1.translate_stream import PER_STEP, Stream

SECOND = StepId("step-2")
DONE = run(
    status=RunStatus.COMPLETED,
    stop_reason=StopReason.END_TURN,
    usage=Usage(prompt_tokens=30, completion_tokens=12, cached_tokens=8),
    step_count=2,
    context_tokens=20,
)


def tokens(form: Form | None = None, **more: Any) -> Run:
    wire = (form or Form()).as_json()
    return run(request=RunRequest(stream_tokens=True, wire=wire, **more))


def told(of: Run, *events: RunEvent, after: int = 0) -> list[Any]:
    stream = Stream(of, starting_after=after)
    return read_lines([stream.lines(event, NOW) for event in events])


def said(piece: Piece, **more: Any) -> Said:
    return Said(**{"message_id": A_MESSAGE, "step_id": A_STEP, "piece": piece, **more})


def piece(index: int = 0, arguments: str = "", **first: Any) -> Said:
    return said(CallPiece(index=index, arguments=arguments, **first))


def answer(*parts: Any, **more: Any) -> Stored:
    return Stored(message(MessageRole.ASSISTANT, *parts, **more))


def returned(name: str = "f", **more: Any) -> Stored:
    one: Message = message(
        MessageRole.TOOL,
        ToolReturn(call_id="call-1", name=name, ok=True, text="ok"),
        id=MessageId("message-2"),
        **more,
    )
    return Stored(one)


def kinds(found: list[Any]) -> list[str]:
    return [one if isinstance(one, str) else one.message_type for one in found]


def test_step_by_step_each_message_is_told_of_once_it_is_stored() -> None:
    found = told(
        run(),
        said(TextPiece("not asked for")),
        answer(Reasoning(text="hm"), Text("Look:"), call("f")),
        returned(),
        Stepped(step()),
        answer(Text("Done."), id=MessageId("message-3"), step_id=SECOND),
        Stepped(step(id=SECOND, n=2)),
        Ended(DONE),
    )
    assert kinds(found) == [
        "reasoning_message",
        "assistant_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
        "stop_reason",
        "usage_statistics",
        "[DONE]",
    ]
    assert [one.seq_id for one in found[:5]] == [1, 2, 3, 4, PER_STEP + 1]
    assert {one.run_id for one in found[:5]} == {A_RUN}
    reason, usage = found[5:7]
    assert reason.stop_reason == "end_turn"
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (30, 12, 42)
    assert (usage.step_count, usage.run_ids, usage.context_tokens) == (2, [A_RUN], 20)
    assert (usage.cached_input_tokens, usage.reasoning_tokens) == (8, None)


def test_pieces_are_told_of_at_once_and_the_stored_message_is_not_repeated() -> None:
    parts = (Reasoning(text="hm, so"), Text("你好吗"), call("f", '{"a": 1}'))
    found = told(
        tokens(),
        said(ReasoningPiece("hm")),
        said(ReasoningPiece(", so")),
        said(TextPiece("你")),
        said(TextPiece("好吗")),
        piece(id="call-1", name="f"),
        piece(arguments='{"a"'),
        piece(arguments=": 1}"),
        answer(*parts),
        returned(),
    )
    assert kinds(found) == [
        *["reasoning_message"] * 2,
        *["assistant_message"] * 2,
        *["tool_call_message"] * 3,
        "tool_return_message",
    ]
    assert "".join(one.reasoning for one in found[:2]) == "hm, so"
    assert "".join(one.content for one in found[2:4]) == "你好吗"
    calls = [one.tool_call for one in found[4:7]]
    assert "".join(one.arguments for one in calls) == '{"a": 1}'
    assert [one.name for one in calls] == ["f", None, None]
    assert {one.tool_call_id for one in calls} == {"call-1"}
    assert [dict(one.tool_calls) for one in found[4:7]] == [dict(one) for one in calls]
    assert [one.seq_id for one in found] == [*range(1, 9)]

    whole = messages_out(message(MessageRole.ASSISTANT, *parts))
    streamed = list(dict.fromkeys((one.id, one.otid) for one in found[:7]))
    assert streamed == [(one.id, one.otid) for one in whole]


def test_the_words_of_the_message_tool_are_told_of_as_they_are_written() -> None:
    found = told(
        tokens(),
        piece(id="call-1", name="send_message"),
        piece(arguments='{"message": "Gu'),
        piece(arguments='ten \\"Tag\\""'),
        piece(arguments="}"),
        answer(call("send_message", '{"message": "Guten \\"Tag\\""}')),
        returned("send_message"),
    )
    assert kinds(found) == ["assistant_message"] * 2
    assert "".join(one.content for one in found) == 'Guten "Tag"'
    assert len({one.otid for one in found}) == 1


def test_a_call_of_the_message_tool_that_says_nothing_is_told_of_when_it_is_stored() -> None:
    found = told(
        tokens(),
        piece(id="call-1", name="send_message", arguments='{"text": "x"}'),
        answer(call("send_message", '{"text": "x"}')),
    )
    assert kinds(found) == ["tool_call_message"]
    assert found[0].tool_call.arguments == '{"text": "x"}'


def test_calls_side_by_side_are_told_apart() -> None:
    found = told(
        tokens(),
        piece(0, id="call-1", name="f"),
        piece(1, id="call-2", name="g"),
        piece(0, arguments="{}"),
        piece(1, arguments="[]"),
        answer(call("f", "{}"), call("g", "[]", "call-2")),
    )
    assert [one.tool_call.tool_call_id for one in found] == ["call-1", "call-2"] * 2
    assert len({one.otid for one in found}) == 2


def test_a_call_that_waits_is_told_of_whole_in_one_message() -> None:
    """It is what the client must act on; and not twice: some add up what they are told."""
    waiting = call("rm", '{"path": "/"}', waits="approval")
    found = told(
        tokens(),
        said(CallPiece(index=0, id="call-1", name="rm"), waits="approval"),
        said(CallPiece(index=0, arguments='{"path": "/"}'), waits="approval"),
        answer(waiting),
    )
    assert kinds(found) == ["approval_request_message"]
    assert found[0].tool_call.arguments == '{"path": "/"}'

    spec = ToolSpec(name="look", description="", parameters={})
    found = told(
        tokens(client_tools=(spec,)),
        piece(id="call-1", name="look", arguments="{}"),
        answer(call("look", "{}", waits="client")),
    )
    assert kinds(found) == ["approval_request_message"]


def test_what_was_not_said_in_pieces_is_told_of_when_it_is_stored() -> None:
    hidden = Reasoning(text="", hidden="omitted")
    found = told(tokens(), said(TextPiece("a")), answer(hidden, Text("a"), call("f")))
    assert kinds(found) == ["assistant_message", "hidden_reasoning_message", "tool_call_message"]


def test_empty_pieces_are_not_told_of() -> None:
    assert told(tokens(), said(TextPiece("")), said(ReasoningPiece(""))) == []


def test_who_comes_back_is_told_what_comes_after_what_was_seen() -> None:
    events = [
        said(TextPiece("a")),
        said(TextPiece("b")),
        answer(Text("ab"), call("f")),
        returned(),
        Stepped(step()),
        said(TextPiece("c"), message_id=MessageId("message-3"), step_id=SECOND),
        said(TextPiece("d"), message_id=MessageId("message-3"), step_id=SECOND),
        answer(Text("cd"), id=MessageId("message-3"), step_id=SECOND),
        Stepped(step(id=SECOND, n=2)),
        Ended(DONE),
    ]
    everything = told(tokens(), *events)
    for n, seen in enumerate(everything[:-3]):
        again = told(tokens(), *events, after=seen.seq_id)
        assert again == everything[n + 1 :]


def test_who_comes_back_when_pieces_are_forgotten_is_told_the_step_whole() -> None:
    """The server was started again: only what is stored is known."""
    rows = [
        answer(Text("ab"), call("f")),
        returned(),
        answer(Text("cd"), id=MessageId("message-3"), step_id=SECOND),
        Ended(DONE),
    ]
    whole = told(tokens(), *rows)
    assert kinds(told(tokens(), *rows, after=1)) == kinds(whole)
    assert kinds(told(tokens(), *rows, after=PER_STEP + 1)) == kinds(whole)[3:]
    assert told(run(), *rows, after=1) == told(run(), *rows)[1:]


def test_types_that_are_not_wanted_are_numbered_all_the_same() -> None:
    form = Form(types=frozenset({"assistant_message"}))
    request = RunRequest(wire=form.as_json())
    found = told(run(request=request), answer(Reasoning(text="hm"), Text("a")), Ended(DONE))
    assert kinds(found) == ["assistant_message", "stop_reason", "usage_statistics", "[DONE]"]
    assert found[0].seq_id == 2


def test_what_the_run_was_asked_with_is_not_told_of() -> None:
    assert told(run(), Stored(message(MessageRole.USER, Text("hi"), step_id=None))) == []


def test_a_failure_is_told_of_before_the_reason_to_stop() -> None:
    failed = run(
        status=RunStatus.FAILED,
        stop_reason=StopReason.LLM_API_ERROR,
        failure=Failure(kind="ProviderUnavailable", message="No answer from openai."),
    )
    error, reason, _, end = told(run(), Ended(failed))
    assert (error.error_type, error.message) == ("ProviderUnavailable", "No answer from openai.")
    assert (error.run_id, error.detail, reason.stop_reason) == (A_RUN, *["llm_api_error"] * 2)
    assert end == "[DONE]"


def test_a_run_that_goes_on_elsewhere_has_no_reason_to_stop() -> None:
    error, end = told(run(), Ended(run()))
    assert (error.error_type, end) == ("RunGoesOn", "[DONE]")


def test_compactions_are_told_of_if_asked_for() -> None:
    event = Compacted(
        summary_id="summary-1",
        text="They met.",
        trigger="window",
        messages_before=40,
        messages_after=12,
        tokens_before=31_000,
        tokens_after=9_000,
        context_window=32_000,
    )
    assert told(run(), event) == []
    asked = RunRequest(wire=Form(compactions=True).as_json())
    happened, summary = told(run(request=asked), event)
    assert (happened.event_type, happened.event_data["trigger"]) == ("compaction", "window")
    assert (summary.summary, summary.compaction_stats.messages_count_after) == ("They met.", 12)
    assert happened.otid != summary.otid


def test_no_character_breaks_a_line() -> None:
    odd = 'a\n\r\u2028"\\\x00\x1f\ud83d😀'
    lines = Stream(tokens()).lines(said(TextPiece(odd)), NOW)
    assert lines.endswith(b"\n\n")
    assert lines.count(b"\n") == 2
    assert json.loads(lines.removeprefix(b"data: "))["content"] == odd.replace("\ud83d", "?")
