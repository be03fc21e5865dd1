"""`yiku schedule`: messages for later, made, shown and deleted."""

from datetime import UTC, datetime, timedelta

from tests.e2e.conftest import Cli

NIGHT = ("--cron", "30 2 * * *", "--timezone", "Europe/Berlin")


def test_messages_are_scheduled_shown_and_deleted(cli: Cli) -> None:
    cli("agent", "create", "ann")
    soon = cli("schedule", "create", "ann", "伸个懒腰", "--in", "45m", "--json").json
    due = datetime.fromisoformat(soon["next_scheduled_time"]) - datetime.now(UTC)
    assert timedelta(minutes=40) < due < timedelta(minutes=46)
    at = ("--at", "2199-03-03T08:00", "--timezone", "Asia/Shanghai")
    assert "once, 2199-03-03" in cli("schedule", "create", "ann", "生日快乐", *at).out
    night = cli("schedule", "create", "ann", "Tidy up.", *NIGHT, "--missed", "skip").out
    assert "30 2 * * * Europe/Berlin" in night

    found = cli("schedule", "list", "ann", "--json").json["schedules"]
    assert [one["message"]["messages"][0]["content"] for one in found] == [
        "伸个懒腰",
        "生日快乐",
        "Tidy up.",
    ]
    assert found[1]["next_scheduled_time"] == "2199-03-03T00:00:00Z"
    listed = cli("schedule", "list", "ann").out
    for told in ("伸个懒腰", "2199-03-03", "30 2 * * * Europe/Berlin", found[2]["id"]):
        assert told in listed
    shown = cli("schedule", "show", "ann", found[2]["id"]).out
    assert "missed: skip" in shown
    assert cli("schedule", "delete", "ann", soon["id"], "--json").json == {"deleted": soon["id"]}
    assert "There is no schedule" in cli("schedule", "show", "ann", soon["id"], code=3).err


def test_what_is_no_time_is_said(cli: Cli) -> None:
    cli("agent", "create", "ann")

    def refused(*how: str) -> str:
        return cli("schedule", "create", "ann", "hello", *how, code=2).err

    assert "in one way" in refused()
    assert "in one way" in refused("--in", "1h", *NIGHT)
    assert "15m" in refused("--in", "an hour")
    assert "2027-01-31T09:00" in refused("--at", "tomorrow")
    assert "no time zone" in refused("--at", "2199-01-01T09:00", "--timezone", "Mars/Olympus")
    assert "no time zone" in refused("--in", "1h", "--timezone", "Mars/Olympus")
    assert "no time zone" in refused("--at", "2199-01-01T09:00", "--timezone", "../x")
    assert "text is empty" in cli("schedule", "create", "ann", " ", "--in", "1h", code=2).err
    past = refused("--at", "2020-01-01T09:00", "--timezone", "UTC")
    assert past.startswith("error: --at: 2020-01-01 09:00:00 UTC has passed.\n")
    told = refused("--cron", "@daily")
    assert told.startswith("error: --cron: ")
    assert "five fields" in told
