"""What the use cases of agents share."""

from __future__ import annotations

from dataclasses import dataclass, field

from yiku.context.budget import Calibration
from yiku.core.agent import DEFAULT_CONTEXT_WINDOW
from yiku.memory.archival import ArchivalMemory
from yiku.providers.models import Models
from yiku.store.database import Database
from yiku.tools.registry import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """Everything that agents are made of, and that makes them go."""

    database: Database
    memory: ArchivalMemory
    tools: Toolbox
    models: Models
    default_embedding: str
    """The handle of what makes all vectors, whatever an agent names."""
    calibrations: dict[str, Calibration] = field(default_factory=dict[str, Calibration])
    """By model handle: how it counts tokens, compared to us."""

    def calibration(self, handle: str) -> Calibration:
        return self.calibrations.get(handle) or Calibration()

    @property
    def default_model(self) -> str:
        """The handle of agents that name no model."""
        return self.models.default

    def window_of(self, model: str | None) -> int:
        """The tokens that an agent's context has where nobody says how many."""
        return DEFAULT_CONTEXT_WINDOW
