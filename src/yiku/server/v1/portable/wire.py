"""What is asked, and answered, about agent files on the v1 wire."""

from __future__ import annotations

from pydantic import Field

from yiku.server.v1.wire import In, Out


class ExportQuery(In):
    conversation_id: str | None = Field(
        default=None, description="The messages of this conversation, not of the agent's own."
    )
    max_steps: int | None = Field(default=None, description="Of older clients; changes nothing.")
    scrub_messages: bool = Field(default=False, description="No messages.")
    use_legacy_format: bool = Field(default=False, description="The older form: one agent.")


class ImportFields(In):
    """The fields beside the file."""

    append_copy_suffix: bool = Field(default=True, description="`_copy` behind the agent's name.")
    override_existing_tools: bool = True
    strip_messages: bool = False
    name: str | None = None
    override_name: str | None = None
    model: str | None = None
    override_model_handle: str | None = None
    embedding: str | None = None
    override_embedding_handle: str | None = None
    project_id: str | None = None
    secrets: str | None = Field(default=None, description="A JSON object of texts, as text.")
    env_vars_json: str | None = None


class ImportedOut(Out):
    agent_ids: list[str] = Field(description="In the order of the file.")
