"""What a run knows while it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from yiku.agents.active import ActiveRun
from yiku.agents.kinds import KINDS, Kind, keeps_messages
from yiku.agents.rules import Progress, Rules
from yiku.agents.shared import Agents
from yiku.core.agent import AgentState, Lease
from yiku.core.ids import MessageId, StepId, new_id
from yiku.core.language import Language
from yiku.core.message import Message, MessageRole, Part, Summary
from yiku.core.run import Run, Step
from yiku.core.tenant import Actor


class Cancelled(Exception):
    """Somebody asked for the run to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying:
    """A step that is being made, of which nothing is stored yet."""

    step_id: StepId
    message_id: MessageId
    began_at: datetime


@dataclass(slots=True, kw_only=True)
class Work:
    """One run in this process: what was read at its beginning, kept up to date by each step."""

    agents: Agents
    actor: Actor
    active: ActiveRun
    holder: str
    lease_s: float
    run: Run
    state: AgentState
    messages: list[Message]
    """In the context, oldest first; the first holds the compiled instructions."""
    summary: Summary | None
    steps: list[Step]
    progress: Progress
    """The calls since somebody last said something."""
    language: Language
    """Of our own words to the model."""
    roles: str = ""
    """What the memories of the gated roles tell, for agents with role memory."""
    heard: list[str] = field(default_factory=list[str])
    """The text of the message that the model is saying just now."""
    trying: Trying | None = None
    cancel_asked: bool = False
    began_ns: int = field(default_factory=time.monotonic_ns)
    _scope: asyncio.Timeout | None = None

    @property
    def kind(self) -> Kind:
        return KINDS[self.state.agent.kind]

    @property
    def rules(self) -> Rules:
        return self.state.agent.config.tool_rules

    @property
    def handle(self) -> str:
        """The model that answers."""
        config = self.state.agent.config
        return self.run.request.model or config.model or self.agents.models.default

    @property
    def tool_names(self) -> frozenset[str]:
        own = (tool.name for tool in self.state.tools)
        return frozenset([*own, *(tool.name for tool in self.run.request.client_tools)])

    @property
    def keeps_messages(self) -> bool:
        return keeps_messages(self.state.agent.config)

    def lease(self, now: datetime) -> Lease:
        return Lease(
            agent_id=self.run.agent_id,
            conversation_id=self.run.conversation_id or "",
            run_id=self.run.id,
            holder=self.holder,
            until=now + timedelta(seconds=self.lease_s),
        )

    def message(
        self,
        role: MessageRole,
        parts: Sequence[Part],
        now: datetime,
        *,
        step_id: StepId | None = None,
        id: MessageId | None = None,
    ) -> Message:
        """A message of this run, not stored yet."""
        return Message(
            role=role,
            parts=tuple(parts),
            id=id or MessageId(new_id("message")),
            organization_id=self.run.organization_id,
            agent_id=self.run.agent_id,
            conversation_id=self.run.conversation_id,
            created_at=now,
            created_by=self.actor.user_id,
            run_id=self.run.id,
            step_id=step_id,
            model=self.handle if role is MessageRole.ASSISTANT else None,
        )

    def cancel(self) -> None:
        """End the run as soon as can be: in the middle of the model's answer, or between steps."""
        self.cancel_asked = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def cancellable(self) -> AsyncGenerator[None]:
        """What is awaited inside ends when the run is cancelled. Raises: Cancelled."""
        if self.cancel_asked:
            raise Cancelled
        try:
            async with asyncio.timeout(None) as self._scope:
                yield
        except TimeoutError as error:
            if self.cancel_asked:
                raise Cancelled from error
            raise
        finally:
            self._scope = None
