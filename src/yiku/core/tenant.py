"""Who owns rows, and who asks now."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from yiku.core.ids import ApiKeyId, OrganizationId, UserId

LOCAL_ORGANIZATION = OrganizationId("org-00000000-0000-4000-8000-000000000000")
LOCAL_USER = UserId("user-00000000-0000-4000-8000-000000000000")


class Scope(StrEnum):
    """What a key may do. `write` includes `read`; `admin` includes both."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


GRANTS: dict[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.WRITE: frozenset({Scope.READ, Scope.WRITE}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks now: every transaction has one, and sees the rows of one organization only."""

    organization_id: OrganizationId
    user_id: UserId
    scope: Scope = Scope.WRITE
    key_id: ApiKeyId | None = field(default=None, compare=False)
    """The key that was shown; None: none was."""
    address: str | None = field(default=None, compare=False)
    """Where the request came from, as the server saw it."""

    def may(self, scope: Scope) -> bool:
        return scope in GRANTS[self.scope]

    @property
    def runs_server(self) -> bool:
        """Whether it is an administrator of the organization that the server began with: it makes
        other organizations, sets their limits, and may act in each."""
        return self.organization_id == LOCAL_ORGANIZATION and self.may(Scope.ADMIN)

    @property
    def bookkeeper(self) -> "Actor":
        """Writes on this actor's behalf what Yiku notes of a reading, whatever the key may do."""
        return replace(self, scope=Scope.WRITE)


LOCAL_ACTOR = Actor(organization_id=LOCAL_ORGANIZATION, user_id=LOCAL_USER, scope=Scope.ADMIN)
"""The owner of an embedded database, and of a server that needs no key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    id: OrganizationId
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: UserId
    organization_id: OrganizationId
    name: str
    created_at: datetime
    disabled_at: datetime | None = None
    """Since when his keys are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is kept: its first characters and the SHA-256 of the whole, never the key."""

    id: ApiKeyId
    organization_id: OrganizationId
    user_id: UserId
    name: str
    prefix: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
