"""Role memory's part of the Python API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yiku.client.calls import Calls, part, sendable
from yiku.core.role import EmbeddingRoleConfig
from yiku.server import wire, wire_roles

Config = EmbeddingRoleConfig | Mapping[str, Any]


class RoleCalls(Calls):
    """Roles of an archive: `user` says whose, `archive` is its name."""

    async def roles(self, *, user: str = "", archive: str = "default") -> list[wire_roles.RoleOut]:
        """The roles there are, the oldest first."""
        home = {"user": user, "archive": archive}
        return (await self._call(wire_roles.RolesOut, "GET", "/memory/roles", params=home)).roles

    async def add_roles(
        self,
        roles: Sequence[Config] = (),
        *,
        templates: Sequence[str] = (),
        template_set: str | None = None,
        language: str = "en",
        user: str = "",
        archive: str = "default",
    ) -> list[wire_roles.RoleOut]:
        """Make roles, described or from templates; all of them or none.

        `language` says which of a template's languages names the role. Memories that are there
        already don't move: `reroute` lets the new roles claim theirs.
        """
        body = {
            "roles": [described(one) for one in roles],
            "templates": list(templates),
            "template_set": template_set,
            "language": language,
            "user": user,
            "archive": archive,
        }
        return (await self._call(wire_roles.RolesOut, "POST", "/memory/roles", json=body)).roles

    async def role(
        self, role_id: str, *, user: str = "", archive: str = "default"
    ) -> wire_roles.RoleOut:
        home = {"user": user, "archive": archive}
        return await self._call(wire_roles.RoleOut, "GET", path_of(role_id), params=home)

    async def edit_role(
        self,
        role_id: str,
        *,
        reason: str | None = None,
        user: str = "",
        archive: str = "default",
        **changes: Any,
    ) -> wire_roles.RoleOut:
        """Change fields of a role; its earlier configurations are kept."""
        body = {**sendable(changes), "reason": reason, "user": user, "archive": archive}
        return await self._call(wire_roles.RoleOut, "PATCH", path_of(role_id), json=body)

    async def restore_role(
        self, role_id: str, version: int, *, user: str = "", archive: str = "default"
    ) -> wire_roles.RoleOut:
        """Give a role a configuration it had before, as a new version."""
        body = {"version": version, "user": user, "archive": archive}
        path = f"{path_of(role_id)}/restore"
        return await self._call(wire_roles.RoleOut, "POST", path, json=body)

    async def remove_role(self, role_id: str, *, user: str = "", archive: str = "default") -> int:
        """Remove a role; its memories stay. Returns how many it had."""
        home = {"user": user, "archive": archive}
        kind = wire_roles.RoleRemovedOut
        return (await self._call(kind, "DELETE", path_of(role_id), params=home)).memories

    async def role_history(
        self, role_id: str, *, user: str = "", archive: str = "default"
    ) -> list[wire_roles.RoleVersionOut]:
        """The configurations a role had, the newest first."""
        home = {"user": user, "archive": archive}
        path = f"{path_of(role_id)}/history"
        return (await self._call(wire_roles.RoleHistoryOut, "GET", path, params=home)).versions

    async def role_stats(
        self, *, user: str = "", archive: str = "default"
    ) -> wire_roles.RoleSummaryOut:
        """What each role has and does, in figures."""
        home = {"user": user, "archive": archive}
        return await self._call(wire_roles.RoleSummaryOut, "GET", "/memory/role-stats", params=home)

    async def role_templates(self) -> wire_roles.RoleTemplatesOut:
        """The names of templates, and of sets of them."""
        return await self._call(wire_roles.RoleTemplatesOut, "GET", "/memory/role-templates")

    async def role_template(self, name: str, *, language: str = "en") -> wire_roles.RoleConfigOut:
        path = f"/memory/role-templates/{part(name)}"
        params = {"language": language}
        return await self._call(wire_roles.RoleConfigOut, "GET", path, params=params)

    async def route(
        self,
        text: str,
        *,
        threshold: float = 0.3,
        routing: str = "experts",
        user: str = "",
        archive: str = "default",
    ) -> wire_roles.DecisionOut:
        """Where a text would go, and why; nothing is stored."""
        body = {
            "text": text,
            "threshold": threshold,
            "routing": routing,
            "user": user,
            "archive": archive,
        }
        return await self._call(wire_roles.DecisionOut, "POST", "/memory/route", json=body)

    async def gate(
        self,
        context: str,
        *,
        max_roles: int = 3,
        threshold: float | None = None,
        routing: str = "experts",
        conversation: str | None = None,
        user: str = "",
        archive: str = "default",
    ) -> wire_roles.DecisionOut:
        """The roles a context activates, and why.

        `threshold` replaces each role's own `activation_threshold`.
        """
        body = {
            "context": context,
            "max_roles": max_roles,
            "threshold": threshold,
            "routing": routing,
            "conversation": conversation,
            "user": user,
            "archive": archive,
        }
        return await self._call(wire_roles.DecisionOut, "POST", "/memory/gate", json=body)

    async def decision(self, decision_id: str) -> wire_roles.DecisionOut:
        """A decision as it was made."""
        path = f"/memory/decisions/{part(decision_id)}"
        return await self._call(wire_roles.DecisionOut, "GET", path)

    async def decisions(
        self,
        *,
        kind: str | None = None,
        passage_id: str | None = None,
        limit: int = 50,
        user: str = "",
        archive: str = "default",
    ) -> list[wire_roles.DecisionOut]:
        """Gatings, and routings of stored memories, the newest first.

        `kind` is `route` or `gate`; `passage_id`: only those about this memory.
        """
        given = {"kind": kind, "passage_id": passage_id}
        query: dict[str, Any] = {name: one for name, one in given.items() if one is not None}
        query |= {"limit": limit, "user": user, "archive": archive}
        return (
            await self._call(wire_roles.DecisionsOut, "GET", "/memory/decisions", params=query)
        ).decisions

    async def reroute(
        self,
        job: str | None = None,
        *,
        roles: Sequence[str] = (),
        threshold: float = 0.3,
        routing: str = "experts",
        user: str = "",
        archive: str = "default",
    ) -> wire_roles.RerouteOut:
        """One step of looking at memories again after roles have changed.

        Without a `job` a rerouting begins: to `roles`, or to all. Call again with the `job` of the
        answer until its `state` is `done`.
        """
        body = {
            "job": job,
            "roles": list(roles),
            "threshold": threshold,
            "routing": routing,
            "user": user,
            "archive": archive,
        }
        return await self._call(wire_roles.RerouteOut, "POST", "/memory/reroute", json=body)

    async def undo_reroute(self, job: str) -> int:
        """Take back all that a rerouting moved; returns how many moves."""
        path = f"/memory/reroute/{part(job)}/undo"
        return (await self._call(wire_roles.RerouteUndoneOut, "POST", path)).moved

    async def passage_roles(self, passage_id: str) -> wire_roles.PassageRolesOut:
        """A memory's `roles`, and the `moves` by which it came to them and left others."""
        path = f"/memory/passages/{part(passage_id)}/roles"
        return await self._call(wire_roles.PassageRolesOut, "GET", path)

    async def correct(
        self, passage_id: str, *, to: Sequence[str] = (), out_of: Sequence[str] = ()
    ) -> list[wire.MembershipOut]:
        """Say which roles a memory belongs to, or doesn't; their experts learn from it at once.

        Returns its roles from now on.
        """
        body = {"to": list(to), "out_of": list(out_of)}
        path = f"/memory/passages/{part(passage_id)}/roles"
        return (await self._call(wire_roles.MembershipsOut, "POST", path, json=body)).roles

    async def compile_roles(
        self,
        roles: Sequence[str] | None = None,
        *,
        context: str | None = None,
        budget: int = 2_000,
        max_roles: int = 3,
        conversation: str | None = None,
        user: str = "",
        archive: str = "default",
    ) -> wire_roles.CompileOut:
        """The memories of roles that matter most to `context`, rendered for a prompt.

        Without `roles`, those that `context` activates. `budget` is in tokens. `conversation`:
        whose context the text goes into; echoes of it there are not stored as new.
        """
        body = {
            "roles": None if roles is None else list(roles),
            "context": context,
            "budget": budget,
            "max_roles": max_roles,
            "conversation": conversation,
            "user": user,
            "archive": archive,
        }
        return await self._call(wire_roles.CompileOut, "POST", "/memory/compile", json=body)


def path_of(role_id: str) -> str:
    return f"/memory/roles/{part(role_id)}"


def described(role: Config) -> dict[str, Any]:
    return role.as_json() if isinstance(role, EmbeddingRoleConfig) else sendable(role)
