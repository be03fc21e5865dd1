"""/admin: organizations, users, keys, projects, limits, and who did what. For `admin` keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Query
from starlette.responses import Response

from yiku.core.ids import ApiKeyId, OrganizationId, ProjectId, UserId
from yiku.core.tenant import User
from yiku.server import wire
from yiku.server import wire_admin as forms
from yiku.server.memory import Asks, Here, answer
from yiku.server.routing import Refusing
from yiku.server.translate_admin import (
    audit_event_out,
    audit_filter,
    audit_page,
    key_out,
    new_key,
    new_key_out,
    next_of,
    organization_out,
    project_out,
    quota_out,
    user_out,
)
from yiku.store import audit, keys, quotas, tenants
from yiku.store import projects as project_rows
from yiku.store.database import Tx
from yiku.tenancy import limits, people, projects
from yiku.tenancy.reach import inside

T = TypeVar("T")
router = Refusing(
    wire.ErrorOut,
    (401, 403, 404, 409, 413, 422, 503, 507),
    prefix="/admin",
    tags=["administration"],
)
Where = Annotated[forms.Within, Query()]


def within(query: forms.Within, unit: Callable[[Tx], T]) -> Callable[[Tx], T]:
    """`unit`, in the organization that is meant. Raises: NotAllowed, OrganizationNotFound."""
    asked = query.organization_id
    return lambda tx: unit(inside(tx, None if asked is None else OrganizationId(asked)))


@router.post("/organizations", status_code=201, response_model=forms.OrganizationOut)
async def add_organization(body: forms.NameIn, app: Here, actor: Asks) -> Response:
    """Make an organization; for administrators of the server."""
    made = await app.database.write(actor, lambda tx: people.add_organization(tx, body.name))
    return answer(organization_out(made), 201)


@router.get("/organizations", response_model=forms.OrganizationsOut)
async def list_organizations(
    query: Annotated[forms.OrganizationsQuery, Query()], app: Here, actor: Asks
) -> Response:
    """All there are, for administrators of the server; for others, their own."""
    after = None if query.after is None else OrganizationId(query.after)
    found = await app.database.read(actor, lambda tx: people.organizations(tx, query.limit, after))
    told = [organization_out(one) for one in found]
    return answer(forms.OrganizationsOut(organizations=told, next=next_of(found, query.limit)))


@router.get("/organizations/{organization_id}", response_model=forms.OrganizationOut)
async def get_organization(organization_id: str, app: Here, actor: Asks) -> Response:
    """One organization."""
    asked = OrganizationId(organization_id)
    found = await app.database.read(actor, lambda tx: people.organization(tx, asked))
    return answer(organization_out(found))


@router.patch("/organizations/{organization_id}", response_model=forms.OrganizationOut)
async def rename_organization(
    organization_id: str, body: forms.NameIn, app: Here, actor: Asks
) -> Response:
    """Another name."""
    asked = OrganizationId(organization_id)
    changed = await app.database.write(
        actor, lambda tx: people.rename_organization(tx, asked, body.name)
    )
    return answer(organization_out(changed))


@router.delete(
    "/organizations/{organization_id}", status_code=202, response_model=forms.OrganizationOut
)
async def delete_organization(organization_id: str, app: Here, actor: Asks) -> Response:
    """Delete an organization; for administrators of the server. Its keys are refused from now on,
    and nobody finds it; all that belongs to it is erased in the background."""
    asked = OrganizationId(organization_id)
    gone = await app.database.write(actor, lambda tx: people.delete_organization(tx, asked))
    return answer(organization_out(gone), 202)


@router.post("/users", status_code=201, response_model=forms.UserOut)
async def add_user(body: forms.NameIn, query: Where, app: Here, actor: Asks) -> Response:
    """Make a user."""
    unit = within(query, lambda tx: people.add_user(tx, body.name))
    return answer(user_out(await app.database.write(actor, unit)), 201)


@router.get("/users", response_model=forms.UsersOut)
async def list_users(query: Annotated[forms.Listing, Query()], app: Here, actor: Asks) -> Response:
    """The users there are."""
    after = None if query.after is None else UserId(query.after)
    unit = within(query, lambda tx: tenants.page_of_users(tx, query.limit, after))
    found = await app.database.read(actor, unit)
    told = [user_out(one) for one in found]
    return answer(forms.UsersOut(users=told, next=next_of(found, query.limit)))


@router.get("/users/{user_id}", response_model=forms.UserOut)
async def get_user(user_id: str, query: Where, app: Here, actor: Asks) -> Response:
    """One user."""
    unit = within(query, lambda tx: tenants.get_user(tx, UserId(user_id)))
    return answer(user_out(await app.database.read(actor, unit)))


@router.patch("/users/{user_id}", response_model=forms.UserOut)
async def change_user(
    user_id: str, body: forms.UserPatch, query: Where, app: Here, actor: Asks
) -> Response:
    """Another name; or disable a user, whose keys are refused from then on, or enable again."""

    def unit(tx: Tx) -> User:
        found = tenants.get_user(tx, UserId(user_id))
        if body.name is not None:
            found = people.rename_user(tx, found.id, body.name)
        if body.disabled is not None:
            found = people.switch_user(tx, found.id, disabled=body.disabled)
        return found

    return answer(user_out(await app.database.write(actor, within(query, unit))))


@router.post("/keys", status_code=201, response_model=forms.NewKeyOut)
async def add_key(body: forms.KeyIn, query: Where, app: Here, actor: Asks) -> Response:
    """Make a key; the answer has it, this once."""
    unit = within(query, lambda tx: people.add_key(tx, new_key(body)))
    made, secret = await app.database.write(actor, unit)
    return answer(new_key_out(made, secret), 201)


@router.get("/keys", response_model=forms.KeysOut)
async def list_keys(query: Annotated[forms.KeysQuery, Query()], app: Here, actor: Asks) -> Response:
    """The keys there are, those that are refused by now, too."""
    after = None if query.after is None else ApiKeyId(query.after)
    user_id = None if query.user_id is None else UserId(query.user_id)
    unit = within(query, lambda tx: keys.page(tx, query.limit, after, user_id))
    found = await app.database.read(actor, unit)
    told = [key_out(one) for one in found]
    return answer(forms.KeysOut(keys=told, next=next_of(found, query.limit)))


@router.get("/keys/{key_id}", response_model=forms.KeyOut)
async def get_key(key_id: str, query: Where, app: Here, actor: Asks) -> Response:
    """One key, not its secret."""
    unit = within(query, lambda tx: keys.get(tx, ApiKeyId(key_id)))
    return answer(key_out(await app.database.read(actor, unit)))


@router.delete("/keys/{key_id}", response_model=forms.KeyOut)
async def revoke_key(key_id: str, query: Where, app: Here, actor: Asks) -> Response:
    """Refuse a key from now on; it stays in the list."""
    unit = within(query, lambda tx: people.revoke_key(tx, ApiKeyId(key_id)))
    return answer(key_out(await app.database.write(actor, unit)))


@router.post("/projects", status_code=201, response_model=forms.ProjectOut)
async def add_project(body: forms.ProjectIn, query: Where, app: Here, actor: Asks) -> Response:
    """Make a project: a name to file agents under."""
    unit = within(query, lambda tx: projects.add(tx, body.name, body.slug, body.description))
    return answer(project_out(await app.database.write(actor, unit)), 201)


@router.get("/projects", response_model=forms.ProjectsOut)
async def list_projects(
    query: Annotated[forms.Listing, Query()], app: Here, actor: Asks
) -> Response:
    """The projects there are."""
    after = None if query.after is None else ProjectId(query.after)
    unit = within(query, lambda tx: project_rows.page(tx, query.limit, after))
    found = await app.database.read(actor, unit)
    told = [project_out(one) for one in found]
    return answer(forms.ProjectsOut(projects=told, next=next_of(found, query.limit)))


@router.get("/projects/{project_id}", response_model=forms.ProjectOut)
async def get_project(project_id: str, query: Where, app: Here, actor: Asks) -> Response:
    """One project."""
    unit = within(query, lambda tx: project_rows.get(tx, ProjectId(project_id)))
    return answer(project_out(await app.database.read(actor, unit)))


@router.patch("/projects/{project_id}", response_model=forms.ProjectOut)
async def change_project(
    project_id: str, body: forms.ProjectPatch, query: Where, app: Here, actor: Asks
) -> Response:
    """Another name, slug or description."""
    told = projects.Told(name=body.name, slug=body.slug, description=body.description)
    unit = within(query, lambda tx: projects.update(tx, ProjectId(project_id), told))
    return answer(project_out(await app.database.write(actor, unit)))


@router.delete("/projects/{project_id}", status_code=204, response_model=None)
async def delete_project(project_id: str, query: Where, app: Here, actor: Asks) -> Response:
    """Delete a project; the agents that were filed under it stay."""
    unit = within(query, lambda tx: projects.delete(tx, ProjectId(project_id)))
    await app.database.write(actor, unit)
    return Response(status_code=204)


@router.get("/quotas", response_model=forms.QuotasOut)
async def list_quotas(query: Where, app: Here, actor: Asks) -> Response:
    """Every limit, and what is used of it."""
    found = await app.database.read(actor, within(query, quotas.all_of))
    return answer(forms.QuotasOut(quotas=[quota_out(one) for one in found]))


@router.put("/quotas/{resource}", response_model=forms.QuotaOut)
async def set_quota(
    resource: str, body: forms.QuotaIn, query: Where, app: Here, actor: Asks
) -> Response:
    """Give an organization a limit of its own; for administrators of the server."""
    asked, which = query.organization_id, limits.resource_of(resource)
    where = None if asked is None else OrganizationId(asked)
    found = await app.database.write(actor, lambda tx: limits.put(tx, where, which, body.most))
    return answer(quota_out(found))


@router.delete("/quotas/{resource}", response_model=forms.QuotaOut)
async def clear_quota(resource: str, query: Where, app: Here, actor: Asks) -> Response:
    """Back to the server's default; for administrators of the server."""
    asked, which = query.organization_id, limits.resource_of(resource)
    where = None if asked is None else OrganizationId(asked)
    found = await app.database.write(actor, lambda tx: limits.clear(tx, where, which))
    return answer(quota_out(found))


@router.get("/audit", response_model=forms.AuditOut)
async def list_audit(
    query: Annotated[forms.AuditQuery, Query()], app: Here, actor: Asks
) -> Response:
    """Who did what, the newest first."""
    unit = within(query, lambda tx: audit.page(tx, audit_filter(query), audit_page(query)))
    found = await app.database.read(actor, unit)
    told = [audit_event_out(one) for one in found]
    return answer(forms.AuditOut(events=told, next=next_of(found, query.limit)))
