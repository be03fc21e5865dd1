"""What a model is shown, to the letter. The whole of it is in `golden/`, to be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.conversations import (
    SEARCHES,
    START,
    Talk,
    block,
    call,
    returned,
    state,
    summary,
)
from yiku.context.compile import Asking, WindowView, prompt, sections, system_prompt, zone_of
from yiku.core.agent import AgentState
from yiku.core.message import MessageRole
from yiku.core.model import Prompt, Sampling, ToolSpec

GOLDEN = Path(__file__).parent / "golden"


def readable(made: Prompt) -> str:
    lines = ["=== system", made.system]
    for one in made.messages:
        lines.append(f"=== {one.role}")
        lines += [one.text] if one.text else []
        lines += [f"{c.name}({c.arguments}) as {c.id}" for c in one.calls]
        lines += [f"{r.call_id}: {'ok' if r.ok else 'failed'}: {r.text}" for r in one.returns]
    return "\n".join([*lines, ""])


def english() -> Prompt:
    agent = state(
        block(
            "persona",
            "My name is Sam.\nI help with plans.",
            limit=2_000,
            description="Who you are.",
        ),
        block("human", "Chad. Likes hiking.", limit=5_000),
        block("rules", "Be kind.\nBe brief.", limit=100, read_only=True),
        tools=SEARCHES,
        system="You are an assistant with a lasting memory.\n",
        timezone="America/New_York",
    )
    view = WindowView(
        rules=("`send_message` ends your turn.",),
        recall_count=40,
        archival_count=3,
        archival_tags=("work", "hiking"),
        changed_at=START,
    )
    talk = Talk()
    talk.add(MessageRole.SYSTEM, "compiled earlier", run_id=None)
    talk.user("What did we plan for the weekend?")
    talk.answer(call("call_1", "conversation_search", '{"query": "weekend"}'))
    talk.tool(returned("call_1", "We plan to climb Bear Mountain on Saturday."))
    talk.answer("Bear Mountain, on Saturday.")
    talk.user("Will it rain?", after=60)
    return prompt(
        agent,
        view,
        talk.messages,
        Asking(),
        summary=summary("Chad and Sam spoke of hiking."),
        roles="<role_memory>\n- [2026-10-01] Chad hates rain.\n</role_memory>",
    )


def chinese() -> Prompt:
    agent = state(
        block("human", "姓名：李雷\n喜欢编程和AI技术", limit=5_000, description="你对用户的了解。"),
        tools=SEARCHES,
        system="你是一位拥有长期记忆的助理。",
        timezone="Asia/Shanghai",
    )
    view = WindowView(
        rules=("调用 `send_message` 即结束本轮。",),
        recall_count=40,
        archival_count=3,
        archival_tags=("工作", "爱好"),
        changed_at=START,
    )
    talk = Talk()
    talk.user("我上次说的项目叫什么？")
    talk.answer("让我查一下。", call("call_1", "conversation_search", '{"query": "项目"}'))
    talk.user("还在吗？", after=15)
    return prompt(agent, view, talk.messages, Asking(), summary=summary("李雷谈到了他的新项目。"))


@pytest.mark.parametrize("made", [english, chinese])
def test_a_prompt_is_compiled_to_the_letter(made: Any) -> None:
    assert readable(made()) == (GOLDEN / f"{made.__name__}.txt").read_text("utf-8")


def test_how_it_is_to_be_answered_goes_with_it() -> None:
    spec = ToolSpec(name="look", description="", parameters={})
    asking = Asking(tools=(spec,), tool_choice="look", sampling=Sampling(temperature=0.5))
    made = prompt(state(), WindowView(), [], asking)
    assert (made.tools, made.tool_choice) == ((spec,), "look")
    assert made.sampling.temperature == 0.5


def test_other_instructions_take_the_place_of_the_compiled_ones() -> None:
    made = prompt(state(system="x"), WindowView(), [], Asking(), system="Speak in rhymes.")
    assert made.system == "Speak in rhymes."


def test_blocks_come_where_the_instructions_want_them() -> None:
    text = system_prompt(state(block("human", "Chad"), system="A\n{CORE_MEMORY}\nB"), WindowView())
    assert text.index("A\n") < text.index("1→ Chad") < text.index("\nB")
    assert text.count("<memory_blocks>") == 1


def test_plain_blocks_have_no_numbers() -> None:
    view = WindowView(numbered=False)
    made = sections(state(block("human", "one\ntwo")), view).blocks
    assert "<value>\none\ntwo\n</value>" in made
    assert "→" not in made


def test_a_value_stands_as_it_is_and_a_label_is_quoted() -> None:
    made = sections(state(block('a"b', "<b> & </value>", read_only=True)), WindowView()).blocks
    assert "<value>\n<b> & </value>\n</value>" in made
    assert "label='a\"b'" in made


def test_what_the_agent_cannot_use_or_there_is_none_of_is_not_told() -> None:
    view = WindowView(recall_count=5, archival_count=5, archival_tags=("a",))
    assert sections(state(), view).memory.count("\n- ") == 2
    assert sections(state(tools=SEARCHES), view).memory.count("\n- ") == 5
    empty = replace(view, recall_count=0, archival_count=0)
    assert sections(state(tools=SEARCHES), empty).memory.count("\n- ") == 2
    bare = sections(state(), WindowView())
    assert (bare.blocks, bare.rules) == ("", "")


def test_the_instructions_choose_the_language_and_blocks_where_they_say_nothing() -> None:
    def zone_line(agent: AgentState, view: WindowView) -> str:
        return sections(agent, view).memory

    chinese_block = block("human", "用户喜欢编程")
    assert "来自服务器" in zone_line(state(chinese_block), WindowView())
    assert "from the server" in zone_line(state(chinese_block, system="Help."), WindowView())
    assert "来自服务器" in zone_line(state(system="Help."), WindowView(language="zh"))


def test_a_summary_message_is_shown_where_no_summary_is_given() -> None:
    talk = Talk()
    talk.add(MessageRole.SUMMARY, "Old news.")
    talk.user("Hello")
    shown = prompt(state(), WindowView(), talk.messages, Asking()).messages
    assert shown[0].text == "[PREVIOUS SUMMARY]\nOld news."
    newer = prompt(state(), WindowView(), talk.messages, Asking(), summary=summary("News."))
    assert [one.text for one in newer.messages if "SUMMARY" in one.text] == [
        "[PREVIOUS SUMMARY]\nNews."
    ]


def test_the_prefix_stays_while_the_conversation_grows() -> None:
    agent = state(block("human", "Chad"), system="Help.", tools=SEARCHES)
    view = WindowView(recall_count=5)
    talk = Talk()
    before: Prompt | None = None
    for n in range(12):
        talk.user(f"Question {n}", after=n * 3)
        talk.answer(call(f"call_{n}"))
        talk.tool(returned(f"call_{n}"))
        talk.answer(f"Answer {n}")
        talk.user("So?")
        made = prompt(agent, view, talk.messages, Asking(), roles=f"<role_memory>{n}")
        if before is not None:
            assert made.system == before.system
            kept = [one for one in before.messages if "role_memory" not in one.text]
            assert [*made.messages][: len(kept)] == kept
        before = made
    changed = replace(agent, blocks=(block("human", "Chad, 40"),))
    assert system_prompt(changed, view) != system_prompt(agent, view)


def test_a_time_zone_this_machine_does_not_know_is_taken_for_utc() -> None:
    for name in ("Mars/Olympus", "", "../../etc/passwd", "UTC"):
        assert zone_of(name).utcoffset(START) == timedelta(0)
