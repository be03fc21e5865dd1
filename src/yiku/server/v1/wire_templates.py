"""Templates of agents on the v1 wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from yiku.server.v1.wire import In, Out
from yiku.server.v1.wire_sent import MessageIn


class TemplateIn(In):
    """A template to make: of an agent, or of an agent file."""

    type: Literal["agent", "agent_file"]
    agent_id: str | None = None
    agent_file: dict[str, Any] | None = None
    name: str | None = Field(default=None, description="Null: one is made up.")
    update_existing_tools: bool = False


class TemplatePatch(In):
    agent_file_json: dict[str, Any]
    save_existing_changes: bool = False
    update_existing_tools: bool = False


class RollbackIn(In):
    version: str = Field(description="A number, or `latest`.")


class SaveIn(In):
    message: str | None = None
    migrate_agents: bool = False
    block_reconciliation_strategy: Literal["reconcile-all", "preserve-deleted"] = "preserve-deleted"
    preserve_core_memories_on_migration: bool = True
    preserve_environment_variables_on_migration: bool = True
    preserve_sources_on_migration: bool = True


class TemplateAgentIn(In):
    """An agent to make of a template."""

    agent_name: str | None = None
    identity_ids: list[str] | None = None
    initial_message_sequence: list[MessageIn] | None = None
    memory_variables: dict[str, str] | None = Field(
        default=None, description="For `{{name}}` in blocks and instructions."
    )
    tags: list[str] | None = None
    tool_variables: dict[str, str] | None = Field(
        default=None, description="Environment variables of its tools."
    )


class TemplateOut(Out):
    id: str
    name: str
    description: str | None
    latest_version: str
    project_id: str
    project_slug: str
    template_deployment_slug: str = Field(description="`<project>/<name>:<version>`.")
    updated_at: str


class DoneOut(Out):
    success: bool
    message: str | None = None


class MadeOut(Out):
    agent_ids: list[str]
    deployment_id: str
    group_id: str | None = None
