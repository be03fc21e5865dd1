"""Whether what a model made of a text is still in the text's language. Pure.

Names, terms and addresses of other scripts stand in every text; what counts is what the model wrote
itself: the words that it did not copy.
"""

from __future__ import annotations

import re
from collections import Counter

from yiku.core.language import HAN, KANA
from yiku.memory.text import FUNCTION_WORDS, SCRIPTS, STOP_WORDS, language, simplify

COPIED = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w.-]+|[a-z][a-z0-9+.-]{0,30}://\S+", re.IGNORECASE)
"""Each begins where a word does, or is short: in a long word it would be looked for again at every
letter."""
WORD = re.compile("[^\\W\\d_\u3041-\u30fa\u3400-\u9fff\U00020000-\U0003ffff]+")
SPACED = tuple((name, form) for name, form, _ in SCRIPTS if name not in ("zh", "ja"))
FOREIGN = {name: frozenset(words.split()) for name, words in FUNCTION_WORDS.items()}
KANA_SHARE = 0.15
"""Of Japanese, beside its Chinese characters."""
TELLS = 2
"""English words that no other language has, from which on a text is English."""


def keeps_language(original: str, made: str) -> bool:
    """Whether `made` speaks the language of `original`; true where it only copies."""
    theirs, own = COPIED.sub(" ", original), COPIED.sub(" ", made)
    said = {one.casefold() for one in WORD.findall(theirs)}
    words = [one for one in WORD.findall(own) if one.casefold() not in said]
    characters = set(simplify(theirs))
    han = [one for one in HAN.findall(simplify(own)) if one not in characters]
    kana = [one for one in KANA.findall(own) if one not in characters]
    match script_of(theirs):
        case "zh":
            return keeps_chinese(own, words, han, kana)
        case "ja":
            return bool(KANA.search(own)) or not (words or han)
        case script:
            if len(han) + len(kana) > len(words):
                return False
            return keeps_script(script, words) and (script != "latin" or keeps_latin(theirs, own))


def script_of(text: str) -> str:
    """`zh`, `ja`, `latin`, or another script's name: the one most of it is written in."""
    han, kana = len(HAN.findall(text)), len(KANA.findall(text))
    words = WORD.findall(text)
    english = sum(word.lower() in STOP_WORDS for word in words) > 1 and han < 2 * len(words)
    if han + kana and han + kana >= len(words) and not english:
        return "ja" if kana and kana >= KANA_SHARE * han else "zh"
    scripts = Counter(map(script_of_word, words))
    return scripts.most_common(1)[0][0] if scripts else "latin"


def script_of_word(word: str) -> str:
    return next((name for name, form in SPACED if form.match(word)), "latin")


def keeps_chinese(own: str, words: list[str], han: list[str], kana: list[str]) -> bool:
    if len(kana) > 2:
        return False
    if not HAN.search(own):
        return not words
    return len(words) <= max(1, len(han))


def keeps_script(script: str, words: list[str]) -> bool:
    if not words:
        return True
    kept = sum(script_of_word(one) == script for one in words)
    return kept * 2 >= len(words)


def keeps_latin(original: str, made: str) -> bool:
    """Languages of one script are told apart by their function words."""
    before, after = language(original), language(made)
    if before not in FOREIGN or before == after:
        return True
    if before == "en" or after != "en":
        return False
    words = set(re.findall(r"[^\W\d_]+", made.lower()))
    return len((words & STOP_WORDS) - FOREIGN[before]) < TELLS
