"""Role memory through the command line."""

import json
import os
import pty
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import yiku
from tests.e2e.conftest import TIMEOUT_S, Cli, Remember
from yiku.server.wire_roles import RerouteOut

ANN = ("--user", "ann")


@pytest.fixture
def roles(cli: Cli) -> None:
    """Ann has a personal and a professional assistant."""
    cli("role", "add", "--set", "personal_assistant_set", *ANN)


def test_whoever_has_no_roles_is_told_how_to_make_some(cli: Cli, remember: Remember) -> None:
    def refused() -> list[str]:
        return [
            cli(*words, code=3).err
            for words in (
                ("route", "hello"),
                ("gate", "hello"),
                ("role", "stats"),
                ("role", "reroute"),
                ("role", "show", "cook"),
                ("role", "edit", "cook", "--name", "Cook"),
                ("role", "remove", "cook", "--yes"),
                ("add", "hello", "--role", "cook"),
            )
        ]

    before = refused()
    remember("我对花生过敏")
    for said in (*before, *refused(), cli("search", "x", "--role", "cook", code=3).err):
        assert "yiku role add --set personal_assistant_set" in said
        assert len(said.splitlines()) == 1
    assert "--set" in cli("role", "list").err
    assert cli("role", "list", "--json").json == {"roles": []}


def test_a_memory_comes_to_the_roles_that_claim_it(cli: Cli, roles: None) -> None:
    people = cli("add", "我对花生过敏", *ANN)
    work = cli("add", "周五给客户交付季度财务模型", *ANN, "--json").json
    neither = cli("add", "The sky is blue", *ANN)
    named = cli("add", "blue, too", *ANN, "--role", "personal_assistant", "--json").json
    general = cli("add", "my dinner with the family", *ANN, "--no-role", "--json").json

    assert "→ personal_assistant" in people.out
    assert "→ general memory" in neither.out
    assert work["roles"] == ["professional_assistant"]
    assert work["decision"].startswith("decision-")
    assert (named["roles"], named["decision"]) == (["personal_assistant"], None)
    assert general["roles"] == []
    cli("add", "x", *ANN, "--role", "a", "--no-role", code=2)
    assert "professional_assistant" in cli("add", "x", *ANN, "--role", "nobody", code=3).err


def test_a_full_role_is_named_by_what_it_has_no_room_for(cli: Cli) -> None:
    cli("role", "add", "cook", "--description", "cooking, soups", "--max-memory-size", "1")
    first = cli("add", "the soup recipe: how to cook a soup", "--role", "cook")

    second = cli("add", "The sky is blue", "--role", "cook")
    told = cli("add", "Grass is green", "--role", "cook", "--json").json
    again = cli("add", "the soup recipe: how to cook a soup")
    corrected = cli("role", "correct", told["passage"]["id"], "--to", "cook")

    assert first.out.endswith("→ cook\n")
    assert second.out.endswith("→ general memory; cook is full\n")
    assert (told["roles"], told["full"]) == ([], ["cook"])
    assert "known already, linked to  → cook" in again.out
    assert "it is in the general memory" in corrected.out
    assert "cook is full" in corrected.err


def test_a_search_keeps_to_roles_or_the_general_memory(cli: Cli, roles: None) -> None:
    cli("add", "dinner with my family", *ANN, "--role", "personal_assistant")
    cli("add", "dinner with the client", *ANN, "--role", "professional_assistant")
    cli("add", "dinner bells were invented long ago", *ANN, "--no-role")

    def texts(*options: str) -> set[str]:
        hits = cli("search", "dinner", *ANN, *options, "--json").json["hits"]
        return {hit["passage"]["text"] for hit in hits}

    assert len(texts()) == 3
    assert texts("--role", "personal_assistant") == {"dinner with my family"}
    assert len(texts("--role", "personal_assistant", "--role", "professional_assistant")) == 2
    assert texts("--general") == {"dinner bells were invented long ago"}
    cli("search", "x", *ANN, "--general", "--role", "personal_assistant", code=2)
    cli("search", "x", *ANN, "--role", "nobody", code=3)


