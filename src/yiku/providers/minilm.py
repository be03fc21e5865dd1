"""Sentence embeddings on the CPU without torch: tokenizers, NumPy, onnxruntime.

The default is all-MiniLM-L6-v2; the same code runs the other local presets.

Each text is a run of its own on one thread. On a CPU that is as fast as padded batches, and a
text's vector never depends on the texts embedded with it: a scale shared by an int8 batch would
make it so.
"""

import asyncio
import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import DimensionMismatch, ModelNotFound
from yiku.core.ports import Purpose
from yiku.providers.architecture import Architecture, read_architecture
from yiku.providers.presets import LocalPreset
from yiku.providers.session import Variant, graph_folder, open_session
from yiku.providers.tasks import together
from yiku.providers.tensors import Tensors
from yiku.providers.text import replace_surrogates
from yiku.providers.weights import find_weights, verified_hash

MAX_WINDOWS = 8
OVERLAP = 1 / 8  # of a window
# A longer text is sampled before it is tokenised, which takes 2 µs a character.
MAX_CHARACTERS = 60_000
SLICE_CHARACTERS = 16  # a token of the window; tokens are seldom longer


class LocalEmbedder:
    """The Embedder port on this machine.

    A text longer than the model's window is read in at most eight overlapping windows spread
    evenly from its first token to its last; its vector is the mean of theirs, at unit length.
    An empty text, or one of white space alone, has the vector of no tokens at all: unit length,
    near to nothing in particular.
    """

    def __init__(
        self,
        preset: LocalPreset,
        home: Path,
        *,
        folder: Path | None = None,
        variant: Variant = "int8",
        threads: int = 2,
    ) -> None:
        """Loads nothing yet: the first `embed` or `warm` does.

        `home` is Yiku's folder; `folder`, if given, is the one place to look for the model.
        """
        self._preset = preset
        self._home = home
        self._folder = folder
        self._variant: Variant = variant
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "yiku-embed")
        self._loading = threading.Lock()
        self._encoder: Encoder | None = None

    @property
    def model(self) -> str:
        return f"local/{self._preset.name}@{self._variant}"

    @property
    def dimension(self) -> int:
        return self._preset.dimension

    @property
    def multilingual(self) -> bool:
        return self._preset.multilingual

    async def warm(self) -> None:
        """Load the model now, so that the first text needn't wait. Raises: ModelNotFound."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._loaded)

    async def embed(self, texts: Sequence[str], *, purpose: Purpose) -> NDArray[np.float32]:
        """(n, dimension), rows of unit length, in the order of `texts`.

        A large batch keeps no more runs waiting than there are threads, so a query that comes
        while it is under way waits for a text or two, not for the batch.

        Raises: ModelNotFound, DimensionMismatch.
        """
        loop = asyncio.get_running_loop()
        preset = self._preset
        prefix = preset.query_prefix if purpose == "query" else preset.document_prefix
        vectors = np.empty((len(texts), self.dimension), np.float32)
        if len(texts) == 1:
            vectors[0] = await loop.run_in_executor(self._pool, self._encode, texts[0], prefix)
            return vectors
        rest = iter(enumerate(texts))

        async def work() -> None:
            for i, text in rest:
                vectors[i] = await loop.run_in_executor(self._pool, self._encode, text, prefix)

        await together(work() for _ in range(min(self._threads, len(texts))))
        return vectors

    async def close(self) -> None:
        """Runs under way end by themselves; those waiting are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _encode(self, text: str, prefix: str) -> NDArray[np.float32]:
        return self._loaded().encode(text, prefix)

    def _loaded(self) -> "Encoder":
        if self._encoder is None:
            with self._loading:
                if self._encoder is None:
                    self._encoder = load_encoder(
                        self._preset, self._home, self._folder, self._variant
                    )
        return self._encoder


class Encoder:
    """A loaded model: text to vector, on the calling thread; safe to call from several."""

    def __init__(
        self, tensors: Tensors, architecture: Architecture, tokenizer: Any, session: Any, limit: int
    ) -> None:
        """`limit` is the window in tokens, both special tokens included."""
        start, limit = architecture.first_position, min(limit, architecture.positions)
        positions = tensors.rows(
            "embeddings.position_embeddings.weight", range(start, start + limit)
        )
        kinds = tensors.rows("embeddings.token_type_embeddings.weight", [0])
        self._tensors = tensors
        self._places = positions + kinds  # (limit, hidden): what a place adds to a word
        self._tokenizer = tokenizer
        self._session = session
        self._ends = tuple(tokenizer.encode("").ids)  # what goes before and after any text
        self._limit = limit

    def encode(self, text: str, prefix: str = "") -> NDArray[np.float32]:
        """(dimension,), unit length."""
        text = replace_surrogates(text)
        if len(text) > MAX_CHARACTERS:
            room = self._limit - len(self._ends)
            width = room * SLICE_CHARACTERS
            slices = [text[i : i + width] for i in spread(len(text), width, MAX_WINDOWS)]
            windows = [self._tokens(prefix + piece)[:room] for piece in slices]
        else:
            windows = self._windows(self._tokens(prefix + text), prefix)
        if len(windows) == 1:
            return self._run(windows[0])
        mean = np.mean([self._run(window) for window in windows], axis=0)
        return mean / np.linalg.norm(mean)

    def _tokens(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def _windows(self, tokens: list[int], prefix: str) -> list[list[int]]:
        """Each window starts with the prefix's tokens, as the whole text does."""
        room = self._limit - len(self._ends)
        if len(tokens) <= room:
            return [tokens]
        head = self._tokens(prefix.rstrip())
        body = tokens[len(head) :]
        width = room - len(head)
        step = width - int(width * OVERLAP)
        count = min(MAX_WINDOWS, math.ceil((len(body) - width) / step) + 1)
        return [head + body[i : i + width] for i in spread(len(body), width, count)]

    def _run(self, tokens: list[int]) -> NDArray[np.float32]:
        first, last = self._ends
        ids = [first, *tokens, last]
        words = self._tensors.rows("embeddings.word_embeddings.weight", ids)
        x = words + self._places[: len(ids)]
        return self._session.run(["vector"], {"x": x[None]})[0][0]


def spread(length: int, width: int, count: int) -> list[int]:
    """Starts of `count` windows of `width`, evenly from the first to the last that fits."""
    return np.linspace(0, length - width, count).round().astype(int).tolist()


def load_encoder(preset: LocalPreset, home: Path, folder: Path | None, variant: Variant) -> Encoder:
    """Find, check and load a model; its graph comes from the cache or is built.

    Raises: ModelNotFound, DimensionMismatch.
    """
    path = find_weights(preset, home, folder)
    digest = verified_hash(preset, path, home)
    architecture = read_architecture(path.parent)
    if architecture.hidden != preset.dimension:
        raise DimensionMismatch(
            f"{path.parent} holds a model of dimension {architecture.hidden};"
            f" local/{preset.name} has {preset.dimension}.",
            expected=preset.dimension,
            found=architecture.hidden,
        )
    tensors = Tensors(path)
    place = graph_folder(home, preset, variant, digest)
    session = open_session(tensors, architecture, preset, variant, place)
    tokenizer = _tokenizer(path.with_name("tokenizer.json"))
    return Encoder(tensors, architecture, tokenizer, session, preset.max_tokens)


def _tokenizer(path: Path) -> Any:
    """Without the truncation and padding its file may ask for: windows are cut here."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if len(tokenizer.encode("").ids) != 2:
        raise ModelNotFound(f"{path} does not put one token before a text and one after it.")
    return tokenizer
