"""Remembering, finding and changing through the command line."""

import os
import pty
from tempfile import TemporaryFile

from tests.e2e.conftest import TIMEOUT_S, Cli, Remember


def test_what_was_added_is_found_in_chinese_and_english(cli: Cli) -> None:
    added = cli("add", "我对花生过敏", "--user", "ann", "--json").json
    cli("add", "The cat is called Momo.", "--user", "ann")

    zh = cli("search", "花生", "--user", "ann", "--json").json["hits"]
    en = cli("search", "what is the cat's name", "--user", "ann", "--json").json["hits"]

    assert added["outcome"] == "added"
    assert zh[0]["passage"]["id"] == added["passage"]["id"]
    assert en[0]["passage"]["text"] == "The cat is called Momo."
    assert zh[0]["passage"]["speaker"] == "ann"


def test_a_group_without_a_command_shows_its_help(cli: Cli) -> None:
    for group in ((), ("archive",), ("model",), ("key",)):
        shown = cli(*group, code=2)
        assert shown.out.startswith("Usage: yiku")
        assert shown.err == ""


def test_people_see_text_speaker_time_and_id(cli: Cli, remember: Remember) -> None:
    passage = remember(
        "我住在上海", "--user", "ann", "--at", "2026-09-03T20:00+00:00", "--tag", "家"
    )

    shown = cli("search", "上海", "--user", "ann", TZ="UTC").out

    assert "ann: 我住在上海" in shown
    assert f"2026-09-03 20:00  {passage}  #家" in shown
    assert "\x1b" not in shown


def test_explain_shows_parts_and_ranks(cli: Cli, remember: Remember) -> None:
    remember("The cat is called Momo.")

    table = cli("search", "cat", "--explain").out

    assert "score" in table
    assert "lexical" in table
    assert "#1" in table


def test_all_that_is_known_of_a_text_is_kept(cli: Cli, remember: Remember) -> None:
    passage = remember(
        "Dinner with Bo",
        *("--user", "ann", "--speaker", "Bo", "--conversation", "c1", "--message", "m1"),
        *("--at", "2026-09-03T20:00+08:00", "--tag", "food", "--tag", "friends"),
        *("--meta", "city=北京", "--meta", "people=2", "--meta", "dish=a", "--meta", "dish=b"),
        *("--valid-from", "2026-09-04T00:00+00:00", "--valid-to", "2026-10-01T00:00+00:00"),
    )

    found = cli("get", passage, "--json").json

    assert found["speaker"] == "Bo"
    assert (found["conversation"], found["message"]) == ("c1", "m1")
    assert found["at"] == "2026-09-03T12:00:00Z"
    assert found["tags"] == ["food", "friends"]
    assert found["metadata"] == {"city": "北京", "people": 2, "dish": ["a", "b"]}
    assert (found["valid_from"], found["valid_to"]) == (
        "2026-09-04T00:00:00Z",
        "2026-10-01T00:00:00Z",
    )


def test_filters_choose_what_is_found(cli: Cli, remember: Remember) -> None:
    remember("tea in Chengdu", "--speaker", "Bo", "--tag", "trip", "--at", "2026-09-01")
    remember("tea at home", "--speaker", "Ann", "--meta", "n=1", "--at", "2026-10-01")

    def texts(*options: str) -> list[str]:
        hits = cli("search", "tea", *options, "--json").json["hits"]
        return [hit["passage"]["text"] for hit in hits]

    assert len(texts()) == 2
    assert texts("--limit", "1") == texts()[:1]
    assert texts("--speaker", "Bo") == ["tea in Chengdu"]
    assert texts("--tag", "trip") == ["tea in Chengdu"]
    assert texts("--meta", "n=1") == ["tea at home"]
    assert texts("--since", "2026-09-15") == ["tea at home"]
    assert texts("--until", "2026-09-15") == ["tea in Chengdu"]
    assert texts("--archive", "default", "--speaker", "nobody") == []


