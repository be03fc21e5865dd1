"""An import whose process is killed in the middle, and what the next one makes of it."""

import json
import os
import sqlite3
import time
from pathlib import Path

from tests.servers.warm import Started, Warm

MESSAGES = 6_000


def imports(warm: Warm, home: Path, file: Path) -> Started:
    words = ["--home", str(home), "--json", "agent", "import", str(file)]
    environment = {**os.environ, "YIKU_WORKER": "false"}
    return warm.start(words, cwd=file.parent, env=environment, errors=file.with_name("errors"))


def texts(home: Path) -> list[str]:
    with sqlite3.connect(f"file:{home / 'yiku.db'}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT parts FROM message WHERE role = 'user' ORDER BY seq")
        return [json.loads(row[0])[0]["text"] for row in rows]


def stored(home: Path) -> int:
    try:
        return len(texts(home))
    except sqlite3.OperationalError:  # not made yet
        return 0


def test_an_import_that_was_killed_is_gone_on_with(
    yiku_home: Path, tmp_path: Path, warm: Warm
) -> None:
    said = [{"id": f"message-{n}", "role": "user", "content": f"n {n}"} for n in range(MESSAGES)]
    file = tmp_path / "long.af"
    file.write_text(json.dumps({"agents": [{"name": "long", "messages": said}]}))

    killed = imports(warm, yiku_home, file)
    until = time.monotonic() + 60
    while stored(yiku_home) == 0 and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    begun = stored(yiku_home)
    assert 0 < begun < MESSAGES

    second = imports(warm, yiku_home, file)
    answer = json.loads(second.communicate())
    assert (answer["messages"], answer["repeated"]) == (MESSAGES, False)
    assert texts(yiku_home) == [f"n {n}" for n in range(MESSAGES)]
    third = imports(warm, yiku_home, file)
    again = json.loads(third.communicate())
    assert (again["repeated"], again["agent_ids"]) == (True, answer["agent_ids"])
