"""Synthetic conversational memories with prepared vectors, the same for every engine and run.

Texts are templates with names, places and numbers, filled with words drawn by Zipf's law from the
embedding model's own vocabulary (ordered by frequency) and a tail of invented names; every fifth
is Chinese, of CC-CEDICT's words. One passage in fifty repeats an earlier one. Vectors lie around
a thousand centres. All comes from the seed, a thousand passages at a time, so that a million need
no more memory than a thousand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CHUNK = 1000
DIMENSION = 384
CENTRES = 1000
SPREAD = 0.9
"""Length of the noise around a centre: two passages of one centre have a cosine of about 0.55."""

CHINESE_SHARE = 0.2
INVENTED = 8000
CHINESE_WORDS = 6000
LONG_WORDS = 126
"""Words of a long text, each one token of the model; with both special tokens, 128."""

RARE_TAG = "anniversary"
"""On one passage in a hundred."""
TAGS = ("work", "family", "food", "travel", "health", "money", "hobby", "school", "home", "news")
MAIN_SPEAKER = "Ann"
"""Says every other passage."""
SPEAKERS = (
    "Bruno Carla Dmitri Elena Farid Gloria Hiro Ingrid Jamal Kirsten Liang Mateo Nadia Olga Pedro"
    " Quinn 王芳 李强 小雨 陈静"
).split()
PLACES = (
    "Lisbon Oslo Chengdu Nairobi Boston Lima Kyoto Dublin Prague Austin Geneva Hanoi Toronto Cairo"
).split()
CHINESE_PLACES = "北京 上海 成都 杭州 西安 广州 南京 武汉 厦门 青岛".split()

ENGLISH_TEMPLATES = (
    "I told {name} that the {w} near {place} cost {number} dollars",
    "{name} wants to visit {place} with my {w} in spring",
    "We moved the meeting about {w} to {number} o'clock",
    "My favourite {w} is the one we bought in {place}",
    "{name} forgot to bring the {w} again, so I paid {number}",
    "Please remember that {name} is allergic to {w}",
    "The doctor said I should avoid {w} for {number} weeks",
    "Yesterday {name} called me from {place} because of the {w}",
    "I have been learning {w} for {number} months now",
    "Our cat hid behind the {w} when {name} arrived",
    "{name} recommended a restaurant in {place} that serves {w}",
    "Did you finish the report on {w} for {name}?",
    "I dreamt of {place} and a {w} with {number} windows",
    "The train to {place} was late, {name} read a book about {w}",
    "My password hint is {w} and the locker is number {number}",
    "{name} and I argued about the {w} on our holiday",
)
CHINESE_TEMPLATES = (
    "我昨天在{place}买了{w}，花了{number}元，",
    "{name}说下个月要去{place}看{w}，",
    "医生让我少吃{w}，多休息{number}天，",
    "我们的会议改到{number}点了，讨论{w}，",
    "{name}最喜欢的是{w}，",
    "孩子们在{place}的学校学{w}，",
    "别忘了提醒{name}带上{w}，",
    "我女儿今年{number}岁，开始练习{w}，",
)
CHINESE_COMMON = (
    "我们昨天去了哪里",
    "你说的是什么",
    "最喜欢的是什么",
    "我们今天的会议",
    "医生说了什么",
)

START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One passage as every engine is given it."""

    number: int
    text: str
    at: datetime
    speaker: str
    conversation: str
    tag: str
    channel: str
    importance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Words, the commonest first."""

    english: list[str]
    """Of the model's vocabulary first, each one token of it, then invented ones."""
    known: int
    """How many of them are the model's."""
    common: list[str]
    """The commonest that are no stop words."""
    chinese: list[str]

    def save(self, path: Path) -> None:
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        path.write_text(json.dumps(fields, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        return cls(**json.loads(path.read_text("utf-8")))


def vocabulary(seed: int, tokenizer: Path) -> Vocabulary:
    """`tokenizer`: the model's `tokenizer.json`, whose words are ordered by frequency."""
    from yiku.memory.common_words import COMMON_WORDS
    from yiku.memory.gloss import compile_dictionary
    from yiku.memory.text import STOP_WORDS

    numbered = json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]
    ordered = sorted(numbered, key=numbered.__getitem__)
    known = [w for w in ordered if len(w) > 1 and w.isascii() and w.isalpha()]
    rng = np.random.default_rng([seed, 1])
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "or")]
    drawn = rng.choice(syllables, (INVENTED, 4))
    invented = [w for w in dict.fromkeys("".join(row) for row in drawn) if w not in numbered]
    pairs = sorted(w for w in compile_dictionary() if len(w) == 2 and w not in COMMON_WORDS)
    chosen = rng.choice(len(pairs), CHINESE_WORDS, replace=False)
    return Vocabulary(
        english=known + invented,
        known=len(known),
        common=[w for w in known[:400] if w not in STOP_WORDS][:60],
        chinese=[*COMMON_WORDS, *(pairs[i] for i in chosen)],
    )


