"""Whatever happened to a conversation, every provider takes what is shown of it."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.conversations import Talk, call, returned
from yiku.context.conversation import NAME, conversation
from yiku.core.language import Language
from yiku.core.message import (
    Approval,
    Image,
    Message,
    MessageRole,
    Reasoning,
    Text,
    ToolReturn,
    Utterance,
)

SYSTEM, USER, ASSISTANT, TOOL = (
    MessageRole.SYSTEM,
    MessageRole.USER,
    MessageRole.ASSISTANT,
    MessageRole.TOOL,
)


def shown(talk: Talk, language: Language = "en", roles: str = "") -> list[Utterance]:
    """Without the time of the first message."""
    made = conversation(talk.messages, language, UTC, roles=roles)
    return made[1:] if made[0].text.startswith("[20") else made


def answers(talk: Talk, language: Language = "en") -> list[tuple[bool, str]]:
    return [(r.ok, r.text) for one in shown(talk, language) for r in one.returns]


def test_what_is_sound_stays_as_it_is() -> None:
    talk = Talk()
    talk.user("Look!")
    talk.answer(Reasoning(text="hm"), "I will.", call())
    talk.tool(returned())
    talk.answer("There is nothing.")
    talk.user("Thanks")
    assert [(one.role, one.parts) for one in shown(talk)] == [
        (one.role, one.parts) for one in talk.messages
    ]


def test_a_call_that_a_crash_cut_off_gets_a_return() -> None:
    talk = Talk()
    talk.user("Look!")
    talk.answer(call("a"), call("b"))
    talk.tool(returned("b", "seen"))
    talk.user("And?")
    assert [one.role for one in shown(talk)] == [USER, ASSISTANT, TOOL, USER]
    cut = "This call was not run: the run was interrupted before."
    assert answers(talk) == [(False, cut), (True, "seen")]
    assert answers(talk, "zh")[0] == (False, "这次调用没有执行：运行在此之前中断了。")


def test_returns_without_their_call_are_left_out() -> None:
    talk = Talk()
    talk.tool(returned("gone"))
    talk.user("Hello")
    talk.answer("Hi", call("a"))
    talk.tool(returned("a"), returned("a", "again"), returned("never"))
    talk.user("Well?")
    assert answers(talk) == [(True, "done")]


def test_a_return_that_comes_late_is_moved_to_its_call() -> None:
    talk = Talk()
    talk.user("Look!")
    talk.answer(call("a", waits="client"))
    talk.user("Are you there?")
    talk.add(MessageRole.APPROVAL, returned("a", "from the client"))
    assert [one.role for one in shown(talk)] == [USER, ASSISTANT, TOOL, USER]
    assert answers(talk) == [(True, "from the client")]


@pytest.mark.parametrize(
    ("approval", "text"),
    [
        (Approval(call_id="a", approve=False), "This call was not run: the user denied it."),
        (
            Approval(call_id="a", approve=False, reason="Too dear."),
            "This call was not run: the user denied it. The reason: Too dear.",
        ),
        (
            Approval(call_id="a", approve=True),
            "This call was not run: the run was interrupted before.",
        ),
        (None, "This call was not run: it is still waiting for an answer."),
    ],
)
def test_a_call_that_waited_is_answered_with_what_became_of_it(
    approval: Approval | None, text: str
) -> None:
    talk = Talk()
    talk.user("Buy it.")
    talk.answer(call("a", waits="approval"))
    if approval is not None:
        talk.add(MessageRole.APPROVAL, approval)
    assert answers(talk) == [(False, text)]


def test_the_return_of_a_tool_counts_more_than_its_approval() -> None:
    talk = Talk()
    talk.user("Buy it.")
    talk.answer(call("a", waits="approval"))
    talk.add(MessageRole.APPROVAL, Approval(call_id="a", approve=True, arguments='{"n": 2}'))
    talk.tool(returned("a", "bought"))
    [(ok, text)] = answers(talk)
    assert ok
    assert text == '(It was run with other arguments, which the user chose: {"n": 2})\nbought'


def test_words_beside_an_approval_are_the_users() -> None:
    talk = Talk()
    talk.user("Buy it.")
    talk.answer(call("a", waits="approval"))
    talk.add(MessageRole.APPROVAL, Approval(call_id="a", approve=False), "Wait for the sale.")
    last = shown(talk)[-1]
    assert (last.role, last.text) == (USER, "Wait for the sale.")


def test_ids_that_stand_twice_and_names_no_api_takes_are_mended_in_calls_and_returns() -> None:
    talk = Talk()
    for name in ("look", "functions.look!", ""):
        talk.user("Look!")
        talk.answer(call("call 0", name), call("x", name))
        talk.tool(returned("call 0", name=name), returned("x", name=name))
    calls = [c for one in shown(talk) for c in one.calls]
    returns = [r for one in shown(talk) for r in one.returns]
    assert [(c.id, c.name) for c in calls] == [
        ("call_0", "look"),
        ("x", "look"),
        ("call_0-2", "functions_look_"),
        ("x-2", "functions_look_"),
        ("call_0-3", "unnamed"),
        ("x-3", "unnamed"),
    ]
    assert [(r.call_id, r.name) for r in returns] == [(c.id, c.name) for c in calls]
    assert all(r.ok for r in returns)


def test_arguments_that_are_broken_stay_for_the_adapter_to_quote() -> None:
    talk = Talk()
    talk.user("Look!")
    talk.answer(call("a", arguments='{"at": '))
    assert shown(talk)[1].calls[0].arguments == '{"at": '


def test_empty_texts_and_thoughts_alone_are_left_out() -> None:
    talk = Talk()
    talk.user(" \n")
    talk.add(SYSTEM, "")
    talk.user("Hello", "", Image(url="https://example.org/a.png"))
    talk.answer(Reasoning(text="hm"))
    talk.answer("  ")
    talk.answer("", call("a"))
    talk.tool(returned("a", " "))
    talk.user("Well?")
    made = shown(talk)
    assert [one.role for one in made] == [USER, ASSISTANT, TOOL, USER]
    assert made[0].parts == (Text("Hello"), Image(url="https://example.org/a.png"))
    assert made[1].parts == (call("a"),)
    assert answers(talk) == [(True, "(no output)")]


def test_somebody_always_speaks_last_who_is_not_the_model() -> None:
    talk = Talk()
    assert [one.text for one in conversation([], "en", UTC)] == ["Go on."]
    talk.user("Tell a story.")
    talk.answer("Once upon a time")
    assert shown(talk, "zh")[-1] == Utterance(SYSTEM, (Text("请继续。"),))


def test_users_messages_have_their_time_after_a_pause_and_their_speaker() -> None:
    talk = Talk()
    talk.user("你好")
    talk.answer("你好！")
    talk.user("在吗？", after=9)
    talk.user("明天见", after=10)
    talk.user("Me too", name="Alice")
    made = conversation(talk.messages, "zh", ZoneInfo("Asia/Shanghai"))
    assert [one.text for one in made] == [
        "[2026-11-04 周三 09:30]",
        "你好",
        "你好！",
        "在吗？",
        "[2026-11-04 周三 09:50]",
        "明天见",
        "[Alice]",
        "Me too",
    ]


def test_what_roles_remember_stands_before_the_users_last_words() -> None:
    talk = Talk()
    talk.user("Hello")
    talk.answer("Hi")
    talk.user("Look!")
    talk.answer(call("a"))
    talk.tool(returned("a"))
    texts = [one.text for one in shown(talk, roles="<role_memory/>")]
    assert texts == ["Hello", "Hi", "<role_memory/>", "Look!", "", ""]
    alone = Talk()
    alone.add(SYSTEM, "Wake up.")
    assert [one.text for one in shown(alone, roles="<role_memory/>")] == [
        "Wake up.",
        "<role_memory/>",
    ]


ID = st.sampled_from(["a", "b", "c", "", "ü 1"])
PART: dict[MessageRole, st.SearchStrategy[Any]] = {
    USER: st.builds(Text, st.sampled_from(["", "hi", " "])),
    SYSTEM: st.builds(Text, st.sampled_from(["", "note"])),
    MessageRole.SUMMARY: st.builds(Text, st.just("before")),
    ASSISTANT: st.one_of(
        st.builds(Text, st.sampled_from(["", "so"])),
        st.builds(Reasoning, text=st.just("hm")),
        st.builds(call, ID, ID, waits=st.sampled_from([None, "approval", "client"])),
    ),
    TOOL: st.builds(returned, ID, st.sampled_from(["", "ok"])),
    MessageRole.APPROVAL: st.one_of(
        st.builds(Approval, call_id=ID, approve=st.booleans(), reason=st.none() | st.just("no")),
        st.builds(returned, ID),
        st.builds(Text, st.just("well")),
    ),
}


@st.composite
def talks(draw: st.DrawFn) -> list[Message]:
    talk = Talk()
    for role in draw(st.lists(st.sampled_from(list(PART)), max_size=12)):
        parts = draw(st.lists(PART[role], min_size=1, max_size=3))
        talk.add(role, *parts, after=draw(st.sampled_from([1, 20])))
    return talk.messages


@given(talks())
def test_every_conversation_becomes_one_that_every_api_takes(messages: list[Message]) -> None:
    made = conversation(messages, "en", UTC)
    assert made
    assert made[-1].role is not ASSISTANT
    seen: set[str] = set()
    before: Utterance | None = None
    for one in made:
        assert one.parts
        assert one.role in (SYSTEM, USER, ASSISTANT, TOOL)
        assert not one.approvals
        expected = [c.id for c in before.calls] if before is not None else []
        assert [r.call_id for r in one.returns] == expected
        assert (one.role is TOOL) == bool(expected)
        for c in one.calls:
            assert NAME.fullmatch(c.id)
            assert NAME.fullmatch(c.name)
            assert c.id not in seen
            seen.add(c.id)
        for part in one.parts:
            assert (
                not isinstance(part, Text | ToolReturn) or part.text.strip() or len(one.parts) > 1
            )
        before = one


@given(talks(), talks())
def test_what_was_shown_is_shown_again_when_the_conversation_goes_on(
    messages: list[Message], more: list[Message]
) -> None:
    """But for the end, where calls still wait for what becomes of them."""
    made = conversation(messages, "en", UTC)
    longer = conversation([*messages, *more], "en", UTC)
    sure = next(
        (n for n, one in enumerate(made) if any(not r.ok for r in one.returns)), len(made) - 1
    )
    assert longer[:sure] == made[:sure]
