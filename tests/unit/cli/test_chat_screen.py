"""A run's events on the terminal: the answer on stdout, all else on stderr."""

import json

import pytest

from yiku.cli.chat.screen import JsonLines, Terminal, brief
from yiku.cli.chat.words import EN, ZH
from yiku.client.events import (
    Began,
    Call,
    Called,
    Compacted,
    Edited,
    Ended,
    Event,
    Failed,
    Returned,
    Text,
    Thought,
    Waits,
)

CALL = Call(id="c1", name="archival_memory_search", arguments='{"query": "茶", "limit": 3}')


def shown(
    capsys: pytest.CaptureFixture[str], *events: Event, reasoning: bool = False
) -> tuple[str, str]:
    screen = Terminal(EN, reasoning=reasoning)
    for event in events:
        screen.show(event)
    out, err = capsys.readouterr()
    return out, err


def test_pieces_make_lines_and_work_stands_between_them(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = shown(
        capsys,
        Began("run-1"),
        Text("Let me ", "m1"),
        Text("look.", "m1"),
        Called(CALL),
        Returned(call_id="c1", name=CALL.name, ok=True, text="two\nmemories"),
        Text("Tea.", "m2"),
        Ended(stop_reason="end_turn"),
    )

    assert out == "Let me look.\nTea.\n"
    assert err.splitlines() == [
        '· archival_memory_search(query="茶", limit=3)',
        "  → two memories",
    ]


def test_reasoning_is_shown_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    events = (Thought("hm", "m1"), Text("Yes.", "m1"), Ended(stop_reason="end_turn"))

    assert shown(capsys, *events) == ("Yes.\n", "")
    assert shown(capsys, *events, reasoning=True) == ("Yes.\n", "hm\n")


def test_an_edit_of_a_block_is_a_small_diff(capsys: pytest.CaptureFixture[str]) -> None:
    lines = "\n".join(f"line {n}" for n in range(12))
    _, err = shown(
        capsys,
        Edited(label="human", block_id="b", before="喜欢茶\nx", after="喜欢咖啡\nx"),
        Edited(label="notes", block_id="n", before=None, after=lines),
    )

    assert err.splitlines()[:4] == ["✎ human", "  - 喜欢茶", "  + 喜欢咖啡", "✎ notes  new"]
    assert err.splitlines()[-1] == "  … 4 more lines"


def test_calls_that_wait_are_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    code = Call(id="c", name="run_code", arguments=json.dumps({"code": "x" * 300}))
    _, err = shown(capsys, Text("May I?", "m1"), Waits((code,)))

    assert "run_code" in err
    assert "x" * 300 in err


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("cancelled", "cancelled"),
        ("max_steps", "3 steps"),
        ("max_tokens_exceeded", "cut off"),
        ("invalid_tool_call", "invalid_tool_call"),
    ],
)
def test_an_answer_that_stopped_early_says_why(
    capsys: pytest.CaptureFixture[str], reason: str, word: str
) -> None:
    assert word in shown(capsys, Ended(stop_reason=reason, steps=3))[1]


def test_failures_and_summaries_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    _, err = shown(
        capsys,
        Compacted(summary="…", messages_before=40, messages_after=9),
        Failed("ProviderRefused", "the key is wrong"),
        Ended(stop_reason="llm_api_error"),
    )

    assert err.splitlines() == [
        EN.compacted.format(40, 9),
        "the answer failed: the key is wrong",
    ]


def test_a_model_can_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;title\x07\x1b[2J"
    out, err = shown(
        capsys,
        Text(evil, "m1"),
        Called(Call(id="c", name=evil, arguments=evil)),
        Returned(call_id="c", name="x", ok=False, text=evil),
        Edited(label=evil, block_id="b", before=evil, after="y" + evil),
        Waits((Call(id="c", name=evil, arguments=evil),)),
        Failed("x", evil),
    )

    assert "\x1b" not in out + err
    assert "\x07" not in out + err


def test_words_are_chinese_where_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(ZH, reasoning=False).show(Ended(stop_reason="cancelled"))

    assert capsys.readouterr().err == "已取消\n"


def test_json_is_an_object_a_line() -> None:
    lines: list[str] = []
    screen = JsonLines(lines.append)
    screen.show(Text("你\n好", "m1"))
    screen.error("AgentBusy", "busy")

    assert [json.loads(line) for line in lines] == [
        {"event": "text", "text": "你\n好", "message_id": "m1"},
        {"event": "failed", "kind": "AgentBusy", "message": "busy"},
    ]


def test_the_last_line_of_an_answer_has_its_whole_text() -> None:
    lines: list[str] = []
    screen = JsonLines(lines.append)
    for event in (
        Began("run-1"),
        Text("Let me ", "m1"),
        Text("look.", "m1"),
        Called(CALL),
        Text("Tea.", "m2"),
        Ended(stop_reason="end_turn"),
        Began("run-2"),
        Text("你好", "m3"),
        Ended(stop_reason="end_turn"),
    ):
        screen.show(event)

    told = [json.loads(line) for line in lines]
    assert [one["text"] for one in told if one["event"] == "ended"] == [
        "Let me look.\nTea.",
        "你好",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [("", "f()"), ('{"a": null}', "f(a=null)"), ("{broken", "f({broken)"), ("[1]", "f([1])")],
)
def test_a_call_is_told_briefly_whatever_its_arguments(arguments: str, told: str) -> None:
    assert brief(Call(id="c", name="f", arguments=arguments), 60) == told
