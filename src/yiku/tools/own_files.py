"""Tools by which agents read the files of their folders. Names and parameters are those of v1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yiku.core.errors import Invalid
from yiku.core.file import AgentFile, FileStatus
from yiku.core.tool import ToolType
from yiku.memory.files import grep, semantic
from yiku.memory.files.grep import Grep
from yiku.store import agent_files, agents
from yiku.store.database import Tx
from yiku.tools.desk import TEXT, Desk, OwnTool, Param

SHOWN_NAMES = 15
DEFAULT_LIMIT = 5
MAX_LIMIT = 50
COUNTED = 20
"""Files whose matches are counted in words."""


def open_files(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: Invalid."""
    one = agents.get_to_change(tx, desk.agent_id)
    requests: Sequence[Mapping[str, Any]] = given["file_requests"]
    limit = one.config.files_open
    if len(requests) > limit:
        raise Invalid(
            f"At most {limit} files can be open, and these are {len(requests)}: open fewer.",
            zh=f"最多可以打开 {limit} 个文件，这里有 {len(requests)} 个，请少打开一些。",
        )
    wanted = [(named(tx, desk, str(each["file_name"])), each) for each in requests]
    gone: dict[str, str] = {}
    if given.get("close_all_others"):
        ids = {held.file.id for held, _ in wanted}
        others = [each for each in agent_files.opened(tx, one.id) if each.file.id not in ids]
        agent_files.close(tx, one.id, [each.file.id for each in others])
        gone |= {each.file.id: each.path for each in others}
    lines: list[str] = []
    for held, each in wanted:
        first, last = at_lines(held, each)
        closed = agent_files.open_at(tx, one, held.file.id, first, last)
        gone |= {other.file.id: other.path for other in closed}
        lines.append(opened(desk, held, first, last))
    for held, _ in wanted:
        gone.pop(held.file.id, None)
    if gone:
        lines.append(desk.words["files_closed"].format(names=listed(desk, list(gone.values()))))
    return "\n".join(lines)


