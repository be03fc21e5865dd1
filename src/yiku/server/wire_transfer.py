"""Imports over the wire of our own API."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from yiku.server.wire import Out, Wire

From = Literal["agent-file", "chatgpt", "claude", "mem0"]


class ImportQuery(Wire):
    """What the file is, and what is to be made of it."""

    source: From = Field(alias="from", description="What wrote the file.")
    agent_id: str | None = Field(
        default=None, description="Whose memory it goes into; an agent file brings its own agents."
    )
    dry_run: bool = Field(default=False, description="Say what would happen, and store nothing.")
    again: bool = Field(
        default=False, description="An agent file that was imported before makes new agents."
    )
    name: str | None = Field(default=None, description="What the file's one agent is called here.")
    model: str | None = Field(default=None, description="`<provider>/<model>` in the file's place.")
    without_messages: bool = False
    keep_tools: bool = Field(
        default=False, description="Tools that are here already keep their source."
    )


class ProgressOut(Out):
    """How far it has come."""

    done: int
    total: int


class ImportOut(Out):
    """What was imported; of a dry run, what would be."""

    source: From
    dry_run: bool
    agent_ids: list[str] = Field(description="The agents that have it now.")
    agents: list[str] = Field(description="Names of the agents that the file brought.")
    blocks: int = 0
    tools: int = 0
    archives: int = 0
    skills: int = Field(default=0, description="Memory skills; `notes` tell what became of each.")
    groups: int = Field(default=0, description="`notes` tell of those that can't be made.")
    servers: int = Field(default=0, description="MCP servers; `notes` tell what became of each.")
    folders: int = 0
    files: int = Field(default=0, description="In those folders, with a text.")
    conversations: int = 0
    messages: int = Field(description="In the file, without what is left out; so `passages`.")
    passages: int
    new_conversations: int = 0
    new_messages: int = Field(description="That no earlier import had stored; so `new_passages`.")
    new_passages: int
    repeated: bool = Field(description="All of it was imported before.")
    first: datetime | None = None
    last: datetime | None = None
    left_out: dict[str, int] = Field(description="What isn't taken, and how often it is there.")
    notes: list[str] = Field(description="What there is to know about it.")


class LineOut(Out):
    """A line of the answer. The last has `imported`, or `error` and `message`."""

    progress: ProgressOut | None = None
    imported: ImportOut | None = None
    error: str | None = None
    message: str | None = None
