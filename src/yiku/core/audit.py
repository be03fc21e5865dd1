"""The audit log: who did what to people, keys, limits, skills, agents and whole collections."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from yiku.core.ids import ApiKeyId, AuditEventId, OrganizationId, UserId


class Act(StrEnum):
    """What is noted. `key` is what all acts on keys begin with, and so on."""

    ORGANIZATION_CREATE = "organization.create"
    ORGANIZATION_RENAME = "organization.rename"
    ORGANIZATION_DELETE = "organization.delete"
    ORGANIZATION_ERASED = "organization.erased"
    """Nothing of it is left: done in the background, for who deleted it."""
    USER_CREATE = "user.create"
    USER_RENAME = "user.rename"
    USER_DISABLE = "user.disable"
    USER_ENABLE = "user.enable"
    KEY_CREATE = "key.create"
    KEY_REVOKE = "key.revoke"
    PROJECT_CREATE = "project.create"
    PROJECT_UPDATE = "project.update"
    PROJECT_DELETE = "project.delete"
    QUOTA_SET = "quota.set"
    QUOTA_CLEAR = "quota.clear"
    SKILL_ADD = "skill.add"
    SKILL_EDIT = "skill.edit"
    SKILL_APPROVE = "skill.approve"
    SKILL_REJECT = "skill.reject"
    SKILL_ROLLBACK = "skill.rollback"
    SKILL_REVERT = "skill.revert"
    SKILL_REVERT_UNDO = "skill.revert_undo"
    AGENT_DELETE = "agent.delete"
    AGENT_EXPORT = "agent.export"
    AGENT_IMPORT = "agent.import"
    ARCHIVE_DELETE = "archive.delete"
    ARCHIVE_EXPORT = "archive.export"
    MEMORIES_IMPORT = "memories.import"
    MCP_SERVER_ADD = "mcp_server.add"
    MCP_SERVER_UPDATE = "mcp_server.update"
    MCP_SERVER_DELETE = "mcp_server.delete"


Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """An act, as it was noted in the act's own transaction. Never changed, never taken back."""

    seq: int
    id: AuditEventId
    organization_id: OrganizationId
    """Whose matter it was; an act on another organization stands in that one's log."""
    at: datetime
    user_id: UserId
    key_id: ApiKeyId | None
    """None: no key was needed, or it was done on the server's machine."""
    action: str
    """An `Act`; of an older or newer version maybe another."""
    target: str | None
    """The id, or the name, of what it was done to."""
    facts: Mapping[str, Fact]
    """Names, scopes, numbers; never a memory's text, never a secret."""
    address: str | None
    """Whom the server saw asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which acts; what isn't given doesn't matter."""

    action: str | None = None
    """An act, or what several begin with: `key`."""
    user_id: str | None = None
    key_id: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """The newest first."""

    limit: int = 50
    before: str | None = None
    """The id of an act: those before it."""
