"""What the offline responder says and listens for, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]

CJK = re.compile(r"[\u3400-\u9fff]")
HOW = "yiku model list"
"""Every full notice has these words, and nothing else that is said: so it is known again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    notice: str
    reminder: str
    hello: str
    remembered: str  # {text}
    noted: str  # {text}
    found: str
    nothing: str
    known: str  # {name}
    failed: str  # {why}
    done: str
    named: str  # {name}: what is written of somebody who says their name
    dated: str  # {date}, {text}
    said_by: dict[str, str]


WORDS: dict[Language, Words] = {
    "en": Words(
        notice=(
            "No language model is configured, so I can't think about what you write: I remember it,"
            " and find it again when you ask. To add one, set a model and its key, like"
            " `YIKU_MODEL=openai/gpt-4o-mini OPENAI_API_KEY=…`;"
            f" `{HOW}` shows which there are, local ones included."
        ),
        reminder="(I am still without a language model.)",
        hello="Hello! Tell me something to remember, or ask for what you told me.",
        remembered="I'll remember that: “{text}”",
        noted="Noted, and always in sight from now on: “{text}”",
        found="This is what I remember of it:",
        nothing="I remember nothing about that.",
        known="Your name is {name}.",
        failed="That didn't work: {why}",
        done="Done.",
        named="Their name is {name}.",
        dated="- {date}: “{text}”",
        said_by={"user": "you said", "assistant": "I said"},
    ),
    "zh": Words(
        notice=(
            "还没有配置语言模型，所以我不会思考，只会记住你说的话，并在你问起时找出来。要添加模型，请设置模型和密钥，"
            "例如 `YIKU_MODEL=kimi/kimi-k3 KIMI_API_KEY=…`；"
            f"`{HOW}` 会列出可用的模型，包括本地模型。"
        ),
        reminder="（仍未配置语言模型。）",
        hello="你好！告诉我要记住的事，或者问我你说过的话。",
        remembered="我记住了：“{text}”",
        noted="已写入核心记忆：“{text}”",
        found="我记得这些：",
        nothing="关于这件事，我没有记忆。",
        known="你叫{name}。",
        failed="没有成功：{why}",
        done="完成了。",
        named="对方名叫{name}。",
        dated="- {date}：“{text}”",
        said_by={"user": "你说过", "assistant": "我说过"},
    ),
}

GREETING = re.compile(
    r"\s*(hi|hello|hey|hiya|good (morning|evening|day|night)|thanks?( you)?|thx|ok(ay)?|bye|"
    r"goodbye|"
    r"你好|您好|嗨|哈喽|早上好|早|晚上好|晚安|谢谢|多谢|好的?|嗯+|再见|拜拜)"
    r"([,， ]*(there|yiku|again|so much|very much|a lot|啊|呀|呢|了|你|您))*[\s!！.。,，~～]*",
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
NAME = r"([^\W\d_][\w'’-]*(?: (?!I\b)[A-Z][\w'’-]*){0,2})"
NAMES: dict[Language, tuple[re.Pattern[str], ...]] = {
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


def language_of(text: str) -> Language:
    return "zh" if CJK.search(text) else "en"


def is_greeting(text: str) -> bool:
    return GREETING.fullmatch(text) is not None


def is_question(text: str) -> bool:
    return (
        text.rstrip().endswith(("?", "？"))
        or QUESTION_EN.match(text) is not None
        or QUESTION_ZH.search(text) is not None
    )


def name_told(text: str) -> str | None:
    """What somebody says they are called."""
    return first(NAMES[language_of(text)], text)


def name_written(system: str) -> str | None:
    """The name that was written into core memory before."""
    return first(WRITTEN_NAMES, system)


def first(patterns: Sequence[re.Pattern[str]], text: str) -> str | None:
    found = (pattern.search(text) for pattern in patterns)
    return next((one[1].strip() for one in found if one), None)
