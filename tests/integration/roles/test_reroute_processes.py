"""A rerouting whose process is killed goes on in another, on both databases."""

import os
from collections import Counter
from pathlib import Path

from tests.fixtures.roles import CODER, COOK, CRASH, HOME, MOON, SOUP, add_roles, remember, stepped
from tests.servers.warm import Warm
from yiku.app import App
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.roles import correct, reroute, stats

SCRIPT = Path(__file__).with_name("reroute_process.py")
ROUNDS = 40


async def test_a_killed_rerouting_goes_on_where_it_stood_and_can_be_undone(
    *, app: App, yiku_home: Path, database_url: str, warm: Warm, tmp_path: Path
) -> None:
    texts = [f"{text} number {n}" for n in range(ROUNDS) for text in (SOUP, CRASH, MOON)]
    added = await remember(app, *texts)
    await add_roles(app, COOK, CODER)
    job = await reroute.begin(app.memory, LOCAL_ACTOR, HOME)
    words = [str(yiku_home), database_url, job.id, "2"]
    killed = warm.start(
        words, cwd=tmp_path, env=os.environ, errors=tmp_path / "errors", program=SCRIPT
    )
    told = [killed.stdout.readline() for _ in range(6)]
    killed.kill()
    killed.communicate()
    position = int(told[-1].split()[1])

    going_on = await stepped(app, job.id)

    assert position < going_on.job.position
    assert going_on.looked_at < len(texts) - 10
    assert going_on.job.state == "done"
    told_by = {
        one.role_id: one for one in (await stats.summary(app.memory, LOCAL_ACTOR, HOME)).roles
    }
    assert {name: one.memories for name, one in told_by.items()} == {
        "cook": ROUNDS,
        "coder": ROUNDS,
    }
    moves: Counter[int] = Counter()
    for one in added:
        moves[len((await correct.memory_roles(app.memory, LOCAL_ACTOR, one.passage.id))[1])] += 1
    assert moves == {1: 2 * ROUNDS, 0: ROUNDS}

    assert await reroute.undo(app.memory, LOCAL_ACTOR, job.id) == 2 * ROUNDS
    summary = await stats.summary(app.memory, LOCAL_ACTOR, HOME)
    assert (summary.general, summary.memories) == (len(texts), len(texts))
