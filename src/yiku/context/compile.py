"""All that a model is shown, made of an agent's state and its conversation; pure.

From what changes least to what changes most: instructions, blocks, rules and what is known of the
memory outside the window; then the summary, then messages, and before the user's last words what
the memory of roles tells. So a provider's prompt cache serves all but the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Literal
from xml.sax.saxutils import quoteattr
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from yiku.context import files
from yiku.context.conversation import HEADING, conversation, summary_note, time_of
from yiku.core.agent import AgentState
from yiku.core.block import NUMBERS_NOTES, Block, numbered
from yiku.core.language import Language, language_of
from yiku.core.message import Message, MessageRole, Summary, Utterance
from yiku.core.model import Prompt, Sampling, ToolSpec

BLOCKS_PLACE = "{CORE_MEMORY}"
"""Where instructions want the blocks; else they come after them."""
MAX_TAGS = 50
"""Tags of archival memory that are told."""

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "notes": "Notes in <system> tags between messages come from the server, not from the user:"
        " times (time zone: {zone}), memories, summaries.",
        "summary": f"{HEADING} tells of messages that are no longer shown.",
        "changed": "Your memory blocks were last changed at {at}.",
        "recall": "{count} earlier messages can be found with `conversation_search`.",
        "archival": "Archival memory holds {count} passages; find them with"
        " `archival_memory_search`.",
        "tags": "Tags in archival memory: {tags}.",
        "comma": ", ",
    },
    "zh": {
        "notes": "消息之间 <system> 标签里的内容来自服务器，不是用户说的：时间（时区：{zone}）、"
        "记忆、摘要。",
        "summary": f"{HEADING} 是对不再显示的消息的摘要。",
        "changed": "你的记忆块最近一次改动于 {at}。",
        "recall": "还有 {count} 条较早的消息，可用 `conversation_search` 查找。",
        "archival": "归档记忆中有 {count} 段内容，可用 `archival_memory_search` 查找。",
        "tags": "归档记忆的标签：{tags}。",
        "comma": "、",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowView:
    """What the prompt tells besides the agent's state: a snapshot, which the caller renews when it
    is worth a new prefix. What is None or empty isn't told."""

    numbered: bool = True
    """Values of blocks have line numbers, where the agent may edit them."""
    language: Language | None = None
    """Of our own words; None: the instructions'."""
    rules: tuple[str, ...] = ()
    """The tool rules in words."""
    recall_count: int | None = None
    """Messages that aren't in the context."""
    archival_count: int | None = None
    archival_tags: tuple[str, ...] = ()
    changed_at: datetime | None = None
    """When the agent's blocks were changed last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The parts of a system prompt; an empty one isn't there."""

    instructions: str
    blocks: str
    rules: str
    memory: str
    files: str = ""

    @property
    def text(self) -> str:
        instructions, blocks = self.instructions, self.blocks
        if BLOCKS_PLACE in instructions:
            instructions, blocks = instructions.replace(BLOCKS_PLACE, blocks), ""
        return "\n\n".join(
            part.strip()
            for part in (instructions, blocks, self.rules, self.memory, self.files)
            if part.strip()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a prompt is to be answered."""

    tools: Sequence[ToolSpec] = ()
    tool_choice: Literal["auto", "required", "none"] | str = "auto"
    sampling: Sampling = field(default_factory=Sampling)


def prompt(
    state: AgentState,
    view: WindowView,
    messages: Sequence[Message],
    asking: Asking,
    *,
    summary: Summary | None = None,
    roles: str = "",
    system: str | None = None,
) -> Prompt:
    """All that a model is shown.

    `messages`: those in the context, oldest first. A first one that holds compiled instructions
    isn't shown again; one of role summary isn't where there is a `summary`. `roles`: what the
    memory of roles tells. `system`: in place of the compiled instructions.
    """
    language = language_for(state, view)
    if messages and is_instructions(messages[0]):
        messages = messages[1:]
    head: list[Utterance] = []
    if summary is not None and summary.text.strip():
        messages = [one for one in messages if one.role is not MessageRole.SUMMARY]
        head.append(summary_note(summary.text))
    zone = zone_of(state.agent.config.timezone)
    return Prompt(
        system=system_prompt(state, view) if system is None else system,
        messages=(*head, *conversation(messages, language, zone, roles=roles)),
        tools=asking.tools,
        tool_choice=asking.tool_choice,
        sampling=asking.sampling,
    )


def is_instructions(one: Message) -> bool:
    """Whether a conversation's first message holds the compiled instructions: no run said it."""
    return one.role is MessageRole.SYSTEM and one.run_id is None


def system_prompt(state: AgentState, view: WindowView) -> str:
    """The instructions, compiled. They change with what they are made of, and with nothing else."""
    return sections(state, view).text


def sections(state: AgentState, view: WindowView) -> Sections:
    language = language_for(state, view)
    rules = "\n".join(["<tool_rules>", *(f"- {one}" for one in view.rules), "</tool_rules>"])
    return Sections(
        instructions=state.agent.config.system,
        blocks=blocks_text(state.blocks, numbers=view.numbered, language=language),
        rules=rules if view.rules else "",
        memory=memory_text(state, view, language),
        files=files.directories_text(
            state.folders,
            max_open=state.agent.config.files_open,
            view_chars=state.agent.config.view_chars,
            language=language,
        ),
    )


def language_for(state: AgentState, view: WindowView) -> Language:
    """That of the instructions; of description and blocks, where those say nothing."""
    if view.language is not None:
        return view.language
    config = state.agent.config
    rest = language_of([config.description or "", *(block.value for block in state.blocks)])
    return language_of([config.system], default=rest)


def blocks_text(blocks: Sequence[Block], *, numbers: bool, language: Language) -> str:
    """Values stand as they are, without any escaping: edits must name them to the letter."""
    if not blocks:
        return ""
    editable = numbers and not all(block.content.read_only for block in blocks)
    note = [NUMBERS_NOTES[language]] if editable else []
    shown = (block_text(block, numbers=numbers) for block in blocks)
    return "\n".join(["<memory_blocks>", *note, *shown, "</memory_blocks>"])


def block_text(block: Block, *, numbers: bool) -> str:
    content = block.content
    size = f'chars_current="{len(content.value)}" chars_limit="{content.limit}"'
    read_only = ' read_only="true"' if content.read_only else ""
    told = (content.description or "").strip()
    value = numbered(content.value) if numbers and not content.read_only else content.value
    return "\n".join(
        [
            f"<block label={quoteattr(content.label)} {size}{read_only}>",
            *([f"<description>{told}</description>"] if told else []),
            f"<value>\n{value}\n</value>",
            "</block>",
        ]
    )


def memory_text(state: AgentState, view: WindowView, language: Language) -> str:
    """What there is outside the window, and how it is found: only what the agent has tools for."""
    words, zone = WORDS[language], state.agent.config.timezone
    lines = [words["notes"].format(zone=zone), words["summary"]]
    if view.changed_at is not None:
        at = time_of(view.changed_at, zone_of(zone), language)
        lines.append(words["changed"].format(at=at))
    if view.recall_count and state.tool("conversation_search"):
        lines.append(words["recall"].format(count=view.recall_count))
    if view.archival_count and state.tool("archival_memory_search"):
        lines.append(words["archival"].format(count=view.archival_count))
        if view.archival_tags:
            tags = words["comma"].join(sorted(view.archival_tags)[:MAX_TAGS])
            lines.append(words["tags"].format(tags=tags))
    return "\n".join(["<memory_metadata>", *(f"- {line}" for line in lines), "</memory_metadata>"])


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """The time zone of this IANA name; UTC where this machine doesn't know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
