"""Which known memories a text may replace, as far as words alone tell. Pure.

Where no model compares a text with what is known, this is noted beside it, and nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from yiku.core.language import language_of
from yiku.core.memory import Passage
from yiku.memory.text import HAN, tokens

MAX_HINTS = 3
LEAST = 0.2
"""Of the words that two texts have together, the share in both from which they may be about one
thing; beside that both speak of it in words of one subject."""
READ = 2_000

CHANGED = re.compile(
    r"\b(?:moved|moving|changed?|switched|now|no longer|not any ?more|any ?more|instead|quit|left"
    r"|stopped|became|renamed|replaced|updated|new|actually|correction|used to|these days)\b"
    r"|搬|改[成为到叫用了]|换[成了到个]|换.{0,4}(?:号|工作|公司|手机|邮箱|地址)"
    r"|不再|现在|如今|已经不|辞职|离职|跳槽|转到|调到|更正|其实|新的|以后|戒了|不[是用住喝吃喜]",
    re.IGNORECASE,
)
"""How a text says that something isn't as it was."""

SUBJECTS: tuple[frozenset[str], ...] = tuple(
    frozenset(tokens(words))
    for words in (
        "live lives living lived moved moving home flat apartment house city",
        "work works working job employed company employer position office quit joined",
        "like likes love loves prefer prefers favorite favourite hate hates enjoy enjoys",
        "phone telephone mobile number",
        "email e-mail mail address",
        "married single divorced wife husband girlfriend boyfriend partner",
        "deadline due date meeting appointment postponed rescheduled",
    )
)
ZH_SUBJECTS = (
    re.compile("住|搬|家在|定居|租"),
    re.compile("工作|上班|公司|职|入职|单位"),
    re.compile("喜欢|爱|讨厌|偏好|习惯|最爱|戒"),
    re.compile("电话|手机|号码"),
    re.compile("邮箱|邮件|地址"),
    re.compile("结婚|单身|离婚|妻|丈夫|老公|老婆|女朋友|男朋友|女友|男友"),
    re.compile("截止|期限|会议|开会|预约|改期|推迟"),
)


STATED = (
    ("The user lives in", "用户住在"),
    ("The user works at", "用户的工作和上班的公司"),
    ("The user likes", "用户喜欢"),
    ("The user's phone number is", "用户的电话是"),
    ("The user's email address is", "用户的邮箱是"),
    ("The user is married, single, has a partner", "用户已婚或单身,丈夫、妻子、男女朋友"),
    ("The deadline or meeting is on", "截止日期、会议时间是"),
)
"""How a memory of each subject begins, in English and Chinese."""
MAX_STATED = 2


def also_asked(text: str) -> list[str]:
    """What else finds the memories that a text may change: "I moved to Shanghai" shares no word
    with "lives in Beijing", and shares one with every trip to Shanghai."""
    chinese = language_of([text]) == "zh"
    if not tells_of_change(text):
        return []
    return [STATED[n][chinese] for n in sorted(subjects_of(text[:READ]))][:MAX_STATED]


def tells_of_change(text: str) -> bool:
    return CHANGED.search(text[:READ]) is not None


def may_supersede(text: str, known: Sequence[Passage]) -> list[Passage]:
    """Of the known ones, best first, those that the text may stand in the place of."""
    head = text[:READ]
    if not tells_of_change(head):
        return []
    own, subjects = set(tokens(head)), subjects_of(head)
    found: list[tuple[float, int, Passage]] = []
    for place, one in enumerate(known):
        theirs = one.text[:READ]
        words = set(tokens(theirs))
        shared = len(own & words) / max(1, min(len(own), len(words)))
        if subjects & subjects_of(theirs):
            found.append((1 + shared, -place, one))
        elif shared >= LEAST and not only_han(own & words):
            found.append((shared, -place, one))
    found.sort(key=lambda each: (-each[0], -each[1]))
    return [one for _, _, one in found[:MAX_HINTS]]


def subjects_of(text: str) -> set[int]:
    words = set(tokens(text))
    found = {n for n, subject in enumerate(SUBJECTS) if subject & words}
    return found | {n for n, form in enumerate(ZH_SUBJECTS) if form.search(text)}


def only_han(words: set[str]) -> bool:
    """Single characters stand in any two Chinese texts."""
    return all(len(word) == 1 and HAN_ONE.fullmatch(word) for word in words)


HAN_ONE = re.compile(f"[{HAN}]")
