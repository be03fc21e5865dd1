"""One role: its embedding, its configuration, its blocks and its memories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from yiku.app import App
from yiku.core.errors import RoleNotFound
from yiku.core.memory import Added, Hit, Passage
from yiku.core.role import EmbeddingRoleConfig, Role, RoleVersion
from yiku.core.tenant import Actor
from yiku.memory.roles import manage
from yiku.memory.roles.route import roles_here
from yiku.roles import blocks
from yiku.roles.blocks import HUMAN, PERSONA, ROLE, Block
from yiku.roles.embedding import demand_same, text_given
from yiku.roles.said import Said, actor_of, whole
from yiku.store import memberships, passages, roles
from yiku.store.database import Tx

if TYPE_CHECKING:
    from yiku.roles.memory import EmbeddingMoEMemory

MOST_LISTED = 1_000


class EmbeddingRoleMemoryRepository:
    """One role of a role memory.

    Its core memory are the blocks `persona` and `human`, which all roles share, and `role`, its
    own. Its archival memory are the passages that were routed or put to it. Every method raises
    RoleNotFound where there is no such role (any more).
    """

    def __init__(self, memory: EmbeddingMoEMemory, role_id: str) -> None:
        self.memory = memory
        self.role_id = text_given("role_id", role_id)

    async def role_async(self, actor: Actor | None = None) -> Role:
        """As it is stored, with its version."""
        by, app = await self._ready(actor)
        return await manage.shown(app.memory, by, self.memory.place, self.role_id)

    async def config_async(self, actor: Actor | None = None) -> EmbeddingRoleConfig:
        return (await self.role_async(actor)).config

    async def history_async(self, actor: Actor | None = None) -> list[RoleVersion]:
        """The configurations it had, the newest first."""
        by, app = await self._ready(actor)
        return await manage.history(app.memory, by, self.memory.place, self.role_id)

    async def embedding_async(self, actor: Actor | None = None) -> NDArray[np.float32]:
        """(d,), unit length: of its whole description, which `routing="cosine"` compares with."""
        by, app = await self._ready(actor)
        current = await roles_here(app.memory, by, self.memory.place)
        for place, one in enumerate(current.state.roles):
            if one.role_id == self.role_id:
                return current.state.descriptions[place].copy()
        raise RoleNotFound(f"There is no role {self.role_id!r} here.", role_id=self.role_id)

    async def search_memories_async(
        self,
        query: str,
        embedding_config: Any = None,
        actor: Actor | None = None,
        top_k: int = 5,
    ) -> list[Hit]:
        """The role's `top_k` memories that answer `query`, best first.

        `embedding_config`: None, or the model this memory works with: vectors of another can't be
        compared with what is stored (EmbeddingModelMismatch).
        """
        _, app = await self._ready(actor)
        demand_same(embedding_config, app.settings)
        return await self.memory.search_role_memories_async(query, [self.role_id], actor, top_k)

    async def list_memories_async(
        self, actor: Actor | None = None, *, limit: int = 50, after: Passage | None = None
    ) -> list[Passage]:
        """Its memories in the order they were stored, those `after` one of them; forgotten and
        superseded ones too, as long as the role has them."""
        most = whole("limit", limit, MOST_LISTED)
        first = 0 if after is None else after.seq
        role, app = await self.role_async(actor), await self.memory.app_async(actor)

        def unit(tx: Tx) -> list[Passage]:
            seqs = [one.seq for one in memberships.held(tx, role.key) if one.seq > first][:most]
            there = passages.get_by_seq(tx, seqs)
            return [there[seq] for seq in seqs if seq in there]

        return await app.database.read(actor_of(actor, self.memory.actor), unit)

    async def count_async(self, actor: Actor | None = None) -> int:
        """How many memories it has."""
        by, app = await self._ready(actor)
        place = self.memory.place

        def unit(tx: Tx) -> int:
            archive = manage.archive_of(tx, place)
            return memberships.count(tx, roles.get(tx, archive.id, self.role_id).key)

        return await app.database.read(by, unit)

    async def add_memory_async(
        self,
        memory_content: str,
        actor: Actor | None = None,
        tags: Sequence[str] = (),
        **said: Unpack[Said],
    ) -> Added:
        """Store a memory in this role, whatever its text is about; the role learns from it."""
        return await self.memory.smart_add_memory_async(
            memory_content, None, actor, [self.role_id], tags, **said
        )

    async def blocks_async(self, actor: Actor | None = None) -> dict[str, Block]:
        """Its core memory, as far as it is there: `persona`, `human`, `role`."""
        by, app = await self._ready(actor)
        own = ROLE + self.role_id
        found = await blocks.find(app.memory, by, self.memory.place, [PERSONA, HUMAN, own])
        return {"role" if one.label == own else one.label: one for one in found}

    async def set_block_async(
        self, label: str, text: str, actor: Actor | None = None
    ) -> Block | None:
        """Give `persona`, `human` (of all roles) or `role` (its own) this text; empty: hide it."""
        own = ROLE + self.role_id
        return await self.memory.set_block_async(own if label == "role" else label, text, actor)

    async def _ready(self, actor: Actor | None) -> tuple[Actor, App]:
        return actor_of(actor, self.memory.actor), await self.memory.app_async(actor)
