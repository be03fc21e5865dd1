"""The languages that prompts and notes to models are written in, and which one fits a text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

Language = Literal["en", "zh"]

READ = 2_000
"""Characters of each text that are looked at."""
HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
KANA = re.compile("[\u3041-\u309f\u30a1-\u30fa]")
WORD = re.compile("[^\\W\\d_\u3400-\u9fff\uac00-\ud7a3\U00020000-\U0003134f]+")
"""A word of a script that puts spaces between them."""


def language_spoken(newest_first: Iterable[str], default: Language = "en") -> Language:
    """That of the newest text with a word in it: an emoji, a number or "……" changes no language."""
    for text in newest_first:
        head = text[:READ]
        if WORD.search(head) or HAN.search(head):
            return language_of([text])
    return default


def language_of(texts: Iterable[str], default: Language = "en") -> Language:
    """Chinese, where the texts together have as many Chinese characters as other words.

    So a Chinese sentence about `FastAPI` and `Docker` is Chinese, and an English one that names
    王小明 is English; Japanese, which has both scripts, is not Chinese. `default`: where there is
    no word at all.
    """
    han = kana = words = 0
    for text in texts:
        head = text[:READ]
        words += len(WORD.findall(head))
        if not head.isascii():
            han += len(HAN.findall(head))
            kana += len(KANA.findall(head))
    if not han:
        return "en" if words else default
    return "zh" if han >= words and kana < han * 0.15 else "en"
