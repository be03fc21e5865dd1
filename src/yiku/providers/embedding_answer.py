"""What an OpenAI-compatible `/embeddings` endpoint answers, read with care."""

import base64
import binascii
import email.utils
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import numpy as np
from numpy.typing import NDArray

LONGEST_COMPLAINT = 200


class MalformedError(ValueError):
    """The answer isn't what the API promises."""


@dataclass(frozen=True, slots=True)
class Answer:
    vectors: NDArray[np.float32]  # (n, dimension), unit length, in the order asked for
    model: str | None


def read_answer(content: bytes, count: int) -> Answer:
    """The vectors of `count` texts. Raises: MalformedError."""
    try:
        answer = json.loads(content)
    except ValueError as error:
        raise MalformedError("it is not JSON") from error
    data = _get(answer, "data")
    if not isinstance(data, list):
        raise MalformedError("it has no list `data`")
    items = cast("list[Any]", data)
    if len(items) != count:
        raise MalformedError(f"it has {len(items)} vectors for {count} texts")
    indexes = [_get(item, "index", i) for i, item in enumerate(items)]
    if not all(isinstance(i, int) for i in indexes) or set(indexes) != set(range(count)):
        raise MalformedError("its indexes don't fit the texts")
    by_index = {i: _vector(_get(item, "embedding")) for i, item in zip(indexes, items, strict=True)}
    if len({len(vector) for vector in by_index.values()}) != 1:
        raise MalformedError("its vectors differ in dimension")
    vectors = np.stack([by_index[i] for i in range(count)])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(vectors).all() or not lengths.all():
        raise MalformedError("a vector has no direction")
    model = _get(answer, "model")
    name = model.removesuffix(":latest") if isinstance(model, str) and model else None
    return Answer((vectors / lengths).astype(np.float32), name)


def complaint(response: httpx.Response) -> str:
    """`: "…"`, the provider's own words, or nothing."""
    try:
        answer = response.json()
    except ValueError:
        return ""
    error = _get(answer, "error", answer)
    said = error if isinstance(error, str) else _get(error, "message")
    return f': "{said[:LONGEST_COMPLAINT]}"' if isinstance(said, str) and said else ""


def retry_after_s(response: httpx.Response) -> float:
    """Seconds the server wants to be left alone for; 0 if it doesn't say."""
    value = response.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return 0.0
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def _vector(value: Any) -> NDArray[np.float64]:
    """A list of numbers, or base64 of little-endian float32."""
    try:
        if isinstance(value, str):
            raw = np.frombuffer(base64.b64decode(value, validate=True), "<f4")
            vector = raw.astype(np.float64)
        else:
            vector = np.asarray(value, np.float64)
    except (TypeError, ValueError, binascii.Error) as error:
        raise MalformedError("an embedding is neither numbers nor base64") from error
    if vector.ndim != 1 or not len(vector):
        raise MalformedError("an embedding is not a list of numbers")
    return vector


def _get(value: Any, key: str, default: Any = None) -> Any:
    if not isinstance(value, dict):
        return default
    return cast("dict[str, Any]", value).get(key, default)
