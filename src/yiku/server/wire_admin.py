"""What goes over the wire of administration."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from yiku.server.wire import Out, When, Wire

Scope = Literal["read", "write", "admin"]
Resource = Literal["agents", "passages", "messages_per_day", "tokens_per_day"]


class Within(Wire):
    """Which organization."""

    organization_id: str | None = Field(
        default=None,
        description="Another organization than the key's: for administrators of the server.",
    )


class Listing(Within):
    """A page of a list, the oldest first."""

    limit: int = Field(default=50, ge=1, le=1000)
    after: str | None = Field(default=None, description="`next` of the page before.")


class OrganizationsQuery(Wire):
    limit: int = Field(default=50, ge=1, le=1000)
    after: str | None = Field(default=None, description="`next` of the page before.")


class KeysQuery(Listing):
    user_id: str | None = Field(default=None, description="Only this user's.")


class AuditQuery(Within):
    """Which acts; the newest first."""

    action: str | None = Field(
        default=None, description="An act, `key.create`, or what several begin with, `key`."
    )
    user_id: str | None = None
    key_id: str | None = None
    target: str | None = Field(default=None, description="The id of what it was done to.")
    since: When | None = None
    until: When | None = Field(default=None, description="Before then.")
    limit: int = Field(default=50, ge=1, le=1000)
    before: str | None = Field(default=None, description="`next` of the page before.")


class NameIn(Wire):
    name: str


class OrganizationOut(Out):
    id: str
    name: str
    created_at: datetime


class OrganizationsOut(Out):
    organizations: list[OrganizationOut]
    next: str | None = Field(description="`after` of the next page; null: this is the last.")


class UserPatch(Wire):
    name: str | None = None
    disabled: bool | None = Field(default=None, description="Whether the user's keys are refused.")


class UserOut(Out):
    id: str
    organization_id: str
    name: str
    created_at: datetime
    disabled_at: datetime | None


class UsersOut(Out):
    users: list[UserOut]
    next: str | None


class KeyIn(Wire):
    """A key to make."""

    name: str = Field(description="What it is for.")
    scope: Scope = Field(default="write", description="Each includes those before it.")
    user_id: str | None = Field(default=None, description="Who it acts as; default: who asks.")
    user: str | None = Field(
        default=None, description="Instead, by name; a user who isn't there is made."
    )
    expires_at: When | None = Field(default=None, description="Default: it doesn't expire.")


class KeyOut(Out):
    id: str
    organization_id: str
    user_id: str
    name: str
    prefix: str = Field(description="What it begins with.")
    scope: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeyOut(KeyOut):
    key: str = Field(description="The key itself, this once: it is kept as a hash.")


class KeysOut(Out):
    keys: list[KeyOut]
    next: str | None


class ProjectIn(Wire):
    name: str
    slug: str | None = Field(default=None, description="Default: made from the name.")
    description: str = Field(default="", max_length=10_000)


class ProjectPatch(Wire):
    name: str | None = None
    slug: str | None = None
    description: str | None = Field(default=None, max_length=10_000)


class ProjectOut(Out):
    id: str
    organization_id: str
    name: str
    slug: str
    description: str
    created_at: datetime
    created_by: str


class ProjectsOut(Out):
    projects: list[ProjectOut]
    next: str | None


class QuotaIn(Wire):
    most: int = Field(ge=0, le=2**62, description="0: no limit, whatever the default.")


class QuotaOut(Out):
    resource: str
    most: int = Field(description="0: no limit.")
    used: int
    own: bool = Field(description="Set for this organization; else it is the server's default.")
    resets_at: datetime | None = Field(description="Of what is counted by the day.")


class QuotasOut(Out):
    quotas: list[QuotaOut]


class AuditEventOut(Out):
    id: str
    organization_id: str
    at: datetime
    user_id: str
    key_id: str | None = Field(description="Null: without a key, or on the server's machine.")
    action: str
    target: str | None
    facts: dict[str, str | int | float | bool | None]
    address: str | None


class AuditOut(Out):
    events: list[AuditEventOut]
    next: str | None = Field(description="`before` of the next page; null: this is the last.")
