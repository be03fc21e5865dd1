"""All that the first transaction of an import makes, or would make."""

from __future__ import annotations

from dataclasses import replace

from yiku.agents.transfer import begin
from yiku.agents.transfer.begin import Begun, Prepared
from yiku.agents.transfer.take_files import take_folders
from yiku.agents.transfer.take_groups import take_groups
from yiku.agents.transfer.take_skills import take_skills
from yiku.store.database import Tx


def first(tx: Tx, ready: Prepared) -> Begun:
    """Raises: Invalid, LabelTaken, StoreError."""
    begun = begin.begin(tx, ready)
    homes = take_folders(tx, ready.carried, begun.agent_ids)
    told = take_groups(tx, ready.carried.groups, begun)
    told += take_skills(tx, ready.carried.skills)
    return replace(
        begun,
        folder_ids=homes.ids,
        fresh_folders=homes.fresh,
        notes=(*begun.notes, *homes.notes, *told),
    )
