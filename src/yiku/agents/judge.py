"""What becomes of the calls a model made: carried out, refused, or left waiting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from yiku.agents import rules
from yiku.agents.work import Work
from yiku.core.ids import new_id
from yiku.core.language import Language
from yiku.core.memory import Json
from yiku.core.message import Approval, Message, ToolCall, ToolReturn
from yiku.tools import executor
from yiku.tools.executor import Action, Deed, Refused, Waits

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "denied": "The call was not run: the user denied it.",
        "reason": " The reason: {reason}",
    },
    "zh": {"denied": "这次调用没有执行：用户拒绝了。", "reason": "原因：{reason}"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The calls of one message; each is a deed or an action, is refused, waits, or was answered."""

    calls: tuple[ToolCall, ...] = ()
    """In the model's order, marked where they wait."""
    deeds: Mapping[str, Deed] = field(default_factory=dict[str, Deed])
    """Calls that work in the step's transaction; by call, as the next three."""
    actions: Mapping[str, Action] = field(default_factory=dict[str, Action])
    """Calls that act outside."""
    refused: Mapping[str, ToolReturn] = field(default_factory=dict[str, ToolReturn])
    given: Mapping[str, ToolReturn] = field(default_factory=dict[str, ToolReturn])
    """What the client returned; it is stored already."""

    @property
    def waiting(self) -> bool:
        return any(call.waits is not None for call in self.calls)


class Sorting:
    """Calls on their way to a `Judged`."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._calls: list[ToolCall] = []
        self._deeds: dict[str, Deed] = {}
        self._actions: dict[str, Action] = {}
        self._refused: dict[str, ToolReturn] = {}
        self._given: dict[str, ToolReturn] = {}

    def refuse(self, call: ToolCall, text: str) -> None:
        self._calls.append(call)
        self._refused[call.id] = executor.failed(call, text)

    def give(self, call: ToolCall, answer: ToolReturn) -> None:
        self._calls.append(call)
        self._given[call.id] = answer

    def wait(self, call: ToolCall, whom: Literal["approval", "client"]) -> None:
        self._calls.append(replace(call, waits=whom))

    def plan(self, call: ToolCall, prefill: Mapping[str, Json], *, allowed: bool) -> None:
        """Put a call where it belongs: its arguments may not fit its tool, and then nobody is asked
        whether it may be run. `allowed`: somebody was, and it may."""
        client_tools = self._work.run.request.client_tools
        filled = with_arguments(call, prefill)
        planned = executor.plan(self._work.state, client_tools, filled, self._work.language)
        tool = self._work.state.tool(call.name)
        match planned:
            case Refused():
                self._calls.append(call)
                self._refused[call.id] = planned.answer
            case Waits():
                self.wait(call, "client")
            case _ if not allowed and tool and rules.needs_approval(self._work.rules, tool):
                self.wait(call, "approval")
            case Deed():
                self._calls.append(call)
                self._deeds[call.id] = planned
            case Action():
                self._calls.append(call)
                self._actions[call.id] = planned

    def judged(self) -> Judged:
        return Judged(
            calls=tuple(self._calls),
            deeds=self._deeds,
            actions=self._actions,
            refused=self._refused,
            given=self._given,
        )


def judge(work: Work, calls: Sequence[ToolCall]) -> Judged:
    """Judge the calls of an answer, in their order: each as if those before it had been made."""
    sorting = Sorting(work)
    names = [call.name for call in calls]
    verdicts = rules.judge(work.rules, work.progress, work.tool_names, names, work.language)
    for call, verdict in zip(distinct(calls), verdicts, strict=True):
        if verdict.refused is not None:
            sorting.refuse(call, verdict.refused)
        else:
            sorting.plan(call, verdict.prefill, allowed=False)
    return sorting.judged()


def answered(
    work: Work,
    calls: Sequence[ToolCall],
    approvals: Mapping[str, Approval],
    given: Mapping[str, ToolReturn],
) -> Judged:
    """Judge calls that waited, by the answers to them."""
    sorting = Sorting(work)
    for waited in calls:
        answer, call = approvals.get(waited.id), replace(waited, waits=None)
        if call.id in given:
            sorting.give(call, given[call.id])
        elif answer is None or not answer.approve:
            sorting.refuse(call, denial(None if answer is None else answer.reason, work.language))
        else:
            if answer.arguments is not None:
                call = replace(call, arguments=answer.arguments)
            prefill = rules.prefill(work.rules, work.progress, call.name)
            sorting.plan(call, prefill, allowed=True)
    return sorting.judged()


def with_arguments(call: ToolCall, prefill: Mapping[str, Json]) -> ToolCall:
    """The call with the arguments that rules chose; what isn't an object is left to be refused."""
    if not prefill:
        return call
    try:
        own: Any = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return call
    if not isinstance(own, dict):
        return call
    return replace(call, arguments=json.dumps({**own, **prefill}, ensure_ascii=False))


def denial(reason: str | None, language: Language) -> str:
    words = WORDS[language]
    return words["denied"] + (words["reason"].format(reason=reason) if reason else "")


def told_apart(judged: Judged, messages: Sequence[Message]) -> Judged:
    """With ids for the calls that wait that no call before them in the conversation had.

    Some providers number calls from 0 in each answer: a person's yes that is sent twice would allow
    a call that nobody has seen.
    """
    if not judged.waiting:
        return judged
    taken = {call.id for one in messages for call in one.calls}
    calls = tuple(
        replace(call, id=new_id("call")) if call.waits is not None and call.id in taken else call
        for call in judged.calls
    )
    return replace(judged, calls=calls)


def distinct(calls: Sequence[ToolCall]) -> list[ToolCall]:
    """Calls with ids of their own: some servers send none, or the same twice."""
    seen: set[str] = set()
    named: list[ToolCall] = []
    for call in calls:
        one = call if call.id and call.id not in seen else replace(call, id=new_id("call"))
        seen.add(one.id)
        named.append(one)
    return named
