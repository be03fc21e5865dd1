"""Tools by which agents remember beyond their context: what was said, and archival memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from yiku.core.errors import Invalid
from yiku.core.ids import ArchiveId
from yiku.core.memory import Added, Archive, Draft, Filter, Hit, Outcome
from yiku.core.message import MessageFilter, MessagePage, MessageRole
from yiku.core.tool import ToolType
from yiku.memory import agent_archive, ingest, recall
from yiku.memory import search as searching
from yiku.memory.recall import Recalled
from yiku.memory.recall_text import SPEAKERS, said_in
from yiku.store import agents, messages, requests
from yiku.store.database import Tx
from yiku.tools import moments
from yiku.tools.desk import TEXT, TEXTS, Desk, OwnTool, Param
from yiku.tools.own_words import some

DEFAULT_LIMIT = 10
MAX_LIMIT = 50
LONGEST = 1_500
"""Of a message or a memory, what a list of them shows."""
LINE = re.compile(r"^[ \t]*(\d+)[.:)→]?[ \t]", re.MULTILINE)


class DoneBefore(Exception):
    """The same call has done its work already."""


async def conversation_search(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: Invalid."""
    where = moments.zone(desk.state.agent.config.timezone)
    query = given.get("query") or ""
    found = await recall.search(
        desk.memory,
        desk.actor,
        desk.agent_id,
        query,
        roles=given.get("roles", ()),
        limit=given.get("limit", DEFAULT_LIMIT),
        since=moments.first("start_date", given.get("start_date"), where),
        until=moments.after("end_date", given.get("end_date"), where),
        without_run=desk.run_id,
    )
    return recalled(desk, found, scores=bool(query.strip()))


async def search_memory(desk: Desk, given: Mapping[str, Any]) -> str:
    """What was said some minutes ago, by each of some questions. Raises: Invalid."""
    since, until = given.get("start_minutes_ago"), given.get("end_minutes_ago")
    queries: Sequence[str] = given.get("convo_keyword_queries") or [""]
    best: dict[str, Recalled] = {}
    for query in queries:
        for one in await recall.search(
            desk.memory,
            desk.actor,
            desk.agent_id,
            query,
            limit=DEFAULT_LIMIT,
            since=None if since is None else moments.ago(since, desk.now),
            until=None if until is None else moments.ago(until, desk.now),
            without_run=desk.run_id,
        ):
            other = best.get(one.message.id)
            best[one.message.id] = one if other is None or other.score < one.score else other
    found = sorted(best.values(), key=lambda one: (-one.score, -one.message.seq))
    return recalled(desk, found[:DEFAULT_LIMIT], scores=any(queries))


def recalled(desk: Desk, found: Sequence[Recalled], *, scores: bool) -> str:
    if not found:
        return desk.words["no_message"]
    where = moments.zone(desk.state.agent.config.timezone)
    lines = [heading(desk, some("message", "messages", len(found)), len(found), scores=scores)]
    for n, one in enumerate(found, 1):
        said = one.message
        who = desk.words[SPEAKERS[said.role]] + (f" ({said.name})" if said.name else "")
        score = f" · {one.score:.2f}" if scores else ""
        lines.append(f"{n}. {moments.told(said.created_at, where, desk.language)} · {who}{score}")
        lines.append(indented(said_in(said) or "", desk.words))
    return "\n".join(lines)