def test_local_and_served_memories_answer_the_same(cli: Cli) -> None:
    url, _ = cli.serve()

    for address in ((), ("--url", url)):
        user = ("--user", f"ann{len(address)}")
        cli(*address, "role", "add", "--template", "personal_assistant", *user)
        added = cli(*address, "add", "I'm allergic to peanuts", *user, "--json").json
        hits = cli(*address, "search", "peanuts", *user, "--role", "personal_assistant", "--json")
        routed = cli(*address, "route", "my sister's birthday", *user, "--json").json
        assert added["roles"] == ["personal_assistant"]
        assert [h["passage"]["id"] for h in hits.json["hits"]] == [added["passage"]["id"]]
        assert routed["chosen"] == ["personal_assistant"]
        assert cli(*address, "add", "tea", *user, "--no-role", "--json").json["roles"] == []


def test_a_route_is_explained(cli: Cli, roles: None) -> None:
    short = cli("route", "周五交付季度模型", *ANN).out
    table = cli("route", "周五交付季度模型", *ANN, "--explain").out
    made = cli("route", "周五交付季度模型", *ANN, "--json").json
    plain = cli("route", "周五交付季度模型", *ANN, "--routing", "cosine", "--json").json
    nowhere = cli("route", "周五交付季度模型", *ANN, "--threshold", "1")
    piped = cli("route", *ANN, "--json", stdin="周五交付季度模型\n".encode()).json

    assert short.startswith("professional_assistant  █")
    assert "personal_assistant" not in short.replace("professional_assistant", "")
    for word in ("score", "raw", "threshold", "keywords", "examples", "words", "nearest:"):
        assert word in table
    assert "not chosen: " in table
    assert made["chosen"] == piped["chosen"] == ["professional_assistant"]
    assert {one["role_id"] for one in made["scores"]} == {
        "personal_assistant",
        "professional_assistant",
    }
    assert (plain["routing"], plain["scores"][0]["parts"]) == ("cosine", {})
    assert "general memory" in nowhere.out
    assert "nearest: professional_assistant" in nowhere.err
    cli("route", "x", *ANN, "--threshold", "2", code=2)
    cli("route", "x", *ANN, "--routing", "dice", code=2)
    cli("route", " ", *ANN, code=2)


def test_a_gating_is_kept_and_explained_later(cli: Cli, roles: None) -> None:
    gated = cli("gate", "我今晚能吃什么?", *ANN, "--conversation", "c1", "--json").json
    one = cli("gate", "dinner after the client meeting", *ANN, "--max-roles", "1", "--json").json
    passage = cli("add", "我对花生过敏", *ANN, "--json").json

    gates = cli("role", "log", *ANN, "--kind", "gate", "--json").json["decisions"]
    about = cli("role", "log", *ANN, "--passage", passage["passage"]["id"], "--json").json
    listed = cli("role", "log", *ANN).out
    why = cli("role", "why", gated["id"]).out

    assert gated["chosen"] == ["personal_assistant"]
    assert len(one["chosen"]) <= 1
    assert [d["id"] for d in gates] == [one["id"], gated["id"]]
    assert [d["id"] for d in about["decisions"]] == [passage["decision"]]
    assert passage["decision"] in listed
    assert gated["id"] in listed
    assert "c1" in why
    assert "not chosen: " in why
    assert cli("role", "why", gated["id"], "--json").json["chosen"] == ["personal_assistant"]
    assert "nobody speaks" in cli("gate", "food", *ANN, "--threshold", "1").out
    cli("role", "why", "decision-none", code=3)
    cli("gate", "x", *ANN, "--max-roles", "0", code=2)


