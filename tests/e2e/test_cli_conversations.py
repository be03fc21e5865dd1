"""`yiku conversation`, and what a program's client does with conversations."""

import yiku
from tests.e2e.conftest import Cli


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
    whole = cli("conversation", "show", trip.id, "--json").json
    assert whole["conversation"]["agent_id"] == ann
    last = whole["messages"][-1]["id"]
    earlier = cli("conversation", "show", trip.id, "--before", last, "--json").json["messages"]
    assert earlier == [one for one in whole["messages"] if one["id"] != last]

    assert "not in the file" not in cli("agent", "export", "ann", "-o", "all.af").err
    cli("schedule", "create", "ann", "Pack.", "--in", "1d")
    assert "not in the file: 1 schedule\n" in cli("agent", "export", "ann").err
    told = cli("agent", "export", "ann", "--legacy", "-o", "old.af", "--json").json
    assert told["left_out"] == {"schedule": 1, "conversation": 2}

    for source in (trip.id, "ann"):
        fork = cli("conversation", "fork", source, "--json").json
        said = cli("conversation", "show", fork["id"]).out
        assert ("We leave on 3 March." in said) == (source == trip.id)
    assert "context" in cli("conversation", "fork", "ann", "--message", "message-x", code=3).err
    assert "give --yes" in cli("conversation", "delete", trip.id, code=2).err
    cli("conversation", "delete", trip.id, "--yes")
    assert trip.id in cli("conversation", "show", trip.id, code=3).err
