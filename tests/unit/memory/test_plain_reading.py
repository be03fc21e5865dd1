"""What is read of a text in a hurry is what a plain reading of it gives, to the last bit."""

import json
import re
from collections.abc import Sequence
from hashlib import blake2b
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from yiku.core.errors import InvalidText
from yiku.memory import text as recipe
from yiku.memory.draft import check_characters
from yiku.memory.duplicates import LIGHT_TOKENS, NUMBER_TOKENS, is_pair, key
from yiku.memory.text import HAN, language, tokens
from yiku.memory.when import TIME_PATTERN, TIME_WORDS, has_time_words

LABELLED = Path(__file__).parents[2] / "data"
WORDS = (
    "I was hiking last-minute don't O'Brien's e-mail 3.5 1,000 user_id C++ c# R&B 5km iPhone15 IN"
    " 1999 in2020 2024-05-01 10:30 a@b.co yesterday Friday's je suis la und nicht ich que no por"
    " https://example.com/a?b=1. I not the you ? !"
    " 我 喝咖啡 我昨天去了北京大學 看著甚麼 2024年5月1日 ３号 ＡＢＣ１２３"
    " 上周 東京タワー 안녕하세요 Я живу в Києві книги cafés Zürich مُحَمَّد שלום नमस्ते สวัสดี Ελλάδα"
    " İstanbul ﬁne ß ’s 🎉 👍🏽 \ud800 \0 ２０２４"
).split(" ")
MIXED = st.lists(st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=[]))).map(
    " ".join
)


def plain_tokens(text: str) -> list[str]:
    """By the pattern for all scripts, without a memory of chunks."""
    folded = recipe.fold(text)
    chunks = recipe.CHUNK.findall(folded)
    found = [term for chunk in chunks for term in recipe.terms_of(chunk)]
    if "://" in folded:
        found += [recipe.whole(url.rstrip(".,;:!?)]}/")) for url in recipe.URL.findall(folded)]
    found += [number + unit for number, unit in recipe.COUNTED.findall(folded)]
    found += [recipe.iso_date(*date) for date in recipe.CHINESE_DATE.findall(folded)]
    parts = [recipe.whole(part) for chunk in chunks for part in recipe.PART.findall(chunk)]
    symbols = [recipe.whole(symbols) for symbols in folded.replace("\0", " ").split()]
    return found or parts or symbols


def plain_key(words: Sequence[str]) -> bytes:
    kept = [w for w in {*words} if w.isalpha() and w not in LIGHT_TOKENS and not is_pair(w)]
    if all(w.isascii() for w in kept):
        kept += {NUMBER_TOKENS.get(w, w) for w in words if w.isdecimal() or w in NUMBER_TOKENS}
    joined = "\x1f".join(sorted(kept)).encode("utf-8", "surrogatepass")
    return blake2b(joined, digest_size=16).digest()


def plain_language(text: str) -> str:
    """Every script looked for, every language's words counted."""
    text = text[:500].lower()
    weights = {name: len(p.findall(text)) * weight for name, p, weight in recipe.SCRIPTS}
    if weights["ja"] >= weights["zh"] * 0.15:
        weights["ja"] += weights["zh"]
    name = max(weights, key=weights.__getitem__)
    if weights[name] > len(re.findall("[a-z]", text)) * 0.5:
        return "uk" if name == "ru" and re.search("[іїєґ]", text) else name
    votes = {name: len(set(text.split()) & known) for name, known in recipe.KNOWN_WORDS}
    return max(votes, key=votes.__getitem__) if re.search("[a-z]", text) else "und"


def plain_time_words(text: str) -> bool:
    words = set(re.findall("[a-z]+", text.lower()))
    year = re.search(r"\b(?:19|20)\d\d\b", text) is not None
    return bool(words & TIME_WORDS) or year or bool(TIME_PATTERN.search(recipe.simplify(text)))


def labelled() -> list[str]:
    found: list[str] = []
    for path in sorted(LABELLED.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            pair = json.loads(line)
            found += [pair[name] for name in ("a", "b", "new") if name in pair]
            found += pair.get("shown", [])
    return found


def read_twice(text: str) -> None:
    """The first time, and again from what is remembered."""
    recipe.forget_chunks()
    for _ in range(2):
        words = tokens(text)
        assert words == plain_tokens(text)
        assert key(words) == plain_key(words)
        assert language(text) == plain_language(text)
        assert has_time_words(text) == plain_time_words(text)


def test_labelled_sentences_are_read_plainly() -> None:
    texts = labelled()
    assert len(texts) > 200
    for text in texts:
        read_twice(text)


def test_pairs_of_odd_words_are_read_plainly() -> None:
    for one, other in product(WORDS, WORDS):
        read_twice(f"{one} {other}")
        read_twice(f"{one}{other}?")


@settings(max_examples=500)
@given(MIXED)
@example("")
@example(" ".join(WORDS * 20))
def test_any_text_is_read_plainly(text: str) -> None:
    read_twice(text)


def test_every_character_that_cannot_be_stored_is_refused() -> None:
    for code in (0, *range(0xD800, 0xE000)):
        with pytest.raises(InvalidText):
            check_characters("The text", f"a{chr(code)}b")
    check_characters("The text", f"tab\t line\n {HAN} 👍")
