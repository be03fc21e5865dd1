"""Tools by which agents edit their core memory: deeds, exactly once, on the blocks they were shown.

The edits themselves are `memory.block_edits`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from yiku.core.block import Block
from yiku.core.errors import BlockNotFound, StaleBlock
from yiku.core.language import Language
from yiku.core.tool import ToolType
from yiku.memory import block_edits, blocks
from yiku.memory.blocks import Edit
from yiku.store import blocks as rows
from yiku.store.database import Tx
from yiku.tools.desk import TEXT, Desk, OwnTool, Param
from yiku.tools.own_words import some

AROUND = 2
"""Lines shown before and after those that an edit changed."""
LONGEST_PART = 2_000

LABEL = Param(name="label", schema=TEXT, en="The block's label.", zh="记忆块的标签。")


def edit(tx: Tx, desk: Desk, label: str, made: Edit, tool: str) -> str:
    """Edit the block the model was shown, and tell how the edited part reads now.

    Raises: BlockNotFound, StaleBlock, and what `made` raises.
    """
    shown = desk.block(label)
    try:
        now = blocks.edit_in(tx, shown, made, step_id=desk.step_id, reason=tool)
    except StaleBlock as error:
        raise conflict(shown, rows.get(tx, shown.id)) from error
    except BlockNotFound as error:
        raise BlockNotFound(
            f"Nothing was edited: somebody has deleted block {label!r} since it was shown to you.",
            zh=f"没有改动：记忆块 {label!r} 在显示给你之后被别人删除了。",
            label=label,
        ) from error
    desk.blocks[label] = now
    return edited(shown, now, desk.words)


def edited(before: Block, after: Block, words: Mapping[str, str]) -> str:
    """What an edit did, for the model that asked for it."""
    label = after.label
    if before.version == after.version:
        return words["same"].format(label=label)
    if not after.value:
        return words["emptied"].format(label=label)
    new = after.value.split("\n")
    first, _, last = difference(before.value.split("\n"), new)
    start, end = max(0, first - AROUND), min(len(new), last + AROUND)
    where = words[some("line", "lines", end - start)].format(first=start + 1, last=end)
    shown = part(new[start:end])
    return words["edited"].format(label=label, size=size_of(after, words), where=where, part=shown)


def size_of(block: Block, words: Mapping[str, str]) -> str:
    return words["size"].format(count=len(block.value), limit=block.content.limit)


def conflict(shown: Block, present: Block) -> StaleBlock:
    """Tells the model what somebody else has made of the block meanwhile."""
    return StaleBlock(
        conflict_words(shown, present, CONFLICT["en"]),
        zh=conflict_words(shown, present, CONFLICT["zh"]),
        block_id=present.id,
        seen=shown.version,
        label=shown.label,
    )


CONFLICT: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "changed": "Nothing was edited: somebody else has changed block {label!r} since it was"
        " shown to you (version {seen}; it is {now} now).",
        "same": "Its text is the same; its settings have changed.",
        "out": "Taken out:\n{part}",
        "in": "Put in:\n{part}",
        "label": "Its label is {label!r} now.",
        "again": "Make your edit again, on what it says now:",
    },
    "zh": {
        "changed": "没有改动：记忆块 {label!r} 在显示给你之后被别人改过"
        "（当时是版本 {seen}，现在是 {now}）。",
        "same": "它的文字没有变，变的是设置。",
        "out": "删去的内容：\n{part}",
        "in": "加入的内容：\n{part}",
        "label": "它的标签现在是 {label!r}。",
        "again": "请在现有内容的基础上重新编辑：",
    },
}


def conflict_words(shown: Block, present: Block, words: Mapping[str, str]) -> str:
    old, new = shown.value.split("\n"), present.value.split("\n")
    first, last_old, last_new = difference(old, new)
    changed = words["changed"]
    told = [changed.format(label=shown.label, seen=shown.version, now=present.version)]
    if old == new:
        told.append(words["same"])
    if last_old > first:
        told.append(words["out"].format(part=part(old[first:last_old])))
    if last_new > first:
        told.append(words["in"].format(part=part(new[first:last_new])))
    if present.label != shown.label:
        told.append(words["label"].format(label=present.label))
    told += [words["again"], present.value]
    return "\n".join(filter(None, told))


def difference(old: list[str], new: list[str]) -> tuple[int, int, int]:
    """The first line that differs, and where the difference ends in each of the two."""
    shortest = min(len(old), len(new))
    first = next((i for i in range(shortest) if old[i] != new[i]), shortest)
    same = next(
        (i for i in range(shortest - first) if old[-1 - i] != new[-1 - i]), shortest - first
    )
    return first, len(old) - same, len(new) - same


def part(lines: list[str]) -> str:
    text = "\n".join(lines)
    return text if len(text) <= LONGEST_PART else f"{text[:LONGEST_PART]}…"


def core_memory_append(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    made = partial(block_edits.core_memory_append, content=given["content"])
    return edit(tx, desk, given["label"], made, "core_memory_append")


def core_memory_replace(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    made = partial(
        block_edits.core_memory_replace,
        old_content=given["old_content"],
        new_content=given["new_content"],
    )
    return edit(tx, desk, given["label"], made, "core_memory_replace")


def core_memory_update(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    made = partial(block_edits.memory_rethink, new_memory=given["content"])
    return edit(tx, desk, given["label"], made, "core_memory_update")


def memory_insert(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    made = partial(
        block_edits.memory_insert,
        new_str=given["new_str"],
        insert_line=given.get("insert_line", block_edits.END),
    )
    return edit(tx, desk, given["label"], made, "memory_insert")


def memory_replace(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    made = partial(block_edits.memory_replace, old_str=given["old_str"], new_str=given["new_str"])
    return edit(tx, desk, given["label"], made, "memory_replace")


def memory_rethink(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    made = partial(block_edits.memory_rethink, new_memory=given["new_memory"])
    return edit(tx, desk, given["label"], made, "memory_rethink")


def rethink_user_memory(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    made = partial(block_edits.memory_rethink, new_memory=given["new_memory"])
    return edit(tx, desk, "human", made, "rethink_user_memory")


def finished(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    return desk.words["finished"]


EDITS = (
    OwnTool(
        name="core_memory_append",
        tool_type=ToolType.MEMORY,
        en="Add a line at the end of a block of your core memory.",
        zh="在核心记忆的一个记忆块末尾添加一行。",
        params=(
            LABEL,
            Param(
                name="content",
                schema=TEXT,
                en="What to add. Any language, emoji too.",
                zh="要添加的内容,任何语言均可,也可用表情符号。",
            ),
        ),
        deed=core_memory_append,
    ),
    OwnTool(
        name="core_memory_replace",
        tool_type=ToolType.MEMORY,
        en="Replace text in a block of your core memory, in each place where it stands. An empty"
        " new_content takes it out.",
        zh="替换核心记忆的一个记忆块中的文字,凡出现之处都替换。new_content 为空即删除。",
        params=(
            LABEL,
            Param(
                name="old_content",
                schema=TEXT,
                en="The text to replace, exactly as it is there.",
                zh="要替换的文字,须与块中完全一致。",
            ),
            Param(name="new_content", schema=TEXT, en="What takes its place.", zh="替换成什么。"),
        ),
        deed=core_memory_replace,
    ),
    OwnTool(
        name="core_memory_update",
        tool_type=ToolType.MEMORY,
        en="Replace the whole text of a block of your core memory. What you leave out is gone from"
        " it.",
        zh="替换核心记忆的一个记忆块的全部内容。没有写进来的内容就不再保留。",
        params=(
            LABEL,
            Param(name="content", schema=TEXT, en="The whole new text.", zh="完整的新内容。"),
        ),
        deed=core_memory_update,
    ),
    OwnTool(
        name="memory_insert",
        tool_type=ToolType.SLEEPTIME,
        en="Insert lines into a block of your core memory, at a place that you name.",
        zh="在核心记忆的一个记忆块中指定的位置插入若干行。",
        params=(
            LABEL,
            Param(
                name="new_str",
                schema=TEXT,
                en="What to insert, without line numbers.",
                zh="要插入的内容,不要带行号。",
            ),
            Param(
                name="insert_line",
                schema={"type": "integer", "default": -1},
                en="After which line: 0 is before the first line, -1 (the default) the end.",
                zh="插在第几行之后:0 为第一行之前,-1(默认)为末尾。",
                required=False,
            ),
        ),
        deed=memory_insert,
    ),
    OwnTool(
        name="memory_replace",
        tool_type=ToolType.SLEEPTIME,
        en="Replace text in a block of your core memory, in the one place where it stands. To take"
        " it out, let new_str be empty.",
        zh="替换核心记忆的一个记忆块中的一处文字,该文字在块中只能出现一次。new_str 为空即删除。",
        params=(
            LABEL,
            Param(
                name="old_str",
                schema=TEXT,
                en="The text to replace, exactly as it is there, with spaces and line breaks and"
                " without line numbers. It must stand there once: give enough of the text around.",
                zh="要替换的文字,须与块中完全一致(包括空格和换行,不要带行号),"
                "并且只出现一次:请带上足够的上下文。",
            ),
            Param(
                name="new_str",
                schema=TEXT,
                en="What takes its place, without line numbers.",
                zh="替换成什么,不要带行号。",
            ),
        ),
        deed=memory_replace,
    ),
    OwnTool(
        name="memory_rethink",
        tool_type=ToolType.SLEEPTIME,
        en="Write a block of your core memory anew: condense it, put it in order, bring together"
        " what belongs together. For small changes use memory_replace or memory_insert.",
        zh="重写核心记忆的一个记忆块:精简、整理、合并。小的改动请用 memory_replace 或"
        " memory_insert。",
        params=(
            LABEL,
            Param(
                name="new_memory",
                schema=TEXT,
                en="The whole new text, with all that is to be kept, without line numbers.",
                zh="完整的新内容,须包含所有要保留的信息,不要带行号。",
            ),
        ),
        deed=memory_rethink,
    ),
    OwnTool(
        name="memory_finish_edits",
        tool_type=ToolType.SLEEPTIME,
        en="Say that you are done with editing memory.",
        zh="表示记忆编辑已经完成。",
        deed=finished,
    ),
    OwnTool(
        name="rethink_user_memory",
        tool_type=ToolType.VOICE_SLEEPTIME,
        en="Write the block `human`, which holds what is known of the user, anew.",
        zh="重写记忆块 human,其中保存着关于用户的信息。",
        params=(
            Param(
                name="new_memory",
                schema=TEXT,
                en="The whole new text: what was there and is still true, and what is new.",
                zh="完整的新内容:原有且仍然属实的信息,加上新的信息。",
            ),
        ),
        deed=rethink_user_memory,
    ),
    OwnTool(
        name="finish_rethinking_memory",
        tool_type=ToolType.VOICE_SLEEPTIME,
        en="Say that you are done with what is known of the user.",
        zh="表示用户信息已经整理完成。",
        deed=finished,
    ),
)
