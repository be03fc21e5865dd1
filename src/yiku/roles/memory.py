"""Role memory: memories route themselves, contexts gate who speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack, cast

from yiku.app import App
from yiku.core.errors import ArchiveNotFound, RoleNotFound
from yiku.core.ids import DecisionId
from yiku.core.memory import Added, Filter, Hit
from yiku.core.role import (
    Decision,
    EmbeddingRoleConfig,
    Routing,
    fraction,
    member,
)
from yiku.core.tenant import LOCAL_ACTOR, Actor
from yiku.memory import ingest
from yiku.memory import search as lookup
from yiku.memory.archival import Place
from yiku.memory.roles import compile as compiling
from yiku.memory.roles import route
from yiku.memory.roles.assign import THRESHOLD, route_rule
from yiku.memory.roles.compile import BUDGET, Compiled
from yiku.memory.roles.route import MAX_ACTIVE_ROLES
from yiku.roles import blocks, prompt
from yiku.roles.archive import RoleArchive
from yiku.roles.blocks import HUMAN, PERSONA
from yiku.roles.embedding import demand_same, embedding_settings, text_given
from yiku.roles.opening import source_of
from yiku.roles.repository import EmbeddingRoleMemoryRepository
from yiku.roles.said import Memory, Said, actor_of, draft_of, ids_of, standing_alone, whole
from yiku.roles.summary import MemorySummary, summary_of
from yiku.roles.templates import all_roles
from yiku.store import shown

Active = Literal["active"]
ACTIVE: Active = "active"


class EmbeddingMoEMemory(RoleArchive):
    """A mixture of experts over embeddings, in an archive of the database.

    Similarity of meaning decides where a memory goes, which roles a context activates, and what is
    found. Roles and memories are in the database: any number of these objects, in any number of
    processes, work on the same ones. An object itself knows only what it gated last.

    It works on an open `app`, or opens one when it is first awaited, of the settings, `home` and
    `url` (`yiku:///path.db`, `sqlite:///…`, `postgresql://…`); objects with the same settings share
    it. `await memory.close()` or `async with` closes it.

    Every method that asks or changes something is asynchronous, takes `actor` (None: the one given
    here, else the local one), and raises the errors of `yiku.core.errors`: Invalid for what can't
    be, StoreError and ProviderError where the database or a model fails.
    """

    def __init__(
        self,
        embedding_config: Any = None,
        routing_threshold: float = THRESHOLD,
        max_active_roles: int = MAX_ACTIVE_ROLES,
        *,
        roles: Sequence[EmbeddingRoleConfig | str] = (),
        user: str = "",
        archive: str = "default",
        actor: Actor | None = None,
        app: App | None = None,
        url: str | None = None,
        home: Path | str | None = None,
        routing: Routing | str = Routing.EXPERTS,
    ) -> None:
        """`embedding_config`: a handle such as `local/all-minilm-l6-v2`, or an object or dict with
        `embedding_model`, `embedding_endpoint_type`, `embedding_endpoint`, `embedding_dim`; None:
        the configured model. `roles`: made at the first use where they aren't there yet; templates
        and sets of them go by name. `user` and `archive` say whose memory it is.

        Raises: Invalid, TemplateNotFound, ModelNotFound, SettingInvalid.
        """
        self.routing_threshold = fraction("routing_threshold", routing_threshold)
        self.max_active_roles = whole("max_active_roles", max_active_roles)
        self.routing = member(Routing, "routing", routing)
        self.gating: Decision | None = None
        """What it gated last, and why."""
        self._context: str | None = None
        source = source_of(app, url, home, embedding_settings(embedding_config))
        demand_same(embedding_config, source.settings)
        super().__init__(
            source,
            Place(text_given("user", user), text_given("archive", archive)),
            actor_of(actor, LOCAL_ACTOR),
            all_roles(roles, source.settings.home_dir),
        )

    @property
    def active_roles(self) -> tuple[str, ...]:
        """The roles that the last gating chose, best first."""
        return self.gating.chosen if self.gating else ()

    async def route_memory_to_role_async(
        self, memory_content: str, context: str | None = None, actor: Actor | None = None
    ) -> list[str]:
        """The roles that a memory belongs to, best first; nothing is stored.

        Empty: it belongs to none, and would be kept in the general memory. A memory of fewer than
        four words is read together with its `context`.
        """
        try:
            decision = await self.explain_route_async(memory_content, context, actor)
        except (ArchiveNotFound, RoleNotFound):
            return []  # there are no roles yet
        return list(decision.chosen)

    async def explain_route_async(
        self, memory_content: str, context: str | None = None, actor: Actor | None = None
    ) -> Decision:
        """As `route_memory_to_role_async`, with all roles' scores and the reasons.

        Raises: RoleNotFound, ArchiveNotFound where there are no roles yet.
        """
        by, app = await self._ready(actor)
        text = standing_alone(text_given("memory_content", memory_content), context)
        return await route.route(
            app.memory,
            by,
            self.place,
            text,
            threshold=self.routing_threshold,
            routing=self.routing,
        )

    async def moe_gate_for_context_async(
        self,
        context: str,
        actor: Actor | None = None,
        max_roles: int | None = None,
        *,
        conversation: str | None = None,
    ) -> list[str]:
        """The roles that a context activates, best first, at most `max_roles`.

        None: `max_active_roles`. Each role has its own threshold. They stay the active ones, for
        `compile` and searches, until the next call; `gating` has the reasons.
        """
        text = text_given("context", context)
        most = self.max_active_roles if max_roles is None else max_roles
        by, app = await self._ready(actor)
        self.gating, self._context = None, text
        try:
            self.gating = await route.gate(
                app.memory,
                by,
                self.place,
                text,
                max_roles=whole("max_roles", most),
                routing=self.routing,
                conversation=conversation,
            )
        except (ArchiveNotFound, RoleNotFound):
            return []  # there are no roles yet
        return list(self.gating.chosen)

    async def smart_add_memory_async(
        self,
        memory_content: str,
        context: str | None = None,
        actor: Actor | None = None,
        role_ids: str | Sequence[str] | None = None,
        tags: Sequence[str] = (),
        **said: Unpack[Said],
    ) -> Added:
        """Store a memory once, in every role it belongs to.

        `context` helps to route a memory of fewer than four words. `role_ids`: these roles instead,
        empty for the general memory. The answer tells the outcome (a repetition is linked to the
        passage that holds it), the passage, its roles, and the decision that `explain_async` tells.
        """
        given = cast("Memory", {**said, "text": memory_content, "tags": tags})
        given |= cast("Memory", {"context": context, "role_ids": role_ids})
        [added] = await self.smart_add_memories_async([given], actor)
        return added

    async def smart_add_memories_async(
        self, memories: Sequence[str | Memory], actor: Actor | None = None
    ) -> list[Added]:
        """Store up to 1,000 memories in one transaction, all or none: texts, or dicts with `text`
        and what `smart_add_memory_async` takes."""
        drafts = [draft_of(one, self.place.owner) for one in memories]
        by, app = await self._ready(actor)
        rule = route_rule(self.routing_threshold, self.routing)
        return await ingest.add(app.memory, by, self.place, drafts, rule=rule)

    async def search_role_memories_async(
        self,
        query: str,
        role_ids: str | Sequence[str] | None = None,
        actor: Actor | None = None,
        top_k: int = 5,
        *,
        conversation: str | None = None,
    ) -> list[Hit]:
        """The `top_k` memories that answer `query`, best first.

        `role_ids`: in any of these roles; `"active"`: in those that the last gating chose; empty:
        in the general memory alone; None: everywhere. `conversation` names whose context the hits
        go into: what is said there again is not stored as new.
        """
        by, app = await self._ready(actor)
        text = text_given("query", query)
        roles: tuple[str, ...] | None = None
        if role_ids is not None:
            roles = self.active_roles if role_ids == ACTIVE else ids_of(role_ids)
        wanted = Filter(roles=roles)
        limit = whole("top_k", top_k, lookup.MAX_LIMIT)
        try:
            found = await lookup.search(
                app.memory, by, [self.place], text, filter=wanted, limit=limit
            )
        except ArchiveNotFound:
            return []  # nothing was stored yet
        if conversation is not None and found:
            hits = [hit.passage for hit in found]
            await app.database.write(by, lambda tx: shown.add(tx, hits, conversation))
        return found

    async def compile(
        self,
        context: str | None = None,
        role_ids: Sequence[str] | None = None,
        actor: Actor | None = None,
        *,
        budget: int = BUDGET,
        conversation: str | None = None,
    ) -> Compiled:
        """The core blocks and the active roles' memories that matter most, for a prompt; a role's
        own block stands above its memories.

        `role_ids`: these roles instead of those that the last gating chose; `context`: what the
        memories are to matter to, None: what was gated last. Blocks come first, then memories as
        far as `budget` tokens go. The same choice gives the same text, to the letter.
        `conversation` names whose prompt it is: what is said there again is not stored as new.

        Raises: RoleNotFound; Invalid where the blocks alone are over the budget.
        """
        by, app = await self._ready(actor)
        if role_ids is None:
            there = {one.role_id for one in await self.list_roles_async(by)}
            active = [one for one in self.active_roles if one in there]
        else:
            active = list(ids_of(role_ids))
        labels = [PERSONA, HUMAN, *(blocks.ROLE + one for one in sorted(active))]
        always = await blocks.find(app.memory, by, self.place, labels)
        room = prompt.room_for(budget, always)
        core = [one for one in always if one.label in (PERSONA, HUMAN)]
        made = Compiled("", 0, (), (), 0)
        if active:
            made = await compiling.compile_roles(
                app.memory,
                by,
                self.place,
                active,
                context=self._context if context is None else context,
                budget=room,
                conversation=conversation,
            )
        return prompt.with_blocks(core, made)

    async def get_memory_summary(self, actor: Actor | None = None) -> MemorySummary:
        """Counts per role, the active roles, thresholds."""
        by, app = await self._ready(actor)
        made = await summary_of(app.memory, by, self.place, self.routing_threshold)
        return replace(
            made,
            active_roles=self.active_roles,
            max_active_roles=self.max_active_roles,
            routing=self.routing,
        )

    async def explain_async(self, decision_id: str, actor: Actor | None = None) -> Decision:
        """A routing or gating as it was decided: every role's score, its parts, its threshold, and
        why it was chosen or not. Raises: DecisionNotFound."""
        by, app = await self._ready(actor)
        return await route.decision(app.memory, by, DecisionId(text_given("id", decision_id)))

    def role(self, role_id: str) -> EmbeddingRoleMemoryRepository:
        """One role's own memory; whether there is such a role, its first use says."""
        return EmbeddingRoleMemoryRepository(self, role_id)
