"""Groups of agents on the v1 wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from yiku.server.v1.wire import In, NewestFirst, Out

ManagerKind = Literal[
    "round_robin", "supervisor", "dynamic", "sleeptime", "voice_sleeptime", "swarm"
]
Times = Annotated[int, Field(ge=0, le=1_000_000)]


class RoundRobin(In):
    manager_type: Literal["round_robin"] = "round_robin"
    max_turns: Times | None = None


class Supervisor(In):
    manager_type: Literal["supervisor"]
    manager_agent_id: str


class Dynamic(In):
    manager_type: Literal["dynamic"]
    manager_agent_id: str
    termination_token: str | None = "DONE!"
    max_turns: Times | None = None


class Sleeptime(In):
    manager_type: Literal["sleeptime"]
    manager_agent_id: str
    sleeptime_agent_frequency: Times | None = None


class VoiceSleeptime(In):
    manager_type: Literal["voice_sleeptime"]
    manager_agent_id: str
    max_message_buffer_length: Times | None = None
    min_message_buffer_length: Times | None = None


ManagerIn = Annotated[
    RoundRobin | Supervisor | Dynamic | Sleeptime | VoiceSleeptime,
    Field(discriminator="manager_type"),
]


class GroupIn(In):
    """A group to make. Without `manager_config` its agents would speak in turn."""

    agent_ids: list[str]
    description: str
    manager_config: ManagerIn | None = None
    shared_block_ids: list[str] | None = None
    project_id: str | None = None
    hidden: bool | None = None


class GroupPatch(In):
    """Fields to change; what is left out, or null, stays. Lists of ids are whole."""

    agent_ids: list[str] | None = None
    description: str | None = None
    manager_config: ManagerIn | None = None
    shared_block_ids: list[str] | None = None
    project_id: str | None = None
    hidden: bool | None = None


class GroupOut(Out):
    id: str
    manager_type: ManagerKind
    agent_ids: list[str]
    description: str
    project_id: str | None
    shared_block_ids: list[str]
    manager_agent_id: str | None
    termination_token: str | None
    max_turns: int | None
    sleeptime_agent_frequency: int | None
    max_message_buffer_length: int | None
    min_message_buffer_length: int | None
    turns_counter: int | None
    last_processed_message_id: str | None
    hidden: bool | None
    template_id: str | None
    base_template_id: str | None
    deployment_id: str | None


class GroupQuery(NewestFirst):
    """Which groups are listed."""

    manager_type: ManagerKind | None = None
    project_id: str | None = None
    show_hidden_groups: bool | None = None
