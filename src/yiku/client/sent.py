"""What is sent to an agent, as v1 wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yiku.client.calls import asked_for
from yiku.core import errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An answer to a call that waits for one."""

    call_id: str
    approve: bool
    reason: str | None = None
    arguments: Mapping[str, Any] | None = None
    """To call the tool with in place of the model's."""


Sent = str | Sequence[Mapping[str, Any]] | Sequence[Decision]
"""Words of the user, v1's messages as they are, or answers to calls that wait."""


def body_of(message: Sent) -> dict[str, Any]:
    """Raises: Invalid for no words at all."""
    if isinstance(message, str):
        if not message:
            raise errors.InvalidText("A message is empty.")
        return {"messages": [{"role": "user", "content": message}]}
    decisions = [one for one in message if isinstance(one, Decision)]
    if decisions:
        return {"messages": [{"type": "approval", "approvals": [*map(decided, decisions)]}]}
    return {"messages": [*message]}


def decided(one: Decision) -> dict[str, Any]:
    return asked_for(
        {
            "type": "approval",
            "tool_call_id": one.call_id,
            "approve": one.approve,
            "reason": one.reason,
            "arguments": None if one.arguments is None else dict(one.arguments),
        }
    )


def answers(call_ids: Sequence[str], approve: bool, reason: str | None) -> Sent:
    """To these calls, or one answer to all that wait."""
    if call_ids:
        return [Decision(call_id=one, approve=approve, reason=reason) for one in call_ids]
    return [asked_for({"type": "approval", "approve": approve, "reason": reason})]
