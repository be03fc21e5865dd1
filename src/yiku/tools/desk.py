"""What a tool of our own is, and what it works at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from yiku.core.agent import AgentState
from yiku.core.block import Block
from yiku.core.errors import BlockNotFound
from yiku.core.ids import AgentId, RunId, StepId
from yiku.core.language import Language
from yiku.core.tenant import Actor
from yiku.core.tool import DEFAULT_RETURN_CHAR_LIMIT, ToolType
from yiku.memory.archival import ArchivalMemory
from yiku.memory.skills.shared import Skills
from yiku.store.database import Database, Tx
from yiku.tools.own_words import WORDS
from yiku.tools.registry import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a call works at: who asked for it, in which step, and what is in reach."""

    actor: Actor
    state: AgentState
    """As the model was shown it."""
    run_id: RunId
    step_id: StepId
    n: int
    """Of the step in its run."""
    now: datetime
    memory: ArchivalMemory
    skills: Skills
    toolbox: Toolbox
    language: Language = "en"
    """In which the agent is told what its calls have done."""
    call_id: str = ""
    blocks: dict[str, Block | None] = field(default_factory=dict[str, Block | None])
    """By label, those that deeds of this step have changed, as they are now; None: gone."""

    @property
    def words(self) -> Mapping[str, str]:
        return WORDS[self.language]

    @property
    def agent_id(self) -> AgentId:
        return self.state.agent.id

    @property
    def database(self) -> Database:
        return self.memory.database

    @property
    def secrets(self) -> Mapping[str, str]:
        """The agent's. Raises: SecretUnreadable."""
        agent = self.state.agent
        return self.toolbox.vault.open_texts(agent.config.secrets, agent.organization_id)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a custom tool's code sees: the agent's secrets, and the call's own key.

        Raises: SecretUnreadable.
        """
        return {**self.secrets, "YIKU_IDEMPOTENCY_KEY": self.idempotency_key}

    @property
    def idempotency_key(self) -> str:
        """The same one when the call is made again, because the process died in the middle.

        Providers number calls by the answer, some from 0 each time: the step is part of it.
        """
        return f"{self.run_id}:{self.n}:{self.call_id}"

    def block(self, label: str) -> Block:
        """As the model knows it. Raises: BlockNotFound, naming those there are."""
        found = self.blocks[label] if label in self.blocks else self.state.block(label)
        if found is None:
            raise BlockNotFound(
                f"You have no block {label!r}. Your blocks: {', '.join(self.labels()) or 'none'}.",
                zh=f"你没有记忆块 {label!r}。你的记忆块：{'、'.join(self.labels()) or '无'}。",
                label=label,
            )
        return found

    def labels(self) -> list[str]:
        there = [one.label for one in self.state.blocks if one.label not in self.blocks]
        return [*there, *(label for label, block in self.blocks.items() if block is not None)]


DeedWork = Callable[[Tx, Desk, Mapping[str, Any]], str]
"""Works in the step's own transaction: done exactly once, with the step or not at all. Nothing is
written where it raises."""

ActionWork = Callable[[Desk, Mapping[str, Any]], Awaitable[str]]
"""Works outside of any transaction, at least once: `Desk.idempotency_key` tells a repetition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A parameter, and what models are told of it in each language."""

    name: str
    schema: Mapping[str, Any]
    en: str
    zh: str
    required: bool = True

    def told(self, language: Language) -> dict[str, Any]:
        return {**self.schema, "description": self.zh if language == "zh" else self.en}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTool:
    """A tool of our own: what models are told of it, and how it works."""

    name: str
    tool_type: ToolType
    en: str
    zh: str
    params: Sequence[Param] = ()
    deed: DeedWork | None = None
    action: ActionWork | None = None
    """One of the two is there."""
    parallel: bool = False
    """Whether calls of it may run beside others."""
    return_char_limit: int = DEFAULT_RETURN_CHAR_LIMIT
    tags: tuple[str, ...] = ()

    def description(self, language: Language = "en") -> str:
        return self.zh if language == "zh" else self.en

    def parameters(self, language: Language = "en") -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {one.name: one.told(language) for one in self.params},
            "required": [one.name for one in self.params if one.required],
        }


TEXT: Mapping[str, Any] = {"type": "string"}
TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
