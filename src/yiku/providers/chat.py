"""Conversations in the words of OpenAI's chat API, each entry encoded once.

A conversation grows at its end, and all of it goes with every request. Turned into pydantic-ai's
messages, then into the library's and into JSON, each message took 25 µs of every request after it:
of a long talk's requests that was nearly all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from yiku.core.message import (
    Image,
    MessageRole,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolReturn,
    Utterance,
    said,
)
from yiku.core.model import Prompt
from yiku.providers.access import Target
from yiku.providers.incoming import OF_CALL
from yiku.providers.kept import WhileThere
from yiku.providers.sampling import will_think
from yiku.providers.text import object_of, replace_surrogates

Entry = dict[str, Any]

OPENING = said(MessageRole.USER, "(The conversation goes on.)")
"""What the user is made to say first, where an API insists that the user begins."""

FIELDS = ("reasoning", "reasoning_content")
"""Where providers put what a model thought."""
IN_TEXT = "content"
"""The id pydantic-ai gives to thoughts that stood in tags in the answer's text."""

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Raw:
    """A value in a request's body that is JSON already."""

    json: bytes


def encoded(value: Any) -> bytes:
    return (
        value.json if isinstance(value, Raw) else replace_surrogates(_json.encode(value)).encode()
    )


def body_of(fields: Mapping[str, Any]) -> bytes:
    """A request's body."""
    each = (b"%s:%s" % (encoded(name), encoded(value)) for name, value in fields.items())
    return b"{%s}" % b",".join(each)


@dataclass(frozen=True, slots=True)
class Encoded:
    """What an utterance is sent as."""

    json: bytes
    """Entries of an array, without its brackets."""
    thought: bool
    """Reasoning was to go back with it."""
    fields: frozenset[str]
    """Those that reasoning goes back in."""
    calls: bool
    asked: bool
    """It is somebody's words, no model's and no tool's."""


