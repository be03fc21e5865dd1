"""What gives way when a conversation outgrows its window, and what never does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.conversations import Talk, call, returned
from yiku.context.budget import messages_tokens
from yiku.context.compact import (
    QUOTE,
    Split,
    clipped,
    language_in,
    shortened,
    split,
    split_session,
    summary_text,
)
from yiku.core.agent import Compaction
from yiku.core.message import Approval, Message, MessageRole

SLIDING = Compaction(sliding_window_percentage=0.3)
ALL = Compaction(mode="all")


def chat(turns: int) -> Talk:
    talk = Talk()
    for n in range(turns):
        talk.user(f"Question {n:03}, what then?")
        talk.answer(f"Answer {n:03}, as always.")
    return talk


def seqs(messages: Any) -> list[int]:
    return [one.seq for one in messages]


def found(messages: list[Message], settings: Compaction, goal: int) -> Split:
    made = split(messages, settings, goal)
    assert made is not None
    return made


def test_a_sliding_window_gives_its_share_and_more_where_that_is_not_enough() -> None:
    messages = chat(20).messages
    total = messages_tokens(messages)
    assert len(found(messages, SLIDING, total).gone) == 12
    assert len(found(messages, Compaction(sliding_window_percentage=0.5), total).gone) == 20
    tight = found(messages, SLIDING, total // 4)
    assert messages_tokens(tight.kept) <= total // 4
    assert len(tight.gone) == 30


def test_all_before_the_users_last_message_gives_way() -> None:
    for mode in ("all", "self_compact_all"):
        made = found(chat(20).messages, Compaction(mode=mode), 10_000)
        assert seqs(made.kept) == [39, 40]
        assert made.quoted == ""


def test_the_last_messages_stay_where_they_can() -> None:
    messages = chat(20).messages
    greedy = Compaction(mode="self_compact_sliding_window", sliding_window_percentage=0.86)
    assert len(found(messages, greedy, 10_000).kept) == 5
    assert len(found(messages, Compaction(sliding_window_percentage=1.0), 10_000).kept) == 2


def test_a_call_is_never_parted_from_its_return() -> None:
    talk = Talk()
    for n in range(6):
        talk.user("Look!")
        talk.answer(call(f"a{n}"), call(f"b{n}"))
        talk.tool(returned(f"a{n}"))
        talk.tool(returned(f"b{n}"))
        talk.answer("There.")
    for tenths in range(11):
        made = found(talk.messages, Compaction(sliding_window_percentage=tenths / 10), 10_000)
        asked = {c.id for one in made.gone for c in one.calls}
        assert asked == {r.call_id for one in made.gone for r in one.returns}


def test_calls_that_wait_stay() -> None:
    talk = chat(1)
    talk.user("Buy it.")
    talk.answer(call("a", waits="approval"))
    assert seqs(found(talk.messages, ALL, 0).kept) == [4]
    talk.add(MessageRole.APPROVAL, Approval(call_id="a", approve=True))
    assert seqs(found(talk.messages, ALL, 0).kept) == [4, 5]
    talk.tool(returned("a"))
    assert seqs(found(talk.messages, ALL, 0).kept) == []


def test_a_call_that_a_crash_cut_off_holds_nothing_back() -> None:
    talk = Talk()
    talk.user("Look!")
    talk.answer(call("a"))
    assert split(talk.messages[1:], ALL, 0) is None  # its step is being made
    talk.user("And?")
    talk.answer("Well.")
    talk.user("So?")
    assert seqs(found(talk.messages, ALL, 1_000).kept) == [5]


def test_where_a_runs_own_work_fills_the_window_the_users_message_is_quoted() -> None:
    talk = Talk()
    talk.user("Read all of it, 请用中文回答。")
    for n in range(10):
        talk.answer(call(f"a{n}"))
        talk.tool(returned(f"a{n}", "page " * 100))
    made = found(talk.messages, SLIDING, 400)
    assert messages_tokens(made.kept) <= 400
    assert made.quoted == "Read all of it, 请用中文回答。"
    assert summary_text("Pages read.", made, SLIDING, "en") == (
        "Pages read.\n\nThe user's last message, word for word:\nRead all of it, 请用中文回答。"
    )


def test_compiled_instructions_stay_and_are_not_summarised() -> None:
    talk = Talk()
    talk.add(MessageRole.SYSTEM, "compiled", run_id=None)
    assert split(talk.messages, ALL, 0) is None
    for n in range(15):
        talk.user(f"Question {n}")
        talk.answer("Answer")
    assert seqs(found(talk.messages, ALL, 0).kept)[0] == 1
    by_count = split_session(talk.messages)
    assert by_count is not None
    assert seqs(by_count.kept) == [1, 27, 28, 29, 30, 31]


def test_a_session_is_compacted_by_count_from_one_more_than_the_threshold() -> None:
    assert split_session(chat(10).messages) is None
    made = split_session(chat(11).messages)
    assert made is not None
    assert seqs(made.kept) == [18, 19, 20, 21, 22]
    talk = chat(9)
    talk.answer(call("a"))
    talk.tool(returned("a"))
    talk.answer("So.")
    assert seqs(split_session([*talk.messages], 20, 2).kept) == [19, 20, 21]  # type: ignore[union-attr] # there are 21


ROLE = st.sampled_from(["user", "answer", "call", "tool", "approval"])


@given(
    st.lists(ROLE, min_size=1, max_size=20),
    st.sampled_from(["all", "sliding_window", "self_compact_all", "self_compact_sliding_window"]),
    st.floats(-1, 2),
    st.integers(0, 300),
)
def test_what_gives_way_is_the_beginning_and_parts_nothing(
    roles: list[str], mode: Any, share: float, goal: int
) -> None:
    talk, last = Talk(), "none"
    for n, role in enumerate(roles):
        match role:
            case "user" | "answer":
                getattr(talk, role)("word " * (n + 1))
            case "call":
                last = f"c{n}"
                talk.answer(call(last))
            case "tool":
                talk.tool(returned(last))
            case _:
                talk.add(MessageRole.APPROVAL, Approval(call_id=last, approve=n % 2 == 0))
    made = split(talk.messages, Compaction(mode=mode, sliding_window_percentage=share), goal)
    if made is None:
        return
    assert made.gone
    assert (*made.gone, *made.kept) == tuple(talk.messages)
    answered = {r.call_id for one in made.kept for r in one.returns}
    asked = {c.id for one in made.gone for c in one.calls}
    assert not asked & answered
    spoke = [one for one in talk.messages if one.role is MessageRole.USER]
    assert not spoke or spoke[-1] in made.kept or made.quoted == spoke[-1].text


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("short", 10, "short"),
        ("short", None, "short"),
        ("One two. Three four five.", 12, "One two.…"),
        ("一二三四。五六七八九十", 8, "一二三四。…"),
        ("aaaaaaaaaa", 5, "aaaa…"),
        ("aaa", 0, ""),
    ],
)
def test_a_text_is_cut_at_the_end_of_a_sentence(text: str, limit: int | None, cut: str) -> None:
    assert clipped(text, limit) == cut


@given(st.text(), st.integers(0, 40))
def test_a_cut_text_is_never_too_long(text: str, limit: int) -> None:
    assert len(clipped(text, limit)) <= limit


def test_a_summary_and_what_it_quotes_are_cut() -> None:
    there = Split(gone=(), kept=(), quoted="q" * 10_000)
    made = summary_text("s" * 100, there, Compaction(clip_chars=10), "zh")
    head, _, quoted = made.partition("\n\n用户最近一条消息的原文：\n")
    assert (len(head), len(quoted)) == (10, QUOTE)


def test_a_single_return_that_fills_the_window_can_be_shortened() -> None:
    talk = Talk()
    long = talk.tool(returned("a", "page " * 1_000))
    assert len(shortened(long, 100).returns[0].text) <= 100
    assert shortened(long, 10_000) is long


def test_a_summary_is_in_the_language_that_is_spoken() -> None:
    talk = Talk()
    talk.user("帮我查一下天气")
    talk.answer(call("a", arguments='{"city": "Hangzhou, Zhejiang, China"}'))
    talk.tool(returned("a", "sunny with a light wind from the east and no rain at all"))
    assert language_in(talk.messages) == "zh"
    assert language_in(talk.messages[2:], "zh") == "zh"
    assert language_in(chat(1).messages, "zh") == "en"


def test_a_message_nobody_has_answered_yet_never_gives_way() -> None:
    talk = chat(3)
    talk.user("word " * 5_000)
    there = found(talk.messages, SLIDING, 100)
    assert seqs(there.kept)[-1] == talk.messages[-1].seq
    assert not there.quoted
