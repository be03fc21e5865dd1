"""The reply of last resort: it remembers, recalls, and says what it is."""

import json
from dataclasses import replace
from typing import Any

import pytest

from yiku.core.message import MessageRole, Text, ToolCall, ToolReturn, Utterance, said
from yiku.core.model import Answer, CallPiece, Finish, Prompt, Sampling, TextPiece, ToolSpec
from yiku.providers.offline import HANDLE, OfflineResponder, respond
from yiku.providers.offline_hits import Quoted, answering
from yiku.providers.offline_reading import (
    asks_for_all,
    courtesy,
    is_question,
    name_told,
    subjects,
)


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
CONVERSATION = tool("conversation_search", query="string", roles="array")
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
        ("conversation_search", {"query": text, "roles": ["user"]}),
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
        "3 memories, best first, with how well each fits (0 to 1); times are UTC.\n"
        "1. 2026-10-02 08:00 (Fri) · tags: food · 0.61\n   花生\n   peanuts\n"
        "2. 2026-10-01 08:00 (Thu) · 0.52\n   1. 2026-01-01 is a day off\n"
        "3. 2026-10-01 08:00 (Thu) · 0.32\n   What fits little isn't told."
    )
    said_before = (
        "1 message, best first, with how well each fits (0 to 1); times are UTC.\n"
        "1. 2026-10-03 08:00 (Sat) · user · 0.56\n   No nuts please"
    )
    answer = respond(after(prompt("What am I allergic to?"), archival, said_before)).text
    assert answer.split("\n\n")[0].splitlines() == [
        "This is what I remember of it:",
        "- 2026-10-02: “花生 peanuts”",
        "- 2026-10-03 (you said): “No nuts please”",
        "- 2026-10-01: “1. 2026-01-01 is a day off”",
    ]


def test_hits_are_quoted_as_chinese_agents_are_told_them() -> None:
    said_before = (
        "1 条消息，最相关的在前，附相关程度（0 到 1）；时间为 UTC。\n"
        "1. 2026-10-03 08:00 (周六) · 用户 · 0.56\n   不要花生"
    )
    answer = respond(after(prompt("我对什么过敏？", CONVERSATION), said_before)).text
    assert "- 2026-10-03 (你说过)：“不要花生”" in answer


def test_nothing_found_in_words_is_said() -> None:
    none = "Nothing was found in archival memory. Other words or fewer conditions may help."
    answer = respond(after(prompt("Who is my dentist?"), none, none)).text
    assert "I have found nothing about that" in answer
    assert "Other words" not in answer


def test_nothing_found_is_said() -> None:
    answer = respond(after(prompt("Who is my dentist?"), "[]", '{"results": []}'))
    assert "I have found nothing about that" in answer.text


@pytest.mark.parametrize(
    ("text", "name", "note"),
    [
        ("My name is Ann Lee.", "Ann Lee", "Their name is Ann Lee."),
        ("我叫小明", "小明", "对方名叫小明。"),
        ("你好，我叫小明，很高兴认识你！", "小明", "对方名叫小明。"),
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


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("My name is Bo, I'm allergic to peanuts.", "Their name is Bo."),
        ("我叫王芳，我对花生过敏，下周三要去上海出差", "对方名叫王芳。"),
    ],
)
def test_what_is_told_beside_a_name_is_stored_too(text: str, note: str) -> None:
    first = prompt(text, INSERT, MEMORY)
    assert calls(respond(first)) == [
        ("memory_insert", {"label": "human", "new_str": note}),
        ("archival_memory_insert", {"content": text}),
    ]
    done = respond(after(first, "Edited.", "Stored."))
    assert not calls(done)
    assert note in done.text
    assert f"“{text}”" in done.text
    # One call at a time: the second comes after the first.
    single = replace(first, sampling=Sampling(parallel_tool_calls=False))
    assert [name for name, _ in calls(respond(single))] == ["memory_insert"]
    then = after(single, "Edited.")
    assert calls(respond(then)) == [("archival_memory_insert", {"content": text})]
    assert not calls(respond(after(then, "Stored.")))
    # Without an archive, the block has all of it.
    ((_, arguments),) = calls(respond(prompt(text, MEMORY)))
    assert arguments["new_str"] == f"{note}\n{text}"