def at_lines(held: AgentFile, request: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """The lines that are asked for, from 1; None: to an end of the file. Raises: Invalid."""
    offset, length = request.get("offset"), request.get("length")
    count = held.file.line_count
    if offset is not None and not 0 <= offset < max(count, 1):
        raise Invalid(
            f"{held.path} has {count} lines: `offset` is 0 to {max(count - 1, 0)}, not {offset}.",
            zh=f"{held.path} 有 {count} 行：`offset` 是 0 至 {max(count - 1, 0)}，不是 {offset}。",
        )
    if length is not None and length < 1:
        raise Invalid("`length` is 1 or more.", zh="`length` 至少是 1。")
    first = None if not offset else offset + 1
    return first, None if length is None else (offset or 0) + length


def opened(desk: Desk, held: AgentFile, first: int | None, last: int | None) -> str:
    count = held.file.line_count
    if first is None and last is None:
        return desk.words["file_opened"].format(name=held.path, count=count)
    shown = {"first": first or 1, "last": count if last is None else min(last, count)}
    return desk.words["file_opened_at"].format(name=held.path, count=count, **shown)


def named(tx: Tx, desk: Desk, name: str) -> AgentFile:
    """The file a model means: by its folder and name, or by its name alone where one is called so.

    Raises: Invalid, naming those there are.
    """
    parts = name.strip().strip("/").split("/")
    endings = {"/".join(parts[n:]) for n in range(len(parts))}
    there = agent_files.named(tx, desk.agent_id, endings)
    exact = [one for one in there if one.path == "/".join(parts)]
    found = exact or [one for one in there if one.file.name == name.strip()]
    if len(found) == 1:
        demand_readable(found[0])
        return found[0]
    names = [one.path for one in found or agent_files.every(tx, desk.agent_id, limit=SHOWN_NAMES)]
    told = listed(desk, names[:SHOWN_NAMES]) or desk.words["none"]
    if found:
        raise Invalid(
            f"Several files are called {name!r:.200}: {told}. Name the folder, too.",
            zh=f"有多个文件叫 {name!r:.200}：{told}。请连同文件夹一起写。",
        )
    raise Invalid(
        f"You have no file {name!r:.200}. Your files: {told}.",
        zh=f"你没有文件 {name!r:.200}。你的文件：{told}。",
    )


def demand_readable(held: AgentFile) -> None:
    """Raises: Invalid."""
    if held.file.status is FileStatus.ERROR:
        raise Invalid(
            f"{held.path} couldn't be read: {held.file.problem}",
            zh=f"{held.path} 无法读取：{held.file.problem}",
        )
    if held.file.status is not FileStatus.COMPLETED:
        raise Invalid(
            f"{held.path} is still being read; try it again later.",
            zh=f"{held.path} 仍在读取中，请稍后再试。",
        )


def listed(desk: Desk, names: Sequence[str]) -> str:
    return desk.words["and"].join(names)


async def grep_files(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: Invalid."""
    wanted = Grep(
        pattern=given["pattern"],
        include=given.get("include"),
        context_lines=given.get("context_lines", 1),
        offset=given.get("offset", 0),
    )
    found = await grep.grep(desk.database, desk.actor, desk.agent_id, wanted)
    words = desk.words
    if not found.total:
        return words["no_match"].format(pattern=wanted.pattern, count=found.searched)
    counts = [f"{name} ({n:,})" for name, n in list(found.counts.items())[:COUNTED]]
    more = [words["more_files"].format(count=len(found.counts) - COUNTED)]
    named_counts = listed(desk, counts + (more if len(found.counts) > COUNTED else []))
    lines = [words["file_matches"].format(total=found.total, files=named_counts)]
    if not found.matches:
        return "\n".join([*lines, words["no_more_matches"]])
    first, last = wanted.offset + 1, wanted.offset + len(found.matches)
    lines.append(words["matches_shown"].format(first=first, last=last))
    for one in found.matches:
        lines += ["", f"{one.held.path}:{one.n}"]
        lines += [f"{'>' if n == one.n else ' '} {n}: {text}" for n, text in one.lines]
    if last < found.total:
        lines += ["", words["next_matches"].format(offset=last)]
    return "\n".join(lines)


async def semantic_search_files(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: Invalid."""
    limit = min(max(given.get("limit", DEFAULT_LIMIT), 1), MAX_LIMIT)
    found = await semantic.found(desk.memory, desk.actor, desk.agent_id, given["query"], limit)
    words = desk.words
    if not found:
        return words["no_part"]
    lines = [words["parts_found"].format(count=len(found))]
    for n, one in enumerate(found, 1):
        place = words["lines"].format(first=one.first_line, last=one.last_line)
        lines += ["", f"{n}. {one.held.path} · {place} · {one.hit.score:.2f}"]
        lines.append(one.hit.passage.text)
    return "\n".join(lines)


TOOLS = (
    OwnTool(
        name="open_files",
        tool_type=ToolType.FILES,
        en="Open files of your folders: you are shown their lines, with numbers, under"
        " <directories>, until they are closed. Only a few can be open; the one used longest ago is"
        " closed for another.",
        zh="打开文件夹中的文件:其内容会带行号显示在 <directories> 中,直到关闭。"
        "同时只能打开几个文件;超出时会关闭最久未使用的。",
        params=(
            Param(
                name="file_requests",
                schema={
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "properties": {
                            "file_name": {"type": "string"},
                            "offset": {"type": "integer"},
                            "length": {"type": "integer"},
                        },
                        "required": ["file_name"],
                    },
                },
                en="Which files, by folder and name (file_name); optionally from which line on"
                " (offset, counted from 0) and how many lines (length).",
                zh="要打开的文件:文件夹/文件名(file_name);还可给出起始行(offset,从 0 数)"
                "和行数(length)。",
            ),
            Param(
                name="close_all_others",
                schema={"type": "boolean", "default": False},
                en="Close all other files first.",
                zh="先关闭其他所有文件。",
                required=False,
            ),
        ),
        deed=open_files,
    ),
    OwnTool(
        name="grep_files",
        tool_type=ToolType.FILES,
        en="Find lines in your files by a regular expression; capitals don't matter. Twenty matches"
        " are shown at a time.",
        zh="用正则表达式在文件中查找行,不区分大小写。每次显示二十处匹配。",
        params=(
            Param(
                name="pattern",
                schema=TEXT,
                en="A word, or a regular expression.",
                zh="关键词或正则表达式。",
            ),
            Param(
                name="include",
                schema=TEXT,
                en="Only files whose names match this word or regular expression.",
                zh="只查找文件名匹配此关键词或正则表达式的文件。",
                required=False,
            ),
            Param(
                name="context_lines",
                schema={"type": "integer", "default": 1, "minimum": 0, "maximum": 20},
                en="How many lines before and after each match are shown.",
                zh="每处匹配前后各显示几行。",
                required=False,
            ),
            Param(
                name="offset",
                schema={"type": "integer", "default": 0, "minimum": 0},
                en="How many matches to pass over, to see the next ones.",
                zh="跳过前多少处匹配,用于查看后面的匹配。",
                required=False,
            ),
        ),
        action=grep_files,
        parallel=True,
    ),
    OwnTool(
        name="semantic_search_files",
        tool_type=ToolType.FILES,
        en="Find parts of your files by their meaning, not by exact words.",
        zh="按含义而不是按字面在文件中查找内容。",
        params=(
            Param(name="query", schema=TEXT, en="What to look for.", zh="要查找的内容。"),
            Param(
                name="limit",
                schema={
                    "type": "integer",
                    "default": DEFAULT_LIMIT,
                    "minimum": 1,
                    "maximum": MAX_LIMIT,
                },
                en="How many parts at most.",
                zh="最多返回几个部分。",
                required=False,
            ),
        ),
        action=semantic_search_files,
        parallel=True,
    ),
)
