"""Whether somebody says that a memory is wrong, or only that things have changed. Pure.

"I live in Shanghai now" ends a memory that was true: no skill is to blame. "No, I said Shanghai"
says that it never was. Only what says so in words counts.
"""

from __future__ import annotations

import re

from yiku.core.skill import FeedbackKind

CORRECTS = re.compile(
    r"^\W*(?:no|nope|wrong|incorrect|correction|corrected)\b"
    r"(?! (?:longer|one|problem|worries|need))"
    r"|\b(?:that|this|it)(?:'s| is| was)(?: all| just| simply)?"
    r" (?:wrong|incorrect|not (?:right|correct|what i (?:said|meant)))\b"
    r"|\b(?:got|have|had|remember(?:ed)?|wrote|noted) .{1,40}\bwrong\b"
    r"|\bi (?:meant|misspoke|made a mistake|didn't say|never said|said .{1,60}, not)\b"
    r"|\bmixed (?:that |it |them )?up\b|\bmisunderst(?:ood|anding)\b|\bto correct\b|\bcorrects\b"
    r"|\bnot .{1,60}, but\b|\b(?:and|,|\() ?not (?:on |in |at |the )?\w+(?: \w+)?[.)!]?$"
    r"|\b(?:isn't|wasn't|aren't) .{1,60}[,;] (?:it|he|she|they|i)(?:'s|'m|'re| is| was)\b"
    r"|不对|错了|搞错|弄错|记错|说错|写错|听错|误会|更正|纠正|没(?:有)?说过|我(?:是说|的意思是)"
    r"|不是.{1,30}[，,]\s*(?:而)?是|(?:而|[，,（(]\s*)不是|不准确",
    re.IGNORECASE,
)
DENIES = re.compile(
    r"\b(?:that|this|it)(?:'s| is)(?: simply| just)? not true\b"
    r"|\bi never\b|\bi(?:'ve| have) never\b|\b(?:the )?user (?:has )?never\b"
    r"|\bi (?:don't|do not) (?:have|own|like|work|live|drink|eat|play)\b.{0,60}\bat all\b"
    r"|\bwho told you\b|从来没|从没|从不|根本(?:没|不)|并(?:没有|不)"
    r"|不是真的|没这回事|没有的事|谁说的",
    re.IGNORECASE,
)
CHANGES = re.compile(
    r"\b(?:no longer|any ?more|these days|nowadays|recently|moved|switched|changed|became|used to"
    r"|quit|stopped|sold|since (?:last|yesterday|then|monday)|now)\b"
    r"|不再|现在|如今|最近|搬(?:到|家|去)|改(?:成|为|用)|换(?:成|了)|以前|戒了|卖了|辞职|已经",
    re.IGNORECASE,
)


def judgement(content: str) -> FeedbackKind | None:
    """What a text that ended a memory says of it; None: that things have changed, or nothing."""
    if CORRECTS.search(content):
        return FeedbackKind.CORRECTED
    if DENIES.search(content) and not CHANGES.search(content):
        return FeedbackKind.CONTRADICTED
    return None
