"""What Sentry is told of a bug: where it is and for whom it worked, and none of the words."""

import json
import subprocess
import sys

import pytest

from tests.integration.operations.test_telling import SentryServer

BUG = """
import logging, sys
from yiku.core.telemetry import within
from yiku.telemetry import sentry

flush = sentry.begin(sys.argv[1])
def diary(text):
    raise ValueError(f"can't keep {text}")
try:
    with within(run="run-1"):
        try:
            diary("the blue violin")
        except ValueError:
            logging.getLogger("yiku.agents").exception("a run failed", extra={"text": "violin"})
finally:
    flush()
"""


def tell(dsn: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BUG, dsn], capture_output=True, text=True, check=False, timeout=60
    )


def test_a_bug_is_told_without_its_words() -> None:
    with SentryServer() as server:
        done = tell(server.root.replace("//", "//public@") + "/1")
    assert done.returncode == 0, done.stderr
    [event] = [
        found
        for line in server.raw.splitlines()
        if (found := json.loads(line)).get("exception") is not None
    ]
    [error] = event["exception"]["values"]
    assert (error["type"], event["tags"]["run"]) == ("ValueError", "run-1")
    assert error["stacktrace"]["frames"][-1]["function"] == "diary"
    assert event["logentry"]["message"] == "a run failed"
    assert b"violin" not in server.raw


@pytest.mark.parametrize("dsn", ["nonsense", "http://127.0.0.1:1/1"])
def test_an_address_that_is_none_is_refused(dsn: str) -> None:
    done = tell(dsn)
    assert done.returncode != 0
    assert "SettingInvalid: YIKU_SENTRY_DSN" in done.stderr
