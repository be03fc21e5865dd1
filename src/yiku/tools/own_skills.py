"""Tools by which agents remember and look up through memory skills, and those by which an
administrator's agent looks after the skills."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from yiku.core.errors import NotAllowed
from yiku.core.ids import ArchiveId, MessageId
from yiku.core.memory import Hit, Outcome
from yiku.core.message import MessageFilter, MessagePage, MessageRole
from yiku.core.tenant import Scope
from yiku.core.tool import ToolType
from yiku.memory import agent_archive
from yiku.memory.skills import encode, query, schedule
from yiku.memory.skills.encode import Saved
from yiku.memory.skills.secrets import named
from yiku.store import agents, changelogs, messages
from yiku.store.database import Tx, demand
from yiku.tools import moments
from yiku.tools.desk import TEXT, TEXTS, Desk, OwnTool, Param
from yiku.tools.own_search import DEFAULT_LIMIT, MAX_LIMIT, heading, indented, number, told
from yiku.tools.own_words import some

logger = logging.getLogger(__name__)

PREFERENCES = "preference_capture"
"""The skill that `store_preference` saves by."""
CHANGES = 10
"""Changes that are listed."""
REASON = 600
"""Characters of a change's reason."""


async def save_insight(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: Invalid, InvalidText, SecretRefused."""
    return saved(desk, await remembered(desk, given, None))


async def store_preference(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: as `save_insight`."""
    return saved(desk, await remembered(desk, given, PREFERENCES))


async def remembered(desk: Desk, given: Mapping[str, Any], skill_name: str | None) -> Saved:
    def ready(tx: Tx) -> tuple[ArchiveId, MessageId | None]:
        return agent_archive.ensure(tx, desk.agent_id), said_in(tx, desk)

    archive_id, message_id = await desk.database.write(desk.actor, ready)
    return await encode.save(
        desk.skills,
        desk.actor,
        archive_id,
        given["content"],
        skill_name=skill_name,
        tags=tuple(given.get("tags", ())),
        agent_id=desk.agent_id,
        run_id=desk.run_id,
        message_id=message_id,
        key=f"skill:{hashlib.sha256(desk.idempotency_key.encode()).hexdigest()}",
    )


def said_in(tx: Tx, desk: Desk) -> MessageId | None:
    """The message that the agent answers just now."""
    wanted = MessageFilter(run_id=desk.run_id, roles=[MessageRole.USER])
    found = messages.page(tx, wanted, MessagePage(limit=1))
    return found[0].id if found else None


def saved(desk: Desk, one: Saved) -> str:
    words = desk.words
    if one.outcome is not Outcome.ADDED:
        where = moments.zone(desk.state.agent.config.timezone)
        since = moments.told(one.passage.at, where, desk.language)
        return words["known_memory"].format(at=since, text=indented(one.passage.text, words))
    lines = [words["saved"]]
    if one.masked:
        kinds = words["and"].join(dict.fromkeys(named(kind, desk.language) for kind in one.masked))
        lines.append(words["masked"].format(kinds=kinds))
    if one.may_supersede:
        lines.append(words["may_replace"])
        lines += [f"   {known.id} {known.text[:200]}" for known in one.may_supersede]
    return "\n".join(lines)


async def query_memory(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: Invalid."""
    archives = await archives_of(desk)
    if not archives:
        return desk.words["not_found"]
    found = await query.query_memory(
        desk.skills,
        desk.actor,
        archives,
        given["query"],
        given.get("limit", DEFAULT_LIMIT),
        refine=given.get("refine", "auto"),
        agent_id=desk.agent_id,
        run_id=desk.run_id,
        call_id=desk.call_id,
    )
    return listed(desk, found.hits) if found.hits else desk.words["not_found"]


async def archives_of(desk: Desk) -> Sequence[ArchiveId]:
    return desk.state.archives or await desk.database.read(
        desk.actor, lambda tx: agents.state(tx, desk.agent_id).archives
    )


def listed(desk: Desk, hits: Sequence[Hit]) -> str:
    where = moments.zone(desk.state.agent.config.timezone)
    lines = [heading(desk, some("memory", "memories", len(hits)), len(hits), scores=True)]
    for n, hit in enumerate(hits, 1):
        text = indented(hit.passage.text, desk.words)
        lines += [f"{n}. {told(hit, desk, where)} · {hit.passage.id}", text]
    return "\n".join(lines)


async def forget_memory(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: Invalid, PassageNotFound."""
    gone = await query.forget_memory(
        desk.skills,
        desk.actor,
        await archives_of(desk),
        given["memory"],
        reason=given.get("reason"),
        agent_id=desk.agent_id,
    )
    return desk.words["forgotten"].format(text=indented(gone.text, desk.words))


def evolve_memory_skills(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: NotAllowed, SkillNotFound."""
    demand_admin(desk, "evolve_memory_skills")
    name = given.get("skill") or None
    schedule.ask(tx, name)
    return desk.words["evolving" if name else "evolving_all"].format(name=name)


def list_skill_changelog(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: NotAllowed."""
    demand_admin(desk, "list_skill_changelog")
    where = moments.zone(desk.state.agent.config.timezone)
    found = changelogs.page(tx, given.get("skill") or None, None, given.get("limit", CHANGES))
    if not found:
        return desk.words["unchanged"]
    lines = [heading(desk, some("change", "changes", len(found)), len(found), scores=False)]
    for n, one in enumerate(found, 1):
        at = moments.told(one.created_at, where, desk.language)
        lines.append(f"{n}. {at} · {one.name} · {one.status}")
        reason = one.reason if len(one.reason) <= REASON else f"{one.reason[:REASON]}…"
        lines.append(indented(f"{one.id}\n{reason}", desk.words))
    return "\n".join(lines)


def demand_admin(desk: Desk, tool: str) -> None:
    """Raises: NotAllowed."""
    try:
        demand(desk.actor, Scope.ADMIN)
    except NotAllowed:
        logger.warning(
            "a tool for administrators was refused",
            extra={
                "action": "tool_refused",
                "tool": tool,
                "user": desk.actor.user_id,
                "agent": desk.agent_id,
                "run": desk.run_id,
            },
        )
        raise NotAllowed(
            f"`{tool}` is for administrators: the key that this run was asked for with may only"
            f" {desk.actor.scope}.",
            zh=f"`{tool}` 仅限管理员使用：发起这次运行的密钥只有 {desk.actor.scope} 权限。",
            scope=desk.actor.scope,
            needed=Scope.ADMIN,
        ) from None


TAGS = Param(
    name="tags",
    schema=TEXTS,
    en="Words to find it by: categories, names, projects.",
    zh="用于查找的标签：类别、人名、项目等。",
    required=False,
)
SKILL = Param(
    name="skill",
    schema=TEXT,
    en="The name of one memory skill; left out: all.",
    zh="某个记忆技能的名称；省略则为全部。",
    required=False,
)

TOOLS = (
    OwnTool(
        name="save_insight",
        tool_type=ToolType.CORE,
        en="Save something worth remembering: a fact about the user, people, plans, decisions. Say"
        " it as it was said, with names and dates; it is compared with what is known and written"
        " down properly after that.",
        zh="保存值得记住的内容：关于用户、人物、计划、决定的事实。照原话写，带上人名和日期；随后会与已知内容比对并整理成记忆。",
        params=(
            Param(name="content", schema=TEXT, en="What to remember.", zh="要记住的内容。"),
            TAGS,
        ),
        action=save_insight,
    ),
    OwnTool(
        name="store_preference",
        tool_type=ToolType.CORE,
        en="Save what the user likes, dislikes, wants or refuses, as it was said.",
        zh="保存用户的喜好、厌恶、愿望或拒绝，照原话写。",
        params=(
            Param(name="content", schema=TEXT, en="The preference.", zh="偏好内容。"),
            TAGS,
        ),
        action=store_preference,
    ),
    OwnTool(
        name="query_memory",
        tool_type=ToolType.CORE,
        en="Look something up in memory: by meaning, or exactly where you give an e-mail address, a"
        " phone number, an identifier or words in quotes.",
        zh="在记忆中查找：按语义；给出邮箱、电话、编号或引号中的文字时，精确查找。",
        params=(
            Param(name="query", schema=TEXT, en="Words, or a question.", zh="词语或问题。"),
            Param(
                name="limit",
                schema=number(1, MAX_LIMIT, DEFAULT_LIMIT),
                en=f"About how many; up to {query.EXTRA} related ones may follow.",
                zh=f"大约返回几条；之后最多再附 {query.EXTRA} 条相关的。",
                required=False,
            ),
            Param(
                name="refine",
                schema={
                    "type": "string",
                    "enum": ["auto", "always", "never"],
                    "default": "auto",
                },
                en="Whether to ask in other words, too: `auto` does where little is found.",
                zh="是否换种说法再查：auto 表示查到的不多时才换。",
                required=False,
            ),
        ),
        action=query_memory,
        parallel=True,
    ),
    OwnTool(
        name="forget_memory",
        tool_type=ToolType.CORE,
        en="Forget one memory that is wrong, outdated or not wanted. It can be undone.",
        zh="忘掉一条错误、过时或不该保留的记忆；可以撤销。",
        params=(
            Param(
                name="memory",
                schema=TEXT,
                en="Its id, as query_memory shows it (passage-…), or its words.",
                zh="query_memory 显示的编号(passage-…)，或记忆的原文。",
            ),
            Param(name="reason", schema=TEXT, en="Why.", zh="原因。", required=False),
        ),
        action=forget_memory,
    ),
    OwnTool(
        name="evolve_memory_skills",
        tool_type=ToolType.CORE,
        en="Have memory skills with too many failures examined and a better prompt proposed. For"
        " administrators.",
        zh="检查失败过多的记忆技能，并提出更好的提示词。仅限管理员。",
        params=(SKILL,),
        deed=evolve_memory_skills,
    ),
    OwnTool(
        name="list_skill_changelog",
        tool_type=ToolType.CORE,
        en="List how memory skills were changed, and which changes wait for a decision. For"
        " administrators.",
        zh="列出记忆技能的改动，以及等待决定的改动。仅限管理员。",
        params=(
            SKILL,
            Param(
                name="limit",
                schema=number(1, MAX_LIMIT, CHANGES),
                en="How many at most.",
                zh="最多几条。",
                required=False,
            ),
        ),
        deed=list_skill_changelog,
    ),
)
