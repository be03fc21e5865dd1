"""What a conversation is in OpenAI's words; what vendors want otherwise is tested on the wire."""

import json
from typing import Any

import pytest

from yiku.core.message import (
    Image,
    MessageRole,
    Reasoning,
    Text,
    ToolCall,
    ToolReturn,
    Utterance,
    said,
)
from yiku.core.model import Prompt
from yiku.providers.access import Access, Target
from yiku.providers.catalog import Provider
from yiku.providers.chat import Chat, Raw, body_of

ASK = said(MessageRole.USER, "几点了？")
CALL = ToolCall(id="c1", name="get_time", arguments='{"zone": "Oslo"}')
CALLS = Utterance(MessageRole.ASSISTANT, (CALL,))
RETURN = ToolReturn(call_id="c1", name="get_time", ok=True, text="12:00")
RETURNS = Utterance(MessageRole.TOOL, (RETURN,))


def chat_with(**quirks: Any) -> Chat:
    provider = Provider(name="some", quirks=quirks)
    access = Access(provider=provider, base_url="http://localhost", key_variable="KEY")
    return Chat(Target(access=access, name="m", handle="some/m"))


def sent(chat: Chat, *messages: Utterance, system: str = "") -> list[dict[str, Any]]:
    return json.loads(chat.messages(Prompt(system=system, messages=messages)).json)


def thought(text: str, field: str | None, provider: str = "some") -> Reasoning:
    return Reasoning(text=text, id=field, provider=provider)


def test_each_side_speaks_in_its_role() -> None:
    note = said(MessageRole.SYSTEM, "It is late.")
    assert sent(chat_with(), note, ASK, CALLS, RETURNS, system="Be brief.") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "<system>\nIt is late.\n</system>"},
        {"role": "user", "content": "几点了？"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "get_time", "arguments": '{"zone":"Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "12:00"},
    ]


def test_a_picture_goes_with_its_words() -> None:
    look = (Text("Look."), Image(url="https://x/a.png"), Image(data="YQ==", media_type="image/gif"))
    [entry] = sent(chat_with(), Utterance(MessageRole.USER, look))
    assert entry["content"] == [
        {"type": "text", "text": "Look."},
        {"type": "image_url", "image_url": {"url": "https://x/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/gif;base64,YQ=="}},
    ]


@pytest.mark.parametrize(
    ("written", "goes_back"),
    [("", "{}"), ("[1]", '{"arguments":[1]}'), ('{"a', '{"broken_json":"{\\"a"}')],
)
def test_arguments_go_back_as_an_object(written: str, goes_back: str) -> None:
    calls = Utterance(MessageRole.ASSISTANT, (ToolCall(id="c1", name="f", arguments=written),))
    [_, entry, _] = sent(chat_with(), ASK, calls, RETURNS)
    assert entry["tool_calls"][0]["function"]["arguments"] == goes_back


IN_TAGS = {"content": "<think>\nHm.\n</think>\n\nNoon."}
OWN_FIELD = {"reasoning_field": "reasoning_content"}


@pytest.mark.parametrize(
    ("quirks", "field", "goes_back"),
    [
        ({}, "reasoning", {"reasoning": "Hm."}),
        ({}, "content", IN_TAGS),
        (OWN_FIELD, "reasoning", IN_TAGS),
        ({**OWN_FIELD, "replay": "field"}, "content", {"reasoning_content": "Hm."}),
        ({"replay": "never"}, "reasoning", {}),
    ],
)
def test_what_was_thought_goes_back_where_it_is_wanted(
    quirks: dict[str, str], field: str, goes_back: dict[str, str]
) -> None:
    answer = Utterance(MessageRole.ASSISTANT, (thought("Hm.", field), Text("Noon.")))
    [_, entry] = sent(chat_with(**quirks), ASK, answer)
    assert entry == {"role": "assistant", "content": "Noon.", **goes_back}


def test_what_another_provider_thought_does_not() -> None:
    parts = (thought("Hm.", "reasoning", "other"), Text("Noon."))
    [_, entry] = sent(chat_with(), ASK, Utterance(MessageRole.ASSISTANT, parts))
    assert entry == {"role": "assistant", "content": "Noon."}


def test_calls_without_thoughts_have_an_empty_field_beside_those_with_some() -> None:
    thinks = Utterance(MessageRole.ASSISTANT, (thought("Hm.", "reasoning"), Text("Noon.")))
    conversation = (ASK, CALLS, RETURNS, thinks)
    assert sent(chat_with(), *conversation)[1]["reasoning"] == ""
    assert "reasoning" not in sent(chat_with(), *conversation, ASK)[1]
    assert "reasoning" not in sent(chat_with(), ASK, CALLS, RETURNS)[1]


def test_where_sides_must_take_turns_the_user_begins_and_is_not_interrupted() -> None:
    there = said(MessageRole.ASSISTANT, "Where were we?")
    entries = sent(chat_with(alternates=True), there, ASK, ASK)
    assert [one["role"] for one in entries] == ["user", "assistant", "user"]
    assert entries[2]["content"] == "几点了？\n\n几点了？"


def test_nothing_to_say_is_said() -> None:
    [entry] = sent(chat_with(), Utterance(MessageRole.ASSISTANT, ()))
    assert entry["role"] == "user"


def test_half_a_character_is_replaced() -> None:
    assert sent(chat_with(), said(MessageRole.USER, "\ud83d\ude00 \ud83d")) == [
        {"role": "user", "content": "\U0001f600 \ufffd"}
    ]


def test_a_body_holds_json_that_is_written_already() -> None:
    body = body_of({"model": "m", "messages": Raw(b"[1]"), "stream": True})
    assert body == b'{"model":"m","messages":[1],"stream":true}'
