"""How much there is of what fills and empties, when it is asked."""

from __future__ import annotations

from importlib.metadata import version

from yiku.app import App
from yiku.core.tenant import LOCAL_ACTOR
from yiku.store import outbox
from yiku.store.database import Tx, now_utc
from yiku.telemetry.levels import Level

VERSION = version("yiku")
OF_JOBS = "Jobs that wait: due now, due later, or failed too often to be tried again."
OF_AGE = "How long the job that is due longest has been waiting."


async def levels_of(app: App) -> list[Level]:
    """One short read. Raises: StoreError."""

    def unit(tx: Tx) -> list[outbox.Depth]:
        return outbox.depth(tx.connection, tx.now)

    indexes = app.memory.indexes
    return [
        Level(name="yiku_info", of="Which Yiku this is.", value=1, labels={"version": VERSION}),
        Level(name="yiku_index_bytes", of="Memory of the archives' indexes.", value=indexes.nbytes),
        Level(name="yiku_index_archives", of="Archives that are indexed.", value=indexes.count),
        *(one for depth in await app.database.read(LOCAL_ACTOR, unit) for one in of_jobs(depth)),
    ]


def of_jobs(depth: outbox.Depth) -> list[Level]:
    """Of one kind of jobs."""
    states = {"due": depth.due, "later": depth.later, "failed": depth.failed}
    late_s = 0.0 if depth.oldest is None else (now_utc() - depth.oldest).total_seconds()
    return [
        *(
            Level(
                name="yiku_outbox_jobs",
                of=OF_JOBS,
                value=count,
                labels={"kind": depth.kind, "state": state},
            )
            for state, count in states.items()
        ),
        Level(
            name="yiku_outbox_oldest_seconds",
            of=OF_AGE,
            value=max(late_s, 0.0),
            labels={"kind": depth.kind},
        ),
    ]
