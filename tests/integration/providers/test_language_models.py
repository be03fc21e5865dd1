"""Language models behind real HTTP: what is said, how it fails, and what is told of it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.servers.scripted_chat import Call, Fails, Says, ScriptedChat
from yiku.core import errors
from yiku.core.message import (
    MessageRole,
    Reasoning,
    Text,
    ToolCall,
    ToolReturn,
    Utterance,
    said,
)
from yiku.core.model import (
    Answer,
    CallPiece,
    Finish,
    Piece,
    Prompt,
    ReasoningPiece,
    Sampling,
    TextPiece,
    ToolSpec,
    asked,
)
from yiku.providers.models import Models, ModelsChoice
from yiku.providers.patience import Patience

SECRET = "sk-very-secret-0123456789"
CLOCK = ToolSpec(
    name="get_time",
    description="The time.",
    parameters={
        "type": "object",
        "properties": {"zone": {"type": "string"}},
        "required": ["zone"],
    },
)
SPEAK = replace(CLOCK, name="send_message")
APIS = {
    "openai": "openai/gpt-4o-mini",
    "anthropic": "anthropic/claude-sonnet-5",
    "google": "google/gemini-3-flash-preview",
}


def root_of(server: ScriptedChat, handle: str) -> str:
    return server.root if handle.startswith(("anthropic", "google")) else server.url


@asynccontextmanager
async def models(
    server: ScriptedChat | str, handle: str, *, timeout_s: float = 60.0, key: str | None = SECRET
) -> AsyncIterator[Models]:
    url = server if isinstance(server, str) else root_of(server, handle)
    made = Models(
        ModelsChoice(default=handle, base_url=url, api_key=key),
        Patience(first_wait_s=0.01, attempts=3, timeout_s=timeout_s),
    )
    try:
        yield made
    finally:
        await made.close()


async def streamed(made: Models, prompt: Prompt) -> tuple[list[Piece], Answer]:
    pieces = [piece async for piece in made.get().stream(prompt)]
    answer = pieces.pop()
    assert isinstance(answer, Answer)
    return [piece for piece in pieces if not isinstance(piece, Answer)], answer


def with_tools(prompt: Prompt, *tools: ToolSpec) -> Prompt:
    return replace(prompt, tools=tools or (CLOCK,))


@pytest.mark.parametrize("handle", APIS.values(), ids=APIS)
async def test_pieces_come_and_then_the_whole_answer(handle: str) -> None:
    says = Says(
        text="现在是十二点。 It is noon in Berlin.",
        reasoning="The clock knows.",
        calls=(Call("get_time", {"zone": "Europe/Berlin"}),),
        prompt_tokens=90,
        completion_tokens=20,
        cached_tokens=40,
    )
    with ScriptedChat(says) as server:
        async with models(server, handle) as made:
            pieces, answer = await streamed(made, with_tools(asked("Be brief.", "时间？")))

    assert "".join(p.text for p in pieces if isinstance(p, TextPiece)) == says.text
    assert "".join(p.text for p in pieces if isinstance(p, ReasoningPiece)) == says.reasoning
    calls = [p for p in pieces if isinstance(p, CallPiece)]
    assert (calls[0].name, calls[0].index) == ("get_time", 0)
    assert "".join(p.arguments for p in calls) == '{"zone": "Europe/Berlin"}'
    assert answer.text == says.text
    assert [p.text for p in answer.parts if isinstance(p, Reasoning) and p.text] == [says.reasoning]
    call = next(p for p in answer.parts if isinstance(p, ToolCall))
    assert (call.id, call.name, call.arguments) == (
        calls[0].id,
        "get_time",
        '{"zone": "Europe/Berlin"}',
    )
    assert answer.finish is Finish.TOOL_CALLS
    assert answer.model == handle
    assert (answer.usage.prompt_tokens, answer.usage.cached_tokens) == (90, 40)
    assert answer.usage.completion_tokens == 20


@pytest.mark.parametrize("handle", APIS.values(), ids=APIS)
async def test_a_conversation_with_tools_is_sent_back_whole(handle: str) -> None:
    first = Says(reasoning="Look.", text="Let me see.", calls=(Call("get_time", {"zone": "Oslo"}),))
    with ScriptedChat() as server:
        server.script(first, "It is noon.")
        async with models(server, handle) as made:
            prompt = with_tools(asked("Be brief.", "What time is it?"))
            _, answer = await streamed(made, prompt)
            call = next(p for p in answer.parts if isinstance(p, ToolCall))
            returned = ToolReturn(call_id=call.id, name=call.name, ok=True, text="12:00")
            again = replace(
                prompt,
                messages=(
                    *prompt.messages,
                    Utterance(MessageRole.ASSISTANT, answer.parts),
                    Utterance(MessageRole.TOOL, (returned,)),
                ),
            )
            final = await made.get().complete(again)
        wire = str(server.asked[1].body)

    assert final.text == "It is noon."
    assert final.finish is Finish.END
    for told in ("Be brief.", "What time is it?", "Let me see.", "Oslo", "12:00"):
        assert told in wire
    if handle.startswith("google"):
        assert "c2lnbmVk" in wire  # the signature of the thought that led to the call
    elif handle.startswith("anthropic"):
        assert {"type": "thinking", "thinking": "Look.", "signature": "c2lnbmVk"} in (
            server.asked[1].body["messages"][1]["content"]
        )


async def test_requests_say_what_they_should_and_nothing_else() -> None:
    prompt = Prompt(
        system="Be brief.",
        messages=(
            said(MessageRole.USER, "half \ud83d a character"),
            said(MessageRole.ASSISTANT, "你好！"),
            said(MessageRole.SYSTEM, "The user is tired."),
            said(MessageRole.USER, "你好"),
        ),
        tools=(CLOCK,),
        sampling=Sampling(max_tokens=50, temperature=0.0, parallel_tool_calls=False),
    )
    with ScriptedChat() as server:
        async with models(server, "openai/gpt-4o-mini") as made:
            await made.get().complete(prompt)
        request = server.asked[0]

    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    function = {"name": "get_time", "description": "The time.", "parameters": CLOCK.parameters}
    assert request.body == {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "half � a character"},
            {"role": "assistant", "content": "你好！"},
            {"role": "user", "content": "<system>\nThe user is tired.\n</system>"},
            {"role": "user", "content": "你好"},
        ],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "max_completion_tokens": 50,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert SECRET not in repr(ModelsChoice(default="a/b", api_key=SECRET))


async def test_broken_arguments_stay_as_written_and_go_back_as_json() -> None:
    with ScriptedChat() as server:
        server.script(Says(calls=(Call("get_time", '{"zone": "Par'), Call("get_time", ""))))
        async with models(server, "openai/gpt-4o-mini") as made:
            prompt = with_tools(asked("", "time?"))
            answer = await made.get().complete(prompt)
            calls = [part for part in answer.parts if isinstance(part, ToolCall)]
            returns = tuple(
                ToolReturn(call_id=one.id, name=one.name, ok=False, text="That is no JSON.")
                for one in calls
            )
            told = (
                Utterance(MessageRole.ASSISTANT, answer.parts),
                Utterance(MessageRole.TOOL, returns),
            )
            await made.get().complete(replace(prompt, messages=(*prompt.messages, *told)))
        sent = server.prompt(1)[1]["tool_calls"]

    assert [call.arguments for call in calls] == ['{"zone": "Par', ""]
    assert [one["function"]["arguments"] for one in sent] == [
        '{"broken_json":"{\\"zone\\": \\"Par"}',
        "{}",
    ]


@pytest.mark.parametrize("handle", APIS.values(), ids=APIS)
async def test_what_a_model_wrote_in_a_loop_does_not_keep_it_from_being_asked_again(
    handle: str,
) -> None:
    odd = ("[" * 5_000, '{"zone": NaN}', '{"zone": "\\ud800"}')
    calls = [ToolCall(id=f"call-{n}", name="get_time", arguments=one) for n, one in enumerate(odd)]
    returns = [ToolReturn(call_id=c.id, name=c.name, ok=False, text="No.") for c in calls]
    told = (
        Utterance(MessageRole.ASSISTANT, tuple(calls)),
        Utterance(MessageRole.TOOL, tuple(returns)),
    )
    prompt = with_tools(asked("", "time?"))
    with ScriptedChat("It is late.") as server:
        async with models(server, handle) as made:
            again = replace(prompt, messages=(*prompt.messages, *told))
            answer = await made.get().complete(again)
    assert answer.text == "It is late."
    sent = str(server.asked[0].body)
    assert "[" * 5_000 in sent
    assert "NaN" in sent


@pytest.mark.parametrize("handle", APIS.values(), ids=APIS)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_trouble_that_passes_is_tried_again(handle: str, status: int) -> None:
    with ScriptedChat() as server:
        server.script(Fails(status=status), Fails(status=status), "at last")
        async with models(server, handle) as made:
            assert (await made.get().complete(asked("", "hello"))).text == "at last"
        assert len(server.asked) == 3


async def test_what_a_provider_has_no_time_for_is_asked_again() -> None:
    with ScriptedChat() as server:
        server.script(Fails(status=429, headers={"Retry-After": "0.3"}), "at last")
        async with models(server, "openai/gpt-4o-mini") as made:
            answer = await made.get().complete(asked("", "hello"))
        assert (answer.text, len(server.asked)) == ("at last", 2)


async def test_a_longer_retry_after_is_told_instead() -> None:
    with ScriptedChat() as server:
        server.script(Fails(status=429, message="Slow down.", headers={"Retry-After": "900"}))
        async with models(server, "openai/gpt-4o-mini") as made:
            with pytest.raises(errors.ProviderUnavailable) as caught:
                await made.get().complete(asked("", "hello"))
        assert len(server.asked) == 1
    for told in ("OpenAI", "openai/gpt-4o-mini", "429", "Slow down.", "900 s"):
        assert told in caught.value.message


async def test_patience_ends() -> None:
    with ScriptedChat(Fails(status=500, message="We are down.")) as server:
        async with models(server, "openai/gpt-4o-mini") as made:
            with pytest.raises(errors.ProviderUnavailable, match=r"500.*We are down.*3 times"):
                await made.get().complete(asked("", "hello"))
        assert len(server.asked) == 3


@pytest.mark.parametrize("handle", APIS.values(), ids=APIS)
async def test_a_silent_provider_is_given_up(handle: str) -> None:
    with ScriptedChat(Says(text="late", wait_s=30)) as server:
        async with models(server, handle, timeout_s=0.1) as made:
            with pytest.raises(errors.ProviderUnavailable, match=r"in time|can't be reached"):
                await made.get().complete(asked("", "hello"))


async def test_nobody_there_is_told_with_the_address(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}/v1"
    async with models(url, "openai/gpt-4o-mini") as made:
        with pytest.raises(errors.ProviderUnavailable, match=url):
            await made.get().complete(asked("", "hello"))


@pytest.mark.parametrize("handle", APIS.values(), ids=APIS)
async def test_a_stream_cut_in_the_middle_is_no_answer(handle: str) -> None:
    with ScriptedChat(Says(text="one two three four five six", piece=4, cut_after=5)) as server:
        async with models(server, handle) as made:
            stream = made.get().stream(asked("", "hello"))
            assert isinstance(await anext(stream), TextPiece)
            with pytest.raises(errors.ProviderUnavailable, match="broke off in the middle"):
                _ = [piece async for piece in stream]
        assert len(server.asked) == 1


async def test_a_stream_cut_before_its_first_piece_is_tried_again() -> None:
    with ScriptedChat() as server:
        server.script(Says(text="never seen", cut_after=1), "at last")
        async with models(server, "openai/gpt-4o-mini") as made:
            assert (await made.get().complete(asked("", "hello"))).text == "at last"


async def test_a_stream_that_ends_early_but_politely_is_no_answer() -> None:
    body = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'
    headers = {"Content-Type": "text/event-stream"}
    with ScriptedChat(Fails(status=200, body=body, headers=headers)) as server:
        async with models(server, "openai/gpt-4o-mini") as made:
            with pytest.raises(errors.ProviderUnavailable, match="broke off"):
                await made.get().complete(asked("", "hello"))


async def test_an_error_inside_a_stream_is_one() -> None:
    body = b'data: {"error": {"message": "The engine stalled.", "code": "server_error"}}\n\n'
    headers = {"Content-Type": "text/event-stream"}
    with ScriptedChat() as server:
        server.script(Fails(status=200, body=body, headers=headers), "at last")
        async with models(server, "openai/gpt-4o-mini") as made:
            assert (await made.get().complete(asked("", "hello"))).text == "at last"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>a login page</html>",
        b"data: not json\n\n",
        b'data: {"choices": "many"}\n\n',
        b'data: {"choices": [{"delta": 3}]}\n\n',
        b"",
    ],
)
async def test_an_answer_of_another_shape_is_told(body: bytes) -> None:
    headers = {"Content-Type": "text/event-stream"}
    with ScriptedChat(Fails(status=200, body=body, headers=headers)) as server:
        async with models(server, "openai/gpt-4o-mini") as made:
            with pytest.raises(errors.ProviderUnavailable, match=r"base URL right|broke off"):
                await made.get().complete(asked("", "hello"))


@pytest.mark.parametrize("handle", APIS.values(), ids=APIS)
async def test_a_refused_key_is_told_without_the_key(handle: str) -> None:
    refusal = Fails(status=401, message=f"Incorrect API key provided: {SECRET}.")
    with ScriptedChat(refusal) as server:
        async with models(server, handle) as made:
            with pytest.raises(errors.ProviderRefused) as caught:
                await made.get().complete(asked("", "hello"))
        assert len(server.asked) == 1
    assert "YIKU_MODEL_API_KEY" in caught.value.message
    assert "Incorrect API key" in caught.value.message
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    ("handle", "chosen", "variables", "named"),
    [
        ("openai-compatible/x", {"default": "openai-compatible/x"}, (), "YIKU_MODEL_API_KEY"),
        ("openai-compatible/x", {"default": "vllm/x"}, (), "YIKU_MODEL_API_KEY"),
        ("mine/x", {"default": "mine/x"}, (), "YIKU_MODEL_API_KEY"),
        ("openai-compatible/x", None, ("OPENAI_COMPATIBLE_BASE_URL",), "OPENAI_COMPATIBLE_API_KEY"),
        ("vllm/x", None, ("VLLM_BASE_URL",), "VLLM_API_KEY"),
        ("ollama/x", None, ("OLLAMA_BASE_URL",), "`keys` of [provider.ollama]"),
    ],
)
async def test_a_key_is_asked_for_where_it_would_be_read(
    handle: str, chosen: dict[str, str] | None, variables: tuple[str, ...], named: str
) -> None:
    """Beside the address that was given; what isn't read for this provider isn't named."""
    with ScriptedChat(Fails(status=401, message="Who are you?")) as server:
        given = {} if chosen is None else {**chosen, "base_url": server.url}
        made = Models(ModelsChoice(**given, variables=dict.fromkeys(variables, server.url)))
        try:
            with pytest.raises(errors.ProviderRefused) as caught:
                await made.get(handle).complete(asked("", "hello"))
        finally:
            await made.close()
    assert f"It wants an API key: {'name' if '[' in named else 'set'}" in caught.value.message
    assert named in caught.value.message
    others = {"YIKU_MODEL_API_KEY", "OPENAI_COMPATIBLE_API_KEY", "VLLM_API_KEY"} - {named}
    assert not any(one in caught.value.message for one in others)


async def test_without_a_key_nobody_is_asked() -> None:
    with ScriptedChat() as server:
        async with models(server, "kimi/kimi-k3", key=None) as made:
            with pytest.raises(errors.ProviderRefused, match="KIMI_API_KEY"):
                await made.get().complete(asked("", "hello"))
        assert server.asked == []


@pytest.mark.parametrize(
    ("handle", "refusal"),
    [
        ("openai/gpt-4o", Fails(status=400, code="context_length_exceeded")),
        (
            "vllm/qwen3",
            Fails(status=400, message="This model's maximum context length is 4096 tokens."),
        ),
        ("kimi/kimi-k3", Fails(status=400, message="Your request exceeded model token limit: 8")),
        ("zhipu/glm-5.3", Fails(status=400, code="1261", message="Prompt 超长")),
        ("qwen/qwen3.8-max", Fails(status=400, message="Range of input length should be [1, 9]")),
        ("ernie/ernie-5.1", Fails(status=400, message="the max input characters: prompt too long")),
        ("lmstudio/m", Fails(status=400, message="exceeds the available context size")),
        ("anthropic/claude-sonnet-5", Fails(status=400, message="prompt is too long: 9 > 8")),
        ("anthropic/claude-sonnet-5", Fails(status=413, code="request_too_large")),
        (
            "google/gemini-4-argon",
            Fails(status=400, message="The input token count (9) exceeds the maximum number"),
        ),
    ],
)
async def test_an_overflow_is_known_in_every_vendors_words(handle: str, refusal: Fails) -> None:
    with ScriptedChat(refusal) as server:
        async with models(server, handle) as made:
            with pytest.raises(errors.PromptTooLong):
                await made.get().complete(asked("", "a long story"))
        assert len(server.asked) == 1


@pytest.mark.parametrize("handle", APIS.values(), ids=APIS)
async def test_an_unknown_model_is_told(handle: str) -> None:
    with ScriptedChat(Fails(status=404, message="no such model")) as server:
        async with models(server, handle) as made:
            with pytest.raises(errors.ModelNotFound, match="yiku model list"):
                await made.get().complete(asked("", "hello"))


async def test_a_retired_model_is_asked_for_and_its_end_told() -> None:
    with ScriptedChat(Fails(status=404, message="Not found the model moonshot-v1-32k")) as server:
        async with models(server, "kimi/moonshot-v1-32k") as made:
            with pytest.raises(errors.ModelNotFound) as caught:
                await made.get().complete(asked("", "你好"))
            note = made.card("kimi/moonshot-v1-32k").note
        assert server.asked[0].body["model"] == "moonshot-v1-32k"
    assert note is not None
    for told in ("Not found the model moonshot-v1-32k", "retired", "kimi/kimi-k3"):
        assert told in caught.value.message
    assert "kimi/kimi-k3" in note


async def test_an_empty_purse_is_not_tried_again() -> None:
    with ScriptedChat(Fails(status=429, code="insufficient_quota")) as server:
        async with models(server, "openai/gpt-4o-mini") as made:
            with pytest.raises(errors.ProviderRefused, match="quota"):
                await made.get().complete(asked("", "hello"))
        assert len(server.asked) == 1


async def test_why_it_stopped_is_told() -> None:
    with ScriptedChat() as server:
        server.script(
            Says(text="cut", finish="length"),
            Says(text="", finish="content_filter"),
            Says(calls=(Call("get_time"),), finish="stop"),  # several servers say so
        )
        async with models(server, "openai/gpt-4o-mini") as made:
            finishes = [
                (await made.get().complete(with_tools(asked("", "x")))).finish for _ in range(3)
            ]
    assert finishes == [Finish.LENGTH, Finish.FILTERED, Finish.TOOL_CALLS]


async def test_thinking_between_tags_is_reasoning() -> None:
    with ScriptedChat(Says(text="-", deltas=("<think>", "hm", "</think>", "Noon."))) as server:
        async with models(server, "ollama/qwen3:4b") as made:
            answer = await made.get().complete(asked("", "time?"))
    assert answer.text == "Noon."
    assert isinstance(answer.parts[0], Reasoning)


async def test_another_providers_reasoning_is_not_shown() -> None:
    theirs = Reasoning(text="secret thought", provider="deepseek", id="reasoning_content")
    prompt = Prompt(
        system="",
        messages=(
            said(MessageRole.USER, "one"),
            Utterance(MessageRole.ASSISTANT, (theirs, Text("two"))),
            said(MessageRole.USER, "three"),
        ),
    )
    with ScriptedChat() as server:
        async with models(server, "kimi/kimi-k3") as made:
            await made.get().complete(prompt)
        assert "secret thought" not in str(server.asked[0].body)


async def test_closing_the_stream_ends_the_call() -> None:
    with ScriptedChat(Says(text="word " * 200, piece=5, gap_s=0.1)) as server:
        async with models(server, "openai/gpt-4o-mini") as made:
            stream = made.get().stream(asked("", "hello"))
            assert isinstance(await anext(stream), TextPiece)
            started = time.monotonic()
            await stream.aclose()
            assert time.monotonic() - started < 10
