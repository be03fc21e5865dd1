"""The tools there are: made, found, changed, run."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from yiku.core.agent import AgentState
from yiku.core.errors import InvalidTool
from yiku.core.ids import ToolId, new_id
from yiku.core.language import Language
from yiku.core.ports import Sandbox
from yiku.core.tenant import Actor, Scope
from yiku.core.tool import (
    Code,
    Killed,
    OutOfMemory,
    OutputTooLarge,
    Raised,
    Ran,
    Returned,
    SourceType,
    TimedOut,
    Tool,
    ToolDraft,
    ToolFilter,
    ToolHit,
    ToolPage,
    ToolType,
)
from yiku.memory.aside import aside
from yiku.memory.text import tokens
from yiku.store import tools
from yiku.store.database import Database, Tx, demand, now_utc
from yiku.store.vault import Vault
from yiku.tools import draft as drafts
from yiku.tools import schema
from yiku.tools.mcp.servers import McpServers
from yiku.tools.packages import Packages
from yiku.tools.portable import Portable
from yiku.tools.search_engine import SearchEngine

CHANGEABLE = frozenset(f.name for f in fields(ToolDraft)) - {"tool_type"}
OF_LENT = frozenset(
    "default_requires_approval enable_parallel_execution metadata return_char_limit tags".split()
)
"""What of an MCP server's tool is ours to say."""
IN_NAME, ELSEWHERE = 1.0, 0.6
"""What a word of the query counts where it is found."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """An organization's tools, and the sandbox their code runs in."""

    database: Database
    sandbox: Sandbox
    mcp: McpServers
    portable: Portable | None = None
    """What `run_code` runs in where the sandbox can't be; None: nothing."""
    packages: Packages | None = None
    """Where tools' own requirements are; None: tools that have some can't run."""
    web: SearchEngine | None = None
    """What `web_search` asks; None: nothing."""
    fetch_private: bool = False
    """Whether `fetch_webpage` reads pages of this machine and its network, too."""

    @property
    def vault(self) -> Vault:
        """What secrets are sealed with."""
        return self.mcp.vault

    async def create(self, actor: Actor, draft: ToolDraft) -> Tool:
        """Raises: InvalidTool, ToolExists."""
        told = await checked(draft)

        def unit(tx: Tx) -> Tool:
            made = new_tool(tx.actor, tx.now, draft, told)
            tools.add(tx, made)
            return made

        return await self.database.write(actor, unit)

    async def upsert(self, actor: Actor, draft: ToolDraft, *, unsaid: Collection[str] = ()) -> Tool:
        """Create it, or put it in the place of the tool of its name, whose settings stay that are
        `unsaid`. Raises: InvalidTool."""
        told = await checked(draft)

        def unit(tx: Tx) -> Tool:
            there = tools.find(tx, told.name)
            if there is None:
                made = new_tool(tx.actor, tx.now, draft, told)
                tools.add(tx, made)
                return made
            demand_custom(there)
            said = replace(draft, **{name: getattr(there, name) for name in unsaid})
            kept = replace(
                new_tool(tx.actor, tx.now, said, told),
                id=there.id,
                created_at=there.created_at,
                created_by=there.created_by,
            )
            tools.put(tx, there, kept)
            return kept

        return await self.database.write(actor, unit)

    async def get(self, actor: Actor, tool_id: ToolId) -> Tool:
        """Raises: ToolNotFound."""
        return await self.database.read(actor, lambda tx: tools.get(tx, tool_id))

    async def named(self, actor: Actor, name: str) -> Tool:
        """The tool of this name, or id. Raises: ToolNotFound."""
        return await self.database.read(
            actor, lambda tx: tools.find(tx, name) or tools.get(tx, ToolId(name))
        )

    async def listed(self, actor: Actor, wanted: ToolFilter, page: ToolPage) -> list[Tool]:
        """A page, in the order of creation. Raises: ToolNotFound where a cursor is no tool."""
        return await self.database.read(actor, lambda tx: tools.listed(tx, wanted, page))

    async def count(self, actor: Actor, wanted: ToolFilter) -> int:
        return await self.database.read(actor, lambda tx: tools.count(tx, wanted))

    async def search(
        self,
        actor: Actor,
        query: str,
        wanted: ToolFilter,
        *,
        tags: Collection[str] = (),
        limit: int = 50,
    ) -> list[ToolHit]:
        """Tools that have words of the query, best first; an empty query finds all.

        `tags`: with one of them at least.
        """
        there = await self.database.read(actor, lambda tx: tools.all_fitting(tx, wanted))
        asked = set(tokens(query))
        hits = [
            ToolHit(tool=one, score=score_of(one, asked))
            for one in there
            if not tags or set(tags) & set(one.tags)
        ]
        found = [hit for hit in hits if hit.score > 0 or not asked]
        return sorted(found, key=lambda hit: -hit.score)[:limit]

    async def update(self, actor: Actor, tool_id: ToolId, changes: Mapping[str, Any]) -> Tool:
        """Change fields of a draft. Raises: ToolNotFound, InvalidTool, ToolExists."""
        unknown = changes.keys() - CHANGEABLE
        if unknown:
            raise InvalidTool(f"`{min(unknown)}` of a tool can't be changed.")

        def unit(tx: Tx) -> Tool:
            seen = tools.get(tx, tool_id)
            if seen.tool_type is ToolType.MCP:
                return put_settings(tx, seen, changes)
            demand_custom(seen)
            draft = drafts.of_tool(seen, changes)
            made = new_tool(tx.actor, tx.now, draft, drafts.check(draft))
            kept = replace(made, id=seen.id, created_at=seen.created_at, created_by=seen.created_by)
            tools.put(tx, seen, kept)
            return kept

        return await self.database.write(actor, unit)

    async def delete(self, actor: Actor, tool_id: ToolId) -> None:
        """Raises: ToolNotFound, InvalidTool where it is one of our own."""

        def unit(tx: Tx) -> None:
            gone = tools.get(tx, tool_id)
            if gone.tool_type is not ToolType.MCP:  # a refresh brings those back
                demand_custom(gone)
            tools.remove(tx, tool_id)

        await self.database.write(actor, unit)

    async def run(
        self,
        actor: Actor,
        one: Tool,
        arguments: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        *,
        agent: AgentState | None = None,
    ) -> Ran:
        """Call a custom tool's code; no transaction is open meanwhile.

        `agent`: whose call it is, for tools that ask to be shown it.

        Raises: NotAllowed, InvalidTool where it can't be called like this, SandboxUnavailable.
        """
        demand(actor, Scope.WRITE)
        drafts.check_arguments(one, arguments)
        code = code_of(one, arguments, environment or {}, agent)
        if not (one.pip_requirements or one.npm_requirements):
            return await self.sandbox.run(code)
        if self.packages is None:
            named = ", ".join(r.name for r in (*one.pip_requirements, *one.npm_requirements))
            raise InvalidTool(f"`{one.name}` needs {named}, and nothing can be installed here.")
        folder = await self.packages.folder(actor, one)
        return await self.sandbox.run(replace(code, packages=folder))

    async def try_out(
        self,
        actor: Actor,
        draft: ToolDraft,
        arguments: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
    ) -> tuple[Tool, Ran]:
        """Call what would be a tool, and isn't stored. Raises: as `create` and `run`."""
        one = new_tool(actor, now_utc(), draft, await checked(draft))
        return one, await self.run(actor, one, arguments, environment)


