"""What each vendor's API wants otherwise than OpenAI's, seen on the wire.

The scripted server refuses what the vendor refuses, in its words.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.integration.providers.test_language_models import CLOCK, SPEAK, models, with_tools
from tests.servers.scripted_chat import Call, Fails, Says, ScriptedChat
from yiku.core.message import MessageRole, ToolCall, ToolReturn, Utterance, said
from yiku.core.model import Prompt, Sampling, asked
from yiku.providers.models import Models, ModelsChoice

Refuses = Callable[[dict[str, Any]], str | None]
TALK = with_tools(asked("Be brief.", "你好"), CLOCK, SPEAK)


def only_auto(request: dict[str, Any]) -> str | None:
    choice = request.get("tool_choice", "auto")
    return None if choice in ("auto", "none") else f"tool_choice {choice} is not supported"


def not_required(request: dict[str, Any]) -> str | None:
    if request.get("tool_choice") == "required":
        return "tool_choice: required is not supported"
    if request.get("enable_thinking") and isinstance(request.get("tool_choice"), dict):
        return "tool_choice must be auto in thinking mode"
    return None


def no_forcing_while_thinking(request: dict[str, Any]) -> str | None:
    thinks = (request.get("thinking") or {}).get("type") != "disabled"
    return only_auto(request) and "Thinking mode does not support this" if thinks else None


def no_completion_tokens(request: dict[str, Any]) -> str | None:
    return "unknown field" if "max_completion_tokens" in request else only_auto(request)


def takes_turns(request: dict[str, Any]) -> str | None:
    roles = [one["role"] for one in request["messages"] if one["role"] in ("user", "assistant")]
    same = any(one == other for one, other in pairwise(roles))
    return "messages must alternate" if same or roles[0] != "user" else None


def server_that(refuses: Refuses) -> ScriptedChat:
    def respond(request: dict[str, Any]) -> str | Fails:
        why = refuses(request)
        return "好" if why is None else Fails(status=400, message=why)

    return ScriptedChat(respond)


async def sent(handle: str, prompt: Prompt, refuses: Refuses = lambda _: None) -> dict[str, Any]:
    with server_that(refuses) as server:
        async with models(server, handle) as made:
            await made.get().complete(prompt)
        return server.asked[0].body


def sampled(**sampling: Any) -> Prompt:
    return replace(TALK, sampling=Sampling(**sampling))


@pytest.mark.parametrize(
    ("handle", "field"),
    [
        ("openai/gpt-5.6-sol", "max_completion_tokens"),
        ("azure/gpt-4o", "max_completion_tokens"),
        ("ernie/ernie-5.1", "max_completion_tokens"),
        ("groq/openai/gpt-oss-120b", "max_completion_tokens"),
        ("deepseek/deepseek-v4-pro", "max_tokens"),
        ("kimi/kimi-k3", "max_tokens"),
        ("zhipu/glm-5.3", "max_tokens"),
        ("qwen/qwen3.8-max", "max_tokens"),
        ("baichuan/Baichuan4", "max_tokens"),
        ("openrouter/anthropic/claude-opus-5", "max_tokens"),
        ("ollama/qwen3:4b", "max_tokens"),
        ("openai-compatible/m", "max_tokens"),
    ],
)
async def test_the_longest_answer_is_asked_for_in_the_vendors_field(
    handle: str, field: str
) -> None:
    body = await sent(handle, sampled(max_tokens=77))
    other = ({"max_tokens", "max_completion_tokens"} - {field}).pop()
    assert body[field] == 77
    assert other not in body
    assert body["model"] == handle.partition("/")[2]


@pytest.mark.parametrize(
    ("handle", "refuses"),
    [
        ("kimi/kimi-k3", no_completion_tokens),
        ("zhipu/glm-5.3", no_completion_tokens),
        ("qwen/qwen3.8-max", not_required),
        ("qwen/qwen-plus", not_required),
        ("deepseek/deepseek-v4-flash", no_forcing_while_thinking),
        ("deepseek/deepseek-reasoner", only_auto),
        ("baichuan/Baichuan4", only_auto),
        ("ollama/qwen3:4b", only_auto),
        ("openai/gpt-4o", lambda _: None),
    ],
)
@pytest.mark.parametrize("choice", ["required", "send_message", "none"])
async def test_no_vendor_refuses_a_tool_choice(handle: str, refuses: Refuses, choice: str) -> None:
    body = await sent(handle, replace(TALK, tool_choice=choice), refuses)
    offered = [one["function"]["name"] for one in body.get("tools", [])]
    if choice == "send_message":
        forced = {"type": "function", "function": {"name": "send_message"}}
        assert body["tool_choice"] == forced or offered == ["send_message"]
    if choice == "none":
        assert not offered or body["tool_choice"] == "none"


@pytest.mark.parametrize(
    ("handle", "effort", "fields"),
    [
        ("openai/gpt-5.6-sol", "high", {"reasoning_effort": "high"}),
        ("openai/gpt-5.6-sol", "none", {"reasoning_effort": "none"}),
        ("openai/gpt-5", "none", {"reasoning_effort": "minimal"}),
        ("openai/gpt-4o", "high", {}),
        ("deepseek/deepseek-v4-pro", "none", {"thinking": {"type": "disabled"}}),
        (
            "deepseek/deepseek-v4-pro",
            "xhigh",
            {"thinking": {"type": "enabled"}, "reasoning_effort": "max"},
        ),
        ("kimi/kimi-k2.6", "none", {"thinking": {"type": "disabled"}}),
        ("kimi/kimi-k3", "none", {"reasoning_effort": "low"}),
        ("kimi/moonshot-v1-8k", "high", {}),
        ("zhipu/glm-4.7", "low", {"thinking": {"type": "enabled"}}),
        ("zhipu/glm-5.3", "none", {"reasoning_effort": "low"}),
        ("qwen/qwen3.8-flash", "none", {"enable_thinking": False}),
        ("qwen/qwen-plus", "medium", {"enable_thinking": True}),
        ("ernie/ernie-5.1", "high", {"enable_thinking": True}),
        ("vllm/qwen3", "none", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("openrouter/x/y", "none", {"reasoning": {"enabled": False}}),
        ("openrouter/x/y", "low", {"reasoning": {"effort": "low"}}),
        ("ollama/qwen3:4b", "none", {"reasoning_effort": "none"}),
        ("lmstudio/m", "high", {}),
    ],
)
async def test_thinking_is_switched_the_vendors_way(
    handle: str, effort: Any, fields: dict[str, Any]
) -> None:
    body = await sent(handle, sampled(reasoning_effort=effort))
    switches = (
        "reasoning_effort",
        "thinking",
        "enable_thinking",
        "chat_template_kwargs",
        "reasoning",
    )
    assert {name: body[name] for name in switches if name in body} == fields


async def test_a_thinking_budget_goes_where_there_is_a_field_for_it() -> None:
    body = await sent("qwen/qwen3.8-max", sampled(thinking_budget=500))
    assert (body["enable_thinking"], body["thinking_budget"]) == (True, 500)
    body = await sent("anthropic/claude-haiku-4-5", sampled(thinking_budget=2000))
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert body["max_tokens"] > 2000


async def test_a_model_with_a_temperature_of_its_own_is_given_none() -> None:
    for handle in ("openai/gpt-5", "kimi/kimi-k3", "anthropic/claude-sonnet-5"):
        assert "temperature" not in await sent(handle, sampled(temperature=0.2))
    assert (await sent("zhipu/glm-5.3", sampled(temperature=0.2)))["temperature"] == 0.2


async def test_parallel_calls_are_mentioned_where_that_is_understood() -> None:
    body = await sent("openai/gpt-4o", sampled(parallel_tool_calls=False))
    assert body["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in await sent(
        "kimi/kimi-k3", sampled(parallel_tool_calls=False)
    )


async def test_an_answers_form_is_asked_for() -> None:
    form = {"type": "json_object"}
    body = await sent("qwen/qwen-plus", sampled(response_format=form))
    assert body["response_format"] == form


@pytest.mark.parametrize(
    ("handle", "field", "goes_back"),
    [
        ("deepseek/deepseek-v4-pro", "reasoning_content", True),
        ("kimi/kimi-k3", "reasoning_content", True),
        ("zhipu/glm-4.7", "reasoning_content", True),
        ("vllm/qwen3", "reasoning", True),
        ("qwen/qwen3.8-max", "reasoning_content", False),
        ("groq/openai/gpt-oss-120b", "reasoning", False),
        ("xai/grok-4.5", "reasoning_content", False),
    ],
)
async def test_reasoning_goes_back_to_those_who_want_it(
    handle: str, field: str, goes_back: bool
) -> None:
    says = Says(reasoning="Look.", reasoning_field=field, calls=(Call("get_time"),))
    with ScriptedChat() as server:
        server.script(says)
        async with models(server, handle) as made:
            answer = await made.get().complete(TALK)
            call = next(part for part in answer.parts if isinstance(part, ToolCall))
            returned = ToolReturn(call_id=call.id, name=call.name, ok=True, text="12:00")
            told = (
                Utterance(MessageRole.ASSISTANT, answer.parts),
                Utterance(MessageRole.TOOL, (returned,)),
            )
            await made.get().complete(replace(TALK, messages=(*TALK.messages, *told)))
        message = next(one for one in server.prompt(1) if one["role"] == "assistant")
    assert message.get(field) == ("Look." if goes_back else None)
    assert "Look." not in (message.get("content") or "")


async def test_deepseek_is_sent_the_field_with_calls_it_did_not_think_about() -> None:
    call = ToolCall(id="1", name="get_time", arguments="{}")
    returned = ToolReturn(call_id="1", name="get_time", ok=True, text="12:00")
    told = (Utterance(MessageRole.ASSISTANT, (call,)), Utterance(MessageRole.TOOL, (returned,)))
    prompt = replace(TALK, messages=(*TALK.messages, *told))
    body = await sent("deepseek/deepseek-v4-pro", prompt)
    assert body["messages"][2]["reasoning_content"] == ""


async def test_sides_take_turns_where_they_must() -> None:
    prompt = Prompt(
        system="",
        messages=(
            said(MessageRole.ASSISTANT, "Where were we?"),
            said(MessageRole.USER, "one"),
            said(MessageRole.USER, "two"),
        ),
    )
    for handle in ("ernie/ernie-5.1", "vllm/m", "baichuan/Baichuan4"):
        body = await sent(handle, prompt, takes_turns)
        assert body["messages"][-1]["content"] == "one\n\ntwo"


async def test_a_header_goes_with_the_request_where_its_variable_is_set() -> None:
    with ScriptedChat() as server:
        made = Models(
            ModelsChoice(
                default="qianfan/ernie-5.1",
                base_url=server.url,
                variables={"ERNIE_API_KEY": "bce-v3/ALTAK-x", "QIANFAN_APP_ID": "app-7"},
            )
        )
        await made.get().complete(asked("", "你好"))
        await made.close()
    assert server.asked[0].headers["appid"] == "app-7"
    assert server.asked[0].headers["authorization"] == "Bearer bce-v3/ALTAK-x"


async def test_a_local_server_is_sent_a_word_in_place_of_a_key() -> None:
    with ScriptedChat() as server:
        async with models(server, "ollama/qwen3:4b", key=None) as made:
            await made.get().complete(asked("", "hello"))
    assert server.asked[0].headers["authorization"] == "Bearer none"


async def test_servers_that_never_say_why_they_stopped_are_believed() -> None:
    body = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"all"}}]}\n\ndata: [DONE]\n\n'
    headers = {"Content-Type": "text/event-stream"}
    with ScriptedChat(Fails(status=200, body=body, headers=headers)) as server:
        async with models(server, "ollama/m") as made:
            assert (await made.get().complete(asked("", "hello"))).text == "all"