def test_a_text_comes_from_a_pipe_or_a_file(cli: Cli) -> None:
    (cli.folder / "note.txt").write_bytes("\ufeff从文件里来\n".encode())

    piped = cli("add", "--json", stdin="从管道里来\n".encode()).json
    dashed = cli("add", "-", "--json", stdin=b"two\nlines\n").json
    filed = cli("add", "--file", "note.txt", "--json").json

    assert piped["passage"]["text"] == "从管道里来"
    assert dashed["passage"]["text"] == "two\nlines"
    assert filed["passage"]["text"] == "从文件里来"


def test_what_is_known_already_is_said_to_be(cli: Cli, remember: Remember) -> None:
    first = remember("I moved to Shanghai last week.", "--user", "ann")

    again = cli("add", "I moved to Shanghai last week.", "--user", "ann")

    assert "known already" in again.out
    assert first in again.out


def test_a_text_that_begins_with_a_dash_is_given_after_two(cli: Cli, remember: Remember) -> None:
    passage = remember("a first text")

    for words in (
        ("add", "-5 degrees"),
        ("search", "-5 degrees"),
        ("edit", passage, "- a list"),
        ("supersede", passage, "--5 degrees"),
    ):
        assert "`--` before a text" in cli(*words, code=2).err, words
    assert "`--` before" not in cli("add", "x", "--usr", "ann", code=2).err
    added = cli("add", "--user", "ann", "--json", "--", "-5 degrees").json
    assert added["passage"]["text"] == "-5 degrees"


def test_an_edit_keeps_what_was(cli: Cli, remember: Remember) -> None:
    passage = remember(
        "The dentist is on Friday", "--tag", "health", "--meta", "a=1", "--meta", "b=2"
    )

    cli("edit", passage, "The dentist is on Monday", "--reason", "postponed")
    cli("edit", passage, "--no-tags", "--meta", "a=3", "--no-meta", "b", "--json")
    found = cli("get", passage, "--json").json
    story = cli("history", passage, "--json").json

    assert found["text"] == "The dentist is on Monday"
    assert (found["tags"], found["metadata"]) == ([], {"a": 3})
    assert [change["action"] for change in story["changes"]] == ["add", "edit", "edit"]
    assert story["changes"][1]["before"] == {"text": "The dentist is on Friday"}
    assert story["changes"][1]["reason"] == "postponed"
    assert "postponed" in cli("history", passage).out
    cli("edit", passage, "x", "--version", "1", code=4)
    cli("edit", passage, code=2)


def test_a_superseded_fact_is_found_as_of_then(cli: Cli, remember: Remember) -> None:
    old = remember("我住在北京", "--at", "2026-01-01T00:00+00:00")

    both = cli("supersede", old, "我搬到上海了", "--at", "2026-03-01T00:00+00:00", "--json").json

    def found(*options: str) -> list[str]:
        hits = cli("search", "住在哪里", *options, "--json").json["hits"]
        return [hit["passage"]["text"] for hit in hits]

    assert both["old"]["superseded_by"] == both["new"]["id"]
    assert found() == ["我搬到上海了"]
    assert found("--as-of", "2026-02-01") == ["我住在北京"]
    assert set(found("--superseded")) == {"我住在北京", "我搬到上海了"}
    assert "superseded by" in cli("get", old).out


def test_superseding_by_what_is_known_says_so(cli: Cli, remember: Remember) -> None:
    old = remember("我住在北京")
    known = remember("我搬到上海了")

    shown = cli("supersede", old, "我搬到上海了").out

    assert known in shown
    assert "known already" in shown
    cli("undo", old)
    assert cli("get", old, "--json").json["superseded_by"] is None


