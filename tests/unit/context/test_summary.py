"""What a summariser is asked, and the excerpt that stands in for one."""

from __future__ import annotations

import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.conversations import Talk, call, returned, state
from yiku.context.compact import Split, summary_text
from yiku.context.compile import Asking, WindowView, prompt
from yiku.context.summary import (
    ASKS,
    MARKS,
    RETURN,
    excerpt,
    portions,
    self_prompt,
    summary_prompt,
)
from yiku.core.agent import Compaction
from yiku.core.language import language_of
from yiku.core.message import Image, MessageRole, Reasoning
from yiku.core.model import ToolSpec

SETTINGS = Compaction()


def trip() -> Talk:
    talk = Talk()
    talk.user("Hello! Do you have a minute?")
    talk.answer(Reasoning(text="secret"), "Sure.", call("a", "find_flight", '{"to": "Oslo"}'))
    talk.tool(returned("a", "SK 872, 14:05" + " more" * 1_000, "find_flight"))
    talk.user("My sister Ingrid lives there. Please book it.", Image(url="https://x.org/a.png"))
    talk.answer("I like Oslo. I will book SK 872 for 12 December.")
    talk.user("Great, that is nice.")
    return talk


def test_a_summariser_is_given_the_old_summary_and_a_transcript() -> None:
    made = summary_prompt(
        trip().messages,
        SETTINGS,
        "en",
        previous="[PREVIOUS SUMMARY]\nIngrid has a dog.",
        zone=ZoneInfo("Europe/Oslo"),
    )
    assert made.system == ASKS["en"]
    assert (made.tools, made.tool_choice) == ((), "auto")
    [asked] = made.messages
    lines = asked.text.splitlines()
    assert lines[:3] == ["The summary so far:", "Ingrid has a dog.", ""]
    assert lines[3:7] == [
        "The messages since:",
        "[2026-11-04 Wed 02:30] user: Hello! Do you have a minute?",
        "[2026-11-04 Wed 02:31] assistant: Sure.",
        '[2026-11-04 Wed 02:31] assistant called find_flight({"to": "Oslo"})',
    ]
    assert lines[7].startswith("[2026-11-04 Wed 02:32] find_flight returned: SK 872, 14:05 more")
    assert len(lines[7]) < RETURN + 60
    assert "[2026-11-04 Wed 02:33] user: [image]" in lines
    assert "secret" not in asked.text


def test_chinese_conversations_are_summarised_in_chinese() -> None:
    talk = Talk()
    talk.user("我叫李雷")
    talk.answer("你好，李雷！", call())
    talk.tool(returned(ok=False, text="超时"))
    made = summary_prompt(talk.messages, SETTINGS, "zh")
    assert language_of([made.system]) == "zh"
    assert made.messages[0].text.splitlines() == [
        "此后的消息：",
        "[2026-11-04 周三 01:30] 用户: 我叫李雷",
        "[2026-11-04 周三 01:31] 助理: 你好，李雷！",
        "[2026-11-04 周三 01:31] 助理调用了 look({})",
        "[2026-11-04 周三 01:32] look 出错：超时",
    ]


def test_the_agents_own_words_and_an_acknowledgement_are_used() -> None:
    settings = Compaction(prompt="Be terse.", prompt_acknowledgement=True)
    made = summary_prompt(trip().messages, settings, "en")
    assert made.system == "Be terse."
    roles = [one.role for one in made.messages]
    assert roles == [MessageRole.USER, MessageRole.ASSISTANT, MessageRole.USER]


def test_an_agent_that_summarises_itself_is_asked_at_the_end_of_its_own_prompt() -> None:
    spec = ToolSpec(name="look", description="", parameters={})
    own = prompt(state(system="Help."), WindowView(), trip().messages, Asking(tools=(spec,)))
    made = self_prompt(own, SETTINGS, "en")
    assert [*made.messages][:-1] == [*own.messages]
    assert (made.system, made.tools, made.tool_choice) == (own.system, own.tools, "none")
    assert made.messages[-1].text.endswith(ASKS["en"])


