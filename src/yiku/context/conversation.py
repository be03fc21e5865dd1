"""The messages of a conversation, as every provider takes them; pure.

What is stored is what happened: a run may have been cut off between a call and its return, the
window may begin in the middle of a turn, a model may have named a tool in letters no API takes. One
such message must not make an agent unusable, so here each call gets its return, in the right place
and once, and what belongs to nothing is left out. Nothing depends on the clock, so that the same
messages always give the same prompt and a provider's prompt cache hits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo

from yiku.core.language import Language
from yiku.core.message import (
    Approval,
    Image,
    Message,
    MessageRole,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolReturn,
    Utterance,
    said,
)

PAUSE = timedelta(minutes=10)
"""After which the next message of a user is given its time."""
HEADING = "[PREVIOUS SUMMARY]"
"""What a summary of older messages begins with."""

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names of tools, and ids of calls, that every API takes."""
STRANGE = re.compile(r"[^A-Za-z0-9_-]+")

WEEKDAYS: Mapping[Language, Sequence[str]] = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}
WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "cut": "This call was not run: the run was interrupted before.",
        "waits": "This call was not run: it is still waiting for an answer.",
        "denied": "This call was not run: the user denied it.",
        "reason": " The reason: {reason}",
        "edited": "(It was run with other arguments, which the user chose: {arguments})",
        "empty": "(no output)",
        "go_on": "Go on.",
    },
    "zh": {
        "cut": "这次调用没有执行：运行在此之前中断了。",
        "waits": "这次调用没有执行：仍在等待答复。",
        "denied": "这次调用没有执行：用户拒绝了。",
        "reason": "原因：{reason}",
        "edited": "（执行时采用了用户改过的参数：{arguments}）",
        "empty": "（无输出）",
        "go_on": "请继续。",
    },
}


@dataclass(slots=True)
class Open:
    """The calls of one message, and what came back of them so far."""

    place: int
    """Where their returns go."""
    calls: list[tuple[str, ToolCall]]
    """With the id each was stored with."""
    returns: dict[str, ToolReturn] = field(default_factory=dict[str, ToolReturn])
    """By the id they were stored with, as the approvals."""
    told: Message | None = None
    """The last message that returns of them came in."""
    approvals: dict[str, Approval] = field(default_factory=dict[str, Approval])


@dataclass(slots=True)
class Conversation:
    """One in the making: `shown` is what came of the messages so far."""

    language: Language
    zone: tzinfo
    shown: list[Utterance] = field(default_factory=list[Utterance])
    last_user: int | None = None
    """Where the user spoke last."""
    before: datetime | None = None
    """When the last message came."""
    open: Open | None = None
    ids: set[str] = field(default_factory=set[str])


def conversation(
    messages: Iterable[Message], language: Language, zone: tzinfo, *, roles: str = ""
) -> list[Utterance]:
    """What a model is shown of these messages, oldest first.

    Its roles are user, assistant, tool and system, the last for notes of ours. `roles`, what the
    memory of roles tells, stands right before the user's last words: it changes from run to run, so
    all that is before it stays in a provider's cache, and all of a run's steps share it.
    """
    made = Conversation(language, zone)
    for one in messages:
        match one.role:
            case MessageRole.ASSISTANT:
                add_assistant(made, one)
            case MessageRole.TOOL | MessageRole.APPROVAL:
                add_answers(made, one)
            case MessageRole.USER:
                add_user(made, one)
            case MessageRole.SYSTEM:
                if one.text.strip():
                    made.shown.append(one)
            case MessageRole.SUMMARY:
                made.shown.append(summary_note(one.text))
        made.before = one.created_at
    close(made)
    shown = made.shown
    if roles:
        at = len(shown) if made.last_user is None else made.last_user
        shown.insert(at, said(MessageRole.SYSTEM, roles))
    if not shown or shown[-1].role is MessageRole.ASSISTANT:
        shown.append(said(MessageRole.SYSTEM, WORDS[language]["go_on"]))  # many APIs want a request
    return shown


def headed(text: str) -> str:
    """A summary, as what it is."""
    return text if text.startswith(HEADING) else f"{HEADING}\n{text}"


def summary_note(text: str) -> Utterance:
    return said(MessageRole.SYSTEM, headed(text))


def add_user(made: Conversation, one: Message) -> None:
    parts = spoken(one.parts)
    if not parts:
        return
    paused = made.before is None or one.created_at - made.before >= PAUSE
    notes = [time_of(one.created_at, made.zone, made.language)] if paused else []
    if one.name:
        notes.append(one.name)
    if notes:
        made.shown.append(said(MessageRole.SYSTEM, f"[{', '.join(notes)}]"))
    made.last_user = len(made.shown)
    made.shown.append(one if parts is one.parts else Utterance(MessageRole.USER, parts))


