"""What texts usually score: a cohort of texts about anything, by which scores are calibrated.

A cosine of 0.3 means something else for every embedding model, language and role. So vectors are
centred by the mean of the cohort's texts of their language, and a role's score of a text is told in
standard deviations from what it gives the cohort (as speakers are verified: Auckenthaler et al.,
"Score normalization", 2000). The cohort is 330 texts a language, written for this.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yiku.memory.text import language, tokens

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

LANGUAGES = ("en", "zh")
"""Those there is a cohort of; a text of another language is taken for English."""
NEAREST = 3


@cache
def cohort_texts() -> tuple[tuple[str, str], ...]:
    """Each text with its language."""
    folder = resources.files("yiku.memory.roles") / "cohort"
    return tuple(
        (line.strip(), code)
        for code in LANGUAGES
        for line in (folder / f"{code}.txt").read_text("utf-8").splitlines()
        if line.strip()
    )


@cache
def cohort_tokens() -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(tokens(text)) for text, _ in cohort_texts())


def code_of(text: str) -> int:
    """Which of `LANGUAGES` a text is compared in."""
    return 1 if language(text).startswith("zh") else 0


def codes_of(texts: Sequence[str]) -> NDArray[np.int8]:
    return np.array([code_of(text) for text in texts], np.int8)


@dataclass(frozen=True, slots=True)
class Cohort:
    """The cohort as one embedding model sees it."""

    vectors: Floats
    """(n, d), centred and of unit length."""
    codes: NDArray[np.int8]
    """(n,): language of each, a place in `LANGUAGES`."""
    means: Floats
    """(languages, d): what is taken from every vector."""
    nearness: Floats
    """(languages, 2): mean and standard deviation of how near a cohort's text is to the others."""

    def centred(self, vectors: Floats, codes: NDArray[np.int8]) -> Floats:
        """(n, d) vectors without what all texts of their language have in common."""
        return unit(vectors - self.means[codes])

    def strangeness(self, vectors: Floats, codes: NDArray[np.int8]) -> Floats:
        """(n,): how near texts are to the cohort's, in its own standard deviations. High: the text
        is like texts about anything."""
        near = np.partition(cosines(vectors, self.vectors), -NEAREST, axis=1)[:, -NEAREST:]
        usual = self.nearness[codes]
        return (near.mean(axis=1) - usual[:, 0]) / usual[:, 1]


def cosines(texts: Floats, others: Floats) -> Floats:
    """(n, m) of unit vectors (n, d) and (m, d).

    A single text's without BLAS, whose threads would wait for the cores on which the embedding
    model's still spin: tens of milliseconds on a busy machine, for a tenth of one of work.
    """
    if len(texts) == 1:
        return np.vecdot(others, texts[0])[None]
    return texts @ others.T


def unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)


def cohort_of(vectors: Floats) -> Cohort:
    """From the vectors of `cohort_texts`, (n, d)."""
    codes = np.array([LANGUAGES.index(code) for _, code in cohort_texts()], np.int8)
    places = range(len(LANGUAGES))
    means = np.stack([vectors[codes == code].mean(axis=0) for code in places])
    centred = unit(vectors - means[codes])
    alike = centred @ centred.T
    np.fill_diagonal(alike, -1)
    near = np.partition(alike, -NEAREST, axis=1)[:, -NEAREST:].mean(axis=1)
    nearness = np.array(
        [(near[codes == code].mean(), max(near[codes == code].std(), 1e-6)) for code in places],
        np.float32,
    )
    return Cohort(centred, codes, means.astype(np.float32), nearness)


def cache_path(folder: Path, model: str, glossed: bool) -> Path:
    """Named by all that the vectors depend on."""
    told = repr((model, glossed, cohort_texts())).encode()
    return folder / f"cohort-{hashlib.sha256(told).hexdigest()[:16]}.npy"


def read_cached(path: Path, dimension: int) -> Floats | None:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # not there, or half of it: it is made anew
    wanted = (len(cohort_texts()), dimension)
    return found if found.shape == wanted and found.dtype == np.float32 else None


def write_cached(path: Path, vectors: Floats) -> None:
    """Whole or not at all; a folder that can't be written to costs the next start a second."""
    half: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".npy")
        half = Path(name)
        with os.fdopen(handle, "wb") as file:
            np.save(file, vectors)
        half.replace(path)
    except OSError as error:
        logger.info(
            "cohort cache not written",
            extra={"action": "cohort_cache_not_written", "path": str(path), "error": str(error)},
        )
        if half is not None:
            half.unlink(missing_ok=True)