def test_long_conversations_are_summarised_in_portions() -> None:
    talk = Talk()
    for n in range(30):
        talk.user(f"Message {n} " + "word " * 50)
    made = portions(talk.messages, "en", 500)
    assert [one for part in made for one in part] == talk.messages
    assert 4 <= len(made) <= 8
    assert [len(part) for part in portions(talk.messages[:3], "en", 1)] == [1, 1, 1]
    assert portions([], "en") == []


def test_an_excerpt_keeps_what_cannot_be_guessed() -> None:
    text = excerpt(trip().messages, "en", limit=330)
    assert text.splitlines() == [
        MARKS["en"],
        "- [2026-11-04] user: Hello!",
        "- [2026-11-04] user: My sister Ingrid lives there.",
        "- [2026-11-04] assistant: I like Oslo.",
        "- [2026-11-04] assistant: I will book SK 872 for 12 December.",
        "- [2026-11-04] user: Great, that is nice.",
    ]


@pytest.mark.parametrize("pasted", ["x", "长", "“", "《", "一", "a@"])
def test_an_excerpt_of_a_pasted_file_takes_no_minutes(pasted: str) -> None:
    talk = Talk()
    talk.user(pasted * 400_000)
    begun = time.process_time()
    excerpt(talk.messages, "en")
    assert time.process_time() - begun < 5


def test_an_excerpt_keeps_the_language() -> None:
    talk = Talk()
    talk.user("你好。我叫李雷，住在杭州。今天天气不错！")
    talk.answer("嗯。好的，我记住了，3月5日提醒你交房租。")
    talk.user("谢谢。")
    assert excerpt(talk.messages, "zh", limit=160).splitlines() == [
        "（摘录：没有可用的语言模型来写摘要，以下是原句。）",
        "- [2026-11-04] 用户: 你好。",
        "- [2026-11-04] 用户: 我叫李雷，住在杭州。",
        "- [2026-11-04] 助理: 好的，我记住了，3月5日提醒你交房租。",
        "- [2026-11-04] 用户: 谢谢。",
    ]


def test_excerpts_of_excerpts_keep_what_matters_most() -> None:
    text: str | None = None
    for n in range(20):
        talk = Talk()
        talk.user("Well then, here we go again.")
        fact = "Ingrid has decided to move to Oslo on 12 December." if n == 3 else "It is so."
        talk.answer(fact)
        talk.user("Fine, fine.")
        text = excerpt(talk.messages, "en", previous=text, limit=600)
        assert len(text) <= 600
        assert text.count(MARKS["en"]) == 1
    assert text is not None
    assert "Ingrid has decided" in text


def test_a_message_quoted_under_an_excerpt_is_one_of_the_next_ones_sentences() -> None:
    first = excerpt(trip().messages, "en")
    there = Split(gone=(), kept=(), quoted="Book it for 14 December.")
    stored = summary_text(first, there, SETTINGS, "en")
    again = excerpt(trip().messages[:1], "en", previous=stored)
    assert "\nBook it for 14 December.\n" in again
    assert "word for word" not in again


def test_a_models_summary_stays_above_the_excerpt() -> None:
    text = excerpt(trip().messages, "en", previous="[PREVIOUS SUMMARY]\nA dog.", limit=400)
    assert text.startswith(f"A dog.\n\n{MARKS['en']}\n")
    again = excerpt(trip().messages, "en", previous=text, limit=400)
    assert again.startswith(f"A dog.\n\n{MARKS['en']}\n")
    assert again.count("Ingrid") == 1


@pytest.mark.parametrize("language", ["en", "zh"])
@given(
    said=st.lists(st.text(st.sampled_from("ab. 3，。\n王"), max_size=80), max_size=8),
    previous=st.none() | st.text(max_size=900),
    limit=st.integers(200, 900),
)
def test_an_excerpt_is_never_too_long(
    language: Any, said: list[str], previous: str | None, limit: int
) -> None:
    talk = Talk()
    for text in said:
        talk.user(text)
    made = excerpt(talk.messages, language, previous=previous, limit=limit)
    assert len(made) <= limit
    assert MARKS[language] in made
