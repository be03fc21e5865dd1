"""Administration's part of the Python API: organizations, users, keys, projects, limits, acts."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from yiku.client.calls import Calls, M, asked_for, part, sendable
from yiku.server import wire_admin as forms

ROOT = "/admin"


class AdminClient(Calls):
    """What administrators do. It takes a key with the scope `admin`.

    `organization_id`: another organization than the key's own, for administrators of the server,
    who alone make organizations and set limits. Lists are pages, the oldest first; `after`: the
    `next` of the page before.
    """

    async def add_organization(self, name: str) -> forms.OrganizationOut:
        """Make an organization."""
        return await self._made(forms.OrganizationOut, "organizations", {"name": name})

    async def organizations(
        self, *, limit: int = 50, after: str | None = None
    ) -> forms.OrganizationsOut:
        """All there are; for who doesn't run the server, his own."""
        return await self._page(forms.OrganizationsOut, "organizations", limit=limit, after=after)

    async def organization(self, organization_id: str) -> forms.OrganizationOut:
        """One organization."""
        path = f"{ROOT}/organizations/{part(organization_id)}"
        return await self._call(forms.OrganizationOut, "GET", path)

    async def rename_organization(self, organization_id: str, name: str) -> forms.OrganizationOut:
        """Give an organization another name."""
        path, body = f"{ROOT}/organizations/{part(organization_id)}", {"name": name}
        return await self._call(forms.OrganizationOut, "PATCH", path, json=body)

    async def delete_organization(self, organization_id: str) -> forms.OrganizationOut:
        """Delete an organization: its keys are refused at once, and all that belongs to it is
        erased in the background."""
        path = f"{ROOT}/organizations/{part(organization_id)}"
        return await self._call(forms.OrganizationOut, "DELETE", path)

    async def add_user(self, name: str, *, organization_id: str | None = None) -> forms.UserOut:
        """Make a user."""
        return await self._made(forms.UserOut, "users", {"name": name}, organization_id)

    async def users(
        self, *, limit: int = 50, after: str | None = None, organization_id: str | None = None
    ) -> forms.UsersOut:
        """The users there are."""
        return await self._page(
            forms.UsersOut, "users", limit=limit, after=after, organization_id=organization_id
        )

    async def user(self, user_id: str, *, organization_id: str | None = None) -> forms.UserOut:
        """One user."""
        path, params = f"{ROOT}/users/{part(user_id)}", within(organization_id)
        return await self._call(forms.UserOut, "GET", path, params=params)

    async def change_user(
        self,
        user_id: str,
        *,
        name: str | None = None,
        disabled: bool | None = None,
        organization_id: str | None = None,
    ) -> forms.UserOut:
        """Rename a user; or disable one: all his keys are refused until he is enabled again."""
        body = asked_for({"name": name, "disabled": disabled})
        path, params = f"{ROOT}/users/{part(user_id)}", within(organization_id)
        return await self._call(forms.UserOut, "PATCH", path, json=body, params=params)

    async def add_key(
        self,
        name: str,
        *,
        scope: Literal["read", "write", "admin"] = "write",
        user_id: str | None = None,
        user: str | None = None,
        expires_at: datetime | str | None = None,
        organization_id: str | None = None,
    ) -> forms.NewKeyOut:
        """Make a key; `key` of the answer is it, this once. It acts as the user of this id, or of
        this name, who is made where there is none; by default as who asks."""
        told = {"name": name, "scope": scope, "user_id": user_id, "user": user}
        body = sendable(asked_for({**told, "expires_at": expires_at}))
        return await self._made(forms.NewKeyOut, "keys", body, organization_id)

    async def keys(
        self,
        *,
        user_id: str | None = None,
        limit: int = 50,
        after: str | None = None,
        organization_id: str | None = None,
    ) -> forms.KeysOut:
        """The keys there are, those that are refused by now, too."""
        asked = {"user_id": user_id, "limit": limit, "after": after}
        return await self._page(forms.KeysOut, "keys", **asked, organization_id=organization_id)

    async def key(self, key_id: str, *, organization_id: str | None = None) -> forms.KeyOut:
        """One key, not its secret."""
        path, params = f"{ROOT}/keys/{part(key_id)}", within(organization_id)
        return await self._call(forms.KeyOut, "GET", path, params=params)

    async def revoke_key(self, key_id: str, *, organization_id: str | None = None) -> forms.KeyOut:
        """Refuse a key from now on."""
        path, params = f"{ROOT}/keys/{part(key_id)}", within(organization_id)
        return await self._call(forms.KeyOut, "DELETE", path, params=params)

    async def add_project(
        self,
        name: str,
        *,
        slug: str | None = None,
        description: str = "",
        organization_id: str | None = None,
    ) -> forms.ProjectOut:
        """Make a project: a name to file agents under."""
        body = asked_for({"name": name, "slug": slug, "description": description})
        return await self._made(forms.ProjectOut, "projects", body, organization_id)

    async def projects(
        self, *, limit: int = 50, after: str | None = None, organization_id: str | None = None
    ) -> forms.ProjectsOut:
        """The projects there are."""
        return await self._page(
            forms.ProjectsOut, "projects", limit=limit, after=after, organization_id=organization_id
        )

    async def project(
        self, project_id: str, *, organization_id: str | None = None
    ) -> forms.ProjectOut:
        """One project."""
        path, params = f"{ROOT}/projects/{part(project_id)}", within(organization_id)
        return await self._call(forms.ProjectOut, "GET", path, params=params)

    async def change_project(
        self,
        project_id: str,
        *,
        name: str | None = None,
        slug: str | None = None,
        description: str | None = None,
        organization_id: str | None = None,
    ) -> forms.ProjectOut:
        """Another name, slug or description."""
        body = asked_for({"name": name, "slug": slug, "description": description})
        path, params = f"{ROOT}/projects/{part(project_id)}", within(organization_id)
        return await self._call(forms.ProjectOut, "PATCH", path, json=body, params=params)

    async def delete_project(self, project_id: str, *, organization_id: str | None = None) -> None:
        """Delete a project; the agents that were filed under it stay."""
        path, params = f"{ROOT}/projects/{part(project_id)}", within(organization_id)
        await self._done("DELETE", path, params=params)

    async def quotas(self, *, organization_id: str | None = None) -> list[forms.QuotaOut]:
        """Every limit, and what is used of it."""
        found = await self._page(forms.QuotasOut, "quotas", organization_id=organization_id)
        return found.quotas

    async def set_quota(
        self, resource: str, most: int, *, organization_id: str | None = None
    ) -> forms.QuotaOut:
        """Limit `agents`, `passages`, `messages_per_day` or `tokens_per_day`; 0: no limit."""
        path, params = f"{ROOT}/quotas/{part(resource)}", within(organization_id)
        return await self._call(forms.QuotaOut, "PUT", path, json={"most": most}, params=params)

    async def clear_quota(
        self, resource: str, *, organization_id: str | None = None
    ) -> forms.QuotaOut:
        """Back to the server's default."""
        path, params = f"{ROOT}/quotas/{part(resource)}", within(organization_id)
        return await self._call(forms.QuotaOut, "DELETE", path, params=params)

    async def audit(
        self,
        *,
        action: str | None = None,
        user_id: str | None = None,
        key_id: str | None = None,
        target: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        limit: int = 50,
        before: str | None = None,
        organization_id: str | None = None,
    ) -> forms.AuditOut:
        """Who did what, the newest first; `before`: the `next` of the page before. `action`: one,
        `key.create`, or what several begin with, `key`."""
        who = {"action": action, "user_id": user_id, "key_id": key_id, "target": target}
        when = sendable({"since": since, "until": until, "limit": limit, "before": before})
        return await self._page(
            forms.AuditOut, "audit", **who, **when, organization_id=organization_id
        )

    async def _made(
        self, kind: type[M], what: str, body: dict[str, Any], organization_id: str | None = None
    ) -> M:
        params = within(organization_id)
        return await self._call(kind, "POST", f"{ROOT}/{what}", json=body, params=params)

    async def _page(self, kind: type[M], what: str, **query: Any) -> M:
        return await self._call(kind, "GET", f"{ROOT}/{what}", params=asked_for(query))


def within(organization_id: str | None) -> dict[str, str]:
    return {} if organization_id is None else {"organization_id": organization_id}
