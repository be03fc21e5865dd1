"""An import whose process is killed in the middle, and what the next one makes of it."""

import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers.warm import Started, Warm

MESSAGES = 6_000
TALKS, PASSAGES, PIECES = 600, 600, 600
"""Each of several transactions."""
WAIT_S = 60.0

TRAVEL = {
    "name": "travel_plans",
    "kind": "encoding",
    "version": 1,
    "description": {"en": "Keeps travel plans.", "zh": "记录出行计划。"},
    "intent_keywords": ["flight"],
    "prompt_template": "Write each travel plan in the text as a sentence: {{ content }}",
}
LENT = {
    "id": "tool-0",
    "name": "echo",
    "tool_type": "external_mcp",
    "tags": ["mcp:far"],
    "json_schema": {"name": "echo", "parameters": {"type": "object", "properties": {}}},
}
NOTE = {
    "id": "tool-1",
    "name": "note",
    "tool_type": "custom",
    "source_code": 'def note() -> str:\n    """Note."""\n    return "noted"\n',
}


def spoken(n: int) -> dict[str, Any]:
    return {"id": f"message-{n}", "role": "user", "content": f"n {n}"}


def agent(n: int, **more: Any) -> dict[str, Any]:
    shared = {"block_ids": ["block-0"], "group_ids": ["group-0"], "tool_ids": ["tool-0", "tool-1"]}
    return {"id": f"agent-{n}", "name": f"a{n}", **shared, **more}


def all_there_is() -> dict[str, Any]:
    """Two agents of a group, with something of everything that agent files carry."""
    talks = [
        {"id": f"conversation-{n}", "summary": f"talk {n}", "messages": [spoken(1_000 + n)]}
        for n in range(TALKS)
    ]
    first = agent(0, messages=[spoken(0)], conversations=talks, archive_ids=["archive-0"])
    texts = [f"Crate {n * 7919 + 10_000} holds {n * 104_729 % 9973}." for n in range(PASSAGES)]
    crates = {"id": "archive-0", "name": "crates", "passages": [{"text": one} for one in texts]}
    pieces = [f"{n:03} " * 3_900 for n in range(PIECES)]
    far = {"id": "mcp-0", "server_type": "streamable_http", "server_name": "far"}
    return {
        "agents": [{**first, "source_ids": ["source-0"]}, agent(1, messages=[spoken(1)])],
        "blocks": [{"id": "block-0", "label": "shared", "value": "茶"}],
        "groups": [{"id": "group-0", "agent_ids": ["agent-0", "agent-1"], "description": "Both"}],
        "tools": [LENT, NOTE],
        "mcp_servers": [{**far, "server_url": "http://127.0.0.1:9/mcp"}],
        "memory_skills": [TRAVEL],
        "archives": [crates],
        "sources": [{"id": "source-0", "name": "papers"}],
        "files": [
            {"source_id": "source-0", "file_name": "one.txt", "content": "Tea."},
            {"source_id": "source-0", "file_name": "big.txt", "pieces": pieces},
        ],
    }


def imports(warm: Warm, home: Path, file: Path) -> Started:
    words = ["--home", str(home), "--json", "agent", "import", str(file)]
    environment = {**os.environ, "YIKU_WORKER": "false"}
    return warm.start(words, cwd=file.parent, env=environment, errors=file.with_name("errors"))


def answered(warm: Warm, home: Path, file: Path) -> dict[str, Any]:
    return json.loads(imports(warm, home, file).communicate())


def asked(home: Path, query: str) -> list[Any]:
    try:
        with sqlite3.connect(f"file:{home / 'yiku.db'}?mode=ro", uri=True) as database:
            return [row[0] for row in database.execute(query)]
    except sqlite3.OperationalError:  # not made yet
        return [0] if query.startswith("SELECT count") else []


def texts(home: Path) -> list[str]:
    rows = asked(home, "SELECT parts FROM message WHERE role = 'user' ORDER BY seq")
    return [json.loads(row)[0]["text"] for row in rows]


def counts(home: Path, *tables: str) -> dict[str, int]:
    return {table: asked(home, f"SELECT count(*) FROM {table}")[0] for table in tables}


def killed_at(warm: Warm, home: Path, file: Path, stored: Callable[[], int]) -> int:
    """An import is killed as soon as something is stored; how much was."""
    started, until = imports(warm, home, file), time.monotonic() + WAIT_S
    while stored() == 0 and started.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    started.kill()
    started.communicate()
    return stored()


def test_an_import_that_was_killed_is_gone_on_with(
    yiku_home: Path, tmp_path: Path, warm: Warm
) -> None:
    said = [spoken(n) for n in range(MESSAGES)]
    file = tmp_path / "long.af"
    file.write_text(json.dumps({"agents": [{"name": "long", "messages": said}]}))

    begun = killed_at(warm, yiku_home, file, lambda: len(texts(yiku_home)))
    assert 0 < begun < MESSAGES

    answer = answered(warm, yiku_home, file)
    assert (answer["messages"], answer["repeated"]) == (MESSAGES, False)
    assert texts(yiku_home) == [f"n {n}" for n in range(MESSAGES)]
    again = answered(warm, yiku_home, file)
    assert (again["repeated"], again["agent_ids"]) == (True, answer["agent_ids"])


@pytest.mark.timeout(300)
def test_an_import_that_was_killed_at_each_of_its_parts_brings_each_once(
    used_home: Path, tmp_path: Path, warm: Warm
) -> None:
    home, file = used_home, tmp_path / "all.af"
    file.write_text(json.dumps(all_there_is()))
    parts = {"conversation": TALKS, "passage": PASSAGES, "file_text": PIECES}
    for table, whole in parts.items():
        begun = killed_at(warm, home, file, lambda t=table: counts(home, t)[t])
        assert 0 < begun < whole, table

    answer = answered(warm, home, file)
    assert answer["repeated"] is False
    wanted = {"agent": 2, "agent_group": 1, "group_agent": 2, "block": 1, "agent_block": 2}
    wanted |= {"mcp_server": 1, "mcp_tool": 1, "folder": 1, "file": 2, "agent_folder": 1}
    wanted |= {"conversation": TALKS, "passage": PASSAGES, "file_text": PIECES + 1}
    assert counts(home, *wanted) == wanted
    assert asked(home, "SELECT count(DISTINCT text) FROM passage") == [PASSAGES]
    assert asked(home, "SELECT name FROM memory_skill WHERE NOT is_base") == ["travel_plans"]
    assert asked(home, "SELECT count(*) FROM tool WHERE name IN ('echo', 'note')") == [2]
    assert sorted(texts(home)) == sorted(f"n {n}" for n in (0, 1, *range(1_000, 1_000 + TALKS)))
    again = answered(warm, home, file)
    assert (again["repeated"], again["agent_ids"]) == (True, answer["agent_ids"])
    assert counts(home, *wanted) == wanted
