"""The server and its keys, and a client that speaks to it."""

import os
import signal
import socket
import urllib.request
from contextlib import suppress

import pytest

from tests.e2e.conftest import Cli


def test_a_server_answers_the_same_commands(cli: Cli) -> None:
    url, _ = cli.serve()

    passage = cli("add", "我住在上海", "--user", "ann", "--json", YIKU_URL=url).json["passage"]
    found = cli("--url", url, "search", "上海", "--user", "ann", "--json").json["hits"]

    assert found[0]["passage"]["id"] == passage["id"]
    with urllib.request.urlopen(f"{url}/memory/health") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order(cli: Cli, number: signal.Signals) -> None:
    url, running = cli.serve()
    cli("add", "tea", "--url", url)

    running.send_signal(number)
    out, err = running.communicate()

    assert running.poll() == 0
    assert (out, err) == ("", "")
    home = os.environ["YIKU_HOME"]
    assert {name for name in os.listdir(home) if name.startswith("yiku.db")} == {"yiku.db"}
    assert cli("verify", "--json").json["problems"] == []


def test_an_address_others_reach_needs_a_key_or_a_word(cli: Cli) -> None:
    refused = cli("serve", "--host", "0.0.0.0", "--port", "0", code=1)

    assert "yiku key create" in refused.err
    url, running = cli.serve("--host", "0.0.0.0", YIKU_REQUIRE_KEY="never")
    cli("add", "tea", "--url", url)
    running.terminate()
    assert "anyone who reaches" in running.communicate()[1]


def test_keys_open_the_server_as_far_as_they_go(cli: Cli) -> None:
    writer = cli("key", "create", "writer").out.strip()
    reader = cli("key", "create", "reader", "--scope", "read", "--json").json
    url, _ = cli.serve(YIKU_REQUIRE_KEY="always")

    cli("--url", url, "search", "tea", code=1)
    assert answer_to(url, b"GET / HTTP/1.1\r\nA: " + b"a" * 4_000_000)[:13] in (
        b"",
        b"HTTP/1.1 431 ",
    )
    cli("--url", url, "--api-key", "yk_wrong", "search", "tea", code=1)
    cli("--url", url, "--api-key", writer, "add", "tea")
    read = cli("--url", url, "search", "tea", "--json", YIKU_API_KEY=reader["key"])
    refused = cli("--url", url, "add", "coffee", code=1, YIKU_API_KEY=reader["key"])
    cli("key", "revoke", reader["id"])
    cli("--url", url, "search", "tea", code=1, YIKU_API_KEY=reader["key"])

    assert read.json["hits"][0]["passage"]["text"] == "tea"
    assert "write" in refused.err


def answer_to(url: str, sent: bytes) -> bytes:
    """Empty: the server has hung up."""
    host, _, port = url.removeprefix("http://").partition(":")
    with suppress(ConnectionError), socket.create_connection((host, int(port)), 20) as server:
        server.sendall(sent)
        return server.recv(1000)
    return b""


def test_a_key_is_shown_once_and_kept_as_a_hash(cli: Cli) -> None:
    made = cli("key", "create", "ci", "--expires-days", "30", "--user-name", "bot", "--json").json

    listed = cli("key", "list", "--json").json["keys"]

    assert made["key"].startswith("yk_")
    assert [one["name"] for one in listed] == ["ci"]
    assert listed[0]["expires_at"] is not None
    assert made["key"] not in cli("key", "list").out
    database = os.path.join(os.environ["YIKU_HOME"], "yiku.db")
    with open(database, "rb") as file:
        assert made["key"].encode() not in file.read()
    cli("key", "revoke", "key-nobody", code=3)


def test_a_port_that_is_taken_is_an_error(cli: Cli) -> None:
    url, _ = cli.serve()
    port = url.rpartition(":")[2]

    refused = cli("serve", "--port", port, code=1)

    assert "error: " in refused.err
    assert port in refused.err
