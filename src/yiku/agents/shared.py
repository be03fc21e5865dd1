"""The working parts of agents, which their use cases share."""

from __future__ import annotations

from dataclasses import dataclass, field

from yiku.context.budget import Calibration
from yiku.memory.archival import ArchivalMemory
from yiku.providers.models import Models
from yiku.store.database import Database
from yiku.tools.registry import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """Where agents are kept, what they think with, and what they remember with."""

    database: Database
    memory: ArchivalMemory
    tools: Toolbox
    models: Models
    calibrations: dict[str, Calibration] = field(default_factory=dict[str, Calibration])
    """By model handle: how its count of tokens compares to ours."""

    def calibration(self, handle: str) -> Calibration:
        return self.calibrations.get(handle) or Calibration()
