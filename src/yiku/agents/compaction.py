"""When a context is too full, older messages give way to a summary."""

from __future__ import annotations

from typing import Literal

from yiku.agents.work import Work
from yiku.core.model import Prompt, Usage


def is_needed(work: Work, prompt: Prompt) -> bool:
    return False


async def compact(work: Work, trigger: Literal["window", "overflow", "asked"]) -> bool:
    return False


def learn(work: Work, prompt: Prompt, usage: Usage) -> None:
    return None