def test_a_name_that_was_written_is_known_again() -> None:
    asking = replace(prompt("What is my name?"), system="<human>Their name is Ann.</human>")
    assert "Your name is Ann." in respond(after(asking, "[]", "[]")).text


REPLACE = tool("memory_replace", label="string", old_str="string", new_str="string")


def test_another_name_takes_the_place_of_the_one_before() -> None:
    system = "<human>Their name is Bob.</human>"
    corrected = replace(prompt("Actually my name is Robert.", *ALL, REPLACE), system=system)
    (name, arguments), (kept, _) = calls(respond(corrected))
    assert (name, kept) == ("memory_replace", "archival_memory_insert")
    assert arguments["old_str"] == "Their name is Bob."
    assert arguments["new_str"] == "Their name is Robert."
    # Without that tool, both names are there, and the last one holds.
    both = "<human>Their name is Bob.\n对方名叫罗伯特。</human>"
    asking = replace(prompt("What is my name?"), system=both)
    assert "Your name is 罗伯特." in respond(after(asking, "[]", "[]")).text
    # The same name isn't written twice.
    again = replace(prompt("My name is Bob."), system=system)
    assert [name for name, _ in calls(respond(again))] == ["archival_memory_insert"]


@pytest.mark.parametrize(
    "text",
    [
        "What do you remember about me?",
        "what do you know",
        "Do you remember me?",
        "你还记得什么？",
        "你记得我的什么？",
        "你都知道我哪些事",
        "你还记得我吗？",
    ],
)
def test_who_asks_for_all_that_is_remembered_is_told_what_he_said_last(text: str) -> None:
    asking = replace(prompt(text), system="<human>Their name is Bob.</human>")
    ((name, arguments),) = calls(respond(asking))
    assert name == "conversation_search"
    assert not arguments.get("query")
    messages = "1. 2026-10-02 08:00 · user\n   I have a dog.\n2. 2026-10-01 08:00 · user\n   hello"
    answer = respond(after(asking, messages)).text
    assert "Bob" in answer
    assert "I have a dog." in answer
    assert "hello" not in answer
    told = respond(after(replace(asking, system=""), "There is no message.")).text
    assert "haven't told me anything" in told or "还没有告诉过我" in told


@pytest.mark.parametrize(
    "text", ["What do you remember about the trip?", "你记得我的生日吗？", "你知道北京吗？"]
)
def test_who_asks_for_something_is_not_told_all(text: str) -> None:
    assert not asks_for_all(text)


@pytest.mark.parametrize("text", ["Who are you?", "What can you do?", "你是谁？", "你能做什么？"])
def test_who_asks_what_it_is_gets_the_whole_notice_again(text: str) -> None:
    first = prompt("hello")
    told = Utterance(MessageRole.ASSISTANT, respond(first).parts)
    asked = said(MessageRole.USER, text)
    answer = respond(replace(first, messages=(*first.messages, told, asked)))
    assert not calls(answer)
    assert answer.text.count("yiku model list") == 1


@pytest.mark.parametrize("text", ["明天提醒我开会", "Remind me to call Ann at five"])
def test_a_reminder_is_stored_and_not_promised(text: str) -> None:
    first = prompt(text)
    assert calls(respond(first)) == [("archival_memory_insert", {"content": text})]
    assert "yiku schedule create" in respond(after(first, "Stored.")).text


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


@pytest.mark.parametrize(
    "text",
    [
        "忘掉我的过敏",
        "请把我的电话删了",
        "请忘记小红的生日",
        "Forget my allergy.",
        "delete that",
        "Please forget where I live",
    ],
)
def test_who_asks_to_forget_is_told_that_nothing_was(text: str) -> None:
    answer = respond(prompt(text))
    assert not calls(answer)
    assert "yiku forget" in answer.text