def test_roles_are_made_shown_changed_and_removed(cli: Cli, remember: Remember) -> None:
    remember("soup needs salt")
    made = cli(
        *(
            "role",
            "add",
            "cook",
            "--description",
            "cooking",
            "--name",
            "厨师",
            "--type",
            "personal",
        ),
        *("--keyword", "soup", "--keyword", "salt", "--example", "how long do I boil eggs?"),
        *("--activation-threshold", "0.6", "--max-memory-size", "9", "--retention", "recency"),
    )
    again = cli("role", "add", "cook", "--description", "x", code=4)
    edited = cli(
        *("role", "edit", "cook", "--add-keyword", "pepper", "--remove-keyword", "soup"),
        *("--add-example", "fry it", "--remove-example", "how long do I boil eggs?"),
        *("--description", "cooking and baking", "--reason", "it bakes, too", "--json"),
    ).json
    shown = cli("role", "show", "cook")
    whole = cli("role", "show", "cook", "--json").json
    same = cli("role", "edit", "cook", "--name", "厨师")
    back = cli("role", "edit", "cook", "--version", "1", "--json").json
    cli("role", "remove", "cook", code=2)
    removed = cli("role", "remove", "cook", "--yes", "--json").json

    assert made.out == "made  cook  厨师\n"
    assert "1 memory stored before" in made.err
    assert "yiku role reroute cook" in made.err
    assert "cook" in again.err
    assert (edited["keywords"], edited["examples"]) == (["salt", "pepper"], ["fry it"])
    assert (edited["activation_threshold"], edited["max_memory_size"]) == (0.6, 9)
    assert edited["memory_retention_strategy"] == "recency"
    assert "it bakes, too" in shown.out
    assert "role_description, keywords, examples" in " ".join(shown.out.split())
    assert [one["version"] for one in whole["versions"]] == [2, 1]
    assert whole["stats"]["memories"] == 0
    assert "so already" in same.err
    assert (back["version"], back["keywords"]) == (3, ["soup", "salt"])
    assert removed == {"role_id": "cook", "memories": 0}
    cli("role", "show", "cook", code=3)


def test_wrong_words_about_roles_are_refused_and_nothing_is_made(cli: Cli) -> None:
    (cli.folder / "half.json").write_text('[{"role_id": "a", "role_description": "b"}, {}]')
    for words, code in (
        (("role", "add"), 2),
        (("role", "add", "--description", "x"), 2),
        (("role", "add", "cook"), 2),
        (("role", "add", "cook", "--description", "x", "--activation-threshold", "2"), 2),
        (("role", "add", "cook", "--description", "x", "--retention", "luck"), 2),
        (("role", "add", "cook", "--description", "x", "--type", "odd"), 2),
        (("role", "add", "cook", "--description", ""), 2),
        (("role", "add", "a/b", "--description", "x"), 2),
        (("role", "add", "cook", "--description", "x", "--max-memory-size", "0"), 2),
        (("role", "add", "--template", "nothing"), 3),
        (("role", "add", "--set", "nothing"), 3),
        (("role", "add", "--template", "personal_assistant", "--set", "all"), 2),
        (("role", "add", "--file", "half.json"), 1),
        (("role", "add", "--file", "none.json"), 2),
        (("role", "correct", "passage-1"), 2),
        (("role", "reroute", "--job", "a", "--undo", "b"), 2),
        (("role", "template", "--to", "x.toml"), 2),
        (("role", "template", "nothing"), 3),
        (("role", "template", "nothing", "--to", "x.toml"), 3),
    ):
        done = cli(*words, code=code)
        assert len(done.err.splitlines()) == 1, done.err
        assert done.out == ""
    assert cli("role", "list", "--json").json == {"roles": []}
    assert not (cli.folder / "x.toml").exists()
    cli("role", "add", "cook", "--description", "food")
    for words, code in (
        (("role", "edit", "cook"), 2),
        (("role", "edit", "cook", "--version", "1", "--name", "x"), 2),
        (("role", "edit", "cook", "--version", "7"), 2),
        (("role", "edit", "cook", "--remove-keyword", "soup"), 2),
    ):
        assert len(cli(*words, code=code).err.splitlines()) == 1


