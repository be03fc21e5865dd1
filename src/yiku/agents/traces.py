"""Traces of steps: what a model was shown and what it said, where somebody wants them kept.

They are written beside the work, in batches, after the step: no run waits for one. They hold the
prompt, and so memories; keys, headers and tools' secrets are no part of a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from yiku.core.ids import StepId
from yiku.core.memory import Json
from yiku.core.message import Part, Utterance
from yiku.core.model import Answer, Prompt, Sampling, Usage
from yiku.core.tenant import Actor
from yiku.store import parts, step_traces
from yiku.store.database import Database, Tx, Unit, now_utc
from yiku.store.later import Later
from yiku.store.step_traces import StepTrace

SAMPLING = tuple(one.name for one in fields(Sampling))
USAGE = tuple(one.name for one in fields(Usage))


@dataclass(frozen=True, slots=True)
class Noted:
    step_id: StepId
    prompt: Prompt
    answer: Answer
    at: datetime

    def trace(self) -> StepTrace:
        return StepTrace(
            step_id=self.step_id,
            request=request_of(self.prompt, self.answer.model),
            response=response_of(self.answer),
            created_at=self.at,
        )


class StepTraces:
    """What was asked lately."""

    def __init__(self, database: Database, keep: int) -> None:
        """`keep`: as many of an organization, the newest."""
        self._database = database
        self._keep = keep
        self._later = Later(self._write, "step-traces")
        self.flush = self._later.flush
        self.close = self._later.close

    def note(self, actor: Actor, step_id: StepId, prompt: Prompt, answer: Answer) -> None:
        self._later.note((actor.bookkeeper, Noted(step_id, prompt, answer, now_utc())))

    async def _write(self, taken: Sequence[tuple[Actor, Noted]]) -> None:
        for actor in dict.fromkeys(actor for actor, _ in taken):
            mine = [one for by, one in taken if by == actor]
            await self._database.write(actor, self._unit(mine))

    def _unit(self, noted: Sequence[Noted]) -> Unit[None]:
        def unit(tx: Tx) -> None:
            step_traces.add(tx, [one.trace() for one in noted], self._keep)

        return unit


def request_of(prompt: Prompt, model: str) -> Mapping[str, Json]:
    """All that the model was shown, in our form: providers differ."""
    sampling = {name: getattr(prompt.sampling, name) for name in SAMPLING}
    return {
        "model": model,
        "system": prompt.system,
        "messages": [utterance_of(one) for one in prompt.messages],
        "tools": [
            {"name": one.name, "description": one.description, "parameters": dict(one.parameters)}
            for one in prompt.tools
        ],
        "tool_choice": prompt.tool_choice,
        "sampling": {name: value for name, value in sampling.items() if value is not None},
    }


def utterance_of(one: Utterance) -> dict[str, Json]:
    return {"role": one.role.value, "parts": parts_of(one.parts)}


def parts_of(given: Sequence[Part]) -> list[Json]:
    """Pictures are told by their size."""
    told: list[Any] = [dict(one) for one in parts.to_json(given)]
    for one in told:
        if isinstance(data := one.get("data"), str):
            one["data"] = f"({len(data):,} characters)"
    return told


def response_of(answer: Answer) -> Mapping[str, Json]:
    return {
        "model": answer.model,
        "parts": parts_of(answer.parts),
        "finish": answer.finish.value,
        "usage": {name: getattr(answer.usage, name) for name in USAGE},
    }
