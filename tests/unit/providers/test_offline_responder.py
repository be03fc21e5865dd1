"""The reply of last resort: it remembers, recalls, and says what it is."""

import json
from dataclasses import replace
from typing import Any

import pytest

from yiku.core.message import MessageRole, Text, ToolCall, ToolReturn, Utterance, said
from yiku.core.model import Answer, CallPiece, Finish, Prompt, TextPiece, ToolSpec
from yiku.providers.offline import HANDLE, OfflineResponder, respond
from yiku.providers.offline_words import is_question, name_told


def tool(tool_name: str, **properties: str) -> ToolSpec:
    types: dict[str, Any] = {name: {"type": kind} for name, kind in properties.items()}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": types,
        "required": [name for name in types if name != "tags"],
    }
    return ToolSpec(name=tool_name, description="", parameters=schema)


INSERT = tool("archival_memory_insert", content="string", tags="array")
SEARCH = tool("archival_memory_search", query="string")
CONVERSATION = tool("conversation_search", query="string")
MEMORY = tool("memory_insert", label="string", new_str="string")
APPEND = tool("core_memory_append", label="string", content="string")
SPEAK = tool("send_message", message="string")
ALL = (INSERT, SEARCH, CONVERSATION, MEMORY)


def prompt(text: str, *tools: ToolSpec, choice: str = "auto") -> Prompt:
    return Prompt(
        system="", messages=(said(MessageRole.USER, text),), tools=tools or ALL, tool_choice=choice
    )


def calls(answer: Answer) -> list[tuple[str, dict[str, Any]]]:
    return [
        (part.name, json.loads(part.arguments))
        for part in answer.parts
        if isinstance(part, ToolCall)
    ]


def after(before: Prompt, *texts: str, ok: bool = True) -> Prompt:
    """The prompt after the calls of its answer have returned `texts`."""
    answer = respond(before)
    made = [part for part in answer.parts if isinstance(part, ToolCall)]
    returns = tuple(
        ToolReturn(call_id=call.id, name=call.name, ok=ok, text=text)
        for call, text in zip(made, texts, strict=True)
    )
    told = (Utterance(MessageRole.ASSISTANT, answer.parts), Utterance(MessageRole.TOOL, returns))
    return replace(before, messages=(*before.messages, *told))


@pytest.mark.parametrize("text", ["I'm allergic to peanuts.", "我对花生过敏"])
def test_what_is_told_is_stored_and_said_again(text: str) -> None:
    first = prompt(text)
    assert calls(respond(first)) == [("archival_memory_insert", {"content": text})]
    assert respond(first).finish is Finish.TOOL_CALLS

    answer = respond(after(first, "Stored."))
    assert text in answer.text
    assert answer.finish is Finish.END
    assert "yiku model list" in answer.text
    assert ("没有配置" in answer.text) == (text == "我对花生过敏")


@pytest.mark.parametrize("text", ["What am I allergic to?", "我对什么过敏？"])
def test_a_question_is_looked_up_and_answered_with_dates(text: str) -> None:
    first = prompt(text)
    assert calls(respond(first)) == [
        ("archival_memory_search", {"query": text}),
        ("conversation_search", {"query": text}),
    ]
    archival = json.dumps([{"timestamp": "2026-10-02T08:00:00Z", "content": "花生 peanuts"}])
    said_before = json.dumps(
        {
            "message": "Showing 2 results:",
            "results": [
                {"timestamp": "2026-10-03T08:00:00Z", "role": "user", "content": "No nuts please"},
                {"timestamp": "2026-10-03T08:00:01Z", "role": "user", "content": text},
            ],
        }
    )
    answer = respond(after(first, archival, said_before)).text
    assert "2026-10-02" in answer
    assert "花生 peanuts" in answer
    assert "No nuts please" in answer
    assert text not in answer


def test_hits_are_quoted_as_the_search_tools_tell_them() -> None:
    archival = (
        "2 memories, best first, with how well each fits (0 to 1); times are UTC.\n"
        "1. 2026-10-02 08:00 (Fri) · tags: food · 0.31\n   花生\n   peanuts\n"
        "2. 2026-10-01 08:00 (Thu) · 0.12\n   1. 2026-01-01 is a day off"
    )
    said_before = (
        "1 message, best first, with how well each fits (0 to 1); times are UTC.\n"
        "1. 2026-10-03 08:00 (Sat) · user · 0.56\n   No nuts please"
    )
    answer = respond(after(prompt("What am I allergic to?"), archival, said_before)).text
    assert answer.split("\n\n")[0].splitlines() == [
        "This is what I remember of it:",
        "- 2026-10-03 (you said): “No nuts please”",
        "- 2026-10-02: “花生 peanuts”",
        "- 2026-10-01: “1. 2026-01-01 is a day off”",
    ]


def test_nothing_found_in_words_is_said() -> None:
    none = "Nothing was found in archival memory. Other words or fewer conditions may help."
    answer = respond(after(prompt("Who is my dentist?"), none, none)).text
    assert "I remember nothing about that." in answer
    assert "Other words" not in answer