def test_what_is_forgotten_comes_back_with_undo(cli: Cli, remember: Remember) -> None:
    passage = remember("My passport number is EX0000427")

    forgotten = cli("forget", passage, "--json").json
    hidden = cli("search", "passport", "--json").json
    undone = cli("undo", passage, "--json").json

    assert forgotten["passages"][0]["forgotten_at"] is not None
    assert hidden == {"hits": []}
    assert undone["passages"][0]["forgotten_at"] is None
    assert cli("search", "passport", "--json").json["hits"][0]["passage"]["id"] == passage
    cli("forget", passage)
    assert "forgotten" in cli("list", "--forgotten").out
    cli("undo", passage)
    cli("undo", passage)
    cli("undo", passage, code=4)


def test_nothing_is_deleted_without_a_yes(cli: Cli, remember: Remember) -> None:
    passage = remember("a secret")

    refused = cli("delete", passage, code=2)
    deleted = cli("delete", passage, "--yes", "--json").json

    assert "--yes" in refused.err
    assert deleted == {"deleted": 1, "ended": []}
    cli("get", passage, code=3)
    cli("delete", passage, "--yes", code=3)
    assert "There is no passage" in cli("delete", passage, code=3).err


def test_a_deletion_names_what_stays_ended(cli: Cli, remember: Remember) -> None:
    old = remember("我住在北京")
    new = cli("supersede", old, "我搬到上海了", "--json").json["new"]["id"]

    shown = cli("delete", new, "--yes").out

    assert f"`yiku undo {old}` makes it true again" in shown
    cli("undo", old)
    assert cli("search", "住在哪里", "--json").json["hits"][0]["passage"]["id"] == old


def test_somebody_at_a_terminal_is_asked_before_a_deletion(cli: Cli, remember: Remember) -> None:
    passage = remember("a secret")

    assert answer(cli, "n\n", "delete", passage) == 1
    assert cli("get", passage, "--json").json["id"] == passage
    assert answer(cli, "y\n", "delete", passage) == 0
    cli("get", passage, code=3)


def answer(cli: Cli, words: str, *command: str) -> int:
    """The exit code of a command that is answered at its terminal."""
    ours, theirs = pty.openpty()
    with TemporaryFile() as told, open(os.devnull, "wb") as nothing:
        os.write(ours, words.encode())
        code = cli.begin([theirs, nothing.fileno(), told.fileno()], *command).wait(TIMEOUT_S)
        told.seek(0)
        assert b"for good?" in told.read()
    os.close(ours)
    os.close(theirs)
    return code


def test_an_archive_is_paged_through_in_order(cli: Cli, remember: Remember) -> None:
    ids = [
        remember(f"note number {n} about {what}") for n, what in enumerate(("tea", "cats", "art"))
    ]

    first = cli("list", "--limit", "2", "--json").json
    rest = cli("list", "--after", first["next"], "--json").json

    assert [one["id"] for one in first["passages"] + rest["passages"]] == ids
    assert rest["next"] is None
    assert f"--after {ids[1]}" in cli("list", "--limit", "2").err


def test_archives_are_made_listed_renamed_and_deleted(cli: Cli, remember: Remember) -> None:
    made = cli(
        "archive", "create", "trips", "--user", "ann", "--description", "旅行", "--json"
    ).json
    remember("pandas in Chengdu", "--user", "ann", "--archive", "trips")

    cli("archive", "create", "trips", "--user", "ann", code=4)
    renamed = cli("archive", "rename", "trips", "旅行", "--user", "ann", "--json").json
    listed = cli("archive", "list", "--json").json["archives"]
    remember("tea", "--user", "ann")
    taken = cli("archive", "rename", "旅行", "default", "--user", "ann", code=4)
    assert "There is already an archive 'default' of 'ann'." in taken.err
    cli("archive", "delete", "default", "--user", "ann", "--yes")
    cli("archive", "delete", "旅行", "--user", "ann", code=2)
    deleted = cli("archive", "delete", "旅行", "--user", "ann", "--yes", "--json").json

    assert renamed["id"] == made["id"]
    assert [(a["user"], a["name"], a["passages"]) for a in listed] == [("ann", "旅行", 1)]
    assert deleted == {"deleted": 1}
    cli("archive", "delete", "旅行", "--user", "ann", "--yes", code=3)
    cli("archive", "delete", "旅行", "--user", "ann", code=3)
    assert cli("archive", "list", "--json").json == {"archives": []}


