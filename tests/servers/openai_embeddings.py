"""A real HTTP server that speaks OpenAI's `/embeddings`, answering from a script."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.servers.served import Asked, Reply, Served

DIMENSION = 8


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """How one request is answered; the default is a proper answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None  # None: the vectors asked for
    wait_s: float = 0
    dimension: int = DIMENSION
    reversed: bool = False  # the last text's vector first
    base64: bool = False
    model: str | None = None  # None: the one asked for


def vector_of(text: str, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """What the server says of a text; not of unit length."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=dimension).astype(np.float32) * 3


def unit_vectors(texts: list[str], dimension: int = DIMENSION) -> NDArray[np.float32]:
    vectors = np.stack([vector_of(text, dimension) for text in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class EmbeddingServer(Served):
    """Answers the first requests as `script` says, all later ones properly."""

    def __init__(self, *script: Vectors) -> None:
        super().__init__()
        self.most_at_once = 0
        self._script = list(script)
        self._at_once = 0

    def reply(self, asked: Asked) -> Reply:
        with self.lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            answer = self._script.pop(0) if self._script else Vectors()
        body = answer.body if answer.body is not None else proper_body(asked.body, answer)
        return Reply(status=answer.status, headers=answer.headers, body=body, wait_s=answer.wait_s)

    def answered(self) -> None:
        with self.lock:
            self._at_once -= 1


def proper_body(asked: dict[str, Any], reply: Vectors) -> bytes:
    def encoded(text: str) -> Any:
        vector = vector_of(text, reply.dimension)
        if reply.base64:
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return vector.tolist()

    items = [
        {"object": "embedding", "index": i, "embedding": encoded(text)}
        for i, text in enumerate(asked["input"])
    ]
    if reply.reversed:
        items.reverse()
    model = reply.model or asked["model"]
    return json.dumps({"object": "list", "data": items, "model": model}).encode()