def test_nothing_found_is_said() -> None:
    answer = respond(after(prompt("Who is my dentist?"), "[]", '{"results": []}'))
    assert "I remember nothing about that." in answer.text


@pytest.mark.parametrize(
    ("text", "name", "note"),
    [
        ("My name is Ann Lee.", "Ann Lee", "Their name is Ann Lee."),
        ("我叫小明，住在上海", "小明", "对方名叫小明。"),
    ],
)
@pytest.mark.parametrize("edit", [MEMORY, APPEND])
def test_a_name_goes_into_core_memory(edit: ToolSpec, text: str, name: str, note: str) -> None:
    first = prompt(text, INSERT, edit)
    ((called, arguments),) = calls(respond(first))
    assert called == edit.name
    assert arguments["label"] == "human"
    assert note in arguments.values()
    assert name in respond(after(first, "Edited.")).text
    # Where there is no such block, it is stored as anything else is.
    ((second, _),) = calls(respond(after(first, "No block `human`.", ok=False)))
    assert second == "archival_memory_insert"


def test_a_name_that_was_written_is_known_again() -> None:
    asking = replace(prompt("What is my name?"), system="<human>Their name is Ann.</human>")
    assert "Your name is Ann." in respond(after(asking, "[]", "[]")).text


def test_the_whole_notice_is_said_once() -> None:
    first = prompt("hello")
    answer = respond(first)
    assert answer.text.count("yiku model list") == 1
    again = replace(
        first,
        messages=(
            *first.messages,
            Utterance(MessageRole.ASSISTANT, answer.parts),
            said(MessageRole.USER, "hi"),
        ),
    )
    assert "yiku model list" not in respond(again).text
    assert "without a language model" in respond(again).text


def test_where_a_tool_must_be_called_it_speaks_through_one() -> None:
    first = prompt("I moved to Bergen.", INSERT, SPEAK, choice="required")
    assert calls(respond(first))[0][0] == "archival_memory_insert"
    second = after(first, "Stored.")
    ((name, arguments),) = calls(respond(second))
    assert name == "send_message"
    assert "I moved to Bergen." in arguments["message"]
    # Once it has spoken there is nothing more to say.
    assert respond(after(second, "Sent.")).parts == ()


def test_a_named_tool_is_called_with_arguments_of_the_right_types() -> None:
    odd = tool("set_alarm", hour="integer", label="string", loud="boolean")
    ((name, arguments),) = calls(respond(prompt("hello", odd, choice="set_alarm")))
    assert (name, arguments) == ("set_alarm", {"hour": 0, "label": "", "loud": False})


def test_words_wrapped_for_legacy_agents_are_unwrapped() -> None:
    wrapped = json.dumps({"type": "user_message", "message": "I like tea.", "time": "…"})
    assert calls(respond(prompt(wrapped)))[0][1] == {"content": "I like tea."}


def test_without_tools_it_only_says_so() -> None:
    answer = respond(Prompt(system="", messages=(said(MessageRole.USER, "I like tea."),)))
    assert "No language model" in answer.text


def test_a_search_that_failed_is_said() -> None:
    answer = respond(after(prompt("Where is it?", SEARCH), "The index is gone.", ok=False))
    assert "The index is gone." in answer.text


def test_the_same_conversation_gets_the_same_answer() -> None:
    assert respond(prompt("I like tea.")) == respond(prompt("I like tea."))


async def test_words_are_streamed_and_make_the_answer() -> None:
    model = OfflineResponder()
    assert model.model == HANDLE
    texts = [piece async for piece in model.stream(prompt("你好", SEARCH))]
    answer = texts.pop()
    assert isinstance(answer, Answer)
    assert "".join(p.text for p in texts if isinstance(p, TextPiece)) == answer.text
    assert len(texts) > 10
    assert answer == await model.complete(prompt("你好", SEARCH))

    pieces = [piece async for piece in model.stream(prompt("I like tea."))]
    arguments = "".join(p.arguments for p in pieces if isinstance(p, CallPiece))
    assert json.loads(arguments) == {"content": "I like tea."}
    assert answer.usage.completion_tokens > 0
    assert isinstance(answer.parts[0], Text)


@pytest.mark.parametrize(
    "text", ["where do I live", "tell me about Ann", "我住在哪里", "你还记得我的狗吗", "谁是安娜"]
)
def test_questions_are_known_without_their_mark(text: str) -> None:
    assert is_question(text)


@pytest.mark.parametrize("text", ["I live in Oslo.", "我住在奥斯陆。", "The dog is called Rex."])
def test_statements_are_no_questions(text: str) -> None:
    assert not is_question(text)


def test_names_are_read_as_they_are_said() -> None:
    assert name_told("hello, i'm called Bo") == "Bo"
    assert name_told("我的名字是李雷。") == "李雷"
    assert name_told("My name is Bo and I live in Beijing.") == "Bo"
    assert name_told("My name is Bo I think") == "Bo"
    assert name_told("my name is Ann Mary Lee") == "Ann Mary Lee"
    assert name_told("The name is on the door.") is None
