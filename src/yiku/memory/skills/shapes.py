"""What a text holds that must be found letter by letter: addresses, numbers, codes, quotations.
Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

READ = 500
"""Characters that are looked at."""
MAX_LITERALS = 8

EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}", re.ASCII)
URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s<>\"'，。；）”」]{2,400}", re.IGNORECASE)
QUOTED = re.compile(
    r"“([^”\n]{1,120})”|「([^」\n]{1,120})」|『([^』\n]{1,120})』|《([^》\n]{1,120})》"
    r"|\"([^\"\n]{1,120})\"|`([^`\n]{1,120})`|(?<!\w)'([^'\n]{2,120})'(?!\w)"
)
QUOTE = re.compile("[“「『《\"`']")
DIGIT = re.compile(r"\d")
PHONE = re.compile(
    r"(?<![A-Za-z0-9_.-])(?:\+\d{1,3}[ -]?)?(?:\(\d{1,4}\)[ -]?)?\d(?:[ -]?\d){6,13}"
    r"(?![A-Za-z0-9_]|[.-]\d)"
)
CODE = re.compile(
    r"(?<![A-Za-z0-9_./@#-])#?[A-Za-z0-9]+(?:[._/#-][A-Za-z0-9]+)*(?![@\w])", re.ASCII
)
DAY = re.compile(r"\d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")
COUNTED = re.compile(r"\d{1,4}(?:st|nd|rd|th|am|pm|km|kg|cm|mm|ml|gb|mb|px|h|s|k|m|x|d)", re.I)

SHAPES = ("email", "phone", "identifier", "quoted", "url")
"""What a skill may have among its intent keywords, as `<email>`."""


def literals(text: str) -> Mapping[str, str]:
    """What is to be found as it stands, each with its shape; in order, at most `MAX_LITERALS`."""
    found: dict[str, str] = {}
    for literal, shape in each(text[:READ]):
        if literal.strip() and len(found) < MAX_LITERALS:
            found.setdefault(literal.strip(), shape)
    return found


def each(text: str) -> Iterator[tuple[str, str]]:
    left = text
    for shape, form, sign in (("url", URL, "://"), ("email", EMAIL, "@")):
        if sign in left:
            for match in form.finditer(left):
                yield match[0].rstrip(".,;:!?)"), shape
            left = form.sub(" ", left)
    if QUOTE.search(left):
        for match in QUOTED.finditer(left):
            yield next(group for group in match.groups() if group is not None), "quoted"
        left = QUOTED.sub(" ", left)
    if not DIGIT.search(left):
        return
    for match in PHONE.finditer(left):
        if not DAY.fullmatch(match[0]) and sum(map(str.isdigit, match[0])) >= 7:
            yield match[0], "phone"
    left = PHONE.sub(" ", left)
    for match in CODE.finditer(left):
        if is_identifier(match[0]):
            yield match[0], "identifier"


def is_identifier(word: str) -> bool:
    """Numbers and codes that somebody gave to a thing; no date, no measure, no word."""
    digits = sum(map(str.isdigit, word))
    if not digits or DAY.fullmatch(word) or COUNTED.fullmatch(word):
        return False
    if word.isdigit():
        return digits >= 5
    if word.startswith("#"):
        return True
    letters = sum(map(str.isalpha, word))
    if not letters:
        return digits >= 5 and "." not in word
    joined = any(mark in word for mark in "-_/#.")
    return (len(word) >= 5 and (digits >= 2 or joined)) or (word.isupper() and digits >= 2)
