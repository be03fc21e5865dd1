"""Tools that come with the server, where an agent or a list is to have them."""

from __future__ import annotations

from collections.abc import Sequence

from yiku.core.tenant import Actor
from yiku.core.tool import Tool, ToolFilter, ToolType
from yiku.store import tools
from yiku.store.database import Database, Tx
from yiku.tools import own_rows
from yiku.tools.own import OWN, own_tool

TYPES = tuple(one for one in ToolType if one.ours)


async def see_to(database: Database, actor: Actor) -> None:
    """The organization has them afterwards, whatever the actor's key may do."""
    wanted = ToolFilter(names=tuple(OWN))
    if await database.read(actor, lambda tx: tools.count(tx, wanted)) < len(OWN):
        await database.write(actor.bookkeeper, own_rows.ensure)


def renewed(tx: Tx) -> list[Tool]:
    """All of them, as this version of the server has them."""
    own_rows.ensure(tx)
    return tools.all_fitting(tx, ToolFilter(names=tuple(OWN), types=TYPES))


def named(tx: Tx, names: Sequence[str]) -> dict[str, Tool]:
    """The tools of these names that there are, ours as this version of the server has them."""
    found = tools.by_name(tx, names) if names else {}
    missing = any(name in OWN and name not in found for name in names)
    if missing or any(outdated(one) for one in found.values()):
        own_rows.ensure(tx)
        found = tools.by_name(tx, names)
    return found


def outdated(one: Tool) -> bool:
    ours = own_tool(one)
    return ours is not None and own_rows.differs(one, ours)
