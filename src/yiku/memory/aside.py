"""Work on texts that may be long, beside the event loop: nobody else's request waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

Made = TypeVar("Made")

LONG = 10_000
"""Characters, of all texts together: a tenth of a second for the slowest work."""


async def aside(texts: Iterable[str], work: Callable[[], Made]) -> Made:
    """What `work` makes of the texts: in a thread where they are long, which for short ones would
    cost more than the work."""
    if sum(map(len, texts)) <= LONG:
        return work()
    return await asyncio.to_thread(work)
