"""Identities on the v1 wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, RootModel

from yiku.server.v1.wire import In, NewestFirst, Out

IdentityKind = Literal["org", "user", "other"]
PropertyKind = Literal["string", "number", "boolean", "json"]


class PropertyIn(In):
    key: str
    value: bool | int | float | str | dict[str, Any]
    type: PropertyKind


class PropertiesIn(RootModel[list[PropertyIn]]):
    """Properties to set; others stay."""


class IdentityFields(In):
    properties: list[PropertyIn] | None = None
    agent_ids: list[str] | None = None
    block_ids: list[str] | None = None


class IdentityIn(IdentityFields):
    """An identity to make, or to have be so."""

    identifier_key: str = Field(description="The program's own key for it; unique.")
    name: str
    identity_type: IdentityKind
    project_id: str | None = None


class IdentityPatch(IdentityFields):
    """Fields to change; what is left out, or null, stays. Properties, agents and blocks are added
    to those it has."""

    identifier_key: str | None = None
    name: str | None = None
    identity_type: IdentityKind | None = None


class PropertyOut(Out):
    key: str
    value: bool | int | float | str | dict[str, Any]
    type: PropertyKind


class IdentityOut(Out):
    id: str
    identifier_key: str
    name: str
    identity_type: IdentityKind
    project_id: str | None
    agent_ids: list[str]
    block_ids: list[str]
    properties: list[PropertyOut]
    organization_id: str


class IdentityQuery(NewestFirst):
    """Which identities are listed."""

    name: str | None = Field(default=None, description="Part of the name.")
    identifier_key: str | None = None
    identity_type: IdentityKind | None = None
    project_id: str | None = None
