"""Groups of agents as agent files have them; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from yiku.agents.groups import check
from yiku.agents.transfer.carried import CarriedGroup
from yiku.core.errors import Invalid, InvalidImport
from yiku.core.group import GroupState
from yiku.server.v1 import wire_groups as wire
from yiku.server.v1.portable.reading import Json, as_object, known_only, read
from yiku.server.v1.translate_groups import draft_in


def group_to_file(
    of: GroupState, key: str, agents: Mapping[Any, str], blocks: Mapping[Any, str]
) -> Json:
    """`agents`, `blocks`: the keys of those that are in the file."""
    one = of.group
    manager: Json = {"manager_type": one.manager.type.value, **one.manager.config}
    if one.manager.agent_id is not None:
        manager["manager_agent_id"] = agents[one.manager.agent_id]
    return {
        "id": key,
        "agent_ids": [agents[agent_id] for agent_id in of.agents],
        "description": one.description,
        "manager_config": manager,
        "project_id": one.project_id,
        "shared_block_ids": [blocks[each] for each in of.blocks if each in blocks],
        "hidden": one.hidden,
    }


def group_of(value: Any, place: str, n: int, blocks: Collection[str]) -> CarriedGroup:
    """Raises: InvalidImport."""
    said = as_object(value, place)
    known: Json = {"agent_ids": [], "description": "", **known_only(wire.GroupIn, said)}
    manager: Any = known.get("manager_config")
    if isinstance(manager, dict) and not cast("Json", manager).get("manager_agent_id", True):
        known.pop("manager_config")  # its manager was deleted: they speak in turn
    try:
        draft = draft_in(read(wire.GroupIn, known, place))
        check(draft)
    except Invalid as error:
        if isinstance(error, InvalidImport):
            raise
        raise InvalidImport(f"{place}: {error.message}", place=place) from error
    for b, key in enumerate(draft.block_ids or ()):
        if key not in blocks:
            where = f"{place}.shared_block_ids[{b}]"
            raise InvalidImport(f"{where}: the file has no block {key!r}", place=where)
    return CarriedGroup(key=str(said.get("id") or f"group-{n}"), draft=draft)


def groups_of(values: Sequence[Any], blocks: Collection[str]) -> tuple[CarriedGroup, ...]:
    """Raises: InvalidImport."""
    return tuple(group_of(one, f"groups[{n}]", n, blocks) for n, one in enumerate(values))
