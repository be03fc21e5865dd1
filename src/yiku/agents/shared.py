"""What the use cases of agents share."""

from __future__ import annotations

from dataclasses import dataclass, field

from yiku.agents.traces import StepTraces
from yiku.context.budget import Calibration
from yiku.context.compact import THRESHOLD
from yiku.core.agent import DEFAULT_CONTEXT_WINDOW, Agent
from yiku.core.errors import Invalid, ModelNotFound, SettingInvalid
from yiku.core.telemetry import SILENT, Telemetry
from yiku.memory.archival import ArchivalMemory
from yiku.memory.recall_indexer import RecallIndexer
from yiku.memory.skills.shared import Skills
from yiku.providers.models import Models
from yiku.store.contexts import Contexts
from yiku.store.database import Database
from yiku.tools.registry import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """Everything that agents are made of, and that makes them go."""

    database: Database
    memory: ArchivalMemory
    skills: Skills
    tools: Toolbox
    models: Models
    recall: RecallIndexer
    default_embedding: str
    """The handle of what makes all vectors, whatever an agent names."""
    compact_threshold: int = THRESHOLD
    """Messages of a conversation beyond which a run asks for session compaction."""
    traces: StepTraces | None = None
    """None: what models are shown isn't kept."""
    calibrations: dict[str, Calibration] = field(default_factory=dict[str, Calibration])
    """By model handle: how it counts tokens, compared to us."""
    contexts: Contexts = field(default_factory=Contexts)
    telemetry: Telemetry = SILENT

    def calibration(self, handle: str) -> Calibration:
        return self.calibrations.get(handle) or Calibration()

    def opened(self, agent: Agent) -> dict[str, str]:
        """An agent's secrets, which its config holds sealed. Raises: SecretUnreadable."""
        return self.tools.vault.open_texts(agent.config.secrets, agent.organization_id)

    @property
    def default_model(self) -> str:
        """The handle of agents that name no model."""
        return self.models.default

    def window_of(self, model: str | None) -> int:
        """The tokens that an agent's context has where nobody says how many: ours, or what its
        model can take, where that is less."""
        try:
            known = self.models.card(model or self.default_model).context_window
        except (Invalid, ModelNotFound, SettingInvalid):
            return (
                DEFAULT_CONTEXT_WINDOW  # the model may come yet; a run says what is wrong with it
            )
        return min(DEFAULT_CONTEXT_WINDOW, known)
