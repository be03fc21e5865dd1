"""Files in and out: import, export."""

import json
import os
import pty
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import yiku
from tests.e2e.conftest import TIMEOUT_S, Cli


def write(path: Path, *rows: dict[str, Any] | str) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def texts(cli: Cli, *options: str) -> list[str]:
    found: list[str] = []
    after: tuple[str, ...] = ()
    while True:
        page = cli("list", "--limit", "1000", *after, *options, "--json").json
        found += [one["text"] for one in page["passages"]]
        if page["next"] is None:
            return found
        after = ("--after", page["next"])


def test_json_lines_keep_their_fields(cli: Cli) -> None:
    row = {
        "text": "我对花生过敏",
        "speaker": "ann",
        "at": "2026-09-03T20:14:16+08:00",
        "conversation": "c1",
        "message": "m1",
        "tags": ["health"],
        "metadata": {"n": 1},
    }
    write(cli.folder / "a.jsonl", row, "", {"text": "no speaker of its own"})

    done = cli("import", "a.jsonl", "--speaker", "bo", "--tag", "old", "--json").json
    first, second = cli("list", "--json").json["passages"]

    assert (done["passages"], done["added"], done["rejected"]) == (2, 2, 0)
    assert {name: first[name] for name in row} == {**row, "at": "2026-09-03T12:14:16Z"}
    assert (second["speaker"], second["tags"]) == ("bo", ["old"])


def test_an_array_of_objects_is_imported_as_its_lines_would_be(cli: Cli) -> None:
    rows = [{"text": "我对花生过敏", "speaker": "ann"}, {"text": "two\nlines"}]
    (cli.folder / "a.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")

    done = cli("import", "a.json", "--json").json

    assert (done["passages"], done["added"]) == (2, 2)
    assert texts(cli) == ["我对花生过敏", "two\nlines"]


def test_plain_text_is_cut_into_lines_or_paragraphs(cli: Cli) -> None:
    (cli.folder / "a.txt").write_bytes("\ufeff一行\r\n\r\ntwo\nthree\n".encode())

    cli("import", "a.txt")
    cli("import", "a.txt", "--split", "paragraph", "--archive", "paragraphs")
    cli("import", "-", "--format", "text", "--archive", "piped", stdin=b"x\ny\n")

    assert texts(cli) == ["一行", "two", "three"]
    assert texts(cli, "--archive", "paragraphs") == ["一行", "two\nthree"]
    assert texts(cli, "--archive", "piped") == ["x", "y"]


def test_markdown_keeps_the_headings_above_each_paragraph(cli: Cli) -> None:
    write(cli.folder / "a.md", "# Trips", "", "## 成都", "pandas", "and tea", "", "# Home", "cat")

    cli("import", "a.md")
    found = cli("list", "--json").json["passages"]

    assert [(one["text"], one["metadata"]) for one in found] == [
        ("pandas\nand tea", {"file": "a.md", "heading": "Trips > 成都"}),
        ("cat", {"file": "a.md", "heading": "Home"}),
    ]
    hits = cli("search", "animals", "--meta", "heading=Home", "--json").json["hits"]
    assert [hit["passage"]["text"] for hit in hits] == ["cat"]


def test_a_bad_line_stops_the_import_before_anything_is_stored(cli: Cli) -> None:
    write(cli.folder / "a.jsonl", {"text": "good"}, {"txt": "x"}, "nope", {"text": "also good"})

    done = cli("import", "a.jsonl", code=1)

    assert "line 2: `text` is missing; `txt` is no field of a passage (`text` is)" in done.err
    assert "line 3: no valid JSON" in done.err
    assert cli("archive", "list", "--json").json == {"archives": []}


def test_bad_lines_are_left_out_and_written_down_on_demand(cli: Cli) -> None:
    write(cli.folder / "a.jsonl", {"text": "good"}, "nope", {"text": "also good"})

    done = cli("import", "a.jsonl", "--skip-bad", "--json").json
    rejected = (cli.folder / "a.jsonl.rejected.jsonl").read_text().splitlines()

    assert (done["added"], done["rejected"]) == (2, 1)
    assert [json.loads(row)["line"] for row in rejected] == [2]
    assert json.loads(rejected[0])["source"] == "nope"
    assert texts(cli) == ["good", "also good"]


def test_a_file_that_is_no_text_is_refused(cli: Cli) -> None:
    (cli.folder / "a.txt").write_bytes(b"\xff\xfe\x00a\n\x89PNG")

    assert "UTF-8" in cli("import", "a.txt", code=1).err
    cli("import", "missing.txt", code=2)
    cli("import", ".", code=2)


def test_a_second_run_stores_nothing_twice(cli: Cli) -> None:
    write(cli.folder / "a.jsonl", *({"text": f"note {n} of {n * n}"} for n in range(30)))
    (cli.folder / "copy").mkdir()

    first = cli("import", "a.jsonl", "--json", YIKU_DUPLICATES="keep").json
    second = cli("import", "a.jsonl", "--json", YIKU_DUPLICATES="keep").json
    anew = cli("import", "a.jsonl", "--again", "--json", YIKU_DUPLICATES="keep").json

    assert (first["added"], first["skipped"]) == (30, 0)
    assert (second["added"], second["skipped"]) == (0, 30)
    assert (anew["added"], anew["skipped"]) == (30, 0)


