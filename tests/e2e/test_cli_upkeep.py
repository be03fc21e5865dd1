"""Keeping the database: backup, restore, verify, doctor, models, moving to another model."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.e2e.conftest import Cli, Remember
from tests.servers.files import FileServer
from tests.servers.openai_embeddings import EmbeddingServer


def test_a_backup_is_verified_and_restored(cli: Cli, remember: Remember, fresh_home: Path) -> None:
    kept = remember("我对花生过敏")
    made = cli("backup", "b.db", "--json").json
    later = remember("The cat is called Momo.")

    assert "b.db exists already" in cli("backup", "b.db", code=4).err
    assert cli("verify", "b.db", "--json").json["problems"] == []
    cli("restore", "b.db", code=4)
    restored = cli("restore", "b.db", "--replace", "--json").json

    assert made["bytes"] == (cli.folder / "b.db").stat().st_size
    assert cli("get", kept, "--json").json["text"] == "我对花生过敏"
    cli("get", later, code=3)
    assert cli("verify", "--json").json["counts"]["passage"] == 1
    before = Path(restored["kept"])
    assert before.name.startswith("yiku.db.before-restore-")
    assert cli("verify", before, "--json").json["counts"]["passage"] == 2
    leftovers = {name for name in os.listdir(fresh_home) if name.startswith("yiku.db")}
    assert leftovers == {"yiku.db", before.name}


@pytest.mark.parametrize("auto_migrate", ["true", "false"])
def test_a_backup_before_an_upgrade_is_of_the_schema_that_was_there(
    cli: Cli, fresh_home: Path, sqlite_migrated: Path, auto_migrate: str
) -> None:
    def schema(path: Path) -> str:
        with closing(sqlite3.connect(path)) as file:
            return file.execute("SELECT version_num FROM alembic_version").fetchone()[0]

    in_use = fresh_home / "yiku.db"
    shutil.copyfile(sqlite_migrated, in_use)
    with closing(sqlite3.connect(in_use)) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '0009'")
    cli("backup", "b.db", YIKU_AUTO_MIGRATE=auto_migrate)
    assert (schema(cli.folder / "b.db"), schema(in_use)) == ("0009", "0009")


def test_a_restore_needs_no_database_before(cli: Cli, remember: Remember) -> None:
    remember("tea")
    cli("backup", "b.db")

    cli("--home", "new/home", "restore", "b.db")

    assert cli("--home", "new/home", "search", "tea", "--json").json["hits"]


def test_a_plain_copy_with_its_log_is_restored_whole(cli: Cli, fresh_home: Path) -> None:
    url, running = cli.serve()
    cli("--url", url, "add", "written a moment ago")
    for name in ("yiku.db", "yiku.db-wal"):
        shutil.copy(fresh_home / name, cli.folder / name)
    running.terminate()

    cli("--home", "new", "restore", "yiku.db")

    assert cli("--home", "new", "search", "moment", "--json").json["hits"]


def test_a_database_in_use_is_not_replaced(cli: Cli, remember: Remember) -> None:
    remember("tea")
    cli("backup", "b.db")
    url, _ = cli.serve()
    cli("--url", url, "add", "coffee")

    refused = cli("restore", "b.db", "--replace", code=5)

    assert "stop" in refused.err
    assert cli("--url", url, "search", "coffee", "--json").json["hits"]


@pytest.mark.parametrize("kind", ["foreign", "cut", "text", "empty", "damaged"])
def test_what_is_no_sound_database_is_neither_verified_nor_restored(
    cli: Cli, remember: Remember, kind: str
) -> None:
    passage = remember("tea")
    bad = cli.folder / "bad.db"
    cli("backup", bad)
    match kind:
        case "foreign":
            bad.unlink()
            with sqlite3.connect(bad) as other:
                other.execute("CREATE TABLE passage (id TEXT)")
            other.close()
        case "cut":
            bad.write_bytes(bad.read_bytes()[:-10_000])
        case "text":
            bad.write_text("This is not a database. " * 100)
        case "empty":
            bad.write_bytes(b"")
        case _:
            with sqlite3.connect(bad) as broken:
                broken.execute("UPDATE embedding SET vector = x'00'")
            broken.close()

    for refused in (cli("verify", bad, code=1), cli("restore", bad, "--replace", code=1)):
        assert "bad.db" in refused.err or "vector" in refused.out
        assert "Restore a backup" not in refused.err

    assert cli("get", passage, "--json").json["text"] == "tea"
    assert cli("verify", "--json").json["problems"] == []


def test_a_page_of_a_backup_that_is_damaged_is_no_reason_to_restore_one(
    cli: Cli, remember: Remember
) -> None:
    remember("tea")
    cli("backup", "b.db")
    content = bytearray((cli.folder / "b.db").read_bytes())
    content[100:104] = b"\xff\xff\xff\xff"  # the first page's header: of no kind there is
    (cli.folder / "b.db").write_bytes(content)

    refused = cli("verify", "b.db", code=1)

    assert "b.db is damaged" in refused.err
    assert "Use another backup" in refused.err
    assert "yiku restore" not in refused.err


def test_a_folder_that_is_not_there_is_named_as_it_was_given(cli: Cli, remember: Remember) -> None:
    remember("tea")

    for words in (("backup", "nowhere/b.db"), ("export", "-o", "nowhere/a.jsonl")):
        refused = cli(*words, code=2)
        assert "there is no folder 'nowhere'" in refused.err
        assert "partial" not in refused.err
    assert os.listdir(cli.folder) == []


def test_a_folder_that_may_not_be_written_to_is_told_by_the_files_own_name(
    cli: Cli, remember: Remember
) -> None:
    remember("tea")
    # Even root can't make a file of a name this long.
    name = "n" * 250

    for words in (("backup", name), ("export", "-o", name)):
        refused = cli(*words, code=1)
        assert f"{name} can't be written" in refused.err


def test_verify_lists_what_is_wrong(cli: Cli, remember: Remember, fresh_home: Path) -> None:
    passage = remember("tea")
    with sqlite3.connect(fresh_home / "yiku.db") as broken:
        broken.execute(
            "UPDATE passage SET context_id = 'passage-gone', version = 99, terms = x'01'"
        )
        broken.execute("DELETE FROM embedding")
    broken.close()

    found = cli("verify", "--json", code=1).json
    shown = cli("verify", code=1).out

    for words in ("context_id passage-gone", "version 99", "lexical tokens", "no vector"):
        assert any(words in problem for problem in found["problems"]), found["problems"]
        assert words in shown
    assert all(passage in problem for problem in found["problems"])


def test_verify_tells_how_much_there_is_in_words_of_its_users(cli: Cli, remember: Remember) -> None:
    moved = remember("我住在北京", "--user", "ann")
    hidden = remember("My passport number is EX0000427")
    remember("My passport number is EX0000427 ")
    cli("supersede", moved, "我搬到上海了")
    cli("forget", hidden)

    shown = cli("verify").out

    told = [" ".join(line.split()) for line in shown.splitlines()]
    assert told[:-1] == [
        "2 archives",
        "3 passages",
        "1 of them forgotten",
        "1 of them superseded",
        "2 history entries",
        "1 repetition",
        "0 roles",
        "0 memories in roles",
        "0 blocks",
        "0 tools",
        "0 agents",
        "0 messages",
        "0 runs",
        "0 API keys",
    ]
    counts = cli("verify", "--json").json["counts"]
    assert (counts["organization"], counts["change"], counts["superseded"]) == (1, 2, 1)


@pytest.mark.usefixtures("first_start")
def test_there_is_nothing_to_back_up_or_verify_before_the_first_memory(
    cli: Cli, fresh_home: Path
) -> None:
    cli("backup", "b.db", code=3)
    cli("verify", code=3)

    assert not (fresh_home / "yiku.db").exists()


@pytest.mark.usefixtures("first_start")
def test_the_doctor_finds_a_new_installation_well(cli: Cli, fresh_home: Path) -> None:
    found = cli("doctor", "--json").json

    assert found["ok"]
    assert {one["what"] for one in found["findings"]} >= {
        *("settings", "data directory", "disk", "database", "model", "embedding"),
        "language model",
    }
    cli("--home", cli.folder / "new", "doctor")
    assert (cli.folder / "new").stat().st_mode & 0o777 == 0o700
    assert not (fresh_home / "yiku.db").exists()
    assert f"YIKU_HOME={fresh_home}" in cli("doctor").out


def test_the_doctor_says_what_to_do(cli: Cli, remember: Remember, fresh_home: Path) -> None:
    remember("tea")

    missing = cli("doctor", code=1, YIKU_MODEL_DIR=str(cli.folder)).out
    wrong = cli("doctor", code=1, YIKU_EMBEDDING_THREADS="none").out
    (fresh_home / "yiku.db").write_bytes(b"not a database at all, but long enough " * 9)
    foreign = cli("doctor", "--json", code=1).json

    strange = cli("doctor", code=1, YIKU_MODEL="nope", YIKU_MODLE_REGION="x").out
    keyless = cli("doctor", code=None, YIKU_MODEL="openai/gpt-4o").out
    assert "fail language model: YIKU_MODEL: `nope` is no handle" in strange
    assert "warn settings: YIKU_MODLE_REGION is none" in strange
    assert "Is it YIKU_MODEL_REGION?" in strange
    assert "language model: openai/gpt-4o" in keyless
    assert "fail embedding" in missing
    assert "→" in missing
    assert "YIKU_EMBEDDING_THREADS" in wrong
    (failed,) = (one for one in foreign["findings"] if one["state"] == "fail")
    assert "not a SQLite database" in failed["found"]
    assert failed["todo"]


def test_the_doctor_shows_no_secret(cli: Cli) -> None:
    shown = cli("doctor", YIKU_EMBEDDING_API_KEY="sk-secret").out

    assert "YIKU_EMBEDDING_API_KEY=…" in shown
    assert "sk-secret" not in shown


def test_an_older_schema_is_brought_up_to_date_on_demand(
    cli: Cli, remember: Remember, fresh_home: Path
) -> None:
    remember("tea")
    with sqlite3.connect(fresh_home / "yiku.db") as older:
        newest = older.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        older.execute("UPDATE alembic_version SET version_num = '9999'")
    older.close()

    newer = cli("doctor", "--json", code=1).json

    assert any("newer Yiku" in one["found"] for one in newer["findings"])
    with sqlite3.connect(fresh_home / "yiku.db") as again:
        again.execute("UPDATE alembic_version SET version_num = ?", (newest,))
    again.close()
    assert cli("doctor", "--migrate", "--json").json["ok"]


def test_local_models_are_listed_and_found(cli: Cli) -> None:
    listed = cli("model", "list", "--json").json["models"]
    path = cli("model", "path").out.strip()

    (configured,) = (one for one in listed if one["configured"])
    assert configured["handle"] == "local/all-minilm-l6-v2"
    assert configured["path"] == path
    assert (Path(path) / "model.safetensors").exists()
    assert "no-such-model" in cli("model", "path", "no-such-model", code=2).err


def test_people_see_which_languages_a_model_knows(cli: Cli) -> None:
    shown = cli("model", "list").out.splitlines()

    (chinese,) = (line for line in shown if "local/bge-small-zh" in line)
    assert "Chinese, some English" in chinese
    (several,) = (line for line in shown if "local/multilingual" in line)
    assert "many" in several


def test_a_model_is_pulled_from_a_mirror(cli: Cli, fresh_home: Path) -> None:
    base = "/BAAI/bge-small-zh-v1.5/store"
    files = {f"{base}/{name}": name.encode() for name in ("config.json", "tokenizer.json")}
    files[f"{base}/model.safetensors"] = b"weights"

    with FileServer(files) as server:
        pulled = cli("model", "pull", "bge-small-zh-v1.5", "--mirror", server.url, "--json").json
        cli("model", "pull", "bge-m3", "--mirror", f"{server.url}/nothing", code=1)

    assert Path(pulled["path"]) == fresh_home / "models/bge-small-zh-v1.5"
    assert (Path(pulled["path"]) / "model.safetensors").read_bytes() == b"weights"
    assert cli("model", "path", "bge-small-zh-v1.5").out.strip() == pulled["path"]


def test_an_archive_is_moved_to_another_model(cli: Cli, remember: Remember) -> None:
    passage = remember("tea with Bo", "--user", "ann")
    with EmbeddingServer() as server:
        other = {"YIKU_EMBEDDING": "vllm/tiny", "YIKU_EMBEDDING_BASE_URL": server.url}
        refused = cli("add", "coffee", "--user", "ann", code=4, **other)
        assert "yiku reembed" in refused.err
        assert "yiku reembed default --user ann" in cli("doctor", **other).out

        moved = cli("reembed", "default", "--user", "ann", "--json", **other).json
        again = cli("reembed", "default", "--user", "ann", "--json", **other).json

        assert (moved["embedded"], moved["model"]) == (1, "vllm/tiny")
        assert again["embedded"] == 0
        hits = cli("search", "tea", "--user", "ann", "--json", **other).json["hits"]
        assert hits[0]["passage"]["id"] == passage
        cli("reembed", "nothing", code=3, **other)
    assert cli("verify", "--json").json["problems"] == []


def test_json_answers_are_json(cli: Cli, remember: Remember) -> None:
    remember("tea")
    for words in ("doctor", "verify", "model list", "key list", "archive list"):
        assert isinstance(cli(*words.split(), "--json").json, dict)


def test_a_postgres_database_is_verified_and_examined(cli: Cli, postgres_url: str) -> None:
    there = {"YIKU_DATABASE_URL": postgres_url}
    old = cli("add", "我住在北京", "--at", "2026-01-01", "--json", **there).json["passage"]["id"]
    cli("supersede", old, "我搬到上海了", "--at", "2026-03-01", **there)

    report = cli("verify", "--json", **there).json
    examined = cli("doctor", "--json", **there).json

    assert report["problems"] == []
    assert report["counts"]["passage"] == 2
    assert any("Postgres 16" in one["found"] for one in examined["findings"])
    cli("backup", "b.db", code=2, **there)
    (cli.folder / "b.db").write_bytes(b"")
    cli("restore", "b.db", code=2, **there)
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as broken:
        broken.execute("UPDATE passage SET context_id = 'passage-gone'")
        broken.execute("UPDATE embedding SET vector = '[1,2,3]'")
    problems = cli("verify", "--json", code=1, **there).json["problems"]
    assert any("context_id passage-gone" in problem for problem in problems)
    assert any("has 3 numbers, not 384" in problem for problem in problems)
