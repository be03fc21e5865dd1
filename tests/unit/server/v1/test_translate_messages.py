"""One message of ours is several of v1's, each of which the real client knows."""

from typing import Any

import pytest

from tests.fixtures.wired import A_MESSAGE, A_RUN, A_STEP, NOW, as_sent, call, message, read
from yiku.core.message import (
    Approval,
    Image,
    MessageRole,
    Part,
    Reasoning,
    Text,
    ToolReturn,
)
from yiku.server.v1.translate_messages import Form, form_of, listed_out, messages_out, roles_of

SAID = '{"message": "你好"}'
THOUGHT = Reasoning(text="hm", signature="s1")


def types_of(*parts: Part, **more: Any) -> list[str]:
    return [
        one.message_type for one in messages_out(message(MessageRole.ASSISTANT, *parts), **more)
    ]


def test_what_was_thought_and_said_comes_before_the_calls() -> None:
    one = message(
        MessageRole.ASSISTANT,
        THOUGHT,
        Text("Let me look."),
        call("web_search", '{"q": "茶"}'),
        call("run_code", "{}", "call-2"),
    )
    thought, text, calls = map(read, messages_out(one))

    assert (thought.reasoning, thought.signature, thought.source) == ("hm", "s1", "reasoner_model")
    assert text.content == "Let me look."
    assert [each.name for each in calls.tool_calls] == ["web_search", "run_code"]
    assert calls.tool_call == calls.tool_calls[0]
    assert (calls.tool_call.arguments, calls.tool_call.tool_call_id) == ('{"q": "茶"}', "call-1")
    for each in (thought, text, calls):
        assert (each.id, each.run_id, each.step_id, each.date) == (A_MESSAGE, A_RUN, A_STEP, NOW)
        assert each.seq_id is None
    assert len({each.otid for each in (thought, text, calls)}) == 3


@pytest.mark.parametrize("written", ["[" * 5_000, '{"message": "cut o', "[]", "{}"])
def test_a_call_of_the_message_tool_that_says_nothing_is_a_call_like_others(written: str) -> None:
    one = message(MessageRole.ASSISTANT, call("send_message", written))
    [told] = map(read, messages_out(one, Form(message_tool="send_message")))
    assert told.tool_call.arguments == written


def test_an_otid_is_the_same_each_time_it_is_told() -> None:
    one = message(MessageRole.ASSISTANT, THOUGHT, Text("a"), call("f"))
    assert messages_out(one) == messages_out(one)


def test_thoughts_side_by_side_are_one_message_and_hidden_ones_say_so() -> None:
    hidden = Reasoning(text="", hidden="redacted")
    one = message(
        MessageRole.ASSISTANT, Reasoning(text="a"), Reasoning(text="b", signature="s"), hidden
    )
    thought, kept = map(read, messages_out(one))
    assert (thought.reasoning, thought.signature) == ("a\n\nb", "s")
    assert (kept.state, kept.hidden_reasoning) == ("redacted", None)


def test_a_call_of_the_message_tool_is_told_of_as_what_it_says() -> None:
    one = message(MessageRole.ASSISTANT, call("send_message", SAID), call("f", "{}", "call-2"))
    text, calls = map(read, messages_out(one))
    assert text.content == "你好"
    assert [each.name for each in calls.tool_calls] == ["f"]


def test_which_tool_and_argument_that_is_can_be_chosen() -> None:
    speaking = call("say", '{"words": "hi"}')
    form = Form(message_tool="say", message_argument="words")
    assert types_of(speaking) == ["tool_call_message"]
    assert types_of(speaking, form=form) == ["assistant_message"]
    assert types_of(call("send_message", SAID), form=form) == ["tool_call_message"]
    assert types_of(call("send_message", SAID), form=Form(message_tool=None)) == [
        "tool_call_message"
    ]


@pytest.mark.parametrize("arguments", ["", "{", "[]", '"message"', "{}", '{"message": 1}'])
def test_a_broken_call_of_the_message_tool_is_told_of_as_a_call(arguments: str) -> None:
    assert types_of(call("send_message", arguments)) == ["tool_call_message"]


def test_calls_that_wait_are_requests_and_the_others_calls() -> None:
    one = message(
        MessageRole.ASSISTANT,
        call("f"),
        call("rm", '{"path": "/"}', "call-2", waits="approval"),
        call("look", "{}", "call-3", waits="client"),
    )
    calls, request = map(read, messages_out(one))
    assert [each.tool_call_id for each in calls.tool_calls] == ["call-1"]
    assert [each.tool_call_id for each in request.tool_calls] == ["call-2", "call-3"]
    assert request.tool_call == request.tool_calls[0]


