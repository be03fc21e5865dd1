"""The tool `memory`: all that can be done with core memory's blocks, by one name. A deed.

Blocks are named as files are: `/memories/human` is the block `human`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from yiku.core.block import Block, BlockContent, numbered
from yiku.core.errors import InvalidTool, LabelTaken
from yiku.core.tool import ToolType
from yiku.memory import block_edits, blocks
from yiku.store import agents, attachments
from yiku.store import blocks as rows
from yiku.store.database import Tx
from yiku.tools.desk import TEXT, Desk, OwnTool, Param
from yiku.tools.own_memory import conflict, edit, size_of

FOLDER = "/memories"
NAME = "memory"

Given = Mapping[str, Any]


def memory(tx: Tx, desk: Desk, given: Given) -> str:
    """Raises: InvalidTool, and what the command raises."""
    return COMMANDS[given["command"]](tx, desk, given)


def view(tx: Tx, desk: Desk, given: Given) -> str:
    label = label_in(given.get("path", ""))
    if label:
        block = desk.block(label)
        return f"{path_of(label)} ({size_of(block, desk.words)}):\n{numbered(block.value)}"
    lines = [
        f"{path_of(one.label)} ({size_of(one, desk.words)}) {one.content.description or ''}"
        for one in map(desk.block, desk.labels())
    ]
    return "\n".join(line.rstrip() for line in lines) or desk.words["no_blocks"]


def create(tx: Tx, desk: Desk, given: Given) -> str:
    label = label_in(need(given, "path"))
    attachments.hold(tx, desk.agent_id)
    demand_free(label, [*desk.labels(), *(b.label for b in agents.blocks_of(tx, desk.agent_id))])
    content = BlockContent(
        label=label, value=given.get("file_text", ""), description=given.get("description")
    )
    blocks.check(content)
    made = rows.add(tx, content, NAME)
    agents.attach_block(tx, desk.agent_id, made.id, owned=True)
    desk.blocks[label] = made
    return desk.words["made"].format(label=label, size=size_of(made, desk.words))


def str_replace(tx: Tx, desk: Desk, given: Given) -> str:
    made = partial(
        block_edits.memory_replace,
        old_str=need(given, "old_str"),
        new_str=given.get("new_str", ""),
    )
    return edit(tx, desk, label_in(need(given, "path")), made, NAME)


def insert(tx: Tx, desk: Desk, given: Given) -> str:
    made = partial(
        block_edits.memory_insert,
        new_str=need(given, "insert_text"),
        insert_line=given.get("insert_line", block_edits.END),
    )
    return edit(tx, desk, label_in(need(given, "path")), made, NAME)


def delete(tx: Tx, desk: Desk, given: Given) -> str:
    """The agent has the block no longer; people still find it, and can give it back."""
    label = label_in(need(given, "path"))
    block = unchanged(tx, desk, label)
    block_edits.check_editable(block)
    agents.detach_block(tx, desk.agent_id, block.id)
    desk.blocks[label] = None
    return desk.words["gone"].format(label=label)


def rename(tx: Tx, desk: Desk, given: Given) -> str:
    """A new label, or a new description, or both."""
    old = label_in(given.get("old_path") or need(given, "path"))
    new = label_in(given.get("new_path") or old)
    block = unchanged(tx, desk, old)
    block_edits.check_editable(block)
    description = given.get("description", block.content.description)
    if (new, description) == (old, block.content.description):
        raise InvalidTool(
            "To rename a block, give new_path; to describe it anew, description.",
            zh="重命名记忆块请给出 new_path；修改说明请给出 description。",
        )
    content = block.content.changed({"label": new, "description": description})
    blocks.check(content)
    if new != old:
        demand_free(new, desk.labels())
        attachments.relabel(tx, block.id, new)  # refuses before anything is written
    now = rows.change(tx, block, content, reason=NAME, step_id=desk.step_id)
    desk.blocks.update({old: None, new: now})
    words = desk.words
    return words["renamed"].format(old=old, new=new, description=description or words["none"])


COMMANDS: Mapping[str, Callable[[Tx, Desk, Given], str]] = {
    "view": view,
    "create": create,
    "str_replace": str_replace,
    "insert": insert,
    "delete": delete,
    "rename": rename,
}


def unchanged(tx: Tx, desk: Desk, label: str) -> Block:
    """The block, if it is as the model was shown it; nobody else changes it until the commit.

    Raises: BlockNotFound, StaleBlock.
    """
    shown = desk.block(label)
    now = rows.get_to_change(tx, shown.id)
    if now.version != shown.version:
        raise conflict(shown, now)
    return now


def demand_free(label: str, taken: Sequence[str]) -> None:
    """Raises: LabelTaken."""
    if label in taken:
        raise LabelTaken(
            f"You have a block {label!r} already. Choose another path.",
            zh=f"你已有记忆块 {label!r}，请换一个 path。",
            label=label,
        )


def need(given: Given, field: str) -> str:
    """Raises: InvalidTool."""
    if given.get(field) is None:
        raise InvalidTool(
            f"The command {given['command']!r} needs `{field}`.",
            zh=f"命令 {given['command']!r} 需要 `{field}`。",
            field=field,
        )
    return given[field]


def label_in(path: str) -> str:
    """`/memories/work/tasks` -> `work/tasks`."""
    return path.strip().removeprefix(FOLDER).strip("/")


def path_of(label: str) -> str:
    return f"{FOLDER}/{label}"


def optional(name: str, en: str, zh: str, schema: Mapping[str, Any] = TEXT) -> Param:
    return Param(name=name, schema=schema, en=en, zh=zh, required=False)


TOOLS = (
    OwnTool(
        name=NAME,
        tool_type=ToolType.MEMORY,
        en="Work on the blocks of your core memory, which are named like files: /memories/human is"
        " the block `human`. Commands: view (all, or one by path, with line numbers); create (path,"
        " description, file_text); str_replace (path, old_str, new_str); insert (path, insert_text,"
        " insert_line); delete (path); rename (old_path, new_path; or path and description, to"
        " describe it anew).",
        zh="管理核心记忆的记忆块,以文件的方式命名:/memories/human 即记忆块 human。命令:"
        "view(查看全部,或按 path 查看一个,带行号)、create(path、description、file_text)、"
        "str_replace(path、old_str、new_str)、insert(path、insert_text、insert_line)、"
        "delete(path)、rename(old_path、new_path;或 path 加 description,修改说明)。",
        params=(
            Param(
                name="command",
                schema={"type": "string", "enum": list(COMMANDS)},
                en="What to do.",
                zh="要执行的命令。",
            ),
            optional("path", "The block: /memories/<label>.", "记忆块:/memories/<标签>。"),
            optional("file_text", "The new block's text.", "新记忆块的内容。"),
            optional(
                "description", "What belongs into the block.", "说明这个记忆块应保存什么内容。"
            ),
            optional(
                "old_str",
                "The text to replace, exactly as it is there; it must stand there once.",
                "要替换的文字,须与块中完全一致,且只出现一次。",
            ),
            optional(
                "new_str",
                "What takes its place; left out, the text is taken out.",
                "替换成什么;省略即删除。",
            ),
            optional(
                "insert_line",
                "After which line: 0 is before the first, -1 (the default) the end.",
                "插在第几行之后:0 为第一行之前,-1(默认)为末尾。",
                {"type": "integer", "default": -1},
            ),
            optional("insert_text", "What to insert.", "要插入的内容。"),
            optional("old_path", "The block to rename.", "要重命名的记忆块。"),
            optional("new_path", "Its new name.", "新的名称。"),
        ),
        deed=memory,
    ),
)
