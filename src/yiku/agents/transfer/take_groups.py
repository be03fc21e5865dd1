"""The groups of an import: those whose agents are all in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yiku.agents import groups
from yiku.agents.transfer.begin import Begun
from yiku.agents.transfer.carried import CarriedGroup
from yiku.core.group import GroupDraft, Manager
from yiku.store.database import Tx


def take_groups(tx: Tx, wanted: Sequence[CarriedGroup], begun: Begun) -> list[str]:
    """Returns what isn't made, in words. Raises: LabelTaken."""
    notes: list[str] = []
    for one in wanted:
        manager = one.draft.manager or Manager()
        members: list[str] = list(one.draft.agent_ids or ())
        members += [manager.agent_id] if manager.agent_id is not None else []
        missing = [key for key in members if key not in begun.agent_ids]
        if missing:
            notes.append(
                f"The group {one.draft.description or one.key!r} isn't made: of its agents the file"
                f" has no {', '.join(missing)}."
            )
        else:
            groups.add(tx, here(one.draft, manager, begun))
    return notes


def here(draft: GroupDraft, manager: Manager, begun: Begun) -> GroupDraft:
    """With what was made of the file's agents and blocks."""
    known = begun.agent_ids
    if manager.agent_id is not None:
        manager = replace(manager, agent_id=known[manager.agent_id])
    return replace(
        draft,
        manager=manager,
        agent_ids=tuple(known[key] for key in draft.agent_ids or ()),
        block_ids=tuple(begun.block_ids[key] for key in draft.block_ids or ()),
    )
