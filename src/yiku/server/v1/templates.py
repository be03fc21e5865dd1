"""/v1/templates: agent files kept under a name, in versions, that agents are made of."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from starlette.responses import Response

from yiku.agents.transfer import give
from yiku.agents.transfer import templates as deeds
from yiku.agents.transfer.carried import Carried
from yiku.agents.transfer.templates import Filling, Migration, Version
from yiku.app import App
from yiku.core.agent import AgentState
from yiku.core.errors import AgentTemplateNotFound, Invalid, InvalidImport, checked
from yiku.core.ids import AgentId, new_id
from yiku.core.template import AgentTemplate
from yiku.core.tenant import Actor
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_templates as wire
from yiku.server.v1.about import view_of
from yiku.server.v1.portable.file import AgentFile
from yiku.server.v1.portable.write import Export, written
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_sent import message_in
from yiku.store import templates
from yiku.store.database import Tx

router = Routes("templates")
PROJECT = "default"
LONGEST = 1_000
"""Characters of a version's message."""


@router.post("/v1/templates", response_model=wire.TemplateOut)
async def create(body: wire.TemplateIn, app: Here, actor: Asks) -> Response:
    """Make a template of an agent, or of an agent file; it has version 1 then."""
    if body.type == "agent":
        if body.agent_id is None:
            raise Invalid("Say which agent: `agent_id`.", field="agent_id")
        file = await file_of_agent(app, actor, AgentId(body.agent_id))
    else:
        if body.agent_file is None:
            raise Invalid("Send the agent file: `agent_file`.", field="agent_file")
        file = body.agent_file
    carried = checked("agent_file", lambda: carried_of(file))
    if body.update_existing_tools:
        await renew_tools(app, actor, carried)
    name = deeds.check_name(body.name or f"template-{new_id('x')[2:10]}")
    about = described(file)
    made = await app.database.write(
        actor, lambda tx: templates.add(tx, name, None, about, bare(file))
    )
    return answer(template_out(made))


@router.patch("/v1/templates/{template_name}", response_model=wire.DoneOut)
async def update(template_name: str, body: wire.TemplatePatch, app: Here, actor: Asks) -> Response:
    """Change what the template is now; versions that were saved stay."""
    await app.database.read(actor, lambda tx: templates.get(tx, template_name))
    carried = checked("agent_file_json", lambda: carried_of(body.agent_file_json))
    if body.update_existing_tools:
        await renew_tools(app, actor, carried)

    def unit(tx: Tx) -> None:
        seen = templates.get(tx, template_name)
        if body.save_existing_changes and is_unsaved(tx, seen):
            seen = templates.save(tx, seen, None)
        templates.put(tx, seen, bare(body.agent_file_json))

    await app.database.write(actor, unit)
    return answer(wire.DoneOut(success=True))


@router.delete("/v1/templates/{template_name}", response_model=wire.DoneOut)
async def delete(template_name: str, app: Here, actor: Asks) -> Response:
    """Erase a template with all its versions; its agents stay."""
    await app.database.write(actor, lambda tx: templates.remove(tx, template_name))
    return answer(wire.DoneOut(success=True))


@router.post("/v1/templates/{template_name}/save", response_model=wire.TemplateOut)
async def save(template_name: str, body: wire.SaveIn, app: Here, actor: Asks) -> Response:
    """Keep what the template is now as a new version; `migrate_agents`: its agents follow."""

    def unit(tx: Tx) -> tuple[AgentTemplate, list[AgentId]]:
        message = None if body.message is None else body.message[:LONGEST]
        saved = templates.save(tx, templates.get(tx, template_name), message)
        return saved, templates.agents_of(tx, saved) if body.migrate_agents else []

    saved, ids = await app.database.write(actor, unit)
    if ids:
        how = Migration(
            keep_values=body.preserve_core_memories_on_migration,
            keep_secrets=body.preserve_environment_variables_on_migration,
            drop_others=body.block_reconciliation_strategy == "reconcile-all",
        )
        carried = carried_of(saved.working)
        of = Version(template=saved, number=saved.latest_version, carried=carried)
        await deeds.migrate(app.agents, actor, of, ids, how)
    return answer(template_out(saved))


@router.post("/v1/templates/{template_name}/rollback", response_model=wire.DoneOut)
async def rollback(template_name: str, body: wire.RollbackIn, app: Here, actor: Asks) -> Response:
    """Go back to a version; what wasn't saved becomes a version first."""

    def unit(tx: Tx) -> int:
        seen = templates.get(tx, template_name)
        version = number_of(body.version, seen)
        file = templates.file_of(tx, seen, version)
        if is_unsaved(tx, seen):
            seen = templates.save(tx, seen, f"before the rollback to {version}")
        templates.put(tx, seen, file)
        return version

    version = await app.database.write(actor, unit)
    return answer(wire.DoneOut(success=True, message=f"It is as version {version} now."))


