import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import numpy as np
import pytest

from yiku.providers.embedding_answer import (
    MalformedError,
    complaint,
    read_answer,
    retry_after_s,
)


def answer(*items: dict[str, Any]) -> bytes:
    return json.dumps({"data": items}).encode()


def test_vectors_come_in_the_order_asked_for_and_at_unit_length() -> None:
    content = answer({"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]})
    found = read_answer(content, 2)
    assert np.allclose(found.vectors, [[0.6, 0.8], [0, 1]])
    assert found.vectors.dtype == np.float32


def test_base64_is_little_endian_float32() -> None:
    found = read_answer(answer({"index": 0, "embedding": "AACAPwAAAAA="}), 1)
    assert np.allclose(found.vectors, [[1, 0]])


def test_items_without_an_index_are_in_order() -> None:
    found = read_answer(answer({"embedding": [1, 0]}, {"embedding": [0, 1]}), 2)
    assert np.allclose(found.vectors, np.eye(2))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>login</html>",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"data": 3}',
        b'{"data": []}',
        b'{"data": ["x"]}',
        answer({"index": 1, "embedding": [1.0]}),
        answer({"index": [], "embedding": [1.0]}),
        answer({"index": 0, "embedding": []}),
        answer({"index": 0, "embedding": [0.0, 0.0]}),
        answer({"index": 0, "embedding": ["a"]}),
        answer({"index": 0, "embedding": [[1.0]]}),
        answer({"index": 0, "embedding": "not base64!"}),
        answer({"index": 0, "embedding": "AAA="}),
        b'{"data": [{"index": 0, "embedding": [NaN, 1]}]}',
        answer({"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1]}),
    ],
)
def test_what_is_no_embedding_of_one_text_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedError):
        read_answer(content, 1)


def test_vectors_of_two_dimensions_in_one_answer_are_refused() -> None:
    with pytest.raises(MalformedError, match="differ"):
        read_answer(answer({"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}), 2)


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3), ("0.5", 0.5), ("-1", 0), ("soon", 0), ("", 0), ("inf", 0)]
)
def test_retry_after_in_seconds(value: str, seconds: float) -> None:
    assert retry_after_s(httpx.Response(429, headers={"Retry-After": value})) == seconds


def test_retry_after_as_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert retry_after_s(httpx.Response(503, headers={"Retry-After": date})) > 3000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": {"message": "too long"}}', ': "too long"'),
        ('{"error": "no such model"}', ': "no such model"'),
        ('{"message": "nope"}', ': "nope"'),
        ('{"error": {"message": 3}}', ""),
        ("oops", ""),
        ("[1]", ""),
    ],
)
def test_the_provider_is_quoted_where_it_says_something(body: str, said: str) -> None:
    assert complaint(httpx.Response(400, text=body)) == said
