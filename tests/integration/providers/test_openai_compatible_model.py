"""A language model behind a real HTTP server that answers from a script."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.servers.openai_chat import Answer, ChatServer
from yiku.core.errors import ProviderRefused, ProviderUnavailable, SettingInvalid
from yiku.core.message import Message, MessageRole
from yiku.core.ports import LanguageModel
from yiku.providers.chat import ChatEndpoint, OpenAICompatibleModel
from yiku.providers.choose import ModelChoice, language_model
from yiku.providers.connection import Patience

SECRET = "sk-very-secret-0123456789"
TALK = [
    Message(MessageRole.SYSTEM, "Be brief."),
    Message(MessageRole.USER, "你好"),
    Message(MessageRole.ASSISTANT, "你好！"),
    Message(MessageRole.USER, "half \ud83d a character"),
]


@asynccontextmanager
async def connected(
    url: str, *, api_key: str | None = None, timeout_s: float = 5.0
) -> AsyncIterator[LanguageModel]:
    endpoint = ChatEndpoint(provider="test", model="m", base_url=url, api_key=api_key)
    patience = Patience(first_wait_s=0.01, attempts=3, timeout_s=timeout_s)
    made = OpenAICompatibleModel(endpoint, patience)
    try:
        yield made
    finally:
        await made.close()


async def test_a_conversation_is_sent_and_the_reply_comes_back() -> None:
    with ChatServer("  好的。\n") as server:
        async with connected(server.url, api_key=SECRET) as model:
            reply = await model.complete(TALK, max_tokens=50, temperature=0.0)
        asked = server.asked[0]
    assert reply == "好的。"
    assert model.model == "test/m"
    assert (asked.path, asked.headers["authorization"]) == (
        "/v1/chat/completions",
        f"Bearer {SECRET}",
    )
    assert asked.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "你好"},
            {"role": "assistant", "content": "你好！"},
            {"role": "user", "content": "half � a character"},
        ],
        "max_tokens": 50,
        "temperature": 0.0,
    }
    assert SECRET not in repr(ChatEndpoint(provider="p", model="m", base_url="u", api_key=SECRET))


async def test_what_is_not_given_is_the_providers_own_choice() -> None:
    with ChatServer(Answer(text="a reply", parts=True)) as server:
        async with connected(server.url) as model:
            assert await model.complete(TALK[:2]) == "a reply"
        assert set(server.asked[0].body) == {"model", "messages"}


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_passing_trouble_is_tried_again(status: int) -> None:
    with ChatServer(Answer(status=status), Answer(status=status), "at last") as server:
        async with connected(server.url) as model:
            assert await model.complete(TALK) == "at last"
        assert len(server.asked) == 3


async def test_a_server_that_stays_in_trouble_or_does_not_answer_is_given_up() -> None:
    with ChatServer(*[Answer(status=503)] * 3) as server:
        async with connected(server.url) as model:
            with pytest.raises(ProviderUnavailable, match=r"tried 3 times: it answered 503"):
                await model.complete(TALK)
    with ChatServer(*[Answer(wait_s=0.5)] * 3) as server:
        async with connected(server.url, timeout_s=0.05) as model:
            with pytest.raises(ProviderUnavailable, match="can't be reached"):
                await model.complete(TALK)
    async with connected(server.url) as model:  # nobody listens there any more
        with pytest.raises(ProviderUnavailable, match="can't be reached"):
            await model.complete(TALK)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=401), "YIKU_MODEL_API_KEY"),
        (Answer(status=404), "a chat model"),
        (
            Answer(status=400, body=b'{"error": {"message": "the context is too long"}}'),
            "the context is too long",
        ),
        (
            Answer(status=429, body=b'{"error": {"code": "insufficient_quota"}}'),
            "quota",
        ),
        (Answer(text="", finish_reason="content_filter"), "content_filter"),
        (Answer(text=None, finish_reason="length"), "length"),
    ],
)
async def test_a_refusal_is_told_and_not_tried_again(answer: Answer, words: str) -> None:
    with ChatServer(answer) as server:
        async with connected(server.url, api_key=SECRET) as model:
            with pytest.raises(ProviderRefused, match=words) as refused:
                await model.complete(TALK)
        assert len(server.asked) == 1
    assert SECRET not in refused.value.message


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"choices": []}', b"[1]"])
async def test_an_answer_that_is_no_completion_is_told(body: bytes) -> None:
    with ChatServer(Answer(body=body)) as server:
        async with connected(server.url) as model:
            with pytest.raises(ProviderUnavailable, match="Is the base URL right"):
                await model.complete(TALK)


async def test_a_model_is_chosen_by_its_handle() -> None:
    for handle in ("openai/gpt-4o-mini", "ollama/qwen3:4b"):
        model = language_model(ModelChoice(handle=handle))
        assert model.model == handle
        await model.close()
    for handle, words in (
        ("gpt-4o-mini", "<provider>/<model>"),
        ("nobody/gpt", "YIKU_MODEL_BASE_URL"),
    ):
        with pytest.raises(SettingInvalid, match=words):
            language_model(ModelChoice(handle=handle))
    with pytest.raises(SettingInvalid, match="YIKU_MODEL_API_KEY"):
        language_model(ModelChoice(handle="openai/x", api_key="密钥"))