@pytest.mark.parametrize(
    "text",
    [
        "Don't remember this: my password is hunter2",
        "My PIN is 1234, don't save that.",
        "Please do not store my address: 5 Elm St",
        "别记住这个：我的密码是abc123",
        "我的密码是abc123，不要记下来",
        "这件事请不要帮我保存",
    ],
)
def test_what_is_not_to_be_kept_is_not(text: str) -> None:
    answer = respond(prompt(text))
    assert not calls(answer)
    assert "haven't stored" in answer.text or "没有把它存成记忆" in answer.text
    # The message is found by a search of the conversation all the same, and is no memory there.
    assert answering([Quoted(text, score=0.9)], "What is it?") == []


@pytest.mark.parametrize(
    "text", ["帮我写一首诗", "翻译这句话：早上好", "Write me a poem", "Summarize the news, please"]
)
def test_what_takes_a_model_is_said_to(text: str) -> None:
    answer = respond(prompt(text))
    assert not calls(answer)
    assert "takes a language model" in answer.text or "需要语言模型" in answer.text


@pytest.mark.parametrize(
    "text",
    [
        "我忘了带伞",
        "忘记带钥匙是常事",
        "Forgetting names is normal.",
        "I don't remember this street",
        "别忘了我对花生过敏",
        "不要记仇",
        "帮我记一下：周五开会",
        "妈妈给我写了封信",
        "Write the report by Friday",
        "Book club is on Monday",
    ],
)
def test_what_only_sounds_like_a_request_is_stored(text: str) -> None:
    assert calls(respond(prompt(text))) == [("archival_memory_insert", {"content": text})]


@pytest.mark.parametrize(
    ("text", "told", "never"),
    [
        ("I like tea.", "I haven't stored that", "remember it"),
        ("What do I like?", "I can't look that up", "found nothing"),
        ("Thanks!", "You're welcome.", "stored"),
        ("我喜欢茶。", "我没有把它存下来", "记住了"),
        ("我喜欢什么？", "我查不了", "没有找到"),
    ],
)
def test_without_memory_tools_it_claims_nothing(text: str, told: str, never: str) -> None:
    answer = respond(Prompt(system="", messages=(said(MessageRole.USER, text),))).text
    assert told in answer
    assert never not in answer
    assert "no memory tools" in answer or "没有记忆工具" in answer


@pytest.mark.parametrize(
    ("offered", "says"),
    [
        (ALL, "find it again"),
        ((INSERT,), "only store it"),
        ((MEMORY,), "only store it"),
        ((SEARCH,), "only search"),
    ],
)
def test_it_says_what_its_tools_let_it_do(offered: tuple[ToolSpec, ...], says: str) -> None:
    assert says in respond(prompt("hello", *offered)).text


def test_what_is_written_into_a_block_for_want_of_an_archive_is_told_as_it_was_written() -> None:
    first = prompt("I like tea.", MEMORY)
    ((name, arguments),) = calls(respond(first))
    assert (name, arguments) == ("memory_insert", {"label": "human", "new_str": "I like tea."})
    assert "in sight from now on: “I like tea.”" in respond(after(first, "Edited.")).text


def test_an_agent_that_ends_by_a_tool_is_answered_too() -> None:
    finish = tool("memory_finish_edits")
    first = prompt("我喜欢茶。", MEMORY, finish, choice="required")
    assert [name for name, _ in calls(respond(first))] == ["memory_insert"]
    second = respond(after(first, "Edited."))
    assert [name for name, _ in calls(second)] == ["memory_finish_edits"]
    assert "我喜欢茶。" in second.text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("thanks", "You're welcome."),
        ("Thank you so much, that was very helpful!", "You're welcome."),
        ("ok 👍", "All right."),
        ("How are you?", "Hello!"),
        ("good night", "Goodbye!"),
        ("谢谢", "不客气。"),
        ("谢谢你，太棒了😊", "不客气。"),
        ("好的，明白了", "好的。"),
        ("你好啊", "你好！"),
        ("你好吗？", "你好！"),
        ("嗯嗯", "好的。"),
        ("再见", "再见！"),
    ],
)
def test_courtesies_are_answered_and_neither_stored_nor_looked_up(text: str, answer: str) -> None:
    assert calls(respond(prompt(text))) == []
    assert respond(prompt(text)).text.startswith(answer)