def test_an_import_that_was_killed_goes_on_where_it_stood(cli: Cli, fresh_home: Path) -> None:
    wanted = [f"note {n}: the square of {n} is {n * n}" for n in range(1600)]
    write(cli.folder / "a.jsonl", *({"text": text} for text in wanted))
    cli("add", "the database is there before", "--archive", "other")

    running = cli.start("import", "a.jsonl", YIKU_DUPLICATES="keep")
    stored = wait_for_passages(fresh_home)
    running.send_signal(signal.SIGKILL)
    running.wait(TIMEOUT_S)
    second = cli("import", "a.jsonl", "--json", YIKU_DUPLICATES="keep").json

    assert 0 < stored < len(wanted), "it was killed too late to show anything"
    assert stored <= second["skipped"] < len(wanted)
    assert second["skipped"] + second["added"] == len(wanted)
    assert texts(cli) == wanted
    assert cli("verify", "--json").json["problems"] == []


def test_two_imports_of_a_file_at_once_store_nothing_twice(cli: Cli) -> None:
    wanted = [f"note {n}: the square of {n} is {n * n}" for n in range(1600)]
    write(cli.folder / "a.jsonl", *({"text": text} for text in wanted))
    cli("add", "the database is there before", "--archive", "other")

    both = [cli.start("import", "a.jsonl", YIKU_DUPLICATES="keep") for _ in range(2)]
    told = [process.communicate()[1] for process in both]

    assert sorted(process.wait(TIMEOUT_S) for process in both) == [0, 4], told
    assert any("Another run is importing the same" in err for err in told)
    assert texts(cli) == wanted
    assert cli("import", "a.jsonl", "--json").json["skipped"] == len(wanted)


def wait_for_passages(home: Path) -> int:
    """How many passages of the default archive are there, as soon as there are some."""
    with yiku.connect(f"yiku://{home.as_posix()}/yiku.db") as memory:
        while True:
            found = {one.name: one.passages or 0 for one in memory.archives()}
            if found.get("default", 0):
                return found["default"]
            time.sleep(0.02)


def test_an_import_is_shown_at_a_terminal_only(cli: Cli) -> None:
    write(cli.folder / "a.jsonl", *({"text": f"note {n} of {n * n}"} for n in range(20)))
    ours, theirs = pty.openpty()

    with open(os.devnull, "r+b") as nothing:
        streams = [nothing.fileno(), nothing.fileno(), theirs]
        done = cli.begin(streams, "import", "a.jsonl", TERM="xterm")
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # how a terminal ends that nobody writes to any more
        while block := os.read(ours, 4096):
            shown += block
    os.close(ours)

    assert done.wait(TIMEOUT_S) == 0
    assert b"importing a.jsonl" in shown
    assert b"20/20" in shown
    assert cli("import", "a.jsonl", "--again", "--archive", "b").err == ""


def test_what_is_exported_is_imported_as_it_was(cli: Cli) -> None:
    odd = "a line separator \u2028, a next line \x85, an emoji 👩‍🚀 and עברית"
    old = cli("add", "我住在北京", "--at", "2026-01-01T00:00Z", "--json").json["passage"]["id"]
    cli("supersede", old, "我搬到上海了", "--at", "2026-03-01T00:00Z")
    cli("add", odd, "--tag", "odd", "--meta", "n=1.5")

    to_file = cli("export", "--output", "all.jsonl", "--json").json
    to_pipe = cli("export").out
    cli("import", "all.jsonl", "--archive", "copy")

    assert to_file["passages"] == 3
    assert to_pipe == (cli.folder / "all.jsonl").read_text(encoding="utf-8")
    assert texts(cli, "--archive", "copy") == ["我住在北京", "我搬到上海了", odd]
    fields = ("text", "at", "tags", "metadata", "valid_from", "valid_to", "language")
    before, after = (
        [
            {name: one[name] for name in fields}
            for one in cli("list", *where, "--json").json["passages"]
        ]
        for where in ((), ("--archive", "copy"))
    )
    assert before == after


def test_a_forgotten_passage_is_not_brought_back_by_an_import(cli: Cli) -> None:
    passage = cli("add", "a secret", "--json").json["passage"]["id"]
    cli("forget", passage)

    cli("export", "-o", "shown.jsonl")
    cli("export", "-o", "all.jsonl", "--forgotten")

    assert (cli.folder / "shown.jsonl").read_text() == ""
    assert "forgotten" in cli("import", "all.jsonl", "--archive", "copy", code=1).err


def test_an_export_writes_over_a_file_by_force_only(cli: Cli) -> None:
    cli("add", "tea")
    (cli.folder / "all.jsonl").write_text("what was there")

    refused = cli("export", "-o", "all.jsonl", code=4)
    kept = (cli.folder / "all.jsonl").read_text()
    cli("export", "-o", "all.jsonl", "--force")
    cli("export", "-o", "new.jsonl")

    assert "all.jsonl exists already; --force" in refused.err
    assert kept == "what was there"
    assert json.loads((cli.folder / "all.jsonl").read_text())["text"] == "tea"
    assert (cli.folder / "new.jsonl").read_text() == (cli.folder / "all.jsonl").read_text()
    assert sorted(os.listdir(cli.folder)) == ["all.jsonl", "new.jsonl"]


def test_an_export_that_fails_leaves_the_old_file(cli: Cli) -> None:
    (cli.folder / "all.jsonl").write_text("what was there")

    cli("export", "--archive", "nothing", "-o", "all.jsonl", "--force", code=3)

    assert (cli.folder / "all.jsonl").read_text() == "what was there"
    assert os.listdir(cli.folder) == ["all.jsonl"]
