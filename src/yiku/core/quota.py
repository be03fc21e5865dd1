"""How much of what an organization may have, or use in a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Resource(StrEnum):
    AGENTS = "agents"
    PASSAGES = "passages"
    """Stored texts, superseded and forgotten ones too; not those that messages are found by."""
    MESSAGES = "messages_per_day"
    """What users say to agents; days are of UTC."""
    TOKENS = "tokens_per_day"
    """Of the steps of agents, of summaries and memory skills: prompt and answer."""

    @property
    def daily(self) -> bool:
        return self in (Resource.MESSAGES, Resource.TOKENS)


Limits = Mapping[Resource, int]
"""The most of each; 0, or none: as much as it likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A limit, and what is used of it."""

    resource: Resource
    most: int
    """0: no limit."""
    used: int
    own: bool
    """Set for this organization; otherwise it is the server's default."""
    resets_at: datetime | None
    """Of what is counted by the day."""
