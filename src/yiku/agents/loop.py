"""The loop of every agent: step after step, until there is a reason to stop."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from yiku.agents import close, role_memory
from yiku.agents.step import hear, settle, step
from yiku.agents.work import Cancelled, Work
from yiku.core.errors import (
    AgentBusy,
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnreachable,
    PromptTooLong,
    ProviderError,
    RunFailed,
    StoreError,
    YikuError,
)
from yiku.core.language import Language
from yiku.core.role import RoleUse
from yiku.core.run import Ended, Failure, Stepped, StopReason

logger = logging.getLogger(__name__)

RESUMPTIONS = 10
"""After so many without a step in between a run is given up. A server may be ended a few times for
other reasons before a run in its queue comes to its first step."""
PASSING = (DatabaseBusy, DatabaseFull, DatabaseUnreachable)
"""The database is to be well again, and has all steps until then."""
REFUSED = (400, 422)
"""What providers answer to a request they will never take: an image they can't read, words their
filter doesn't let pass. A wrong key or model is another matter, and passes."""


async def run(work: Work) -> None:
    """Run until the end, and tell it. What goes wrong ends the run, with its reason on record; but
    where the database is away, or full, a resumption goes on after the last step that it has.

    Raises: AgentBusy where the run isn't ours any more: nothing more is told of it then.
    """
    try:
        demand_harmless(work)
        stop = await settle(work)
        if stop is None:
            await recall_roles(work)
        while stop is None:
            stop = await step(work)
        await remember(work)
        work.active.tell(Ended(work.run))
    except Cancelled:
        await end(work, StopReason.CANCELLED)
    except AgentBusy:
        raise
    except PASSING:
        leave(work)
    except PromptTooLong as error:
        await end(work, StopReason.CONTEXT_OVERFLOW, error, refused=True)
    except ProviderError as error:
        refused = error.facts.get("status") in REFUSED
        await end(work, StopReason.LLM_API_ERROR, error, refused=refused)
    except YikuError as error:
        await end(work, StopReason.ERROR, error)
    # A door: whatever a bug raises, the run is closed, and its agent can be run again.
    except Exception as error:
        logger.exception("a run failed", extra={"run": work.run.id})
        await end(work, StopReason.ERROR, error)


def demand_harmless(work: Work) -> None:
    """A run that ends its process each time it goes on must not do so for ever.

    Raises: RunFailed.
    """
    if work.run.resumptions > RESUMPTIONS:
        raise RunFailed(
            f"The run was taken up again {RESUMPTIONS} times, and each time the server ended or"
            " hung before its next step was done; so it was given up. Its agent can be used again.",
        )


async def recall_roles(work: Work) -> None:
    """What the roles remember that the last message opens. An agent can answer without it.

    Raises: Cancelled.
    """
    try:
        async with work.cancellable():
            opened = await role_memory.opened(
                work.agents, work.actor, work.state, work.messages, use_of(work)
            )
        if opened is not None:
            work.active.opened, work.roles = opened, opened.compiled.text
    except YikuError:
        logger.exception("no role was opened", extra={"run": work.run.id})


async def remember(work: Work) -> None:
    """Keep what was said in the roles' memory. The run has ended, and is as good as it was."""
    try:
        work.active.kept = await role_memory.remember(
            work.agents, work.actor, work.state, work.messages, use_of(work)
        )
    except YikuError:
        logger.exception("what was said didn't reach the roles", extra={"run": work.run.id})


def use_of(work: Work) -> RoleUse:
    return work.run.request.roles or role_memory.USUAL


async def end(
    work: Work, stop: StopReason, error: Exception | None = None, *, refused: bool = False
) -> None:
    """Close the run. Where the database can't be written, a later resumption goes on.

    `refused`: what the model was to be shown was. Raises: AgentBusy.
    """
    failure = None if error is None else failure_of(error, work.language)
    try:
        closed = await close.end(work, stop, failure, refused=refused)
    except StoreError:
        leave(work)
        return
    hear(work, list(closed.messages))
    for row in closed.steps:
        work.active.tell(Stepped(row))
    work.run = closed.run
    work.active.tell(Ended(closed.run))


def leave(work: Work) -> None:
    """It is taken up again once its lease has run out: who kept it from going on isn't the run's
    business, and who asked may be gone."""
    logger.exception("a run waits for the database", extra={"run": work.run.id})
    work.active.tell(Ended(work.run))


BUG: Mapping[Language, str] = {
    "en": "Something went wrong in Yiku; the server's log says what.",
    "zh": "Yiku 出了错，详情见服务器日志。",
}


def failure_of(error: Exception, language: Language = "en") -> Failure:
    if isinstance(error, YikuError):
        return Failure(kind=type(error).__name__, message=error.told(language))
    return Failure(kind="InternalError", message=BUG[language])
