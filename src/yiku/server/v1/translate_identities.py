"""Between v1's forms of identities and ours; pure."""

from __future__ import annotations

from collections.abc import Sequence

from yiku.core.identity import (
    IdentityDraft,
    IdentityFilter,
    IdentityPage,
    IdentityProperty,
    IdentityState,
    IdentityType,
)
from yiku.core.ids import AgentId, BlockId, IdentityId
from yiku.server.v1 import wire_identities as wire


def draft_in(form: wire.IdentityIn | wire.IdentityPatch) -> IdentityDraft:
    agents, blocks = form.agent_ids, form.block_ids
    kind = form.identity_type
    return IdentityDraft(
        identifier_key=form.identifier_key,
        name=form.name,
        identity_type=None if kind is None else IdentityType(kind),
        project_id=form.project_id if isinstance(form, wire.IdentityIn) else None,
        properties=None if form.properties is None else properties_in(form.properties),
        agent_ids=None if agents is None else tuple(map(AgentId, agents)),
        block_ids=None if blocks is None else tuple(map(BlockId, blocks)),
    )


def properties_in(forms: Sequence[wire.PropertyIn]) -> tuple[IdentityProperty, ...]:
    return tuple(IdentityProperty(key=one.key, type=one.type, value=one.value) for one in forms)


def identity_out(state: IdentityState) -> wire.IdentityOut:
    one = state.identity
    properties = [
        wire.PropertyOut.model_construct(key=each.key, value=each.value, type=each.type)
        for each in one.properties
    ]
    return wire.IdentityOut.model_construct(
        id=one.id,
        identifier_key=one.identifier_key,
        name=one.name,
        identity_type=one.identity_type.value,
        project_id=one.project_id,
        agent_ids=list(state.agents),
        block_ids=list(state.blocks),
        properties=properties,
        organization_id=one.organization_id,
    )


def identity_filter(query: wire.IdentityQuery) -> IdentityFilter:
    kind = query.identity_type
    return IdentityFilter(
        name_has=query.name,
        identifier_key=query.identifier_key,
        identity_type=None if kind is None else IdentityType(kind),
        project_id=query.project_id,
    )


def identity_page(query: wire.IdentityQuery) -> IdentityPage:
    return IdentityPage(
        limit=query.limit,
        after=None if query.after is None else IdentityId(query.after),
        before=None if query.before is None else IdentityId(query.before),
        newest_first=query.order == "desc",
    )
