"""`yiku block`: what a program wrote over v1, looked at and undone."""

from letta_client import Letta

from tests.e2e.conftest import Cli


def test_a_block_is_listed_shown_and_its_last_change_undone(cli: Cli) -> None:
    url, running = cli.serve()
    with Letta(base_url=url) as letta:
        block = letta.blocks.create(label="human", value="用户喜欢茶", limit=50, tags=["t"])
        letta.blocks.update(block.id, value="用户喜欢咖啡")
        letta.blocks.create(label="persona", value="calm", read_only=True)
    there = cli("block", "show", block.id, "--json", "--url", url).json
    assert there["value"] == "用户喜欢咖啡"
    assert cli("block", "list", "--label", "human", "--json", "--url", url).json["blocks"] == [
        there
    ]
    assert "6 of 50 characters" in cli("block", "show", block.id, "--url", url).out
    assert "on the database itself" in cli("block", "history", block.id, "--url", url, code=2).err
    running.terminate()
    running.communicate()

    assert [one["label"] for one in cli("block", "list", "--json").json["blocks"]] == [
        "human",
        "persona",
    ]
    [listed] = cli("block", "list", "--label", "human", "--json").json["blocks"]
    assert cli("block", "show", block.id, "--json").json == listed
    assert there.items() <= listed.items()
    assert (listed["value"], listed["version"]) == ("用户喜欢咖啡", 2)
    shown = cli("block", "show", block.id).out
    assert "6 of 50 characters" in shown
    assert "用户喜欢咖啡" in shown
    assert "human" in cli("block", "list").out

    undone = cli("block", "undo", block.id, "--reason", "wrong", "--json").json
    assert (undone["value"], undone["version"]) == ("用户喜欢茶", 3)
    found = cli("block", "history", block.id, "--json").json
    assert [one["value"] for one in found["versions"]] == [
        "用户喜欢茶",
        "用户喜欢咖啡",
        "用户喜欢茶",
    ]
    assert "undo, back to 1: wrong" in cli("block", "history", block.id).out
    assert "no change to take back" in cli("block", "undo", block.id, code=4).err
    assert "no block" in cli("block", "show", "block-x", code=3).err
