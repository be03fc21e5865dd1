"""Organizations, users, keys, limits and the audit log on the command line: on this machine's
database, and on a server."""

import sys

import pytest

from tests.e2e.conftest import Cli

if sys.platform != "win32":
    from tests.e2e.terminal import Terminal


@pytest.mark.parametrize("there", [False, True])
def test_an_organization_is_run_from_the_command_line(cli: Cli, there: bool) -> None:
    env: dict[str, str] = {}
    if there:
        boss = cli("key", "create", "boss", "--scope", "admin").out.strip()
        env = {"YIKU_URL": cli.serve(YIKU_REQUIRE_KEY="always")[0], "YIKU_API_KEY": boss}
    org = cli("org", "add", "Tea house", "--json", **env).json["id"]
    cli("org", "add", "Tea house", code=4, **env)
    user = cli("user", "add", "ann", "--org", org, "--json", **env).json["id"]
    key = cli("key", "create", "laptop", "--user-name", "ann", "--org", org, "--json", **env).json
    assert key["user_id"] == user
    project = cli("project", "add", "Green Tea", "--org", org, "--json", **env).json
    assert project["slug"] == "green-tea"
    assert "agents: 3, used 0" in cli("quota", "set", "agents", "3", "--org", org, **env).out
    shown = cli("quota", "show", "--org", org, "--json", **env).json["quotas"]
    assert (shown[0]["resource"], shown[0]["most"]) == ("agents", 3)
    assert user in cli("user", "disable", "ann", "--org", "Tea house", **env).out
    cli("user", "disable", "bob", "--org", org, code=3, **env)
    cli("key", "revoke", key["id"], "--org", "Tea house", **env)
    assert "revoked" in cli("key", "list", "--org", org, **env).out
    assert "nowhere" in cli("key", "list", "--org", "nowhere", code=3, **env).err
    cli("project", "delete", project["id"], "--org", org, **env)

    events = cli("audit", "--org", org, "--json", **env).json["events"]
    assert [one["action"] for one in events] == [
        "project.delete",
        "key.revoke",
        "user.disable",
        "quota.set",
        "project.create",
        "key.create",
        "user.create",
        "organization.create",
    ]
    assert {one["key_id"] is None for one in events} == {not there}
    told = cli("audit", "--org", org, "--action", "key", "--limit", "1", **env)
    [event] = cli("audit", "--org", org, "--action", "key", "--limit", "1", "--json", **env).json[
        "events"
    ]
    assert event["target"] in told.out
    assert event["user_id"] in told.out
    assert "key.revoke" in told.out
    assert "key.create" not in told.out
    assert f"--before {events[1]['id']}" in told.err
    for command in ("org", "user", "project"):
        where = () if command == "org" else ("--org", org)
        assert "id" in cli(command, "list", *where, **env).out
    cli("org", "delete", org, code=2, **env)  # nobody is there to be asked
    gone = cli("org", "delete", org, "--yes", "--json", **env).json
    assert (gone["id"], gone["name"]) == (org, "Tea house")
    cli("org", "delete", org, "--yes", code=3, **env)
    assert org not in cli("org", "list", **env).out


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX has terminals of this kind")
def test_an_organization_is_deleted_by_typing_its_name(cli: Cli) -> None:
    org = cli("org", "add", "Tea house", "--json").json["id"]
    for typed, code, told in (("yes\n", 1, "isn't its name"), ("Tea house\n", 0, "deleted")):
        with Terminal(cli, "org", "delete", "Tea house") as shown:
            shown.expect("Its name, to do so")
            shown.type(typed)
            shown.expect(told)
            assert shown.end() == code
    assert org not in cli("org", "list").out
