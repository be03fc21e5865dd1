"""Between v1's forms of groups and ours; pure."""

from __future__ import annotations

from typing import Any

from yiku.core.group import (
    GroupDraft,
    GroupFilter,
    GroupPage,
    GroupState,
    Manager,
    ManagerType,
)
from yiku.core.ids import AgentId, BlockId, GroupId
from yiku.server.v1 import wire_groups as wire

CONFIG = (
    "termination_token",
    "max_turns",
    "sleeptime_agent_frequency",
    "max_message_buffer_length",
    "min_message_buffer_length",
)
"""What is set of managers, each kind its own."""


def draft_in(form: wire.GroupIn | wire.GroupPatch) -> GroupDraft:
    agents, blocks = form.agent_ids, form.shared_block_ids
    return GroupDraft(
        description=form.description,
        manager=None if form.manager_config is None else manager_in(form.manager_config),
        project_id=form.project_id,
        hidden=form.hidden,
        agent_ids=None if agents is None else tuple(map(AgentId, agents)),
        block_ids=None if blocks is None else tuple(map(BlockId, blocks)),
    )


def manager_in(form: wire.ManagerIn) -> Manager:
    values: dict[str, Any] = form.model_dump(exclude_none=True)
    kind, agent_id = values.pop("manager_type"), values.pop("manager_agent_id", None)
    return Manager(type=ManagerType(kind), agent_id=agent_id, config=values)


def group_out(state: GroupState) -> wire.GroupOut:
    one = state.group
    return wire.GroupOut.model_construct(
        id=one.id,
        manager_type=one.manager.type.value,
        agent_ids=list(state.agents),
        description=one.description,
        project_id=one.project_id,
        shared_block_ids=list(state.blocks),
        manager_agent_id=one.manager.agent_id,
        hidden=one.hidden,
        **{name: one.manager.config.get(name) for name in CONFIG},
        **dict.fromkeys(("turns_counter", "last_processed_message_id")),
        **dict.fromkeys(("template_id", "base_template_id", "deployment_id")),
    )


def group_filter(query: wire.GroupQuery) -> GroupFilter | None:
    """None: no group can be meant, for there are none of that kind."""
    kind = query.manager_type
    if kind is not None and kind not in list(ManagerType):
        return None
    return GroupFilter(
        manager_type=None if kind is None else ManagerType(kind),
        project_id=query.project_id,
        with_hidden=bool(query.show_hidden_groups),
    )


def group_page(query: wire.GroupQuery) -> GroupPage:
    return GroupPage(
        limit=query.limit,
        after=None if query.after is None else GroupId(query.after),
        before=None if query.before is None else GroupId(query.before),
        newest_first=query.order == "desc",
    )