def time_of(at: datetime, zone: tzinfo, language: Language) -> str:
    """`2026-11-04 Wed 09:30`, of the zone."""
    local = at.astimezone(zone)
    iso = local.isoformat()  # strftime takes five times as long
    return f"{iso[:10]} {WEEKDAYS[language][local.weekday()]} {iso[11:16]}"


def spoken(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """What can be said to a model: no empty text, which APIs refuse."""
    if len(parts) == 1 and isinstance(parts[0], Text) and parts[0].text.strip():
        return parts
    return tuple(
        part
        for part in parts
        if isinstance(part, Image) or (isinstance(part, Text) and part.text.strip())
    )


def add_assistant(made: Conversation, one: Message) -> None:
    """Thoughts without a word or a call after them are left out: APIs take no such message."""
    parts = one.parts
    if len(parts) == 1 and isinstance(parts[0], Text):
        if parts[0].text.strip():
            made.shown.append(one)
        return
    kept: list[Part] = []
    calls: list[tuple[str, ToolCall]] = []
    for part in parts:
        if isinstance(part, ToolCall):
            call = sound(part, made.ids)
            made.ids.add(call.id)
            calls.append((part.id, call))
            kept.append(call)
        elif isinstance(part, Reasoning) or (isinstance(part, Text) and part.text.strip()):
            kept.append(part)
    if not any(isinstance(part, Text | ToolCall) for part in kept):
        return
    if calls:
        close(made)
        made.open = Open(len(made.shown) + 1, calls)
    made.shown.append(itself(one, tuple(kept)))
    if calls:
        made.shown.append(Utterance(MessageRole.TOOL, ()))  # its place; `close` fills it


def itself(one: Message, parts: tuple[Part, ...]) -> Utterance:
    """The message, where all of it is shown: what is made of it need not be made again."""
    return one if one.parts == parts else Utterance(one.role, parts)


def sound(call: ToolCall, taken: set[str]) -> ToolCall:
    """The call with a name and an id that every API takes; no id stands twice in a conversation.

    Its arguments stay as they are: which JSON an API takes back, its adapter knows.
    """
    if call.id not in taken and NAME.fullmatch(call.id) and NAME.fullmatch(call.name):
        return call
    stem = STRANGE.sub("_", call.id)[:56] or "call"
    id, n = stem, 1
    while id in taken:
        n += 1
        id = f"{stem}-{n}"
    return replace(call, id=id, name=STRANGE.sub("_", call.name)[:64] or "unnamed")


def add_answers(made: Conversation, one: Message) -> None:
    """Returns and approvals belong to the last calls; those of others are left out."""
    if made.open is not None:
        if one.role is MessageRole.TOOL:
            made.open.told = one
        for part in one.parts:
            if isinstance(part, ToolReturn):
                made.open.returns.setdefault(part.call_id, part)
            elif isinstance(part, Approval):
                made.open.approvals[part.call_id] = part
    words = spoken(one.parts)
    if words and one.role is MessageRole.APPROVAL:
        made.shown.append(Utterance(MessageRole.USER, words))


def close(made: Conversation) -> None:
    """Every call gets its return, in the order of the calls."""
    if made.open is None:
        return
    returns = tuple(return_of(made, made.open, id, call) for id, call in made.open.calls)
    told = made.open.told
    whole = Utterance(MessageRole.TOOL, returns) if told is None else itself(told, returns)
    made.shown[made.open.place] = whole
    made.open = None


def return_of(made: Conversation, there: Open, id: str, call: ToolCall) -> ToolReturn:
    words = WORDS[made.language]
    found, approval = there.returns.pop(id, None), there.approvals.pop(id, None)
    if found is None:
        text = words["cut"] if call.waits is None else words["waits"]
        if approval is not None and not approval.approve:
            because = words["reason"].format(reason=approval.reason) if approval.reason else ""
            text = words["denied"] + because
        elif approval is not None:
            text = words["cut"]
        return ToolReturn(call_id=call.id, name=call.name, ok=False, text=text)
    text = found.text if found.text.strip() else words["empty"]
    if approval is not None and approval.approve and approval.arguments is not None:
        text = f"{words['edited'].format(arguments=approval.arguments)}\n{text}"
    if (found.call_id, found.name) == (call.id, call.name) and text == found.text:
        return found
    return replace(found, call_id=call.id, name=call.name, text=text)