def test_roles_come_from_files(cli: Cli) -> None:
    rows = [{"role_id": "cook", "role_description": "食物"}]
    (cli.folder / "roles.json").write_text(json.dumps(rows))
    (cli.folder / "roles.toml").write_text('[[role]]\nrole_id = "sail"\nrole_description = "sea"\n')

    cli("role", "add", "--file", "roles.json")
    cli("role", "add", "--file", "roles.toml")

    assert [r["role_id"] for r in cli("role", "list", "--json").json["roles"]] == ["cook", "sail"]
    assert "sail" in cli("role", "list").out


def test_a_template_is_written_changed_and_used(cli: Cli, fresh_home: Path) -> None:
    listed = cli("role", "template", "--json").json
    cli("role", "template", "technical_expert", "--to", "gardener.toml")
    own = fresh_home / "roles"
    own.mkdir()
    (own / "gardener.toml").write_text((cli.folder / "gardener.toml").read_text("utf-8"), "utf-8")
    url, _ = cli.serve()
    served = cli("--url", url, "role", "template", "gardener", "--to", "served.toml", "--json")

    cli("role", "add", "--template", "gardener", "--language", "zh")
    cli("--url", url, "role", "add", "--file", "served.toml", *ANN)
    mine = cli("role", "list", "--json").json["roles"]
    theirs = cli("role", "list", *ANN, "--json").json["roles"]

    assert "technical_expert" in listed["templates"]
    assert listed["sets"]["personal_assistant_set"][0] == "personal_assistant"
    assert "[zh]" in (cli.folder / "gardener.toml").read_text("utf-8")
    assert "gardener" in cli("role", "template").out
    assert "技术" in cli("role", "template", "gardener").out
    assert served.json["path"] == "served.toml"
    assert mine[0]["role_id"] == "gardener"
    assert mine[0]["role_name"] == "技术专家"
    assert theirs[0]["keywords"] == mine[0]["keywords"]


def test_new_roles_claim_what_was_there_and_give_it_back(cli: Cli, remember: Remember) -> None:
    allergy = remember("我对花生过敏", *ANN)
    remember("The sky is blue", *ANN)
    cli("role", "add", "--set", "all", *ANN)

    moved = cli("role", "reroute", "personal_assistant", *ANN, "--json").json
    found = cli("search", "花生", *ANN, "--role", "personal_assistant", "--json").json["hits"]
    undone = cli("role", "reroute", "--undo", moved["job"], "--json").json
    gone = cli("search", "花生", *ANN, "--role", "personal_assistant", "--json").json["hits"]
    people = cli("role", "reroute", *ANN)
    cli("edit", allergy, "--meta", "checked=true")
    story = cli("history", allergy)

    assert (moved["state"], moved["looked_at"], moved["joined"]) == ("done", 2, 1)
    assert [hit["passage"]["id"] for hit in found] == [allergy]
    assert undone == {"job": moved["job"], "moved": 1}
    assert gone == []
    assert "2 memories looked at, 1 joined, 0 left" in people.out
    assert "yiku role reroute --undo reroute-" in people.err
    assert "came to personal_assistant" in story.out
    assert "left personal_assistant" in story.out
    assert "undone" in story.out
    assert story.out.rindex("came to") < story.out.rindex("checked")  # the edit came last
    cli("role", "reroute", "--undo", moved["job"], code=4)
    cli("role", "reroute", "--job", moved["job"], code=4)
    cli("role", "reroute", "--job", "reroute-none", code=3)
    cli("role", "reroute", "nobody", *ANN, code=3)


