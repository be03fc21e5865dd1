"""The two halves of a step without the loop between: for programs that ask a model themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yiku.agents import role_memory
from yiku.agents.instructions import view_of, with_instructions
from yiku.agents.prompt import sampling_of
from yiku.agents.role_memory import Kept, Opened
from yiku.app import App
from yiku.context.compile import Asking
from yiku.context.compile import prompt as compiled
from yiku.core.agent import AgentState
from yiku.core.ids import ConversationId, MessageId, new_id
from yiku.core.message import Message, MessageRole, Summary, Text
from yiku.core.model import Prompt
from yiku.core.role import RoleUse
from yiku.core.tenant import Actor
from yiku.store import attachments, messages
from yiku.store.database import Tx, now_utc


@dataclass(frozen=True, slots=True)
class Here:
    """Who is spoken with, and where."""

    app: App
    actor: Actor
    state: AgentState
    conversation: ConversationId | None
    use: RoleUse

    def message(self, role: MessageRole, text: str, name: str | None = None) -> Message:
        """Not stored yet."""
        return Message(
            role=role,
            parts=(Text(text),),
            id=MessageId(new_id("message")),
            organization_id=self.actor.organization_id,
            agent_id=self.state.agent.id,
            conversation_id=self.conversation,
            created_at=now_utc(),
            created_by=self.actor.user_id,
            name=name,
        )


@dataclass(frozen=True, slots=True)
class Said:
    """A message to the agent, and whose it is."""

    text: str
    speaker: str

    def message(self, here: Here) -> Message:
        return here.message(MessageRole.USER, self.text, self.speaker or None)


async def prepare(here: Here, said: Said) -> tuple[Opened | None, Prompt]:
    """What a message opens, and all that a model is to be shown; nothing is stored.

    Raises: ProviderError, StoreError.
    """
    agents, agent_id = here.app.agents, here.state.agent.id

    def unit(tx: Tx) -> tuple[list[Message], Summary | None]:
        found = agents.contexts.read(tx, agent_id, here.conversation)
        return found, messages.summary(tx, agent_id, here.conversation)

    found, summary = await here.app.database.read(here.actor, unit)
    shown = [*found, said.message(here)]
    opened = await role_memory.opened(agents, here.actor, here.state, shown, here.use)
    asking = Asking(sampling=sampling_of(here.state.agent.config))
    roles = "" if opened is None else opened.compiled.text
    view = view_of(here.state)
    return opened, compiled(here.state, view, shown, asking, summary=summary, roles=roles)


async def remember(here: Here, said: Said, reply: str) -> tuple[Sequence[Kept], MessageId]:
    """Put a message and its reply into the conversation, and into the roles they belong to.

    Returns what became of them, and which is the reply. Raises: ProviderError, StoreError.
    """
    agents, state = here.app.agents, here.state
    new = [said.message(here), here.message(MessageRole.ASSISTANT, reply)]

    def unit(tx: Tx) -> list[Message]:
        attachments.hold(tx, state.agent.id)
        found = agents.contexts.read(tx, state.agent.id, here.conversation)
        found = with_instructions(tx, state, found, here.conversation)
        messages.add(tx, new)
        return found

    before = await here.app.database.write(here.actor, unit)
    agents.recall.note(here.actor, state.agent.id)
    kept = await role_memory.remember(agents, here.actor, state, before, here.use)
    return kept, new[-1].id
