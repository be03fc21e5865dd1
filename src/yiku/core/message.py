"""The nouns of a conversation with a model."""

from dataclasses import dataclass
from enum import StrEnum


class MessageRole(StrEnum):
    """Who speaks to whom; a memory role is something else."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a conversation, as a model is shown it."""

    role: MessageRole
    text: str