def code_of(
    one: Tool,
    arguments: Mapping[str, Any],
    environment: Mapping[str, str],
    agent: AgentState | None = None,
) -> Code:
    """Raises: InvalidTool."""
    if one.source_type is not SourceType.PYTHON or one.source_code is None:
        raise InvalidTool(f"`{one.name}` has no Python code here: the client runs it.")
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name + value:
            words = f"{name!r:.80} can't be an environment variable of this value."
            raise InvalidTool(words, field="env_vars")
    takes_agent = schema.takes_agent(one.source_code, one.name)
    return Code(
        source=one.source_code,
        function=one.name,
        arguments=arguments,
        environment=environment,
        described_apart=one.args_json_schema is not None,
        takes_agent=takes_agent,
        agent=shown_to_code(agent) if takes_agent and agent is not None else None,
    )


def shown_to_code(state: AgentState) -> dict[str, Any]:
    """What a tool's code sees of its agent, named as in the v1 API; secrets are in its environment.

    Small: it is sent with each call.
    """
    config = state.agent.config
    blocks = [
        {
            "id": one.id,
            "label": one.label,
            "value": one.value,
            "description": one.content.description,
            "limit": one.content.limit,
            "read_only": one.content.read_only,
        }
        for one in state.blocks
    ]
    return {
        "id": state.agent.id,
        "name": config.name,
        "agent_type": config.kind.value,
        "description": config.description,
        "system": config.system,
        "model": config.model,
        "timezone": config.timezone,
        "tags": [*config.tags],
        "metadata": dict(config.metadata),
        "tools": [one.name for one in state.tools],
        "blocks": blocks,
    }


async def checked(draft: ToolDraft) -> drafts.Told:
    """Raises: InvalidTool."""
    return await aside([draft.source_code or ""], lambda: drafts.check(draft))


