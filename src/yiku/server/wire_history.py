"""The wire's forms of a conversation's history: a summary, and the messages since."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from yiku.server.wire import Out


class HistoryCallOut(Out):
    """A tool that the agent called."""

    id: str
    name: str
    arguments: str = Field(description="JSON, as the model wrote it.")


class HistoryMessageOut(Out):
    """A message as a chat API takes it."""

    id: str = Field(description="The message's, or the summary's.")
    role: str = Field(description="`system`, `user`, `assistant`, `tool` or `approval`.")
    content: str = Field(
        description="Its text; a tool's return is what the tool said. A summary begins with"
        " `[PREVIOUS SUMMARY]`."
    )
    name: str | None = Field(description="Who spoke, where several do; of a return, the tool.")
    created_at: datetime
    tool_calls: list[HistoryCallOut] = Field(default_factory=list[HistoryCallOut])
    tool_call_id: str | None = Field(default=None, description="Of a return: the call it answers.")


class SummaryOut(Out):
    """What stands for the messages before."""

    id: str
    text: str
    message_count: int = Field(description="How many messages it stands for.")
    created_at: datetime = Field(description="When the last of those was said.")
    model: str | None = Field(description="Who wrote it; none: it is an excerpt.")


class ConversationOut(Out):
    """A conversation as an agent is shown it."""

    agent_id: str
    conversation_id: str | None
    summary: SummaryOut | None
    messages: list[HistoryMessageOut] = Field(
        description="The summary, where there is one, as a system message; then the messages that"
        " aren't archived, the oldest first."
    )
