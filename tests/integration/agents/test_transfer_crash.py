"""An import whose process is killed in the middle, and what the next one makes of it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

MESSAGES = 6_000


def yiku(home: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "yiku", "--home", str(home), "--json", *words]
    environment = {**os.environ, "YIKU_WORKER": "false"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def texts(home: Path) -> list[str]:
    with sqlite3.connect(f"file:{home / 'yiku.db'}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT parts FROM message WHERE role = 'user' ORDER BY seq")
        return [json.loads(row[0])[0]["text"] for row in rows]


def stored(home: Path) -> int:
    try:
        return len(texts(home))
    except sqlite3.OperationalError:  # not made yet
        return 0


def test_an_import_that_was_killed_is_gone_on_with(yiku_home: Path, tmp_path: Path) -> None:
    said = [{"id": f"message-{n}", "role": "user", "content": f"n {n}"} for n in range(MESSAGES)]
    file = tmp_path / "long.af"
    file.write_text(json.dumps({"agents": [{"name": "long", "messages": said}]}))

    killed = yiku(yiku_home, "agent", "import", str(file))
    until = time.monotonic() + 60
    while stored(yiku_home) == 0 and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    begun = stored(yiku_home)
    assert 0 < begun < MESSAGES

    second = yiku(yiku_home, "agent", "import", str(file))
    answer = json.loads(second.communicate()[0])
    assert (answer["messages"], answer["repeated"]) == (MESSAGES, False)
    assert texts(yiku_home) == [f"n {n}" for n in range(MESSAGES)]
    third = yiku(yiku_home, "agent", "import", str(file))
    again = json.loads(third.communicate()[0])
    assert (again["repeated"], again["agent_ids"]) == (True, answer["agent_ids"])
