"""Memory skills through the command line."""

import json
import os
import pty
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import TIMEOUT_S, Cli
from tests.servers.careless import GOOD, PLAIN, Careless
from tests.servers.scripted_chat import Fails, Script, ScriptedChat

FILE = """---
name: trips
kind: encoding
description: {en: Keeps trips., zh: 记录出行。}
intent_keywords: [flight, 机票]
---
Trips: {{ content }}
"""
DETAILS = (
    ("My shoe size is 43", "shoe size"),
    ("My monthly rent is 1150 euros", "monthly rent"),
    ("My parking spot is number 212", "parking spot"),
    ("My hotel room is 408", "hotel room"),
    ("My bus to work is line 12", "bus to work"),
    ("My flight to Rome leaves at 7:15", "flight to Rome"),
    ("My weight is 71 kilos", "weight"),
    ("My train seat is 61", "train seat"),
    ("My locker is number 88", "locker"),
    ("My office is on floor 9", "office floor"),
)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedChat]:
    with ScriptedChat(Script(then=Careless())) as server:
        monkeypatch.setenv("YIKU_MODEL", "openai/gpt-4o-mini")
        monkeypatch.setenv("YIKU_MODEL_BASE_URL", server.url)
        monkeypatch.setenv("YIKU_MODEL_API_KEY", "sk-test")
        monkeypatch.setenv("YIKU_WORKER", "off")
        yield server


def test_a_skill_is_added_from_a_file_changed_and_rolled_back(cli: Cli) -> None:
    file = cli.folder / "trips.md"
    file.write_text(FILE, encoding="utf-8")
    assert "exact_match" in cli("skill", "list", COLUMNS="60").out

    first = cli("skill", "add", file, "--json").json
    assert (first["name"], first["version"], first["status"]) == ("trips", 1, "active")
    taken = cli("skill", "add", file, code=4)
    assert f"{file}:2: There is already a memory skill 'trips'" in taken.err
    assert "(rule name-taken)" in taken.err
    file.write_text(FILE.replace("content", "contents"), encoding="utf-8")
    refused = cli("skill", "add", file, code=2)
    assert f"{file}:7: there is no variable `contents`" in refused.err
    prompt = cli.folder / "prompt.txt"
    prompt.write_text("Journeys: {{ content }}\n", encoding="utf-8")
    second = cli("skill", "edit", "trips", "--prompt-file", prompt, "--reason", "clearer")
    assert "edited  trips  version 2" in second.out
    assert "is so already" in cli("skill", "edit", "trips", "--prompt-file", prompt).err
    shown = cli("skill", "show", "trips", COLUMNS="60", LC_ALL="zh_CN.UTF-8").out
    assert "记录出行。" in shown
    assert first["id"] in shown  # never cut
    cli("skill", "show", "trips", "--version", "1", "--to", "again.md")
    again = (cli.folder / "again.md").read_text(encoding="utf-8")
    assert again.endswith("---\nTrips: {{ content }}\n")

    unasked = cli("skill", "rollback", "trips", code=2)
    assert "give --yes" in unasked.err
    assert "-Journeys: {{ content }}\n+Trips: {{ content }}" in unasked.out
    back = cli("skill", "rollback", "trips", "--yes", "--json", "--reason", "worse").json
    assert back["active"]["id"] == first["id"]
    assert "go back to" in cli("skill", "rollback", "trips", "--yes", code=4).err
    log = cli("skill", "changelog", "trips", "--json").json["changes"]
    assert [one["reason"] for one in log] == ["worse", "clearer", "Added."]
    page = cli("skill", "changelog", "--limit", "1")
    assert log[0]["id"] in page.out
    cursor = page.err.split("--before ")[1].strip()
    rest = cli("skill", "changelog", "--before", cursor).out
    assert [one["id"] in rest for one in log] == [False, True, True]


def test_a_file_that_cannot_be_used_is_told_wherever_skills_are(cli: Cli, fresh_home: Path) -> None:
    (fresh_home / "skills").mkdir()
    broken = fresh_home / "skills/broken.md"
    broken.write_text(FILE.replace("encoding", "writing"), encoding="utf-8")
    for command in ("list", "stats"):
        assert f"{broken}:3: `kind` is one of" in cli("skill", command).err
    assert cli("skill", "stats", "--json").json["problems"]


