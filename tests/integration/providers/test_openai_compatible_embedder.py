"""Against a real HTTP server that answers from a script."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.servers.openai_embeddings import DIMENSION, EmbeddingServer, Vectors, unit_vectors
from yiku.core.errors import (
    DimensionMismatch,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    SettingInvalid,
)
from yiku.providers.choose import EmbedderChoice, embedder
from yiku.providers.embeddings import Endpoint, OpenAICompatibleEmbedder, Patience

SECRET = "sk-very-secret-0123456789"
TEXTS = [f"text number {i}" for i in range(10)]
Connect = Callable[..., Any]


@asynccontextmanager
async def connected(
    url: str, *, patience: Patience | None = None, **of: Any
) -> AsyncIterator[OpenAICompatibleEmbedder]:
    endpoint = Endpoint(provider="test", model="m", base_url=url, **of)
    made = OpenAICompatibleEmbedder(endpoint, patience or Patience(first_wait_s=0.01, attempts=3))
    try:
        yield made
    finally:
        await made.close()


async def test_texts_become_unit_vectors_in_order() -> None:
    with EmbeddingServer() as server:
        async with connected(server.url) as made:
            vectors = await made.embed(TEXTS, purpose="document")
    assert np.allclose(vectors, unit_vectors(TEXTS), atol=1e-6)
    assert vectors.dtype == np.float32
    assert made.model == "test/m"
    assert made.dimension == DIMENSION
    assert server.asked[0].path == "/v1/embeddings"
    assert server.asked[0].body == {"model": "m", "input": TEXTS}


async def test_the_key_is_sent_as_a_bearer_token_and_not_shown() -> None:
    with EmbeddingServer() as server:
        async with connected(server.url, api_key=SECRET) as made:
            await made.warm()
    assert server.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in repr(Endpoint(provider="p", model="m", base_url="u", api_key=SECRET))


@pytest.mark.parametrize("reply", [Vectors(reversed=True), Vectors(base64=True)])
async def test_order_and_encoding_of_the_answer_do_not_matter(reply: Vectors) -> None:
    with EmbeddingServer(reply) as server:
        async with connected(server.url) as made:
            vectors = await made.embed(TEXTS, purpose="document")
    assert np.allclose(vectors, unit_vectors(TEXTS), atol=1e-6)


async def test_batches_are_bounded_in_size_and_number_at_once() -> None:
    with EmbeddingServer(*[Vectors(wait_s=0.05)] * 10) as server:
        patience = Patience(concurrency=2)
        async with connected(server.url, patience=patience, batch=1) as made:
            vectors = await made.embed(TEXTS, purpose="document")
    assert np.allclose(vectors, unit_vectors(TEXTS), atol=1e-6)
    assert [len(asked.body["input"]) for asked in server.asked] == [1] * 10
    assert server.most_at_once == 2


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_passing_trouble_is_tried_again(status: int) -> None:
    with EmbeddingServer(Vectors(status=status, body=b"{}"), Vectors(status=status)) as server:
        async with connected(server.url) as made:
            vectors = await made.embed(["a"], purpose="query")
    assert np.allclose(vectors, unit_vectors(["a"]), atol=1e-6)
    assert len(server.asked) == 3


async def test_retry_after_is_waited_for() -> None:
    reply = Vectors(status=429, headers={"Retry-After": "1"})
    with EmbeddingServer(reply) as server:
        async with connected(server.url) as made:
            await made.embed(["a"], purpose="query")
    assert server.asked[1].at - server.asked[0].at >= 1


async def test_a_slow_answer_is_given_up_and_asked_for_again() -> None:
    with EmbeddingServer(Vectors(wait_s=30)) as server:
        patience = Patience(timeout_s=1.5, first_wait_s=0.01)
        async with connected(server.url, patience=patience) as made:
            await made.embed(["a"], purpose="query")
    assert len(server.asked) == 2


async def test_lasting_trouble_ends_with_an_error_that_says_so() -> None:
    with EmbeddingServer(*[Vectors(status=503)] * 3) as server:
        async with connected(server.url) as made:
            with pytest.raises(ProviderUnavailable, match=r"tried 3 times: it answered 503"):
                await made.embed(["a"], purpose="query")


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        async with connected(f"http://127.0.0.1:{port}/v1") as made:
            with pytest.raises(ProviderUnavailable, match="can't be reached"):
                await made.embed(["a"], purpose="query")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_names_the_variable_and_not_the_key(status: int) -> None:
    said = f'{{"error": {{"message": "Incorrect API key: {SECRET}"}}}}'.encode()
    with EmbeddingServer(Vectors(status=status, body=said)) as server:
        async with connected(server.url, api_key=SECRET, key_variable="OPENAI_API_KEY") as made:
            with pytest.raises(ProviderRefused, match="YIKU_EMBEDDING_API_KEY") as caught:
                await made.embed(["a"], purpose="query")
    assert "OPENAI_API_KEY" in caught.value.message
    assert SECRET not in caught.value.message
    assert len(server.asked) == 1


async def test_an_unknown_model_says_what_to_check() -> None:
    said = b'{"error": {"message": "model m not found"}}'
    with EmbeddingServer(Vectors(status=404, body=said)) as server:
        async with connected(server.url) as made:
            with pytest.raises(ProviderRefused, match=r"model m not found.*base URL.*`m`"):
                await made.embed(["a"], purpose="query")


async def test_other_refusals_quote_the_provider_without_the_key() -> None:
    said = f'{{"error": {{"message": "input too long for {SECRET}"}}}}'.encode()
    with EmbeddingServer(Vectors(status=400, body=said)) as server:
        async with connected(server.url, api_key=SECRET) as made:
            with pytest.raises(ProviderRefused, match="input too long") as caught:
                await made.embed(["a"], purpose="query")
    assert SECRET not in caught.value.message


async def test_a_used_up_quota_is_not_tried_again() -> None:
    said = b'{"error": {"message": "pay", "code": "insufficient_quota"}}'
    with EmbeddingServer(Vectors(status=429, body=said)) as server:
        async with connected(server.url) as made:
            with pytest.raises(ProviderRefused, match="quota"):
                await made.embed(["a"], purpose="query")
    assert len(server.asked) == 1


async def test_a_redirect_is_an_error_and_not_followed_with_the_key() -> None:
    with EmbeddingServer(Vectors(status=302, headers={"Location": "/login"})) as server:
        async with connected(server.url, api_key=SECRET) as made:
            with pytest.raises(ProviderRefused, match="302"):
                await made.embed(["a"], purpose="query")


@pytest.mark.parametrize("body", [b"<html>", b"", b"{}", b'{"data": []}'])
async def test_an_answer_that_is_no_embedding_is_unavailable(body: bytes) -> None:
    with EmbeddingServer(Vectors(body=body)) as server:
        async with connected(server.url) as made:
            with pytest.raises(ProviderUnavailable, match="no embedding"):
                await made.embed(["a"], purpose="query")


async def test_another_dimension_than_configured_is_refused_with_both_numbers() -> None:
    with EmbeddingServer() as server:
        async with connected(server.url, dimension=1024) as made:
            with pytest.raises(DimensionMismatch, match=r"8; expected 1024") as caught:
                await made.embed(["a"], purpose="query")
    assert caught.value.facts == {"expected": 1024, "found": 8}


async def test_a_dimension_that_changes_is_refused() -> None:
    with EmbeddingServer(Vectors(), Vectors(dimension=16)) as server:
        async with connected(server.url) as made:
            await made.warm()
            with pytest.raises(DimensionMismatch, match=r"16; expected 8"):
                await made.embed(["a"], purpose="query")


async def test_a_model_that_changes_is_refused() -> None:
    with EmbeddingServer(Vectors(model="one"), Vectors(model="two")) as server:
        async with connected(server.url) as made:
            await made.warm()
            with pytest.raises(ProviderRefused, match=r"`two` instead of `one`.*reembed"):
                await made.embed(["a"], purpose="query")


async def test_a_known_other_model_of_the_provider_is_refused_at_once() -> None:
    with EmbeddingServer(Vectors(model="old")) as server:
        async with connected(server.url, siblings=frozenset({"old"})) as made:
            with pytest.raises(ProviderRefused, match="`old` instead of `m`"):
                await made.embed(["a"], purpose="query")


async def test_another_spelling_of_the_model_is_no_change() -> None:
    with EmbeddingServer(Vectors(model="org/m:latest"), Vectors(model="org/m")) as server:
        async with connected(server.url) as made:
            await made.warm()
            await made.embed(["a"], purpose="query")


async def test_the_dimension_is_unknown_before_the_first_answer() -> None:
    with EmbeddingServer() as server:
        async with connected(server.url) as made:
            with pytest.raises(ProviderUnavailable, match="warm"):
                _ = made.dimension
            assert (await made.embed([], purpose="query")).shape == (0, DIMENSION)
            assert made.dimension == DIMENSION


async def test_empty_text_and_lone_surrogates_are_sent_as_something_harmless() -> None:
    with EmbeddingServer() as server:
        async with connected(server.url) as made:
            await made.embed(["", " \n", "x\ud83d"], purpose="document")
    assert server.asked[0].body["input"] == [".", ".", "x\ufffd"]


async def test_one_failing_batch_fails_the_call_once() -> None:
    with EmbeddingServer(Vectors(status=400, body=b"{}")) as server:
        async with connected(server.url, batch=1) as made:
            with pytest.raises(ProviderRefused):
                await made.embed(TEXTS, purpose="document")


async def test_handles_choose_the_endpoint(tmp_path: Path) -> None:
    with EmbeddingServer(Vectors(dimension=256)) as server:
        made = embedder(
            EmbedderChoice(
                handle="openai/text-embedding-3-small",
                home=tmp_path,
                base_url=server.url,
                dimension=256,
            )
        )
        vectors = await made.embed(["a"], purpose="query")
        await made.close()
    assert vectors.shape == (1, 256)
    assert made.model == "openai/text-embedding-3-small"
    assert server.asked[0].body["dimensions"] == 256


@pytest.mark.parametrize(
    ("handle", "message"),
    [
        ("minilm", "no handle"),
        ("/x", "no handle"),
        ("nobody/m", "needs a base URL"),
        ("local/word2vec", "no local model"),
    ],
)
async def test_a_handle_that_cannot_be_used_says_why(
    handle: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises((SettingInvalid, ProviderError), match=message):
        embedder(EmbedderChoice(handle=handle, home=tmp_path))


async def test_a_base_url_that_is_none_is_refused(tmp_path: Path) -> None:
    made = embedder(EmbedderChoice(handle="x/m", home=tmp_path, base_url="not a url"))
    with pytest.raises(ProviderRefused, match="no address"):
        await made.embed(["a"], purpose="query")
    await made.close()


async def test_only_the_beginning_of_a_text_too_long_for_the_endpoint_is_sent() -> None:
    with EmbeddingServer() as server:
        async with connected(server.url, max_characters=5) as made:
            await made.embed(["peanuts", "     x"], purpose="document")
    assert server.asked[0].body["input"] == ["peanu", "."]


async def test_a_key_with_a_line_end_is_trimmed() -> None:
    with EmbeddingServer() as server:
        async with connected(server.url, api_key=f"{SECRET}\n") as made:
            await made.warm()
    assert server.asked[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("key", [f"“{SECRET}”", f"{SECRET}\n{SECRET}"])
async def test_a_key_that_cannot_be_sent_is_refused_unseen(key: str, tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="YIKU_EMBEDDING_API_KEY") as caught:
        embedder(EmbedderChoice(handle="openai/m", home=tmp_path, api_key=key))
    assert SECRET not in caught.value.message
