"""The edits of a block's value that agents' memory tools make; pure.

Each takes a block and returns what its value becomes; a refusal tells the model what to do instead.
Lines are counted from 1, as `core.block.numbered` shows them; what ends with a line break has an
empty line after it.
"""

from __future__ import annotations

import re

from yiku.core.block import ARROW, NUMBERS_NOTES, Block
from yiku.core.errors import BlockReadOnly, EditRefused

NUMBER = re.compile(rf"^[ \t]*\d+{ARROW}", re.MULTILINE)
END = -1


def core_memory_append(block: Block, content: str) -> str:
    """Add a line at the end; in an empty block it is the first. Raises: BlockReadOnly."""
    check_editable(block)
    return f"{block.value}\n{content}" if block.value else content


def core_memory_replace(block: Block, old_content: str, new_content: str) -> str:
    """Replace every place where the old text stands. Raises: BlockReadOnly, EditRefused."""
    check_editable(block)
    check_given("old_content", old_content)
    if old_content not in block.value:
        raise missing(block, "old_content", old_content)
    return block.value.replace(old_content, new_content)


def memory_insert(block: Block, new_str: str, insert_line: int = END) -> str:
    """Put lines after line `insert_line`; 0: before the first, -1: after the last.

    Raises: BlockReadOnly, EditRefused.
    """
    check_editable(block)
    check_plain("new_str", new_str)
    lines = block.value.split("\n")
    if insert_line == END:
        insert_line = len(lines)
    if not 0 <= insert_line <= len(lines):
        raise EditRefused(
            f"Nothing was inserted: block {block.label!r} has lines 1 to {len(lines)}, so"
            f" insert_line is 0 (before the first) to {len(lines)} (after the last), or -1 for the"
            f" end; it was {insert_line}.",
            zh=f"没有插入：记忆块 {block.label!r} 有第 1 至 {len(lines)} 行，insert_line 应为 0"
            f"（首行之前）至 {len(lines)}（末行之后），或 -1 表示末尾；给出的是 {insert_line}。",
            field="insert_line",
            label=block.label,
        )
    if not block.value:
        return new_str  # its one line is there to be written on
    return "\n".join([*lines[:insert_line], *new_str.split("\n"), *lines[insert_line:]])


def memory_replace(block: Block, old_str: str, new_str: str) -> str:
    """Replace the one place where `old_str` stands; an empty `new_str` takes it out.

    Raises: BlockReadOnly, EditRefused.
    """
    check_editable(block)
    check_plain("old_str", old_str)
    check_plain("new_str", new_str)
    check_given("old_str", old_str)
    places = starts(block.value, old_str)
    if not places:
        raise missing(block, "old_str", old_str)
    if len(places) > 1:
        lines = sorted({block.value.count("\n", 0, at) + 1 for at in places})
        where = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(map(str, lines))}"
        raise EditRefused(
            f"Nothing was replaced: old_str {shown(old_str)} stands {len(places)} times in block"
            f" {block.label!r}, in {where}. Give more of the text around the place you mean,"
            " so that it stands there once.",
            zh=f"没有替换：old_str {shown(old_str)} 在记忆块 {block.label!r} 中出现了"
            f" {len(places)} 次，在第 {'、'.join(map(str, lines))} 行。"
            "请带上更多上下文，使它只出现一次。",
            field="old_str",
            label=block.label,
            lines=lines,
        )
    [at] = places
    return block.value[:at] + new_str + block.value[at + len(old_str) :]


def memory_rethink(block: Block, new_memory: str) -> str:
    """Write the whole value anew. Raises: BlockReadOnly, EditRefused."""
    check_editable(block)
    check_plain("new_memory", new_memory)
    return new_memory


def starts(text: str, part: str) -> list[int]:
    """Where `part` begins in `text`; places that overlap count each."""
    found: list[int] = []
    at = text.find(part)
    while at >= 0:
        found.append(at)
        at = text.find(part, at + 1)
    return found


def check_editable(block: Block) -> None:
    """Raises: BlockReadOnly."""
    if block.content.read_only:
        raise BlockReadOnly(
            f"Block {block.label!r} is read-only: you can read it and not edit it. Put what you"
            " want to keep into another block.",
            zh=f"记忆块 {block.label!r} 是只读的：可以看，不能改。要保留的内容请写入别的记忆块。",
            label=block.label,
        )


def check_given(field: str, text: str) -> None:
    """Raises: EditRefused."""
    if not text:
        raise EditRefused(
            f"Nothing was replaced: {field} is empty. Give the text that is to be replaced; to add"
            " text, insert or append it.",
            zh=f"没有替换：{field} 是空的。请给出要替换的文字；要添加文字，请用插入或追加。",
            field=field,
        )


def check_plain(field: str, text: str) -> None:
    """Raises: EditRefused where line numbers of the display were taken for text."""
    found = NUMBER.search(text)
    if found or any(note in text for note in NUMBERS_NOTES.values()):
        what = f"a line number ({found[0].strip()!r})" if found else "the note on line numbers"
        was = f"行号（{found[0].strip()!r}）" if found else "关于行号的说明"
        raise EditRefused(
            f"Nothing was changed: {field} contains {what}, which is shown to help you edit and is"
            " not in the block. Give the text alone.",
            zh=f"没有改动：{field} 中有{was}，那只是为方便编辑而显示的，"
            "不在记忆块里。请只给出正文。",
            field=field,
        )


def missing(block: Block, field: str, text: str) -> EditRefused:
    return EditRefused(
        f"Nothing was replaced: {field} {shown(text)} does not stand in block {block.label!r}."
        " It must be given exactly as it is there, with spaces, punctuation and line breaks.",
        zh=f"没有替换：记忆块 {block.label!r} 中没有 {field} {shown(text)}。"
        "必须与块中完全一致，包括空格、标点和换行。",
        field=field,
        label=block.label,
    )


def shown(text: str, longest: int = 200) -> str:
    return repr(text) if len(text) <= longest else f"{text[:longest]!r}…"
