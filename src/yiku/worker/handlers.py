"""What is done of each kind of job that commits ask for: kind for kind, who carries it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from yiku.agents import batches, organizations, schedules, session
from yiku.agents.afterwards import COMPACT, JUDGE
from yiku.app import App
from yiku.core.ids import AgentId, ConversationId, EncodingId, FileId, RunId
from yiku.core.skill import Job
from yiku.core.tenant import Actor, Scope
from yiku.memory.files import erase as file_erase
from yiku.memory.files import job as file_job
from yiku.memory.files import shared as files
from yiku.memory.skills import encode, feedback, saving
from yiku.memory.skills.designer import run_evolution_cycle
from yiku.memory.skills.schedule import EVOLVE
from yiku.tenancy import people

Handler = Callable[[Actor, Job], Awaitable[object]]
"""Carries a job out; what it raises is the job's problem. It may be cancelled, and called again.
`Again`: the job is due again then."""


def handlers_of(app: App) -> dict[str, Handler]:
    """What is done of each kind of job."""

    async def compact(actor: Actor, job: Job) -> object:
        given = job.payload["conversation_id"]
        conversation = None if given is None else ConversationId(str(given))
        agent_id = AgentId(str(job.payload["agent_id"]))
        return await session.compact(app.agents, actor, agent_id, conversation)

    async def encoded(actor: Actor, job: Job) -> object:
        return await encode.run(app.skills, actor, EncodingId(job.key))

    async def judged(actor: Actor, job: Job) -> object:
        return await feedback.judge(app.skills, actor, RunId(job.key))

    async def evolved(actor: Actor, job: Job) -> object:
        # Who asked for it was an administrator, or nobody: the schedule. It approves nothing.
        admin = replace(actor, scope=Scope.ADMIN)
        name = job.payload.get("name")
        return await run_evolution_cycle(
            app.skills, admin, name=None if name is None else str(name)
        )

    async def batched(actor: Actor, job: Job) -> object:
        return await batches.look(app.database, app.runner, actor, job.key)

    async def read_file(actor: Actor, job: Job) -> object:
        return await file_job.run(app.files, actor, job)

    async def erase_file(actor: Actor, job: Job) -> object:
        return await file_erase.rest_of(app.files, actor, FileId(job.key))

    async def fired(actor: Actor, job: Job) -> object:
        return await schedules.carry_out(app.runner, app.database, actor, job)

    async def erased(actor: Actor, job: Job) -> object:
        return await organizations.erase(app.agents, actor, job)

    return {
        COMPACT: compact,
        saving.JOB: encoded,
        JUDGE: judged,
        EVOLVE: evolved,
        batches.JOB: batched,
        files.JOB: read_file,
        files.ERASE: erase_file,
        schedules.JOB: fired,
        people.ERASE: erased,
    }


def schedules_of(app: App) -> dict[str, timedelta]:
    """Kinds of jobs that come again by themselves for each organization, and how often."""
    return {EVOLVE: timedelta(days=1)} if app.settings.designer_auto_evolve else {}
