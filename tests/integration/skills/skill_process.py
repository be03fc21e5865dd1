"""Evolves, approves or works in a process of its own, which may be killed.

python skill_process.py evolve|approve|work [WHAT] [--cut EVENT]

`--cut`: it kills itself in the middle of the transaction that tells of this event.
"""

import argparse
import asyncio
import os
import signal
from typing import Any

from yiku.app import App, build
from yiku.core.ids import ChangelogId
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.skills import designer, promote
from yiku.settings import load
from yiku.store import skill_events
from yiku.worker.work import working


def cut_at(event: str) -> None:
    add = skill_events.add

    def cut(tx: Any, kind: str, facts: Any) -> Any:
        if kind == event:
            os.kill(os.getpid(), signal.SIGKILL)
        return add(tx, kind, facts)

    skill_events.add = cut


async def act(app: App, what: str, on: str | None) -> None:
    print("ready", flush=True)
    if what == "evolve":
        await designer.run_evolution_cycle(app.skills, LOCAL_ACTOR, name=on)
    elif what == "approve":
        await promote.approve(app.skills, LOCAL_ACTOR, ChangelogId(str(on)))
    else:
        async with working(app):
            await asyncio.Event().wait()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("evolve", "approve", "work"))
    parser.add_argument("on", nargs="?")
    parser.add_argument("--cut")
    given = parser.parse_args()
    if given.cut:
        cut_at(given.cut)
    async with build(load()) as app:
        await act(app, given.what, given.on)


asyncio.run(main())
