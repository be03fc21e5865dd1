"""Cycles of the Designer that are asked for now and run in the background."""

from __future__ import annotations

from yiku.core.tenant import Actor, Scope
from yiku.memory.skills import registry
from yiku.memory.skills.shared import Skills
from yiku.store import outbox
from yiku.store.database import Tx, demand

EVOLVE = "evolve"
"""The outbox's kind; the key is a skill's name, or `ALL`. The payload has the `name`, or None."""
ALL = "*"


def ask(tx: Tx, name: str | None) -> str:
    """Have a cycle run after this commit, for one skill or all; returns the job's key.

    Raises: SkillNotFound.
    """
    if name is not None:
        registry.demand_active(tx, name)
    outbox.put(tx, EVOLVE, name or ALL, {"name": name})
    return name or ALL


async def ask_later(skills: Skills, actor: Actor, name: str | None = None) -> str:
    """The same in a transaction of its own. Raises: NotAllowed, SkillNotFound."""
    demand(actor, Scope.ADMIN)
    await registry.ready(skills, actor)
    return await skills.database.write(actor, lambda tx: ask(tx, name))
