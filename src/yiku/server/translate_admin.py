"""Between the wire of administration and the nouns of the core. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from yiku.core.audit import AuditEvent, AuditFilter, AuditPage
from yiku.core.ids import UserId
from yiku.core.project import Project
from yiku.core.quota import Quota
from yiku.core.tenant import ApiKey, Organization, Scope, User
from yiku.server import wire_admin as forms
from yiku.tenancy.people import NewKey


class Named(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Named)


def next_of(found: Sequence[T], limit: int) -> str | None:
    """The cursor of the page after this one; None where this one isn't full."""
    return found[-1].id if len(found) == limit else None


def organization_out(one: Organization) -> forms.OrganizationOut:
    return forms.OrganizationOut(id=one.id, name=one.name, created_at=one.created_at)


def user_out(one: User) -> forms.UserOut:
    return forms.UserOut(
        id=one.id,
        organization_id=one.organization_id,
        name=one.name,
        created_at=one.created_at,
        disabled_at=one.disabled_at,
    )


def new_key(body: forms.KeyIn) -> NewKey:
    return NewKey(
        name=body.name,
        scope=Scope(body.scope),
        user_id=None if body.user_id is None else UserId(body.user_id),
        user_name=body.user,
        expires_at=body.expires_at,
    )


def key_out(one: ApiKey) -> forms.KeyOut:
    return forms.KeyOut(
        id=one.id,
        organization_id=one.organization_id,
        user_id=one.user_id,
        name=one.name,
        prefix=one.prefix,
        scope=one.scope.value,
        created_at=one.created_at,
        expires_at=one.expires_at,
        revoked_at=one.revoked_at,
    )


def new_key_out(one: ApiKey, secret: str) -> forms.NewKeyOut:
    return forms.NewKeyOut(**key_out(one).model_dump(), key=secret)


def project_out(one: Project) -> forms.ProjectOut:
    return forms.ProjectOut(
        id=one.id,
        organization_id=one.organization_id,
        name=one.name,
        slug=one.slug,
        description=one.description,
        created_at=one.created_at,
        created_by=one.created_by,
    )


def quota_out(one: Quota) -> forms.QuotaOut:
    return forms.QuotaOut(
        resource=one.resource.value,
        most=one.most,
        used=one.used,
        own=one.own,
        resets_at=one.resets_at,
    )


def audit_filter(query: forms.AuditQuery) -> AuditFilter:
    return AuditFilter(
        action=query.action,
        user_id=query.user_id,
        key_id=query.key_id,
        target=query.target,
        since=query.since,
        until=query.until,
    )


def audit_page(query: forms.AuditQuery) -> AuditPage:
    return AuditPage(limit=query.limit, before=query.before)


def audit_event_out(one: AuditEvent) -> forms.AuditEventOut:
    return forms.AuditEventOut(
        id=one.id,
        organization_id=one.organization_id,
        at=one.at,
        user_id=one.user_id,
        key_id=one.key_id,
        action=one.action,
        target=one.target,
        facts=dict(one.facts),
        address=one.address,
    )
