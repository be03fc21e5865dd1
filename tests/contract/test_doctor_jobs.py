"""What was to be done in the background, and was not, is told by `yiku doctor`."""

from dataclasses import replace
from datetime import timedelta

from tests.fixtures.agents import Store
from tests.fixtures.agents import store as store
from yiku.cli import doctor
from yiku.store import outbox
from yiku.store.database import Tx


async def test_the_doctor_tells_of_jobs(store: Store) -> None:
    assert (await doctor.about_jobs(store.database)).found == "none wait"
    await store.do(outbox.put, "compact", "a")
    found = await doctor.about_jobs(store.database)
    assert (found.state, found.found) == ("ok", "1 wait")

    def late(tx: Tx) -> None:
        outbox.put(tx, "judge", "b", due_at=tx.now - timedelta(hours=2))

    await store.do(late)
    found = await doctor.about_jobs(store.database)
    assert (found.state, found.found.split(",")[0]) == ("warn", "1 wait")
    assert "yiku worker" in found.todo

    def fail_for_good(tx: Tx) -> None:
        [job] = outbox.take(tx.connection, "here", tx.now, tx.now + timedelta(hours=1), 1)
        given_up = replace(job, tries=outbox.MOST_TRIES)
        outbox.failed(tx, given_up, "here", "ProviderUnavailable: no answer.", tx.now)

    await store.as_stranger(fail_for_good)
    found = await doctor.about_jobs(store.database)
    assert found.state == "warn"
    assert found.found == "1 failed 10 times; judge: ProviderUnavailable: no answer."
