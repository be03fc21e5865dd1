"""How the offline responder reads what is said to it: by patterns, in English and Chinese. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from yiku.core.language import Language

Courtesy = Literal["hello", "thanks", "bye", "fine"]

WORDS_EN = re.compile(r"[a-z]+")
OTHER_WORDS = re.compile("[^\\W_a-z\u3400-\u9fff]")
NO_WORD = re.compile(r"[\W_]+")
"""Spaces, punctuation, emoji."""
HAN = re.compile("[\u3400-\u9fff]+")
COURTESIES_EN: Mapping[Courtesy, frozenset[str]] = {
    "thanks": frozenset("thanks thank thx ty cheers".split()),
    "bye": frozenset("bye goodbye goodnight night later soon".split()),
    "hello": frozenset("hi hello hey hiya morning evening afternoon".split()),
    "fine": frozenset(
        "ok okay alright sure fine yes yeah yep no nope great good nice cool perfect awesome wow"
        " lovely super haha hahaha lol hmm understood please sorry welcome right exactly".split()
    ),
}
"""One of them, and nothing but them and fillers: that is no message."""
FILLERS_EN = frozenset(
    "a again all and are back bit day everyone for got have help helpful helps i idea indeed"
    " is it its job just lot lots luck m many me much my of oh one problem really s see seems"
    " so sounds speak talk that the them then there they this time to too u very was well work"
    " yiku you your".split()
)
COURTESIES_ZH: Mapping[Courtesy, str] = {
    "thanks": "谢谢|多谢|感谢|谢了|谢啦|谢过|辛苦",
    "bye": "再见|拜拜|回头见|明天见|回见|晚安",
    "hello": "你好|您好|大家好|嗨|哈喽|哈啰|早上好|上午好|中午好|下午好|晚上好|早安|早",
    "fine": "好的|好|行|可以|嗯+|哦+|噢|哈哈+|呵呵+|嘿+|棒|赞|不错|厉害|明白|知道|懂|收到|了解|没事"
    "|没关系|不客气|不用谢|对|是的|没错|没问题|当然|抱歉|对不起",
}
FILLERS_ZH = (
    "啊|呀|呢|了|啦|吧|哦|的|你|您|我|大家|太|很|真|非常|十分|有|帮助|帮忙|帮|用"
    "|这|那|就|先|这样|都|也|是|高兴|认识"
)
SMALL_TALK_ZH = re.compile(f"(?:{'|'.join(COURTESIES_ZH.values())}|{FILLERS_ZH})+")
MOST_WORDS = 4
"""Of agreement: what is longer tells something."""
MOST_HAN = 8
HOW_ARE_YOU = re.compile(
    r"((hi|hello|hey)[\s,]+)?"
    r"(how are you( doing)?( today)?|how('s| is) it going|what('s|s| is) up)\W*"
    r"|(你好[，,\s]*)?(你好吗|最近好吗|你怎么样|最近怎么样|近来可好|在吗)\W*",
    re.IGNORECASE,
)
QUESTION_EN = re.compile(
    r"\s*(and |so |but |please )?"
    r"(who|whom|whose|what|what's|whats|when|where|why|how|which|do|does|did|is|are|was|were|am|"
    r"can|could|would|will|should|have|has|had|may|tell me|show me|find|search|look up|recall|"
    r"remind me (what|who|when|where|which|how|of))\b",
    re.IGNORECASE,
)
QUESTION_ZH = re.compile(
    r"什么|谁|哪|几[个点号月天岁次时]|多少|怎么|怎样|如何|为什么|为何|是否|有没有|是不是|能不能|记不记得|记得.*吗|"
    r"吗\s*$|呢\s*$|^(查|找|搜索|回忆|告诉我)"
)
FORGETTING = re.compile(
    r"\s*(please |now |just )*(forget|delete|erase|remove)"
    r" (that|this|it|what|about|my|me|everything|all|the)\b"
    r"|\s*(请|麻烦|帮我|现在)*(把.{1,40}(忘|删|抹)|(忘掉|删掉|删除|抹掉)|(忘了|忘记)(我|它|这|那|刚才))",
    re.IGNORECASE,
)
NAME = r"([^\W\d_][\w'’-]*(?: (?!I\b)[A-Z][\w'’-]*){0,2})"
NAMES: Mapping[Language, tuple[re.Pattern[str], ...]] = {
    "en": (
        re.compile(rf"\b(?i:my name(?:'s|’s| is)) {NAME}"),
        re.compile(rf"\b(?i:i(?:'m|’m| am) called) {NAME}"),
        re.compile(r"\b(?:please )?call me ([A-Z][\w'’-]*)"),
    ),
    "zh": (
        re.compile(r"我(?:的?名字)?(?:叫做?|是叫)([\u3400-\u9fff·A-Za-z]{1,12})"),
        re.compile(r"我的?名字是([\u3400-\u9fff·A-Za-z]{1,12})"),
    ),
}
WRITTEN_NAMES: tuple[re.Pattern[str], ...] = (
    re.compile(r"Their name is ([^.\n]+)\."),
    re.compile(r"对方名叫([^。\n]+)。"),
)
ASKS_FOR_NAME = re.compile(
    r"\b(my name|who am i|what am i called)\b|我叫什么|我的名字|我是谁|我名字", re.I
)


def courtesy(text: str) -> Courtesy | None:
    """Of which kind it is, where it says nothing to remember and asks for nothing; emoji too."""
    low = text.lower().replace("’", "'").strip()
    if NO_WORD.fullmatch(low):
        return "fine"
    if HOW_ARE_YOU.fullmatch(low):
        return "hello"
    asks = QUESTION_EN.match(low) and not low.startswith("have a ")
    if asks or low.endswith(("?", "？")) or OTHER_WORDS.search(low):
        return None
    han = HAN.findall(low)
    if not all(SMALL_TALK_ZH.fullmatch(one) for one in han):
        return None
    return kind_of(WORDS_EN.findall(low), "".join(han))


def kind_of(english: Sequence[str], han: str) -> Courtesy | None:
    known = frozenset[str]().union(*COURTESIES_EN.values(), FILLERS_EN)
    if not known.issuperset(english):
        return None
    brief = len(english) <= MOST_WORDS and len(han) <= MOST_HAN
    for kind, words in COURTESIES_EN.items():
        if words.intersection(english) or re.search(COURTESIES_ZH[kind], han):
            return kind if brief or kind != "fine" else None
    return None


def is_question(text: str) -> bool:
    return (
        text.rstrip().endswith(("?", "？"))
        or QUESTION_EN.match(text) is not None
        or QUESTION_ZH.search(text) is not None
    )


def asks_to_forget(text: str) -> bool:
    return FORGETTING.match(text) is not None


def name_told(text: str) -> str | None:
    """What somebody says they are called."""
    return first([*NAMES["en"], *NAMES["zh"]], text)


def says_more_than_a_name(text: str) -> bool:
    """Whether it tells something besides what somebody is called."""
    for pattern in (*NAMES["en"], *NAMES["zh"]):
        text = pattern.sub(" ", text, count=1)
    return courtesy(text) is None


def name_written(system: str) -> str | None:
    """The name that was written into core memory before."""
    return first(WRITTEN_NAMES, system)


def first(patterns: Sequence[re.Pattern[str]], text: str) -> str | None:
    found = (pattern.search(text) for pattern in patterns)
    return next((one[1].strip() for one in found if one), None)