@pytest.mark.parametrize(
    "text",
    [
        "Thanks to Bo I found my keys.",
        "I have a good job",
        "It was a very good day",
        "no nuts please",
        "ok, my flat is number 12",
        "好的，我住在上海",
        "我有一只狗",
        "谢谢老师教我下棋",
        "Спасибо за рыбу ok",
    ],
)
def test_what_tells_something_is_no_courtesy(text: str) -> None:
    assert courtesy(text) is None
    assert [name for name, _ in calls(respond(prompt(text)))] == ["archival_memory_insert"]


@pytest.mark.parametrize("text", ["🎉🎉", "👍", "……", "12345"])
@pytest.mark.parametrize(
    ("before", "language"), [("我叫小明，住在上海", "zh"), ("I live in Oslo.", "en")]
)
def test_what_has_no_words_keeps_the_language(text: str, before: str, language: str) -> None:
    messages = (said(MessageRole.USER, before), said(MessageRole.USER, text))
    answer = respond(replace(prompt(text), messages=messages, tools=())).text
    assert ("没有配置" in answer) == (language == "zh")


def test_where_nobody_has_said_a_word_the_instructions_have_a_language() -> None:
    answer = respond(replace(prompt("🎉"), system="你是一个助手。")).text
    assert answer.startswith("好的。")


@pytest.mark.parametrize(
    ("scores", "quoted"),
    [
        ([0.7, 0.2, 0.1], 1),
        ([0.6, 0.55, 0.52, 0.3], 3),  # all that surely fit
        ([0.74, 0.57, 0.3], 1),  # far behind the best
        ([0.31, 0.1, 0.1], 1),  # stands out
        ([0.45, 0.42, 0.1], 2),
        ([0.3, 0.3, 0.29, 0.28], 0),  # as well as any other
        ([0.39, 0.36, 0.35], 0),  # as well as any other, and there is no more
        ([0.29, 0.1], 0),  # stands out, and fits too little
        ([0.3], 0),
        ([0.4], 1),
        ([], 0),
    ],
)
def test_hits_of_little_worth_are_not_quoted(scores: list[float], quoted: int) -> None:
    found = [Quoted(f"fact {n}", score=score) for n, score in enumerate(scores)]
    assert answering(found, "What is it") == found[:quoted]


def test_hits_that_have_no_score_are_quoted() -> None:
    assert len(answering([Quoted("one"), Quoted("two")], "What is it")) == 2


@pytest.mark.parametrize(
    ("asked", "hits", "quoted"),
    [
        # What it is about is named, however little stands out.
        ("我早饭喝什么？", {"早饭我喝豆浆": 0.36, "我住在杭州": 0.3, "我有两只猫": 0.29}, 1),
        ("我住在哪里？", {"我住在北京": 0.39, "我搬到上海了": 0.3, "我有两只猫": 0.29}, 2),
        ("Where do I live?", {"I lived in Berlin": 0.4, "I moved to Rome": 0.3, "Hi Bo": 0.2}, 2),
        ("Which allergies do I have?", {"I'm allergic to nuts": 0.33, "I run daily": 0.3}, 1),
        ("今天天气怎么样？", {"我叫小明，今年30岁": 0.39, "我对花生过敏": 0.36}, 0),
        ("我的猫叫什么？", {"我叫小明": 0.3, "我住在北京": 0.26}, 0),
    ],
)
def test_hits_that_name_what_is_asked_for_are_quoted(
    asked: str, hits: dict[str, float], quoted: int
) -> None:
    found = [Quoted(text, score=score) for text, score in hits.items()]
    assert answering(found, asked) == found[:quoted]


def test_a_text_is_about_what_not_every_text_has() -> None:
    assert subjects("What is my phone number?") == subjects("phones, numbers")
    assert subjects("我今天想去哪里") == frozenset()
    assert subjects("我住在哪里？") == {"住"}


def test_nothing_of_worth_is_said_to_be_nothing() -> None:
    poor = "1. 2026-10-02 08:00 (Fri) · 0.16\n   The dog is called Rex."
    answer = respond(after(prompt("Who is my dentist?", SEARCH), poor)).text
    assert "I have found nothing about that" in answer
    assert "Rex" not in answer


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