def test_several_returns_are_one_message_that_begins_with_the_first() -> None:
    one = message(
        MessageRole.TOOL,
        ToolReturn(call_id="call-1", name="f", ok=False, text="no", stderr=("boom",)),
        ToolReturn(call_id="call-2", name="g", ok=True, text="yes", stdout=("out",)),
    )
    [found] = map(read, messages_out(one))
    assert (found.tool_return, found.status, found.tool_call_id) == ("no", "error", "call-1")
    assert (found.stdout, found.stderr, found.name) == (None, ["boom"], "f")
    assert [(r.tool_call_id, r.status, r.tool_return, r.stdout) for r in found.tool_returns] == [
        ("call-1", "error", "no", None),
        ("call-2", "success", "yes", ["out"]),
    ]


def test_the_message_tools_return_is_told_of_only_if_it_failed() -> None:
    sent = ToolReturn(call_id="call-1", name="send_message", ok=True, text="Sent")
    failed = ToolReturn(call_id="call-2", name="send_message", ok=False, text="No `message`")
    assert messages_out(message(MessageRole.TOOL, sent)) == []
    [found] = map(read, messages_out(message(MessageRole.TOOL, sent, failed)))
    assert [each.tool_call_id for each in found.tool_returns] == ["call-2"]
    [shown] = map(read, messages_out(message(MessageRole.TOOL, sent), Form(message_tool=None)))
    assert shown.tool_return == "Sent"


def test_a_users_message_is_text_or_parts_and_keeps_the_clients_otid() -> None:
    [plain] = map(read, messages_out(message(MessageRole.USER, Text("嗨"), otid="o-1", name="Li")))
    assert (plain.content, plain.otid, plain.name) == ("嗨", "o-1", "Li")

    picture = Image(data="aGk=", media_type="image/jpeg")
    far = Image(url="https://example.com/a.png")
    one = message(MessageRole.USER, Text("see"), picture, far)
    [mixed] = messages_out(one)
    assert as_sent(mixed)["content"] == [
        {"type": "text", "text": "see"},
        {
            "type": "image",
            "source": {"type": "base64", "data": "aGk=", "media_type": "image/jpeg"},
        },
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    ]
    assert len(read(mixed).content) == 3


def test_an_approval_tells_each_answer() -> None:
    one = message(
        MessageRole.APPROVAL,
        Approval(call_id="call-1", approve=True),
        Approval(call_id="call-2", approve=False, reason="不行"),
        ToolReturn(call_id="call-3", name="look", ok=True, text="42"),
    )
    [found] = map(read, messages_out(one))
    assert (found.approve, found.reason) == (False, "不行")
    assert [each.type for each in found.approvals] == ["approval", "approval", "tool"]
    assert found.approvals[2].tool_return == "42"


def test_summaries_and_system_messages_have_forms_of_their_own() -> None:
    [summary] = map(read, messages_out(message(MessageRole.SUMMARY, Text("They met."))))
    [system] = map(read, messages_out(message(MessageRole.SYSTEM, Text("You are …"))))
    assert (summary.summary, system.content) == ("They met.", "You are …")


def test_only_the_types_asked_for_are_told_of() -> None:
    parts = (THOUGHT, Text("a"), call("f"))
    assert types_of(*parts, form=Form(types=frozenset({"assistant_message"}))) == [
        "assistant_message"
    ]
    assert roles_of(None) is None
    assert roles_of(frozenset({"tool_call_message", "reasoning_message"})) == [
        MessageRole.ASSISTANT
    ]
    assert roles_of(frozenset({"event_message"})) == []


def test_the_newest_first_holds_within_a_message_too() -> None:
    one = message(MessageRole.ASSISTANT, THOUGHT, Text("a"))
    two = message(MessageRole.TOOL, ToolReturn(call_id="c", name="f", ok=True, text="x"))
    forwards = listed_out([one, two], Form(), newest_first=False)
    assert [each.message_type for each in forwards] == [
        "reasoning_message",
        "assistant_message",
        "tool_return_message",
    ]
    assert listed_out([two, one], Form(), newest_first=True) == forwards[::-1]


def test_a_form_is_kept_with_its_run() -> None:
    form = Form(message_tool=None, types=frozenset({"user_message"}), compactions=True)
    assert form_of(form.as_json()) == form
    assert form_of({}) == Form()