def zipf(count: int) -> NDArray[np.float64]:
    """Cumulated shares of words by rank (Zipf and Mandelbrot: 1 / (rank + 2.7))."""
    shares = 1 / (np.arange(1, count + 1) + 2.7)
    return np.cumsum(shares / shares.sum())


class Corpus:
    """Passages and their vectors by number; chunk c holds numbers c · CHUNK to (c + 1) · CHUNK."""

    def __init__(self, words: Vocabulary, seed: int) -> None:
        self.words = words
        self.seed = seed
        self._english = zipf(len(words.english))
        self._known = zipf(words.known)
        self._chinese = zipf(len(words.chinese))

    @cached_property
    def _centres(self) -> Floats:
        rng = np.random.default_rng([self.seed, 2])
        return unit(rng.standard_normal((CENTRES, DIMENSION), np.float32))

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        return zipf(CENTRES)

    def vectors(self, chunk: int) -> Floats:
        """(CHUNK, 384), unit length."""
        rng = np.random.default_rng([self.seed, 3, chunk])
        centres = self._centres[drawn_ranks(rng, self._weights, CHUNK)]
        made = unit(centres + noise(rng, CHUNK, SPREAD))
        repeats = np.arange(49, CHUNK, 50)
        made[repeats] = unit(made[repeats - 7] + noise(rng, len(repeats), 0.2))
        return made

    def memories(self, chunk: int) -> list[Memory]:
        rng = np.random.default_rng([self.seed, 4, chunk])
        chinese = rng.random(CHUNK) < CHINESE_SHARE
        english_words = self._drawn(rng, self._english, self.words.english, CHUNK * 4)
        chinese_words = self._drawn(rng, self._chinese, self.words.chinese, CHUNK * 6)
        picks = rng.integers(0, 1 << 30, (CHUNK, 6)).tolist()
        made: list[Memory] = []
        for i, pick in enumerate(picks):
            number = chunk * CHUNK + i
            if i % 50 == 49:
                text, speaker = made[i - 7].text + "!", made[i - 7].speaker
            else:
                speaker = MAIN_SPEAKER if pick[0] % 2 else SPEAKERS[pick[1] % len(SPEAKERS)]
                words = chinese_words[6 * i : 6 * i + 6] if chinese[i] else []
                text = self._text(words or english_words[4 * i : 4 * i + 4], pick, bool(words))
            made.append(
                Memory(
                    number=number,
                    text=text,
                    at=START + timedelta(minutes=number, seconds=pick[2] % 60),
                    speaker=speaker,
                    conversation=f"talk-{number // 25}",
                    tag=RARE_TAG if (number * 37) % 100 == 11 else TAGS[pick[3] % len(TAGS)],
                    channel=("chat", "mail", "voice")[pick[4] % 3],
                    importance=pick[5] % 5 + 1,
                )
            )
        return made

    def long_texts(self, count: int) -> list[str]:
        """English, 128 tokens of the model each."""
        rng = np.random.default_rng([self.seed, 5])
        words = self._drawn(rng, self._known, self.words.english, count * LONG_WORDS)
        rows = (words[i * LONG_WORDS : (i + 1) * LONG_WORDS] for i in range(count))
        return [" ".join(row) for row in rows]

    def queries(self, size: int, count: int) -> tuple[list[str], Floats]:
        """Questions about passages spread over the first `size`, and vectors near theirs."""
        texts: list[str] = []
        vectors: list[Floats] = []
        rng = np.random.default_rng([self.seed, 6, size])
        chunks = np.unique(np.linspace(0, size // CHUNK - 1, min(count, 20)).astype(int)).tolist()
        for place, chunk in enumerate(chunks):
            share = count // len(chunks) + (place < count % len(chunks))
            rows = rng.choice(CHUNK, share, replace=False)
            memories, made = self.memories(chunk), self.vectors(chunk)
            texts += [question(memories[row], rng) for row in rows.tolist()]
            vectors.append(unit(made[rows] + noise(rng, share, 0.7)))
        order = rng.permutation(len(texts))
        return [texts[i] for i in order], np.concatenate(vectors)[order]

    def common_queries(self, count: int) -> list[str]:
        """Of the commonest words only."""
        rng = np.random.default_rng([self.seed, 7])
        found: list[str] = []
        for i in range(count):
            words = rng.choice(self.words.common, 4, replace=False)
            chinese = CHINESE_COMMON[i % len(CHINESE_COMMON)]
            found.append(
                f"{chinese}{i}点？" if i % 5 == 4 else f"about {' '.join(words)} and so on"
            )
        return found

    def _text(self, words: Sequence[str], pick: Sequence[int], chinese: bool) -> str:
        templates = CHINESE_TEMPLATES if chinese else ENGLISH_TEMPLATES
        places = CHINESE_PLACES if chinese else PLACES
        opening = templates[pick[0] // 2 % len(templates)].format(
            name=SPEAKERS[pick[4] % len(SPEAKERS)],
            place=places[pick[2] % len(places)],
            number=pick[3] % 900 + 2,
            w=words[0],
        )
        rest = words[1:]
        return opening + "".join(rest) + "。" if chinese else f"{opening} {' '.join(rest)}"

    @staticmethod
    def _drawn(
        rng: np.random.Generator, shares: NDArray[np.float64], words: Sequence[str], count: int
    ) -> list[str]:
        return [words[int(rank)] for rank in drawn_ranks(rng, shares, count)]


def drawn_ranks(
    rng: np.random.Generator, shares: NDArray[np.float64], count: int
) -> NDArray[np.int64]:
    found = np.searchsorted(shares, rng.random(count))
    return np.minimum(found, len(shares) - 1).astype(np.int64)


def noise(rng: np.random.Generator, count: int, length: float) -> Floats:
    """Rows of about this length."""
    made = rng.standard_normal((count, DIMENSION), np.float32)
    return made * np.float32(length / np.sqrt(DIMENSION))


def unit(vectors: Floats) -> Floats:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def question(about: Memory, rng: np.random.Generator) -> str:
    """What one would ask to find it: some of its rarer words, and who said it."""
    if not about.text[0].isascii():
        start = int(rng.integers(0, max(len(about.text) - 8, 1)))
        return f"{about.speaker}说过{about.text[start : start + 7].strip('，。！')}的事吗？"
    words = [w.strip("?,!") for w in about.text.split()]
    longer = sorted(words, key=len, reverse=True)[:6]
    chosen = rng.choice(longer, min(4, len(longer)), replace=False)
    return f"What did {about.speaker} say about {' '.join(chosen)}?"


def nearest(corpus: Corpus, size: int, queries: Floats, k: int = 10) -> NDArray[np.int64]:
    """(len(queries), k) numbers of the k passages nearest to each query, exactly, in no order."""
    scores = np.empty((len(queries), 0), np.float32)
    numbers = np.empty((len(queries), 0), np.int64)
    for chunk in range(size // CHUNK):
        dots = queries @ corpus.vectors(chunk).T
        here = np.broadcast_to(np.arange(chunk * CHUNK, (chunk + 1) * CHUNK), dots.shape)
        scores, numbers = np.hstack([scores, dots]), np.hstack([numbers, here])
        best = np.argpartition(scores, -k, axis=1)[:, -k:]
        scores = np.take_along_axis(scores, best, 1)
        numbers = np.take_along_axis(numbers, best, 1)
    return numbers