def new_tool(actor: Actor, now: datetime, draft: ToolDraft, told: drafts.Told) -> Tool:
    return Tool(
        id=ToolId(new_id("tool")),
        organization_id=actor.organization_id,
        name=told.name,
        description=told.description,
        tool_type=draft.tool_type,
        source_type=draft.source_type,
        source_code=draft.source_code,
        json_schema=told.json_schema,
        args_json_schema=draft.args_json_schema,
        tags=tuple(dict.fromkeys(draft.tags)),
        pip_requirements=tuple(draft.pip_requirements),
        npm_requirements=tuple(draft.npm_requirements),
        return_char_limit=draft.return_char_limit,
        enable_parallel_execution=draft.enable_parallel_execution,
        default_requires_approval=draft.default_requires_approval,
        metadata=draft.metadata,
        created_at=now,
        updated_at=now,
        created_by=actor.user_id,
        updated_by=actor.user_id,
    )


def put_settings(tx: Tx, seen: Tool, changes: Mapping[str, Any]) -> Tool:
    """Change what is ours to say of an MCP server's tool. Raises: InvalidTool."""
    theirs = changes.keys() - OF_LENT
    if theirs:
        raise InvalidTool(
            f"`{seen.name}` is an MCP server's tool: its `{min(theirs)}` is the server's to say;"
            f" {', '.join(sorted(OF_LENT))} can be set.",
            field=min(theirs),
        )
    draft = drafts.of_tool(seen, changes)
    drafts.check(draft)
    kept = replace(
        seen,
        tags=tuple(dict.fromkeys(draft.tags)),
        return_char_limit=draft.return_char_limit,
        enable_parallel_execution=draft.enable_parallel_execution,
        default_requires_approval=draft.default_requires_approval,
        metadata={**draft.metadata, "mcp": seen.metadata["mcp"]},
        updated_at=tx.now,
        updated_by=tx.actor.user_id,
    )
    tools.put(tx, seen, kept)
    return kept


def demand_custom(one: Tool) -> None:
    """Raises: InvalidTool."""
    if one.tool_type is ToolType.MCP:
        raise InvalidTool(f"`{one.name}` is an MCP server's tool already: choose another name.")
    if one.tool_type is not ToolType.CUSTOM:
        raise InvalidTool(f"`{one.name}` is a tool of Yiku's own ({one.tool_type}); it stays.")


def score_of(one: Tool, asked: set[str]) -> float:
    if not asked:
        return 0.0
    name = set(tokens(one.name.replace("_", " "))) | {one.name}
    parameters: Mapping[str, Any] = one.json_schema["parameters"].get("properties", {})
    words = " ".join([one.description, *one.tags, *parameters])
    rest = set(tokens(words.replace("_", " ")))
    counted = (IN_NAME if w in name else ELSEWHERE if w in rest else 0.0 for w in asked)
    return sum(counted) / len(asked)


def shown(one: Tool, ran: Ran) -> str | None:
    """A returned value as a model is told it, cut to the tool's limit; None: it returned none."""
    if not isinstance(ran.outcome, Returned):
        return None
    return cut(text_of(ran.outcome.value), one.return_char_limit)


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def cut(text: str, limit: int, language: Language = "en") -> str:
    if len(text) <= limit:
        return text
    if language == "zh":
        return f"{text[:limit]}……（已截断：共 {len(text):,} 个字符，显示 {limit:,} 个）"
    return f"{text[:limit]}… (cut: {len(text):,} characters, {limit:,} are shown)"


def reason(ran: Ran, language: Language = "en") -> str:
    """Why there is no value."""
    zh = language == "zh"
    match ran.outcome:
        case Returned():
            return ""
        case Raised(traceback=traceback):
            return traceback.rstrip()
        case TimedOut(timeout_s=seconds):
            why = f"工具超过了 {seconds:g} 秒" if zh else f"the tool took longer than {seconds:g} s"
            setting = "YIKU_SANDBOX_TIMEOUT_S"
        case OutOfMemory(memory_mb=memory):
            why = f"工具用了超过 {memory} MB 内存" if zh else f"the tool used more than {memory} MB"
            setting = "YIKU_SANDBOX_MEMORY_MB"
        case Killed(signal=None, exit_code=code):
            if zh:
                return f"工具自行退出，代码 {code}，没有给出结果"
            return f"the tool ended itself with code {code}, without an answer"
        case Killed(signal=number):
            return f"工具被信号 {number} 终止" if zh else f"the tool was ended by signal {number}"
        case OutputTooLarge(limit_bytes=limit):
            return (
                f"工具的输出超过 {limit:,} 字节"
                if zh
                else f"the tool gave more than {limit:,} bytes"
            )
    return f"{why}（{setting}）" if zh else f"{why} ({setting})"
