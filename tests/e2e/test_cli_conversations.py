"""`yiku conversation`, and what a program's client does with conversations."""

import json
from pathlib import Path

import yiku
from tests.e2e.conftest import Cli


def messages_of(file: Path) -> str:
    [agent] = json.loads(file.read_text())["agents"]
    return str([one["content"] for one in agent["messages"] if one["role"] == "user"])


def test_conversations_are_listed_shown_forked_and_deleted(cli: Cli) -> None:
    ann = cli("agent", "create", "ann", "--model", "yiku/offline", "--json").json["id"]
    with yiku.connect("yiku://") as memory:
        trip = memory.conversations.create(ann, summary="The trip to Oslo")
        reply = memory.conversations.send(trip.id, "We leave on 3 March.")
        assert reply.stop_reason == "end_turn"
        memory.conversations.update(memory.conversations.create(ann).id, archived=True)
        assert memory.conversations.cancel(trip.id) == {}
        assert memory.conversations.compact(memory.conversations.create(ann, hidden=True).id)

    [listed] = cli("conversation", "list", "ann", "--json").json["conversations"]
    assert listed["id"] == trip.id
    assert len(cli("conversation", "list", "--archived", "--json").json["conversations"]) == 2
    assert "The trip to Oslo" in cli("conversation", "list").out
    shown = cli("conversation", "show", trip.id).out
    assert "We leave on 3 March." in shown
    assert cli("conversation", "show", trip.id, "--json").json["conversation"]["agent_id"] == ann

    cli("schedule", "create", "ann", "Pack.", "--in", "1d")
    own = cli("agent", "export", "ann", "-o", "ann.af")
    assert "not in the file: 2 conversations, 1 schedule" in own.err
    assert "3 March" not in messages_of(cli.folder / "ann.af")
    told = cli("agent", "export", "ann", "--conversation", trip.id, "-o", "trip.af", "--json").json
    assert told["left_out"] == {"conversation": 1, "schedule": 1}
    assert "3 March" in messages_of(cli.folder / "trip.af")
    assert "not in the file" in cli("agent", "export", "ann").err

    for source in (trip.id, "ann"):
        fork = cli("conversation", "fork", source, "--json").json
        said = cli("conversation", "show", fork["id"]).out
        assert ("We leave on 3 March." in said) == (source == trip.id)
    assert "context" in cli("conversation", "fork", "ann", "--message", "message-x", code=3).err
    assert "give --yes" in cli("conversation", "delete", trip.id, code=2).err
    cli("conversation", "delete", trip.id, "--yes")
    assert trip.id in cli("conversation", "show", trip.id, code=3).err
