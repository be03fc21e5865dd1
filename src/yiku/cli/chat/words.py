"""What `yiku chat` says to people, in English and in Chinese."""

from __future__ import annotations

import locale
from dataclasses import dataclass
from typing import Any, get_args

import click

from yiku.core.language import Language

LANGUAGES: tuple[Language, ...] = get_args(Language)
LOCALE_VARIABLES = ["LC_ALL", "LC_MESSAGES", "LANG"]
"""The first that is set counts, as POSIX has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Texts with `{}` are formats."""

    language: Language
    persona: str
    """The first value of a new agent's block of that label."""
    made: str
    hint: str
    help: str
    unknown: str
    nothing_to_undo: str
    undone: str
    stale: str
    no_blocks: str
    empty: str
    new_block: str
    gone_block: str
    more_lines: str
    cancelled: str
    cancelling: str
    left: str
    max_steps: str
    cut_off: str
    stopped: str
    compacted: str
    asks: str
    choices: str
    why_not: str
    arguments: str
    no_object: str
    waits: str
    still_waits: str
    nothing_waits: str
    again_to_end: str
    failed: str


EN = Words(
    language="en",
    persona="I am a helpful assistant. I remember what matters to the person I talk with.",
    made="made a new agent, {}",
    hint="/help shows the commands, Ctrl-D ends",
    help="""\
/memory [LABEL]  what the agent keeps in mind: its memory blocks
/undo            take back its last memory edit; again: the one before
/context         what fills its context window
/approve         allow the tool calls that wait
/deny [REASON]   refuse them
/quit            end; the agent remembers (Ctrl-D does it too)
Ctrl-C cancels an answer. A line that ends with \\ goes on in the next.""",
    unknown="there is no command {}; /help shows them. To say it, put a space before it.",
    nothing_to_undo="no memory edit of this chat is left to take back",
    undone="{} is as it was before",
    stale="{} has changed since; nothing was taken back",
    no_blocks="it has no memory blocks",
    empty="(empty)",
    new_block="new",
    gone_block="gone",
    more_lines="… {} more lines",
    cancelled="cancelled",
    cancelling="cancelling … (Ctrl-C again: stop waiting)",
    left="no longer waited for; the run may go on",
    max_steps="stopped after {} steps; say something to go on",
    cut_off="the answer was cut off at the model's limit",
    stopped="stopped: {}",
    compacted="older messages gave way to a summary ({} → {} messages)",
    asks="wants to call {}",
    choices="allow? y yes, n no, e edit, a all of them: ",
    why_not="why not (the agent is told; may be empty): ",
    arguments="arguments as JSON: ",
    no_object='that is no JSON object; write {"name": "value"}',
    waits="{} waits for approval; go on with: yiku chat {} --message /approve (or /deny)",
    still_waits="a tool call waits for your approval: /approve or /deny",
    nothing_waits="no tool call waits",
    again_to_end="Ctrl-C again ends",
    failed="the answer failed: {}",
)

ZH = Words(
    language="zh",
    persona="我是一个乐于助人的助手，会记住和我说话的人在意的事。",
    made="新建了智能体 {}",
    hint="/help 查看命令，Ctrl-D 结束",
    help="""\
/memory [标签]   智能体记在心上的内容：它的记忆块
/undo            撤销它最近一次记忆改动；再来一次，撤销更早的一次
/context         上下文窗口里装了什么
/approve         允许正在等待的工具调用
/deny [理由]     拒绝它们
/quit            结束；智能体会记得（Ctrl-D 也一样）
Ctrl-C 取消正在进行的回答。以 \\ 结尾的一行，下一行接着写。""",
    unknown="没有 {} 这个命令；/help 列出所有命令。若想原样说出来，在前面加一个空格。",
    nothing_to_undo="这次聊天里没有可以撤销的记忆改动了",
    undone="{} 已恢复原样",
    stale="{} 之后又有改动，没有撤销",
    no_blocks="它没有记忆块",
    empty="（空）",
    new_block="新建",
    gone_block="删除",
    more_lines="… 还有 {} 行",
    cancelled="已取消",
    cancelling="正在取消……（再按一次 Ctrl-C：不再等待）",
    left="不再等待；它可能仍在运行",
    max_steps="走了 {} 步后停下；再说一句就会继续",
    cut_off="回答到了模型的长度上限，被截断了",
    stopped="停止：{}",
    compacted="较早的消息已压缩成摘要（{} → {} 条）",
    asks="想调用 {}",
    choices="允许吗？y 允许，n 拒绝，e 修改参数，a 全部允许：",
    why_not="为什么拒绝（会告诉智能体；可以留空）：",
    arguments="参数（JSON）：",
    no_object='这不是 JSON 对象；应写成 {"名称": "值"}',
    waits="{} 正等待批准；接着运行：yiku chat {} --message /approve（或 /deny）",
    still_waits="有工具调用正等待你批准：/approve 或 /deny",
    nothing_waits="没有等待批准的工具调用",
    again_to_end="再按一次 Ctrl-C 结束",
    failed="回答失败：{}",
)


def words(language: Language) -> Words:
    return ZH if language == "zh" else EN


def language_of(given: str | None) -> Language:
    """Of a locale's name: `zh_CN.UTF-8` or, on Windows, `Chinese (Simplified)_China`."""
    name = (given or locale.getlocale()[0] or "").lower()
    return "zh" if name.startswith(("zh", "chinese")) else "en"


def chosen(ctx: click.Context, param: click.Parameter, value: str | None) -> Language:
    source = ctx.get_parameter_source(param.name or "")
    if source is click.core.ParameterSource.COMMANDLINE and value not in LANGUAGES:
        raise click.BadParameter(f"{value!r} isn't spoken here; en and zh are", ctx, param)
    return language_of(value)


def language_option(function: Any) -> Any:
    return click.option(
        "--lang",
        metavar="|".join(LANGUAGES),
        envvar=LOCALE_VARIABLES,
        callback=chosen,
        help="Default: the locale's language.",
    )(function)