async def archival_memory_insert(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: Invalid, InvalidText."""
    draft = Draft(text=given["content"], tags=tuple(given.get("tags", ())))
    [stored] = await kept_once(desk, [draft]) or [None]
    words = desk.words
    if stored is None:
        return words["stored"]
    if stored.outcome is Outcome.ADDED:
        named = words["and"].join(stored.roles)
        return words["stored"] + (words["roles"].format(roles=named) if named else "")
    where = moments.zone(desk.state.agent.config.timezone)
    known = stored.passage
    at = moments.told(known.at, where, desk.language)
    return words["known"].format(at=at, text=indented(known.text, words))


async def store_memories(desk: Desk, given: Mapping[str, Any]) -> str:
    """Lines of the conversation that the agent was shown, into archival memory.

    Raises: Invalid, where there are no such lines.
    """
    lines = await transcript(desk)
    drafts: list[Draft] = []
    for chunk in given["chunks"]:
        first, last = chunk["start_index"], chunk["end_index"]
        if first not in lines or last not in lines or first > last:
            there = (min(lines), max(lines)) if lines else None
            told, zh = ("none", "无") if there is None else ("{} to {}", "{} 至 {}")
            raise Invalid(
                f"Nothing was stored: there are no lines {first} to {last} in the conversation you"
                f" were shown; its lines: {told.format(*there or ())}.",
                zh=f"没有存储：给你看的对话中没有第 {first} 至 {last} 行；"
                f"它的行：{zh.format(*there or ())}。",
            )
        kept = [line for n, line in lines.items() if first <= n <= last]
        drafts.append(Draft(text="\n".join([chunk.get("context") or "", *kept]).strip()))
    await kept_once(desk, drafts)
    return desk.words[some("part", "parts", len(drafts))].format(count=len(drafts))


async def transcript(desk: Desk) -> dict[int, str]:
    """The numbered lines of what the agent was told in this run, by number."""
    wanted = MessageFilter(run_id=desk.run_id, roles=[MessageRole.USER])
    found = await desk.database.read(
        desk.actor, lambda tx: messages.page(tx, wanted, MessagePage(limit=1))
    )
    text = found[0].text if found else ""
    marks = list(LINE.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return {
        int(mark[1]): text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)
    }


async def kept_once(desk: Desk, drafts: Sequence[Draft]) -> list[Added] | None:
    """Store memories in the agent's archive; None: this call did so before the process died.

    Raises: as `ingest.add`.
    """
    key = f"tool:{hashlib.sha256(desk.idempotency_key.encode()).hexdigest()}"
    content = hashlib.sha256(repr(drafts).encode("utf-8", "replace")).hexdigest()

    def ready(tx: Tx) -> ArchiveId | None:
        if requests.find(tx, key, content) is not None:
            return None
        return agent_archive.ensure(tx, desk.agent_id)

    def also(tx: Tx, archive: Archive, added: Sequence[Added]) -> None:
        if requests.find(tx, key, content) is not None:
            raise DoneBefore
        kept = [{"id": one.passage.id, "outcome": one.outcome.value} for one in added]
        requests.add(tx, key, content, kept)

    archive_id = await desk.database.write(desk.actor, ready)
    if archive_id is None:
        return None
    try:
        return await ingest.add(desk.memory, desk.actor, archive_id, drafts, also=also)
    except DoneBefore:
        return None


async def archival_memory_search(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: Invalid."""
    where = moments.zone(desk.state.agent.config.timezone)
    tags, mode = tuple(given.get("tags", ())), given.get("tag_match_mode", "any")
    wanted = Filter(
        tags=tags if mode == "all" else (),
        any_tags=tags if mode == "any" else (),
        since=moments.first("start_datetime", given.get("start_datetime"), where),
        until=moments.after("end_datetime", given.get("end_datetime"), where),
    )
    archives = desk.state.archives or await desk.database.read(
        desk.actor, lambda tx: agents.state(tx, desk.agent_id).archives
    )
    limit = given.get("top_k", DEFAULT_LIMIT)
    hits = (
        await searching.search(
            desk.memory, desk.actor, archives, given["query"], filter=wanted, limit=limit
        )
        if archives
        else []
    )
    if not hits:
        return desk.words["no_memory"]
    lines = [heading(desk, some("memory", "memories", len(hits)), len(hits), scores=True)]
    for n, hit in enumerate(hits, 1):
        lines += [f"{n}. {told(hit, desk, where)}", indented(hit.passage.text, desk.words)]
    return "\n".join(lines)


def told(hit: Hit, desk: Desk, where: tzinfo) -> str:
    one, words = hit.passage, desk.words
    facts = [moments.told(one.at, where, desk.language)]
    facts += [one.speaker] if one.speaker else []
    facts += [words["tags"].format(tags=words["and"].join(one.tags))] if one.tags else []
    return " · ".join([*facts, f"{hit.score:.2f}"])


def heading(desk: Desk, noun: str, count: int, *, scores: bool) -> str:
    words = desk.words
    order = words["best" if scores else "newest"]
    zone = moments.zone(desk.state.agent.config.timezone)
    return words[noun].format(count=count, order=order, zone=zone)


def indented(text: str, words: Mapping[str, str]) -> str:
    if len(text) > LONGEST:
        text = words["cut"].format(text=text[:LONGEST], count=len(text))
    return "\n".join(f"   {line}" for line in text.split("\n"))


def number(least: int, most: int, default: int) -> Mapping[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}


MINUTES: Mapping[str, Any] = {"type": "integer", "minimum": 0}

FROM = "The first day or moment, like 2026-05-07 or 2026-05-07T14:30, in your time zone."
FROM_ZH = "起始日期或时间,如 2026-05-07 或 2026-05-07T14:30,按你的时区。"
UNTIL = "The last day or moment; it is included."
UNTIL_ZH = "结束日期或时间(包含在内)。"

TOOLS = (
    OwnTool(
        name="conversation_search",
        tool_type=ToolType.CORE,
        en="Search what was said in your conversations, also what is no longer in your context: by"
        " words and by meaning. Without a query it lists the newest messages of a time.",
        zh="搜索你的对话记录(包括已不在上下文中的内容),按词语和语义查找。不给 query 时列出"
        "某段时间内最新的消息。",
        params=(
            Param(
                name="query",
                schema=TEXT,
                en="What to look for: words, or a question.",
                zh="要查找的内容:词语或问题。",
                required=False,
            ),
            Param(
                name="roles",
                schema={
                    "type": "array",
                    "items": {"type": "string", "enum": ["assistant", "user", "tool"]},
                },
                en="Whose messages; all, if you leave it out.",
                zh="谁的消息;省略则为全部。",
                required=False,
            ),
            Param(
                name="limit",
                schema=number(1, MAX_LIMIT, DEFAULT_LIMIT),
                en="How many at most.",
                zh="最多返回几条。",
                required=False,
            ),
            Param(name="start_date", schema=TEXT, en=FROM, zh=FROM_ZH, required=False),
            Param(name="end_date", schema=TEXT, en=UNTIL, zh=UNTIL_ZH, required=False),
        ),
        action=conversation_search,
        parallel=True,
    ),
    OwnTool(
        name="archival_memory_insert",
        tool_type=ToolType.CORE,
        en="Store something in your archival memory, which is as large as you like and searched by"
        " meaning. Write it so that it can be understood alone: who, what, when.",
        zh="把信息存入归档记忆。归档记忆容量不限,可按语义搜索。请写得能够独立理解:谁、什么、何时。",
        params=(
            Param(name="content", schema=TEXT, en="What to store.", zh="要存储的内容。"),
            Param(
                name="tags",
                schema=TEXTS,
                en="Words to find it by: categories, names, projects.",
                zh="用于查找的标签:类别、人名、项目等。",
                required=False,
            ),
        ),
        action=archival_memory_insert,
    ),
    OwnTool(
        name="archival_memory_search",
        tool_type=ToolType.CORE,
        en="Search your archival memory, by words and by meaning.",
        zh="按词语和语义搜索归档记忆。",
        params=(
            Param(
                name="query",
                schema=TEXT,
                en="What to look for: words, or a question.",
                zh="要查找的内容:词语或问题。",
            ),
            Param(
                name="tags",
                schema=TEXTS,
                en="Only what has these tags.",
                zh="只查找带有这些标签的内容。",
                required=False,
            ),
            Param(
                name="tag_match_mode",
                schema={"type": "string", "enum": ["any", "all"], "default": "any"},
                en="Whether any of the tags is enough, or all are needed.",
                zh="any:有任一标签即可;all:必须有全部标签。",
                required=False,
            ),
            Param(
                name="top_k",
                schema=number(1, MAX_LIMIT, DEFAULT_LIMIT),
                en="How many at most.",
                zh="最多返回几条。",
                required=False,
            ),
            Param(name="start_datetime", schema=TEXT, en=FROM, zh=FROM_ZH, required=False),
            Param(name="end_datetime", schema=TEXT, en=UNTIL, zh=UNTIL_ZH, required=False),
        ),
        action=archival_memory_search,
        parallel=True,
    ),
    OwnTool(
        name="search_memory",
        tool_type=ToolType.VOICE_SLEEPTIME,
        en="Look up what was said earlier.",
        zh="查找之前说过的内容。",
        params=(
            Param(
                name="convo_keyword_queries",
                schema=TEXTS,
                en="What to look for; several are looked for each.",
                zh="要查找的内容,可以有多个。",
                required=False,
            ),
            Param(
                name="start_minutes_ago",
                schema=MINUTES,
                en="Not longer ago than so many minutes.",
                zh="不早于多少分钟之前。",
                required=False,
            ),
            Param(
                name="end_minutes_ago",
                schema=MINUTES,
                en="At least so many minutes ago.",
                zh="至少多少分钟之前。",
                required=False,
            ),
        ),
        action=search_memory,
        parallel=True,
    ),
    OwnTool(
        name="store_memories",
        tool_type=ToolType.VOICE_SLEEPTIME,
        en="Store parts of the conversation that you were shown, by the numbers of its lines.",
        zh="按行号把给你看的对话中的若干部分存入归档记忆。",
        params=(
            Param(
                name="chunks",
                schema={
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "properties": {
                            "start_index": {"type": "integer"},
                            "end_index": {"type": "integer"},
                            "context": {"type": "string"},
                        },
                        "required": ["start_index", "end_index", "context"],
                    },
                },
                en="Each with its first line (start_index), its last (end_index), and a sentence on"
                " what it is about (context).",
                zh="每一部分包括首行号(start_index)、末行号(end_index)和一句说明(context)。",
            ),
        ),
        action=store_memories,
    ),
)
