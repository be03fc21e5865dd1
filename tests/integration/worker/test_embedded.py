"""A memory that a program opens has a worker, unless it says no."""

import time
from pathlib import Path

import pytest

import yiku


@pytest.mark.parametrize("worker", [True, False])
def test_a_memory_in_this_process_has_a_worker(
    yiku_home: Path, database_url: str, worker: bool
) -> None:
    given = {"home": yiku_home, "database_url": database_url, "compact_threshold": 8}
    with yiku.connect("yiku://", worker=worker, **given) as memory:
        ann = memory.agents.create("ann")
        for n in range(4):
            memory.agents.send(ann.id, f"My sister Ursula is {40 + n} years old.")
        until = time.monotonic() + (15 if worker else 1)
        while len(memory.agents.get_history_with_summary(ann.id)) > 9 and time.monotonic() < until:
            time.sleep(0.05)
        first, *others = memory.agents.get_history_with_summary(ann.id)
    assert first.content.startswith("[PREVIOUS SUMMARY]") == worker
    # Calls and returns are messages, too; what came after a summary stays until it is 8 again.
    assert (5 <= len(others) <= 8) == worker
