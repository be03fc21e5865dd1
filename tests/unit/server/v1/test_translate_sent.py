"""What clients send, in every form that they may write it in."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from tests.fixtures.wired import A_MESSAGE, call, message
from yiku.core import errors
from yiku.core.message import (
    Approval,
    Image,
    Message,
    MessageRole,
    Reasoning,
    Text,
    ToolReturn,
)
from yiku.server.v1 import wire_sent as wire
from yiku.server.v1.translate_messages import PLAIN, form_of
from yiku.server.v1.translate_sent import answers_calls, incoming_in, patched, request_in

WAITING = message(
    MessageRole.ASSISTANT,
    call("f"),
    call("rm", "{}", "call-2", waits="approval"),
    call("mv", "{}", "call-3", waits="approval"),
    call("look", "{}", "call-4", waits="client"),
)


def sent(pending: Message | None = None, **body: Any) -> list[Any]:
    return list(incoming_in(wire.SendIn.model_validate(body), pending))


def refused(**body: Any) -> str:
    with pytest.raises(ValidationError) as problem:
        wire.SendIn.model_validate(body)
    return str(problem.value)


def test_a_message_is_text_or_parts() -> None:
    [plain] = sent(messages=[{"role": "user", "content": "嗨", "name": "Li", "otid": "o-1"}])
    assert (plain.role, plain.parts) == (MessageRole.USER, (Text("嗨"),))
    assert (plain.name, plain.otid) == ("Li", "o-1")

    source = {"type": "base64", "data": "aG\nk=", "media_type": "image/png"}
    [mixed] = sent(
        messages=[
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"text": "see"},
                    {"type": "image", "source": source},
                    {"source": {"url": "https://example.com/a.png"}},
                ],
            }
        ]
    )
    assert mixed.parts == (
        Text("see"),
        Image(data="aGk=", media_type="image/png"),
        Image(url="https://example.com/a.png"),
    )


def test_input_is_one_message_of_the_user() -> None:
    assert [one.parts for one in sent(input="hi")] == [(Text("hi"),)]
    assert [one.parts for one in sent(input=[{"text": "hi"}])] == [(Text("hi"),)]


@pytest.mark.parametrize(
    "body", [{}, {"input": "a", "messages": [{"role": "user", "content": "b"}]}]
)
def test_one_of_the_two_is_sent(body: dict[str, Any]) -> None:
    with pytest.raises(errors.Invalid) as error:
        sent(**body)
    assert error.value.facts["field"] == "messages"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "at least 1 character"),
        ([], "at least 1 item"),
        ("a\0b", "NUL"),
        ([{"type": "tool_call", "id": "1", "name": "f", "input": {}}], "'text', 'image'"),
        ([{"type": "image", "source": {"type": "letta", "file_id": "f"}}], "'url', 'base64'"),
        ([{"type": "image", "source": {"type": "url", "url": "file:///etc"}}], "pattern"),
        ([{"source": {"data": "(", "media_type": "image/png"}}], "pattern"),
    ],
)
def test_what_no_model_can_be_shown_is_refused(content: object, words: str) -> None:
    assert words in refused(messages=[{"role": "user", "content": content}])


def test_only_users_send_images() -> None:
    picture = [{"source": {"url": "https://example.com/a.png"}}]
    with pytest.raises(errors.Invalid, match="image"):
        sent(messages=[{"role": "system", "content": picture}])


def test_what_is_not_offered_is_refused_unless_it_asks_for_nothing() -> None:
    wire.SendIn(input="a", return_logprobs=False, client_skills=[], top_logprobs=None)
    assert "offered" in refused(input="a", return_logprobs=True)
    assert "offered" in refused(input="a", client_skills=[{"name": "s"}])


@pytest.mark.parametrize("kind", [{"type": "approval"}, {}])
def test_one_answer_to_all_calls_that_wait_for_approval(kind: dict[str, str]) -> None:
    denial = {**kind, "approve": False, "reason": "no", "approval_request_id": A_MESSAGE}
    [one] = sent(WAITING, messages=[denial])
    assert one.role is MessageRole.APPROVAL
    assert one.parts == (
        Approval(call_id="call-2", approve=False, reason="no"),
        Approval(call_id="call-3", approve=False, reason="no"),
    )


def test_an_answer_to_each_call() -> None:
    answers = [
        {"type": "approval", "tool_call_id": "call-2", "approve": True, "arguments": {"a": "茶"}},
        {"tool_call_id": "call-3", "approve": False, "reason": "no"},
        {"type": "tool", "tool_call_id": "call-4", "status": "success", "tool_return": "42"},
    ]
    [one] = sent(WAITING, messages=[{"type": "approval", "approvals": answers, "otid": "o"}])
    assert one.otid == "o"
    assert one.parts == (
        Approval(call_id="call-2", approve=True, arguments='{"a": "茶"}'),
        Approval(call_id="call-3", approve=False, reason="no"),
        ToolReturn(call_id="call-4", name="look", ok=True, text="42"),
    )


@pytest.mark.parametrize("kind", [{"type": "tool_return"}, {}])
def test_what_the_clients_tools_returned(kind: dict[str, str]) -> None:
    back = {
        "tool_call_id": "call-4",
        "status": "error",
        "tool_return": [{"type": "text", "text": "a"}, {"text": "b"}],
        "stderr": ["boom"],
    }
    [one] = sent(WAITING, messages=[{**kind, "tool_returns": [back]}])
    failed = ToolReturn(call_id="call-4", name="look", ok=False, text="a\nb", stderr=("boom",))
    assert one.parts == (failed,)


def test_what_waits_is_asked_for_only_where_it_is_answered() -> None:
    plain = wire.SendIn.model_validate({"messages": [{"role": "user", "content": "a"}]})
    answer = wire.SendIn.model_validate({"messages": [{"approve": True}]})
    assert (answers_calls(plain), answers_calls(answer)) == (False, True)


def test_an_answer_to_nothing_is_refused() -> None:
    for pending, more in (
        (None, {}),
        (message(MessageRole.ASSISTANT, call("f", waits="client")), {}),
        (WAITING, {"approval_request_id": "message-other"}),
    ):
        with pytest.raises(errors.NothingToApprove):
            sent(pending, messages=[{"type": "approval", "approve": True, **more}])
    with pytest.raises(errors.Invalid, match="approvals"):
        sent(WAITING, messages=[{"type": "approval"}])


def test_how_the_run_is_asked_for() -> None:
    body = wire.StreamIn.model_validate(
        {
            "input": "a",
            "max_steps": 3,
            "override_model": "openai/gpt-4o",
            "override_system": "Be brief.",
            "client_tools": [{"name": "look"}, {"name": "see", "parameters": {"type": "object"}}],
            "use_assistant_message": False,
            "include_return_message_types": ["assistant_message"],
            "include_compaction_messages": True,
        }
    )
    request = request_in(body, stream_tokens=True, background=True)
    assert (request.max_steps, request.model, request.system) == (3, "openai/gpt-4o", "Be brief.")
    assert (request.stream_tokens, request.background) == (True, True)
    assert [tool.name for tool in request.client_tools] == ["look", "see"]
    assert request.client_tools[0].parameters == {"type": "object", "properties": {}}
    form = form_of(json.loads(json.dumps(request.wire)))
    assert (form.message_tool, form.compactions) == (None, True)
    assert form.types == {"assistant_message"}


def test_what_a_message_says_is_changed_in_its_first_place() -> None:
    one = message(MessageRole.ASSISTANT, Reasoning(text="hm", signature="s"), Text("a"), Text("b"))
    assert patched(one, wire.AssistantPatch(content="c"), PLAIN).parts == (one.parts[0], Text("c"))
    assert patched(one, wire.ReasoningPatch(reasoning="oh"), PLAIN).parts == (
        Reasoning(text="oh"),
        *one.parts[1:],
    )
    called = message(MessageRole.ASSISTANT, call("send_message", '{"message": "a", "x": 1}'))
    [changed] = patched(called, wire.AssistantPatch(content="茶"), PLAIN).calls
    assert changed.arguments == '{"message": "茶", "x": 1}'
    user = message(MessageRole.USER, Text("a"))
    assert patched(user, wire.UserPatch(content="b"), PLAIN).parts == (Text("b"),)


def test_what_a_message_does_not_say_cannot_be_changed() -> None:
    silent = message(MessageRole.ASSISTANT, call("f"))
    compiled = message(MessageRole.SYSTEM, Text("You are …"), run_id=None)
    said = message(MessageRole.ASSISTANT, Text("a"))
    nothing = wire.AssistantPatch(content=[wire.TextIn(type="text", text="")])
    for one, patch in (
        (said, nothing),
        (silent, wire.AssistantPatch(content="a")),
        (silent, wire.ReasoningPatch(reasoning="a")),
        (silent, wire.UserPatch(content="a")),
        (compiled, wire.SystemPatch(content="a")),
    ):
        with pytest.raises(errors.Invalid):
            patched(one, patch, PLAIN)
