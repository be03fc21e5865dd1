"""The nouns of a conversation: a message, and the parts it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from yiku.core.ids import (
    AgentId,
    BatchId,
    ConversationId,
    MessageId,
    OrganizationId,
    RunId,
    StepId,
    UserId,
)


class MessageRole(StrEnum):
    """Who speaks to whom; a memory role is something else."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    """Returns of tools that ran here."""
    APPROVAL = "approval"
    """A person's answer to calls that waited for one, or returns of tools the client ran."""
    SUMMARY = "summary"
    """What took the place of older messages in the context."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture: where it is, or what it is (base64). One of the two is given."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What a model thought before it answered. Replayed to the provider it came from, only."""

    text: str
    """Empty where the provider keeps it to itself (`hidden`)."""
    signature: str | None = None
    id: str | None = None
    provider: str | None = None
    """Whose it is, as the model layer names providers; others aren't shown it."""
    hidden: Literal["redacted", "omitted"] | None = None
    details: Mapping[str, object] = field(default_factory=dict[str, object])
    """What else the provider wants back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A model's request to call a tool."""

    id: str
    """The provider's; unique in its message."""
    name: str
    arguments: str
    """JSON, as the model wrote it; it may be broken."""
    waits: Literal["approval", "client"] | None = None
    """For whom: a person who allows it, or the client that runs it. None: for nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolReturn:
    """A tool's answer to a call."""

    call_id: str
    name: str
    ok: bool
    text: str
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's answer to a call that waited for one."""

    call_id: str
    approve: bool
    reason: str | None = None
    arguments: str | None = None
    """JSON to call the tool with in place of the model's; None: those."""


Part = Text | Image | Reasoning | ToolCall | ToolReturn | Approval


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Utterance:
    """One entry of a conversation, as a model is shown it.

    Things made of it are kept as long as it is, so it can be referred to weakly.
    """

    role: MessageRole
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """Its text parts, joined by line breaks."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def returns(self) -> tuple[ToolReturn, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolReturn))

    @property
    def approvals(self) -> tuple[Approval, ...]:
        return tuple(part for part in self.parts if isinstance(part, Approval))


def said(role: MessageRole, text: str) -> Utterance:
    return Utterance(role, (Text(text),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming(Utterance):
    """An utterance on its way in: somebody's words, or an answer to calls that wait."""

    role: MessageRole
    parts: tuple[Part, ...]
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Utterance):
    """An utterance as it is stored: one row, one id, whatever its parts."""

    role: MessageRole
    parts: tuple[Part, ...]
    id: MessageId
    organization_id: OrganizationId
    agent_id: AgentId
    conversation_id: ConversationId | None = None
    """None: the agent's own conversation."""
    seq: int = 0
    """Order of storing inside one database; 0 until it is stored."""
    created_at: datetime
    created_by: UserId
    run_id: RunId | None = None
    step_id: StepId | None = None
    model: str | None = None
    """The handle of the model that said it."""
    name: str | None = None
    """Who spoke, where several do."""
    otid: str | None = None
    """The client's own id for it: a message whose otid the agent has already isn't stored again."""
    sender_id: str | None = None
    group_id: str | None = None
    is_archived: bool = False
    """No longer in the context; found by searching, and told by a summary."""
    copied_from: MessageId | None = None
    """What a fork took over from another conversation. Its run and step are where it was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a model is told in place of archived messages. The newest one counts."""

    id: str
    agent_id: AgentId
    conversation_id: ConversationId | None
    text: str
    first_seq: int
    last_seq: int
    """It tells of the messages from `first_seq` to `last_seq`, both included."""
    count: int
    """How many those are."""
    created_at: datetime
    model: str | None
    """Who wrote it; None: no model did, it is an excerpt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Which messages are listed; what isn't given doesn't matter."""

    agent_id: AgentId | None = None
    conversation_id: ConversationId | None = None
    all_conversations: bool = False
    """Else `conversation_id` None means the agent's own conversation."""
    run_id: RunId | None = None
    step_id: StepId | None = None
    roles: Sequence[MessageRole] | None = None
    group_id: str | None = None
    batch_id: BatchId | None = None
    """Of the runs of its items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """As many as `limit`, next to a message, in the order asked for."""

    limit: int = 100
    after: MessageId | None = None
    before: MessageId | None = None
    newest_first: bool = True
