"""How the offline responder reads what is said to it: by patterns, in English and Chinese. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    r"吗\s*$|呢\s*$|^(请|麻烦)?(你)?(帮我|给我)?(查|找|搜|回忆|告诉我)"
)
FORGETTING = re.compile(
    r"\s*(please |now |just )*(forget|delete|erase|remove)"
    r" (that|this|it|what|where|who|when|how|about|my|me|everything|all|the)\b"
    r"|\s*((请|麻烦|帮我|现在|你)*(把.{1,40}(忘|删|抹)|忘掉|删掉|删除|抹掉|(忘了|忘记)(我|它|这|那|刚才))"
    r"|(请|麻烦|帮我)+(忘了|忘记))",
    re.IGNORECASE,
)
NOT_KEEPING = re.compile(
    r"(^|[.,;:!?\u2014-])\s*(please |and |but )*(don['\u2019]t|do not|never)"
    r" (remember|save|store|keep|record|memori[sz]e|note|write down) (this|that|it|any|my|what)\b"
    r"|(^|[，。；：！？,.;:!?\s]|请|麻烦)(但|你)?(别|不要|不用|不必|无需)(再|帮我|给我|把.{1,20})*"
    r"(记(住|下|录|得|这|它|进|了|$)|保存|存(下|储|起|这|它|$))",
    re.IGNORECASE,
)
"""Also after what isn't to be kept: "my PIN is 1234, don't save that"."""
WORK = re.compile(
    r"\s*(please )?(write|compose|draft|draw|sing|make|find|give|tell) me (a|an|some|another)\b"
    r"|\s*(please )?(translate|summari[sz]e|calculate|explain|rewrite|proofread) \S"
    r"|\s*(请|麻烦)?(你)?(帮我|给我|替我|为我)"
    r"(写|画|翻译|计算|算|总结|解释|生成|编|讲|唱|订|设计|推荐|润色)(?!了|过|的)"
    r"|\s*(请|麻烦)?(你)?(翻译|总结|写一?[首篇封段]|讲一?个|画一?[张幅]|唱一?首)(?!了|过|的)",
    re.IGNORECASE,
)
"""What only a model could do."""
REMINDING = re.compile(r"\bremind me\b|提醒我", re.IGNORECASE)
WHO_ARE_YOU = re.compile(
    r"\s*(so |and |hi,? )?((who|what) (exactly )?are you|what (can|do) you do|what are you good for"
    r"|how can you help( me)?|help( me)?)\W*"
    r"|\s*(你是(谁|什么.{0,4}|干什么的|做什么的)|你(能|会|可以)(帮我)?(做|干)(什么|啥|些什么|哪些事)"
    r"|你有(什么|哪些)(功能|本事|用)|帮助)\W*",
    re.IGNORECASE,
)
WHAT_IS_KNOWN = re.compile(
    r"\s*(so |and |please )*((tell me |show me )?(what|everything|all) (do |did |can |have )?you"
    r" (still |already |all )*(remember|know|recall|remembered|stored)( (of|about) (me|us))?"
    r"( so far| now| by now)?|what (have|did) i (already )?(told|tell) you( so far)?"
    r"|do you (still )?(remember|know) me)\W*"
    r"|\s*(请)?(告诉我)?你?(现在|目前|到底|究竟|都|还|已经)*(记得|记住|记|知道|了解)(了|着)?(关于)?(我)?"
    r"(的)?(些|哪些|什么|啥)(事|事情|信息|内容|东西)?(了|呢)?\W*"
    r"|\s*你?还?(记得|认识)我吗\W*|\s*我(都)?(跟|对|和)?你?(告诉|说)过?(了|你)*(些|哪些|什么)(事|事情)?\W*",
    re.IGNORECASE,
)
NO_SUBJECT_EN = frozenset(
    "a about am an and any anything are as at be been but by call called can could did do does else"
    " for from get go going had has have here how i if in is it its kind last let like long many me"
    " mine more most much my name new next no not now of old on one or our out please say should so"
    " some someone something sort tell than that the their them then there these they thing this"
    " those time to today tomorrow too two up us was we were what when where which who whom whose"
    " why will with would yesterday yet you your day week month year".split()
)
NO_SUBJECT_ZH = frozenset(
    "我你您他她它们自己的地得了着过吗呢吧啊呀嘛么是在有没不也都很就还要会能可以想该应这那个些什谁"
    "哪里儿几多少怎样如何为和与跟对把被给让从到上下来去看做用叫说知道记最今明昨天年月日号时候次现"
    "请帮找查告诉"
)
"""Words and characters that a question has, whatever it is about."""
WORD = re.compile(r"[a-z0-9]+(?:['\u2019][a-z]+)?")
ENDINGS = ("ing", "ies", "ed", "es", "ic", "y", "s", "e")
STEM = 3
"""Letters that are left of a word without its ending."""
SAME: Mapping[str, str] = {"mov": "liv", "搬": "住"}
"""Who asks where he lives is told where he has moved to."""
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


@dataclass(frozen=True, slots=True)
class Named:
    """What core memory says somebody is called."""

    name: str
    sentence: str
    """The one that says it."""


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


def asks_not_to_keep(text: str) -> bool:
    return NOT_KEEPING.search(text) is not None


def asks_for_work(text: str) -> bool:
    return WORK.match(text) is not None


def asks_for_reminder(text: str) -> bool:
    return REMINDING.search(text) is not None


def asks_who(text: str) -> bool:
    """Whether it asks what answers here, and what for."""
    return WHO_ARE_YOU.fullmatch(text) is not None


def asks_for_all(text: str) -> bool:
    """Whether it asks what is remembered at all, not for something."""
    return WHAT_IS_KNOWN.fullmatch(text) is not None


def tells_nothing(text: str) -> bool:
    """Whether there is nothing in it to remember."""
    return (
        courtesy(text) is not None
        or asks_to_forget(text)
        or asks_not_to_keep(text)
        or asks_for_work(text)
        or asks_who(text)
        or asks_for_all(text)
    )


def subjects(text: str) -> frozenset[str]:
    """What it is about: its words without their endings, and its Chinese characters, but for those
    that any text has."""
    low = text.lower()
    words = (one.replace("’", "'").partition("'")[0] for one in WORD.findall(low))
    stems = {stem(one) for one in words if one not in NO_SUBJECT_EN and len(one) > 1}
    found = stems.union(*HAN.findall(low)) - NO_SUBJECT_ZH
    return frozenset(SAME.get(one, one) for one in found)


def stem(word: str) -> str:
    cut = (word.removesuffix(end) for end in ENDINGS if word.endswith(end))
    return next((one for one in cut if len(one) >= STEM), word)


def name_told(text: str) -> str | None:
    """What somebody says they are called."""
    return first([*NAMES["en"], *NAMES["zh"]], text)


def says_more_than_a_name(text: str) -> bool:
    """Whether it tells something besides what somebody is called."""
    for pattern in (*NAMES["en"], *NAMES["zh"]):
        text = pattern.sub(" ", text, count=1)
    return bool(text.strip()) and courtesy(text) is None


def name_written(system: str) -> Named | None:
    """The name that was written into core memory last."""
    found = [one for pattern in WRITTEN_NAMES for one in pattern.finditer(system)]
    last = max(found, key=lambda one: one.start(), default=None)
    return None if last is None else Named(last[1].strip(), last[0])


def first(patterns: Sequence[re.Pattern[str]], text: str) -> str | None:
    found = (pattern.search(text) for pattern in patterns)
    return next((one[1].strip() for one in found if one), None)