@router.post("/v1/templates/{template_version}/agents", response_model=wire.MadeOut)
async def create_agents(
    template_version: str, body: wire.TemplateAgentIn, app: Here, actor: Asks
) -> Response:
    """Make the agents of a template, `<name>:<version>` or `<name>:latest`."""
    given: dict[str, Any] = {"name": body.agent_name, "secrets": body.tool_variables}
    given["tags"] = None if body.tags is None else tuple(dict.fromkeys(body.tags))
    given["identity_ids"] = None if body.identity_ids is None else tuple(body.identity_ids)
    filling = Filling(
        given={name: one for name, one in given.items() if one is not None},
        variables=body.memory_variables or {},
        first_messages=tuple(message_in(one) for one in body.initial_message_sequence or ()),
    )
    deployment = new_id("deployment")
    made = await made_of(app, actor, template_version, filling, deployment)
    ids: list[str] = [one.agent.id for one in made]
    return answer(wire.MadeOut(agent_ids=ids, deployment_id=deployment))


async def made_of(
    app: App, actor: Actor, named: str, filling: Filling, deployment: str
) -> list[AgentState]:
    """Raises: AgentTemplateNotFound, Invalid."""

    def unit(tx: Tx) -> tuple[AgentTemplate, int, Mapping[str, Any]]:
        name, _, version = named.rpartition("/")[2].partition(":")
        found = templates.get(tx, name)
        if version in ("current", "dev"):
            return found, found.latest_version, found.working
        number = number_of(version or "latest", found)
        return found, number, templates.file_of(tx, found, number)

    found, version, file = await app.database.read(actor, unit)
    of = Version(template=found, number=version, carried=carried_of(file))
    return await deeds.make_agents(app.agents, actor, of, filling, deployment)


async def renew_tools(app: App, actor: Actor, carried: Carried) -> None:
    """Custom tools get the file's source. Raises: InvalidTool."""
    for one in carried.tools.values():
        if one.draft is not None:
            await app.tools.upsert(actor, one.draft)


async def file_of_agent(app: App, actor: Actor, agent_id: AgentId) -> dict[str, Any]:
    """An agent as a file, without its conversation and its archives."""
    outline = replace(await give.outline(app.agents, actor, agent_id), archives=())
    outline = replace(outline, folders=(), skills=(), servers=(), groups=())
    view = view_of(app.agents, actor)
    export = Export(agents=app.agents, actor=actor, outline=outline, view=view, with_messages=False)
    return json.loads(b"".join([piece async for piece in written(export)]))


NOT_KEPT: Mapping[str, Any] = {
    "messages": [],
    "in_context_message_ids": [],
    "archive_ids": [],
    "source_ids": [],
    "summary": None,
    "conversations": [],
}


BARE: Mapping[str, Any] = {
    name: [] for name in ("archives", "memory_skills", "sources", "files", "mcp_servers", "groups")
}


def bare(file: Mapping[str, Any]) -> dict[str, Any]:
    """Without what a template's agents don't begin with: messages, archives, folders, memory
    skills."""
    found: Any = file.get("agents")
    if not isinstance(found, list):
        return {**file, **BARE}
    agents = [
        {**cast("dict[str, Any]", one), **NOT_KEPT} if isinstance(one, dict) else one
        for one in cast("list[Any]", found)
    ]
    return {**file, "agents": agents, **BARE}


def carried_of(file: Mapping[str, Any]) -> Carried:
    """Raises: InvalidImport."""
    if "agents" not in file:
        raise InvalidImport("An agent file has `agents`; the older form isn't taken here.")
    return AgentFile(io.BytesIO(json.dumps(bare(file)).encode())).whole()


def described(file: Mapping[str, Any]) -> str | None:
    found = file["agents"][0].get("description")
    return found if isinstance(found, str) else None


def is_unsaved(tx: Tx, seen: AgentTemplate) -> bool:
    return templates.file_of(tx, seen, seen.latest_version) != seen.working


def number_of(version: str, of: AgentTemplate) -> int:
    """Raises: AgentTemplateNotFound."""
    if version == "latest":
        return of.latest_version
    if not version.isascii() or not version.isdigit() or len(version) > 9:
        raise AgentTemplateNotFound(
            f"Template {of.name!r} has versions 1 to {of.latest_version} and `latest`, not"
            f" {version!r:.40}."
        )
    return int(version)


def template_out(one: AgentTemplate) -> wire.TemplateOut:
    project = one.project_id or PROJECT
    return wire.TemplateOut(
        id=one.id,
        name=one.name,
        description=one.description,
        latest_version=str(one.latest_version),
        project_id=project,
        project_slug=project,
        template_deployment_slug=f"{project}/{one.name}:{one.latest_version}",
        updated_at=one.updated_at.isoformat(),
    )
