"""The archive of a role memory: opened and closed, its roles, its blocks, where memories belong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from yiku.app import App
from yiku.core.errors import RoleExists
from yiku.core.ids import AgentId, PassageId
from yiku.core.role import EmbeddingRoleConfig, Membership, Role, Routing, wrong
from yiku.core.tenant import Actor, Scope
from yiku.memory.archival import Place
from yiku.memory.roles import correct, manage, reroute
from yiku.memory.roles.reroute import Rerouted
from yiku.roles import blocks
from yiku.roles.blocks import HUMAN, PERSONA, Block
from yiku.roles.embedding import text_given
from yiku.roles.inhabitant import archive_of_agent
from yiku.roles.opening import Source
from yiku.roles.said import actor_of, ids_of
from yiku.roles.templates import all_roles
from yiku.store.role_jobs import State

TRIES = 4


class RoleArchive:
    """What a role memory has in the database, but for its memories themselves."""

    place: Place
    """Whose memory it is, and what it is called."""
    actor: Actor
    """Who asks, where a call doesn't say."""
    routing_threshold: float
    """Calibrated score, 0..1, from which a memory belongs to a role."""
    routing: Routing

    def __init__(
        self, source: Source, place: Place, actor: Actor, roles: Sequence[EmbeddingRoleConfig]
    ) -> None:
        """`roles`: made at the first use where they aren't there yet."""
        self.place = place
        self.actor = actor
        self._source = source
        self._roles = roles
        self._made: set[str] = set()

    async def __aenter__(self) -> Self:
        await self.app_async()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close what this opened, unless others with the same settings use it."""
        await self._source.close()

    async def app_async(self, actor: Actor | None = None) -> App:
        """The open app below, its roles made."""
        app = await self._source.app()
        by = actor_of(actor, self.actor)
        if by.organization_id not in self._made:
            await self._make_missing(app, by)
            if by.may(Scope.WRITE):
                await blocks.take_over(app.memory, by, self.place)
            self._made.add(by.organization_id)
        return app

    def asking(self, actor: Actor | None) -> Actor:
        """Who asks. Raises: Invalid."""
        return actor_of(actor, self.actor)

    async def use_archive_of(self, agent_id: str, actor: Actor | None = None) -> None:
        """Work in the archive of this agent from now on, where there is such an agent, and it has
        one."""
        app, by = await self._source.app(), actor_of(actor, self.actor)
        found = await app.database.read(by, lambda tx: archive_of_agent(tx, AgentId(agent_id)))
        if found is not None:
            self.place = Place(found.owner, found.name)

    async def add_role_async(
        self, role: EmbeddingRoleConfig | str, actor: Actor | None = None
    ) -> list[Role]:
        """Make a role, or those of a template or a set of them; all or none.

        Memories that are there don't move; `reroute_async` lets the new roles claim theirs.

        Raises: RoleExists, TemplateNotFound.
        """
        configs = all_roles(role, self._source.settings.home_dir)
        by, app = await self._ready(actor)
        return await manage.add(app.memory, by, self.place, configs)

    async def edit_role_async(
        self, role_id: str, actor: Actor | None = None, *, reason: str | None = None, **changes: Any
    ) -> Role:
        """Change fields of a role's configuration; the earlier ones are kept.

        Raises: RoleNotFound, StaleRole.
        """
        by, app = await self._ready(actor)
        return await manage.edit(app.memory, by, self.place, role_id, changes, reason=reason)

    async def remove_role_async(self, role_id: str, actor: Actor | None = None) -> int:
        """Remove a role; its memories stay in their other roles or the general memory.

        Returns how many it had. Raises: RoleNotFound.
        """
        by, app = await self._ready(actor)
        return await manage.remove(app.memory, by, self.place, role_id)

    async def list_roles_async(self, actor: Actor | None = None) -> list[Role]:
        """The oldest first."""
        by, app = await self._ready(actor)
        return await manage.listed(app.memory, by, self.place)

    async def correct_memory_async(
        self,
        passage_id: str,
        to: str | Sequence[str] = (),
        out_of: str | Sequence[str] = (),
        actor: Actor | None = None,
    ) -> list[Membership]:
        """Say that a memory belongs to roles, or doesn't; their experts learn from it at once.

        Returns the memory's roles from now on. Raises: PassageNotFound, RoleNotFound.
        """
        by, app = await self._ready(actor)
        at = PassageId(passage_id)
        return await correct.correct(app.memory, by, at, to=ids_of(to), out_of=ids_of(out_of))

    async def reroute_async(
        self,
        progress: Callable[[int, int], None] | None = None,
        actor: Actor | None = None,
        *,
        role_ids: str | Sequence[str] = (),
        job_id: str | None = None,
    ) -> Rerouted:
        """Look at every memory again, for these roles or all: step by step, in the order stored.

        `progress` gets memories done and in all. What somebody put into a role, or took out of one,
        stays so. `job_id` goes on with a rerouting that was interrupted; the answer tells it, for
        `undo_reroute_async`.
        """
        by, app = await self._ready(actor)
        if job_id is None:
            begun = await reroute.begin(app.memory, by, self.place, ids_of(role_ids))
            job_id = begun.id
        looked_at = joined = left = 0
        while True:
            step = await reroute.step(
                app.memory, by, job_id, threshold=self.routing_threshold, routing=self.routing
            )
            looked_at += step.looked_at
            joined += step.joined
            left += step.left
            if progress is not None:
                progress(looked_at, step.job.total)
            if step.job.state is not State.RUNNING:
                return replace(step, looked_at=looked_at, joined=joined, left=left)

    async def undo_reroute_async(self, job_id: str, actor: Actor | None = None) -> int:
        """Put back what a rerouting moved, unless it moved again since; returns how many moves."""
        by, app = await self._ready(actor)
        return await reroute.undo(app.memory, by, job_id)

    async def blocks_async(self, actor: Actor | None = None) -> dict[str, Block]:
        """The core blocks `persona` and `human`, as far as they are there."""
        by, app = await self._ready(actor)
        found = await blocks.find(app.memory, by, self.place, [PERSONA, HUMAN])
        return {one.label: one for one in found}

    async def set_block_async(
        self, label: str, text: str, actor: Actor | None = None
    ) -> Block | None:
        """Give `persona`, `human` or `role:<role_id>` this text, which is always in the prompt.

        An empty text hides it. Earlier texts stay in its history.
        """
        if label not in (PERSONA, HUMAN) and not label.startswith(blocks.ROLE):
            raise wrong("label", '"persona", "human" or "role:<role_id>"', label)
        by, app = await self._ready(actor)
        if label.startswith(blocks.ROLE):
            await manage.shown(app.memory, by, self.place, label.removeprefix(blocks.ROLE))
        return await blocks.put(app.memory, by, self.place, label, text_given("text", text))

    async def _ready(self, actor: Actor | None) -> tuple[Actor, App]:
        by = actor_of(actor, self.actor)
        return by, await self.app_async(by)

    async def _make_missing(self, app: App, actor: Actor) -> None:
        """Raises: RoleExists where others make the same ones, again and again."""
        if not self._roles:
            return
        for attempt in range(TRIES):
            there = {one.role_id for one in await manage.listed(app.memory, actor, self.place)}
            missing = [one for one in self._roles if one.role_id not in there]
            if not missing:
                return
            try:
                await manage.add(app.memory, actor, self.place, missing)
            except RoleExists:
                if attempt == TRIES - 1:
                    raise
