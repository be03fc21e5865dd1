"""The form of the log, and what of a failure comes into it."""

import json
import logging
import sys

import pytest

from yiku.core.errors import DatabaseBusy, Invalid
from yiku.core.telemetry import note_here, within
from yiku.telemetry.logs import AsJson, AsText

WORDS = "Ann's diary: 我的日记"


def record(message: str = "passages added", **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "yiku.memory", "levelname": "INFO", "msg": message})
    vars(made).update(extra)
    return made


def failed(error: Exception) -> logging.LogRecord:
    try:
        raise error
    except Exception:
        return record("it failed", exc_info=sys.exc_info())


def test_a_line_has_the_ids_of_the_task_and_the_facts_of_the_record() -> None:
    with within(request="req-1", run=None):
        note_here(organization="org-1")
        line = AsJson().format(record(count=3, path="/a"))
        text = AsText().format(record(count=3))
    told = json.loads(line)
    assert told["message"] == "passages added"
    assert (told["request"], told["organization"], told["count"]) == ("req-1", "org-1", 3)
    assert "run" not in told
    assert text.endswith(
        "INFO yiku.memory: passages added request=req-1 organization=org-1 count=3"
    )
    assert "request" not in json.loads(AsJson().format(record()))


def test_a_record_is_one_line_whatever_is_in_it() -> None:
    assert "\n" not in AsJson().format(record("a\nb", name_given="c\nd"))
    assert "\n" not in AsText().format(record("a\nb", name_given="c\nd"))


@pytest.mark.parametrize("form", [AsJson(), AsText()])
@pytest.mark.parametrize("error", [ValueError(WORDS), KeyError(WORDS), Invalid(WORDS)])
def test_what_an_error_says_may_be_a_memory_and_is_left_out(
    form: logging.Formatter, error: Exception
) -> None:
    told = form.format(failed(error))
    assert "diary" not in told
    assert "日记" not in told
    assert type(error).__name__ in told
    assert "test_logs.py" in told, "where it went wrong is told"


def test_what_is_of_machines_and_code_is_told_whole() -> None:
    for error in (
        DatabaseBusy("locked by 7"),
        ConnectionRefusedError("port 1"),
        TypeError("no len"),
    ):
        assert str(error) in AsText().format(failed(error))


def test_causes_are_told_in_their_order_without_their_words() -> None:
    def both() -> None:
        try:
            raise KeyError(WORDS)
        except KeyError as error:
            raise DatabaseBusy("locked") from error

    with pytest.raises(DatabaseBusy) as raised:
        both()
    told = AsText().format(record("it failed", exc_info=(type(raised.value), raised.value, None)))
    assert told.index("KeyError") < told.index("caused:") < told.index("DatabaseBusy: locked")
    assert "diary" not in told