class Chat:
    """The conversations with one model.

    What an utterance is sent as is kept for as long as somebody has the utterance: so
    `store.contexts` bounds it, and what is erased there is erased here.
    """

    def __init__(self, target: Target) -> None:
        self._quirks = target.quirks
        self._provider = target.access.name
        self._field = self._quirks.reasoning_field
        self._fields = frozenset(name for name in (*FIELDS, self._field) if name)
        self._always_in_field = self._quirks.replay == "field" and self._field is not None
        self._of = WhileThere(self._encoded)
        self._with_field = WhileThere(partial(self._encoded, empty=self._field))

    def messages(self, prompt: Prompt) -> Raw:
        head = [{"role": "system", "content": prompt.system}] if prompt.system else []
        if self._quirks.alternates:  # what stands beside it changes an entry
            entries = [one for each in prompt.messages for one in self._entries(each)]
            if not entries or entries[0]["role"] == "assistant":
                entries[:0] = self._entries(OPENING)
            return Raw(encoded([*head, *merged(entries)]))
        found = self._filled(prompt, [self._of(one) for one in prompt.messages])
        entries = [one.json for one in found if one.json] or [self._of(OPENING).json]
        return Raw(b"[%s]" % b",".join([*map(encoded, head), *entries]))

    def _encoded(self, one: Utterance, empty: str | None = None) -> Encoded:
        """`empty`: a field for reasoning that goes with it, though there was none."""
        entries = self._entries(one)
        fields = self._fields.intersection(*entries) if entries else frozenset[str]()
        if empty is not None:
            entries = [{**entry, empty: ""} for entry in entries]
        model = one.role is MessageRole.ASSISTANT
        return Encoded(
            json=b",".join(map(encoded, entries)),
            thought=model and any(self._goes_back(part) for part in one.parts),
            fields=fields,
            calls=model and any(isinstance(part, ToolCall) for part in one.parts),
            asked=any(entry["role"] == "user" for entry in entries),
        )

    def _filled(self, prompt: Prompt, found: list[Encoded]) -> list[Encoded]:
        """Those who want reasoning back refuse calls without its field, though it be empty."""
        if self._always_in_field:
            thinks = self._quirks.thinks in ("default", "always")
            begins = 0
            if not thinks and not will_think(prompt.sampling, self._quirks):
                begins = next((at for at, one in enumerate(found) if one.thought), len(found))
            fill = self._with_field
        else:
            fields = frozenset[str]().union(*(one.fields for one in found if one.fields))
            if len(fields) != 1:
                return found
            begins = max((at for at, one in enumerate(found) if one.asked), default=-1) + 1
            fill = partial(self._encoded, empty=next(iter(fields)))
        return [
            fill(shown) if at >= begins and one.calls and not one.fields else one
            for at, (shown, one) in enumerate(zip(prompt.messages, found, strict=True))
        ]

    def _goes_back(self, part: Part) -> bool:
        """Another provider's reasoning means nothing here."""
        return (
            self._quirks.replay != "never"
            and isinstance(part, Reasoning)
            and part.provider == self._provider
            and OF_CALL not in part.details
        )

    def _entries(self, one: Utterance) -> list[Entry]:
        return self._answer(one) if one.role is MessageRole.ASSISTANT else request(one)

    def _answer(self, one: Utterance) -> list[Entry]:
        texts: list[str] = []
        thoughts: dict[str, list[str]] = {}
        calls: list[Entry] = []
        for part in one.parts:
            if isinstance(part, Text) and part.text:
                texts.append(part.text)
            elif isinstance(part, ToolCall):
                calls.append(self._call(part, one.parts))
            elif isinstance(part, Reasoning) and self._goes_back(part):
                field = self._field_of(part)
                if field is None:
                    texts.append(f"<think>\n{part.text}\n</think>")
                else:
                    thoughts.setdefault(field, []).append(part.text)
        if not texts and not calls:
            return []
        entry: Entry = {"role": "assistant"}
        entry |= {field: "\n\n".join(each) for field, each in thoughts.items()}
        entry["content"] = "\n\n".join(texts) if texts else None
        return [entry | {"tool_calls": calls}] if calls else [entry]

    def _field_of(self, part: Reasoning) -> str | None:
        """Where it goes back; None: into the text, in tags, as it came."""
        if self._always_in_field:
            return self._field
        own = part.id if part.id != IN_TEXT else None
        return own if self._field in (None, own) else None

    def _call(self, call: ToolCall, parts: Sequence[Part]) -> Entry:
        function = {"name": call.name, "arguments": _json.encode(object_of(call.arguments))}
        entry: Entry = {"id": call.id, "type": "function", "function": function}
        for part in parts:
            if isinstance(part, Reasoning) and part.id == call.id and OF_CALL in part.details:
                details = cast("Mapping[str, Any]", part.details[OF_CALL])
                if part.provider == self._provider and details.get("extra_content"):
                    entry["extra_content"] = details["extra_content"]
        return entry


def request(one: Utterance) -> list[Entry]:
    """What isn't the model's own: said to it, or returned by a tool."""
    entries: list[Entry] = []
    content: list[Entry] = []
    for part in one.parts:
        match part:
            case ToolReturn():
                answer = {"tool_call_id": part.call_id, "content": part.text}
                entries.append({"role": "tool", **answer})
            case Text():
                content.append(text(part.text))
            case Image():
                content.append(image(part))
            case _:  # an approval is answered by its tool's return
                pass
    if not content:
        return entries
    if one.role is MessageRole.SYSTEM:
        # Most APIs take instructions at the beginning only.
        content = [text("<system>"), *content, text("</system>")]
    words = [each["text"] for each in content if "text" in each]
    plain = len(words) == len(content)
    return [*entries, {"role": "user", "content": "\n".join(words) if plain else content}]


def text(words: str) -> Entry:
    return {"text": words, "type": "text"}


def image(part: Image) -> Entry:
    url = part.url or ""
    if part.data is not None:
        url = f"data:{part.media_type or 'image/png'};base64,{part.data}"
    return {"image_url": {"url": url}, "type": "image_url"}


def is_plain(entry: Entry) -> bool:
    """Whether it is the user's, and text alone."""
    return entry["role"] == "user" and isinstance(entry["content"], str)


def merged(entries: Sequence[Entry]) -> list[Entry]:
    """Texts of the user that follow each other become one."""
    joined: list[Entry] = []
    for entry in entries:
        if joined and is_plain(joined[-1]) and is_plain(entry):
            joined[-1] = {
                "role": "user",
                "content": f"{joined[-1]['content']}\n\n{entry['content']}",
            }
        else:
            joined.append(entry)
    return joined
