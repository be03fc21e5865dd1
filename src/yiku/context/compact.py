"""Which messages give way when a conversation outgrows its window; pure.

What gives way is always the conversation's beginning: no call is parted from its return, no call
that still waits goes, and the user's last message stays as it is, always until something is said to
it. Where a run's own work since then is what fills the window, that message goes too, and is quoted
word for word under the summary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from yiku.context.budget import message_tokens
from yiku.context.compile import is_instructions
from yiku.core.agent import Compaction
from yiku.core.language import Language, language_of
from yiku.core.message import Message, MessageRole, ToolReturn

THRESHOLD = 20
"""Messages that aren't archived, from one more of which a session is compacted."""
RAW = 5
"""The last messages, which stay as they are where they can."""
QUOTE = 4_000
"""Characters quoted of a user's last message that had to go."""
ENDS = "。！？!?.\n"

QUOTED: dict[Language, str] = {
    "en": "The user's last message, word for word:",
    "zh": "用户最近一条消息的原文：",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A conversation in two: what a summary takes the place of, and what stays."""

    gone: tuple[Message, ...]
    """Never empty."""
    kept: tuple[Message, ...]
    """The compiled instructions, where they were the first message, are among these."""
    quoted: str = ""
    """The user's last message, where it is among those gone."""


def split(messages: Sequence[Message], settings: Compaction, goal: int) -> Split | None:
    """Which messages give way, so that those that stay take at most `goal` tokens (estimated).

    Sliding windows: the oldest, at least `sliding_window_percentage` of the messages' tokens, and
    more where that isn't enough; else all before the user's last message. Where the goal can't be
    reached, as much as may go. None: nothing may.
    """
    head, rest = parted(messages)
    count, last = len(rest), last_user(rest)
    tokens = [0, *accumulate(map(message_tokens, rest))]
    total = tokens[-1]
    begun = any(one.role is MessageRole.ASSISTANT for one in rest[last:])
    legal = [at for at in cuts(rest) if at and (begun or at <= last)]
    fitting = [at for at in legal if total - tokens[at] <= goal]
    if settings.mode in ("all", "self_compact_all"):
        choices = [[at for at in fitting if at <= last][-1:], fitting, legal[-1:]]
    else:
        share = min(max(settings.sliding_window_percentage, 0.0), 1.0)
        enough = [at for at in fitting if tokens[at] >= share * total]
        choices = [
            [at for at in enough if at <= min(last, count - RAW)],
            [at for at in enough if at <= last],
            [at for at in fitting if at <= last][-1:],
            fitting,
            legal[-1:],
        ]
    at = next((chosen[0] for chosen in choices if chosen), None)
    return None if at is None else split_at(head, rest, at)


def split_session(
    messages: Sequence[Message], threshold: int = THRESHOLD, keep: int = RAW
) -> Split | None:
    """By count: more than `threshold` messages, and all but the last `keep` give way. None: fewer.

    More than `keep` stay where a call would be parted from its return.
    """
    head, rest = parted(messages)
    may = [at for at in cuts(rest) if 0 < at <= len(rest) - keep]
    return split_at(head, rest, may[-1]) if len(rest) > threshold and may else None


def split_at(head: Sequence[Message], rest: Sequence[Message], at: int) -> Split:
    last = last_user(rest)
    quoted = rest[last].text if last < at and last < len(rest) else ""
    return Split(gone=tuple(rest[:at]), kept=(*head, *rest[at:]), quoted=quoted)


def parted(messages: Sequence[Message]) -> tuple[Sequence[Message], Sequence[Message]]:
    """The compiled instructions, which never go, and the rest."""
    first = 1 if messages and is_instructions(messages[0]) else 0
    return messages[:first], messages[first:]


def last_user(messages: Sequence[Message]) -> int:
    """Where the user spoke last; behind the end, where nobody did."""
    places = (at for at in range(len(messages) - 1, -1, -1))
    return next((at for at in places if messages[at].role is MessageRole.USER), len(messages))


def cuts(messages: Sequence[Message]) -> list[int]:
    """Where the conversation may be cut: before message `at`, 0 to their number; ascending."""
    parting = [False] * (len(messages) + 1)
    places = [at for at, one in enumerate(messages) if one.calls]
    for begin, after in pairwise([*places, len(messages)]):
        for at in range(begin + 1, end_of(messages, begin, after) + 1):
            parting[at] = True
    return [at for at, parts in enumerate(parting) if not parts]


def end_of(messages: Sequence[Message], begin: int, after: int) -> int:
    """The last message that belongs to the calls of message `begin`; `after`: where others begin.

    Behind the end for calls whose answer may still come: those that wait, and those of a step that
    is being made, which nobody has said anything since.
    """
    asked = {call.id for call in messages[begin].calls}
    open, end = set(asked), begin
    for at in range(begin + 1, after):
        answered = {part.call_id for part in (*messages[at].returns, *messages[at].approvals)}
        if asked & answered:
            end = at
        open -= {one.call_id for one in messages[at].returns}
        open -= {one.call_id for one in messages[at].approvals if not one.approve}
    since = messages[begin + 1 :]
    if after == len(messages) and open:
        waits = any(call.waits for call in messages[begin].calls if call.id in open)
        if waits or not any(one.role is MessageRole.USER for one in since):
            return len(messages)
    return end


def language_in(messages: Sequence[Message], default: Language = "en") -> Language:
    """The language people and the agent speak in these messages: a summary's, too."""
    spoken = (MessageRole.USER, MessageRole.ASSISTANT)
    return language_of([one.text for one in messages if one.role in spoken], default)


def summary_text(said: str, there: Split, settings: Compaction, language: Language) -> str:
    """What is stored in place of the messages gone."""
    text = clipped(said.strip(), settings.clip_chars)
    if not there.quoted:
        return text
    return f"{text}\n\n{QUOTED[language]}\n{clipped(there.quoted, QUOTE)}"


def clipped(text: str, limit: int | None) -> str:
    """At most `limit` characters, up to the end of a sentence where one is near, and `…`."""
    if limit is None or len(text) <= limit:
        return text
    if limit < 1:
        return ""
    room = limit - 1
    end = max(text.rfind(mark, room * 2 // 3, room) for mark in ENDS)
    return (text[: end + 1].rstrip() if end >= 0 else text[:room]) + "…"


def shortened(one: Message, limit: int) -> Message:
    """The message with each tool's return cut to `limit` characters: what is left to do where a
    single one fills the window."""
    parts = tuple(
        replace(part, text=clipped(part.text, limit)) if isinstance(part, ToolReturn) else part
        for part in one.parts
    )
    return one if parts == one.parts else replace(one, parts=parts)