def test_a_rerouting_goes_on_where_it_stopped(cli: Cli, roles: None, fresh_home: Path) -> None:
    with yiku.connect(home=fresh_home) as memory:
        texts = [f"note {n} of the client project" for n in range(210)]
        memory.add_many([{"text": one, "roles": []} for one in texts], user="ann")
        first = memory.reroute(user="ann")

    rest = cli("role", "reroute", "--job", first.job, "--json").json
    again = cli("role", "reroute", "--job", first.job, "--json").json

    assert (first.state, first.looked_at) == ("running", 200)
    assert (rest["state"], rest["looked_at"], rest["position"]) == ("done", 10, 210)
    assert (again["state"], again["looked_at"]) == ("done", 0)


def test_a_correction_moves_a_memory_and_stays(cli: Cli, roles: None, remember: Remember) -> None:
    passage = remember("我对花生过敏", *ANN)

    words = ("--to", "professional_assistant", "--out-of", "personal_assistant")
    done = cli("role", "correct", passage, *words)
    cli("role", "reroute", *ANN)
    story = cli("history", passage, "--json").json
    nowhere = cli("role", "correct", passage, "--out-of", "professional_assistant")

    assert "it is in professional_assistant" in done.out
    assert [one["role_id"] for one in story["roles"]] == ["professional_assistant"]
    assert "corrected" in cli("history", passage).out
    assert "the general memory" in nowhere.out
    cli("role", "correct", passage, "--to", "nobody", code=3)
    cli("role", "correct", "passage-none", "--to", "personal_assistant", code=3)


def test_figures_tell_what_each_role_has_and_does(cli: Cli, roles: None) -> None:
    cli("add", "我对花生过敏", *ANN)
    cli("gate", "我今晚能吃什么?", *ANN)

    found = cli("role", "stats", *ANN, "--json").json
    people = cli("role", "stats", *ANN).out

    personal = found["roles"][0]
    assert (personal["memories"], personal["gated"], personal["considered"]) == (1, 1, 1)
    assert (found["memories"], found["general"]) == (1, 0)
    assert "1 of 1,000" in people
    assert "1 memory in all" in people


class SlowRerouting(BaseHTTPRequestHandler):
    """Answers every step of a rerouting that never ends."""

    steps = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        time.sleep(0.2)
        type(self).steps += 1
        step = RerouteOut(
            job="reroute-1",
            roles=[],
            state="running",
            position=200 * self.steps,
            total=1_000_000,
            looked_at=200,
            joined=3,
            left=1,
        )
        body = step.model_dump_json().encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def slow_server() -> Iterator[str]:
    SlowRerouting.steps = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowRerouting)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_ctrl_c_tells_how_to_go_on_and_how_to_undo(cli: Cli, slow_server: str) -> None:
    running = cli.start("--url", slow_server, "--api-key", "secret", "role", "reroute")
    until_asked(2)

    running.send_signal(signal.SIGINT)
    out, err = running.communicate()

    assert running.poll() == 130
    assert out == ""
    assert "of 1,000,000 memories are looked at" in err
    assert f"yiku --url {slow_server} role reroute --job reroute-1" in err
    assert f"yiku --url {slow_server} role reroute --undo reroute-1" in err
    assert err.splitlines()[-1] == "error: interrupted"
    assert "secret" not in err
    assert "Traceback" not in err


def test_somebody_who_watches_sees_a_bar(cli: Cli, slow_server: str) -> None:
    ours, theirs = pty.openpty()
    try:
        with open(os.devnull, "r+b") as nothing:
            streams = [nothing.fileno(), nothing.fileno(), theirs]
            process = cli.begin(streams, "--url", slow_server, "role", "reroute")
        until_asked(3)
        process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT_S)
        told = os.read(ours, 1 << 20).decode(errors="replace")  # it may end within a character
    finally:
        os.close(ours)
        os.close(theirs)

    assert "rerouting" in told
    assert "/1000000" in told


def until_asked(steps: int) -> None:
    until = time.monotonic() + TIMEOUT_S
    while SlowRerouting.steps < steps:
        assert time.monotonic() < until, "the server was never asked"
        time.sleep(0.05)
