"""Groups of agents: which belong together, what they share, and who is to manage them."""

from __future__ import annotations

from dataclasses import replace

from yiku.agents.check import MAX_DESCRIPTION, check_length
from yiku.core.errors import checked
from yiku.core.group import Group, GroupDraft, GroupState, Manager
from yiku.core.ids import BlockId, GroupId, new_id
from yiku.core.tenant import Actor
from yiku.memory.draft import check_name
from yiku.store import attachments
from yiku.store import groups as store
from yiku.store.database import Database, Tx


def check(draft: GroupDraft) -> None:
    """Raises: Invalid, InvalidText, naming the field."""
    check_length("description", draft.description or "", MAX_DESCRIPTION)
    checked("project_id", lambda: check_name("`project_id`", draft.project_id))


async def create(database: Database, actor: Actor, draft: GroupDraft) -> GroupState:
    """Raises: Invalid, InvalidText, AgentNotFound, BlockNotFound, LabelTaken."""
    check(draft)
    return await database.write(actor, lambda tx: add(tx, draft))


def add(tx: Tx, draft: GroupDraft) -> GroupState:
    """Raises: AgentNotFound, BlockNotFound, LabelTaken."""
    by, at = tx.actor.user_id, tx.now
    new = Group(
        id=GroupId(new_id("group")),
        organization_id=tx.actor.organization_id,
        manager=there(tx, draft.manager or Manager()),
        description=draft.description or "",
        project_id=draft.project_id,
        hidden=bool(draft.hidden),
        created_at=at,
        created_by=by,
        updated_at=at,
        updated_by=by,
    )
    return with_its_own(tx, store.add(tx, new), draft)


async def update(
    database: Database, actor: Actor, group_id: GroupId, draft: GroupDraft
) -> GroupState:
    """Change what is said; agents and blocks are these then, and no others.

    Raises: GroupNotFound, and as `create`.
    """
    check(draft)

    def unit(tx: Tx) -> GroupState:
        seen = store.get_to_change(tx, group_id)
        said = {
            "description": draft.description,
            "project_id": draft.project_id,
            "hidden": draft.hidden,
            "manager": None if draft.manager is None else there(tx, draft.manager),
        }
        given = {name: value for name, value in said.items() if value is not None}
        return with_its_own(tx, store.change(tx, replace(seen, **given)), draft)

    return await database.write(actor, unit)


def there(tx: Tx, manager: Manager) -> Manager:
    """Raises: AgentNotFound."""
    if manager.agent_id is not None:
        attachments.demand(tx, manager.agent_id)
    return manager


def with_its_own(tx: Tx, one: Group, draft: GroupDraft) -> GroupState:
    if draft.agent_ids is not None:
        store.set_agents(tx, one.id, draft.agent_ids)
    if draft.block_ids is not None:
        store.set_blocks(tx, one.id, draft.block_ids)
    found = store.state(tx, one)
    store.share(tx, found)
    return found


def add_block(tx: Tx, group_id: GroupId, block_id: BlockId) -> None:
    """All of its agents share it from now on. Raises: GroupNotFound, BlockNotFound, LabelTaken."""
    seen = store.state(tx, store.get_to_change(tx, group_id))
    if block_id not in seen.blocks:
        with_its_own(tx, seen.group, GroupDraft(block_ids=(*seen.blocks, block_id)))
