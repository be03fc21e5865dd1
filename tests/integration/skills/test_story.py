"""The story that `examples/skill_evolution.py` tells, in a process of its own, over real HTTP: its
model answers by the prompt it is given, never by which call it is."""

import json
import os
from pathlib import Path

import pytest

from tests.servers.warm import Warm

ROOT = Path(__file__).parents[3]


def test_a_flawed_skill_gets_better_under_test_and_what_is_worse_is_stopped(
    database_url: str, yiku_home: Path, tmp_path: Path, warm: Warm
) -> None:
    figures = tmp_path / "figures.json"
    words = ["--home", str(yiku_home), "--database", database_url, "--figures", str(figures)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("YIKU_")}
    example = ROOT / "examples/skill_evolution.py"
    code, _, err = warm.run(words, cwd=tmp_path, env=env, timeout_s=240, program=example)
    assert code == 0, err.decode()
    told = json.loads(figures.read_text())

    before, after = told["before"], told["after"]
    assert (before["answered"], before["asked"]) == (6, 16)
    kinds = {kind: count for kind, count in before["by"].items() if count}
    assert kinds == {"used": 5, "missed": 10, "corrected": 1, "forgotten": 1}
    assert before["rate"] == pytest.approx(12 / 17, abs=0.001)

    worse = told["worse"]
    assert (worse["verdict"], worse["status"], worse["tries"]) == ("worse", "rejected", 3)
    assert (worse["wins"], worse["losses"], worse["active"]) == (0, 5, 1)
    assert worse["shown"] == worse["pairs"] == 15

    better = told["better"]
    assert (better["verdict"], better["status"], better["tries"]) == ("better", "canary", 1)
    assert (better["wins"], better["losses"], better["ties"]) == (10, 0, 5)
    assert better["p_better"] == pytest.approx(1 / 1024, abs=1e-6)
    assert better["held_out"]["losses"] == 0
    assert better["shown"] == better["pairs"] == 15
    assert (better["active_before"], better["active"]) == (1, 3)

    assert (after["answered"], after["asked"]) == (10, 10)
    assert (after["version"], after["used"], after["failed"]) == (3, 10, 0)
    assert told["again"] == {"done": 14, "again": 14, "answered": 9, "asked": 9}
    assert told["back"] == {
        "by_hand": 0,
        "rate_by_hand": 1.0,
        "restored": True,
        "failures_kept": 2,
        "answered": 1,
    }
