"""What becomes of the calls a model made: run, refused, or left waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from yiku.agents import rules
from yiku.agents.work import Work
from yiku.core.ids import new_id
from yiku.core.memory import Json
from yiku.core.message import Approval, ToolCall, ToolReturn
from yiku.core.tool import SourceType
from yiku.tools import executor
from yiku.tools.executor import Ready, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The calls of one message: each is ready, refused, waits, or was answered by the client."""

    calls: tuple[ToolCall, ...] = ()
    """In the model's order, marked where they wait."""
    ready: Mapping[str, Ready] = field(default_factory=dict[str, Ready])
    """By call, as the next two."""
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why, for the model."""
    given: Mapping[str, ToolReturn] = field(default_factory=dict[str, ToolReturn])
    """What the client returned; it is stored already."""

    @property
    def actions(self) -> tuple[Ready, ...]:
        """Those that act outside the database."""
        return tuple(one for one in self.ready.values() if one.acts_outside)

    @property
    def waiting(self) -> bool:
        return any(call.waits is not None for call in self.calls)


def judge(work: Work, calls: Sequence[ToolCall]) -> Judged:
    """Judge the calls of an answer, in their order: each as if those before it had been made."""
    ready: dict[str, Ready] = {}
    refused: dict[str, str] = {}
    seen: list[ToolCall] = []
    named = distinct(calls)
    said = rules.judge(
        work.rules, work.progress, work.tool_names, [c.name for c in named], work.language
    )
    for call, verdict in zip(named, said, strict=True):
        if verdict.refused is not None:
            refused[call.id] = verdict.refused
        elif waits := waits_for(work, call):
            call = replace(call, waits=waits)
        else:
            sort(work, call, verdict.prefill, ready, refused)
        seen.append(call)
    return Judged(calls=tuple(seen), ready=ready, refused=refused)


def answered(
    work: Work,
    calls: Sequence[ToolCall],
    approvals: Mapping[str, Approval],
    given: Mapping[str, ToolReturn],
) -> Judged:
    """Judge calls that waited, by the answers to them."""
    ready: dict[str, Ready] = {}
    refused: dict[str, str] = {}
    for call in calls:
        answer = approvals.get(call.id)
        if call.id in given:
            continue
        if answer is None or not answer.approve:
            refused[call.id] = denial(None if answer is None else answer.reason)
            continue
        if answer.arguments is not None:
            call = replace(call, arguments=answer.arguments)
        prefill = rules.prefill(work.rules, work.progress, call.name)
        sort(work, call, prefill, ready, refused)
    done = tuple(replace(call, waits=None) for call in calls)
    return Judged(calls=done, ready=ready, refused=refused, given=given)


def sort(
    work: Work,
    call: ToolCall,
    prefill: Mapping[str, Json],
    ready: dict[str, Ready],
    refused: dict[str, str],
) -> None:
    """Put a call where it belongs: its arguments may not fit its tool."""
    found = executor.prepare(work.state, call, prefill)
    if isinstance(found, Refused):
        refused[call.id] = found.text
    else:
        ready[call.id] = found


def waits_for(work: Work, call: ToolCall) -> Literal["approval", "client"] | None:
    if any(one.name == call.name for one in work.run.request.client_tools):
        return "client"
    tool = work.state.tool(call.name)
    if tool is None:
        return None
    if rules.needs_approval(work.rules, tool):
        return "approval"
    return "client" if tool.source_type is SourceType.JSON and not tool.tool_type.ours else None


def denial(reason: str | None) -> str:
    because = f" The reason: {reason}" if reason else ""
    return f"The call was not run: the user denied it.{because}"


def distinct(calls: Sequence[ToolCall]) -> list[ToolCall]:
    """Calls with ids of their own: some servers send none, or the same twice."""
    seen: set[str] = set()
    named: list[ToolCall] = []
    for call in calls:
        one = call if call.id and call.id not in seen else replace(call, id=new_id("call"))
        seen.add(one.id)
        named.append(one)
    return named