def test_wrong_usage_ends_with_two_and_one_line(cli: Cli) -> None:
    for words in (
        ("learn",),
        ("search",),
        ("search", "x", "--limit", "0"),
        ("search", "x", "--as-of", "yesterday"),
        ("add", "x", "--meta", "novalue"),
        ("add", "x", "--file", "missing.txt"),
        ("--url", "http://127.0.0.1:1", "backup", "x.db"),
        ("import", "notes.unknown"),
        ("bench", "locomo", "nothing.json"),
        ("add", " "),
        ("add", "x", "--valid-from", "2026-05-02", "--valid-to", "2026-05-01"),
        ("search", " "),
        ("search", "x", "--since", "2026-05-02", "--until", "2026-05-01"),
        ("archive", "create", " "),
        ("get", ""),
        ("model", "path", "unknown"),
    ):
        done = cli(*words, code=2)
        assert len(done.err.splitlines()) == 1, done.err


def test_a_command_that_may_be_meant_is_named(cli: Cli) -> None:
    assert "Did you mean 'agent'? See `yiku --help`." in cli("agnet", "list", code=2).err
    assert "Did you mean 'list'?" in cli("agent", "lst", code=2).err
    assert "Did you mean" not in cli("xyzzy", code=2).err


def test_errors_are_one_line_and_have_their_code(cli: Cli) -> None:
    (cli.folder / "latin.txt").write_bytes(b"caf\xe9")

    empty = cli("add", " ", code=2)
    broken = cli("add", "\udcff", code=2)
    latin = cli("add", "--file", "latin.txt", code=1)
    unknown = cli("get", "passage-1", code=3)
    odd = cli("get", "../archives", code=3)
    unreachable = cli("--url", "http://127.0.0.1:1", "search", "x", code=5)
    wrong = cli("search", "x", code=2, YIKU_DUPLICATES="maybe")

    for done in (empty, broken, latin, unknown, odd, unreachable, wrong):
        assert done.out == ""
        assert len(done.err.splitlines()) == 1
    assert "YIKU_DUPLICATES" in wrong.err
    assert "byte 3 is 0xE9" in latin.err


def test_shared_options_stand_before_or_after_the_command(cli: Cli, remember: Remember) -> None:
    remember("tea")
    other = str(cli.folder / "other")

    assert cli("--json", "list").json == cli("list", "--json").json
    assert cli("--home", other, "--json", "archive", "list").json == {"archives": []}
    assert cli("archive", "list", "--home", other, "--json").json == {"archives": []}
    file = f"yiku://{cli.folder.as_posix()}/file.db"
    cli("add", "in a file", "--url", file)
    assert (cli.folder / "file.db").exists()


def test_a_memory_does_not_steer_the_terminal(cli: Cli, remember: Remember) -> None:
    remember("red \x1b[31malert\x1b[0m and \u202eright to left")

    shown = cli("list").out

    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\x1b[31m" in cli("list", "--json").json["passages"][0]["text"]


def test_a_reader_that_goes_away_is_no_trouble(cli: Cli, remember: Remember) -> None:
    for n in range(3):
        remember(f"{n} " + "long text " * 5000, "--meta", f"n={n}")

    running = cli.start("export")
    begun = running.stdout.read(10)
    running.stdout.close()
    running.wait(TIMEOUT_S)

    assert begun == '{"id":"pas'
    assert running.err == ""


def test_help_and_version_need_no_memory(cli: Cli) -> None:
    assert "search" in cli("--help").out
    assert "--explain" in cli("search", "--help").out
    assert cli("--version").out.startswith("yiku ")