def test_from_bad_memories_to_a_better_prompt_and_back(cli: Cli, model: ScriptedChat) -> None:
    """Everything a person does about a skill that loses numbers."""
    notes = cli.folder / "notes.md"
    notes.write_text(FILE.replace("trips", "notes").replace("Trips: {{ content }}", PLAIN))
    bad = cli("skill", "add", notes, "--json").json
    remembered(cli)

    nothing = cli("skill", "canary", "show", "notes", code=4)
    assert "nothing waits for a decision" in nothing.err
    found = cli("skill", "evolve", "notes", "--json").json
    assert found["problem"] is None, found
    change = found["change"]["id"]
    told = cli("skill", "canary", "show", "notes", COLUMNS="60").out
    assert change in told
    assert "verdict better" in told
    assert "failures before: 10" in told
    assert "0.00 -> " in told or "-> 1.00" in told
    assert "waits for a decision" in cli("skill", "show", "notes").err
    unasked = cli("skill", "approve", "notes", code=2)
    assert "+Write the facts of the text down, briefly. Copy every number" in unasked.out
    no = at_a_terminal(cli, "skill", "approve", "notes", answer=b"n\n")
    assert "Nothing was changed." in no
    assert "active in place of version 1?" in no

    approved = cli("skill", "approve", change, "--yes", "--json").json
    assert approved["active"]["prompt_template"] == GOOD
    assert "is approved already" in cli("skill", "approve", change, "--yes", code=4).err

    taken = cli("skill", "revert-version", "notes", "--version", "1", "--encode", "--yes").out
    assert "1 text, 1 to be encoded anew" in taken
    assert taken.count("has changed since") == 5  # the forgotten ones, of which some are named
    assert bad["id"] in taken
    stats = cli("skill", "stats", "notes", "--json").json
    by_version = {one["skill"]["version"]: one["encodings"] for one in stats["versions"]}
    assert by_version == {1: {"reverted": 1, "encoded": 10}, 2: {"pending": 1}}
    model.respond = Script(then=Fails(status=500))
    failed = cli("skill", "encode-pending", "--json", code=5)
    assert (failed.json["encoded"], failed.json["failed"]) == (0, 1)
    model.respond = Script(then=Careless())
    assert "encoded  1 text, 0 kept" in cli("skill", "encode-pending").out
    assert "The user's cat" in cli("search", "cat", "--limit", "1").out


def remembered(cli: Cli) -> None:
    """What was told is encoded, looked up, and forgotten because it says too little."""
    url, process = cli.serve()
    import yiku

    with yiku.connect(url) as memory:
        for content, _ in DETAILS:
            memory.skills.save(content, skill="notes")
        memory.skills.save("My cat is called Miso", skill="notes")
        assert memory.skills.encode_pending().encoded == len(DETAILS) + 1
        for _, asked in DETAILS:
            hits = memory.skills.query(asked, refine="never").hits
            memory.skills.forget(hits[0].passage.id, reason="the number is missing")
    process.terminate()
    process.wait(TIMEOUT_S)


def at_a_terminal(cli: Cli, *words: str, answer: bytes) -> str:
    """What a person sees who answers so."""
    shown = b""
    screen, theirs = pty.openpty()
    asked = cli.begin([theirs] * 3, *words, at_terminal=True)
    os.close(theirs)
    os.write(screen, answer)
    try:
        while block := os.read(screen, 4096):
            shown += block
    except OSError:  # the terminal's end
        pass
    os.close(screen)
    asked.wait(TIMEOUT_S)
    return shown.decode()


def test_who_watches_events_keeps_no_server_from_ending(cli: Cli) -> None:
    url, process = cli.serve(YIKU_SHUTDOWN_S=str(10 * TIMEOUT_S))
    with httpx.stream("GET", f"{url}/memory/skills/events", timeout=TIMEOUT_S) as events:
        told = events.iter_bytes()
        next(told)  # it is open
        process.terminate()
        assert b"".join(told) == b""
        assert process.wait(TIMEOUT_S) == 0
    assert "Traceback" not in process.err


def test_what_is_asked_wrongly_is_told(cli: Cli) -> None:
    assert "Which version?" in cli("skill", "revert-version", "exact_match", code=2).err
    assert "writes nothing" in (
        cli("skill", "revert-version", "exact_match", "--version", "1", "--yes", code=2).err
    )
    assert "no version 7" in cli("skill", "show", "exact_match", "--version", "7", code=3).err
    assert "YIKU_MODEL" in cli("skill", "encode-pending", code=2).err
    assert json.loads(cli("skill", "evolve", "--background", "--json").out)["kind"] == "evolve"
    assert "There is no memory skill" in cli("skill", "approve", "nobody", "--yes", code=3).err
    assert "Nothing to change" in cli("skill", "edit", "exact_match", code=2).err
