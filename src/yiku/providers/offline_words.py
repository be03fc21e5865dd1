"""What the offline responder says, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yiku.core.language import Language

HOW = "yiku model list"
"""Every full notice has these words, and nothing else that is said: so it is known again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    notice: str
    """{can}: what it does without a model."""
    keeps_and_finds: str
    keeps: str
    finds: str
    neither: str
    reminder: str
    small_talk: Mapping[str, str]
    """Answers to what is no message, by its kind."""
    invitation: str
    space: str
    """Between two sentences."""
    remembered: str
    """{text}"""
    noted: str
    """{text}"""
    not_kept: str
    not_forgotten: str
    """To who asks to forget: it was neither done nor stored."""
    left_alone: str
    """To who asks not to keep it."""
    no_work: str
    """To who asks for what only a model could do."""
    no_reminder: str
    not_searched: str
    found: str
    nothing: str
    latest: str
    """Before what was told last, where all that is remembered was asked for."""
    nothing_yet: str
    known: str
    """{name}"""
    failed: str
    """{why}"""
    called: str
    """{tools}"""
    named: str
    """{name}: what is written of somebody who says their name."""
    dated: str
    """{date}, {text}"""
    said_by: Mapping[str, str]


WORDS: Mapping[Language, Words] = {
    "en": Words(
        notice=(
            "No language model is configured, so I can't think about what you write: {can} To add"
            " one, set a model and its key, like"
            " `YIKU_MODEL=openai/gpt-4o-mini OPENAI_API_KEY=…`;"
            f" `{HOW}` shows which there are, local ones included."
        ),
        keeps_and_finds="I remember it, and find it again when you ask.",
        keeps="I can only store it.",
        finds="I can only search what was said and stored.",
        neither="and this agent has no memory tools, so I can't remember or find anything either.",
        reminder="(I am still without a language model.)",
        small_talk={
            "hello": "Hello!",
            "thanks": "You're welcome.",
            "bye": "Goodbye!",
            "fine": "All right.",
        },
        invitation="Tell me something to remember, or ask for what you told me.",
        space=" ",
        remembered="I'll remember that: “{text}”",
        noted="Noted, and always in sight from now on: “{text}”",
        not_kept="I haven't stored that: this agent has no tool for it.",
        not_forgotten=(
            "I can't tell what to forget, so I have forgotten nothing."
            " `yiku forget` hides memories, `yiku delete` erases them."
        ),
        left_alone=(
            "I haven't stored that as a memory. The message itself stays in our conversation, until"
            " that, or the agent, is deleted."
        ),
        no_work="I can't do that: it takes a language model. I haven't stored it, either.",
        no_reminder=(
            "I can't remind you of it by myself: `yiku schedule create` has a message sent when you"
            " say."
        ),
        not_searched="I can't look that up: this agent has no tool to search with.",
        found="This is what I remember of it:",
        nothing="I have found nothing about that in what I remember.",
        latest="This is what you told me last:",
        nothing_yet="You haven't told me anything to remember yet.",
        known="Your name is {name}.",
        failed="That didn't work: {why}",
        called="I called {tools}.",
        named="Their name is {name}.",
        dated="- {date}: “{text}”",
        said_by={"user": "you said", "assistant": "I said"},
    ),
    "zh": Words(
        notice=(
            "还没有配置语言模型，所以我不会思考，{can}要添加模型，请设置模型和密钥，"
            "例如 `YIKU_MODEL=kimi/kimi-k3 KIMI_API_KEY=…`；"
            f"`{HOW}` 会列出可用的模型，包括本地模型。"
        ),
        keeps_and_finds="只会记住你说的话，并在你问起时找出来。",
        keeps="只能把你说的话存下来。",
        finds="只能查找说过和存过的内容。",
        neither="而这个智能体也没有记忆工具，所以我既不能记住，也不能查找。",
        reminder="（仍未配置语言模型。）",
        small_talk={
            "hello": "你好！",
            "thanks": "不客气。",
            "bye": "再见！",
            "fine": "好的。",
        },
        invitation="告诉我要记住的事，或者问我你说过的话。",
        space="",
        remembered="我记住了：“{text}”",
        noted="已写入核心记忆：“{text}”",
        not_kept="我没有把它存下来：这个智能体没有可用的记忆工具。",
        not_forgotten=(
            "我判断不了该忘掉什么，所以什么都没有忘。"
            "`yiku forget` 可以隐藏记忆，`yiku delete` 可以彻底删除。"
        ),
        left_alone=(
            "我没有把它存成记忆。不过这条消息本身还在我们的对话记录里，删除对话或智能体之后才会消失。"
        ),
        no_work="这件事我做不了，需要语言模型。我也没有把它存下来。",
        no_reminder="到时候我不会主动提醒你；`yiku schedule create` 可以定时发送消息。",
        not_searched="我查不了：这个智能体没有可用的搜索工具。",
        found="我记得这些：",
        nothing="在我记得的内容里，没有找到相关的。",
        latest="你最近告诉我的有：",
        nothing_yet="你还没有告诉过我要记住的事。",
        known="你叫{name}。",
        failed="没有成功：{why}",
        called="已调用 {tools}。",
        named="对方名叫{name}。",
        dated="- {date}：“{text}”",
        said_by={"user": "你说过", "assistant": "我说过"},
    ),
}
