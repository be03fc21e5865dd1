"""Answers to calls that wait: a person's, or what a tool gave that the client ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from yiku.core.errors import ApprovalPending, Invalid, NothingToApprove
from yiku.core.message import Incoming, Message, MessageRole, ToolCall


def waiting_in(found: Sequence[Message]) -> tuple[ToolCall, ...]:
    """The calls that wait: those of the last assistant message nobody has answered yet."""
    for at in range(len(found) - 1, -1, -1):
        if found[at].role is MessageRole.ASSISTANT:
            answered = answered_in(found[at + 1 :])
            calls = found[at].calls
            return tuple(c for c in calls if c.waits is not None and c.id not in answered)
    return ()


def answered_in(found: Iterable[Message]) -> set[str]:
    return {part.call_id for one in found for part in (*one.approvals, *one.returns)}


def check_answer(waiting: Sequence[ToolCall], incoming: Sequence[Incoming]) -> None:
    """Whether what came in is what is waited for.

    Raises: ApprovalPending, NothingToApprove, Invalid.
    """
    answers = [one for one in incoming if one.role is MessageRole.APPROVAL]
    if not waiting:
        if answers:
            raise NothingToApprove("No call of this agent waits for an approval or a return.")
        return
    names = ", ".join(f"{call.name} ({call.id})" for call in waiting)
    if not answers:
        raise ApprovalPending(
            f"The agent waits for an answer to {names}: approve or deny it, or return what the"
            " tool gave, before you send something else."
        )
    each = Counter(part.call_id for one in answers for part in (*one.approvals, *one.returns))
    known = {call.id for call in waiting}
    wrong = [
        *(f"{one!r} doesn't wait" for one in sorted(each.keys() - known)),
        *(f"{one!r} isn't answered" for one in sorted(known - each.keys())),
        *(f"{one!r} is answered {count} times" for one, count in each.items() if count > 1),
    ]
    if wrong:
        raise Invalid(
            f"The calls that wait are {names}; each needs one answer, and {wrong[0]}.",
            field="messages",
        )
    if any(one.role is MessageRole.ASSISTANT for one in incoming):
        # It would stand between the calls and their returns, as if the agent had gone on.
        raise Invalid(
            f"With the answer to {names} no message of the assistant's can come.", field="messages"
        )
    run_by_client = {call.id: call.name for call in waiting if call.waits == "client"}
    for part in (part for one in answers for part in one.approvals):
        if part.approve and part.call_id in run_by_client:
            raise Invalid(
                f"{run_by_client[part.call_id]} ({part.call_id}) is run by the client: return what"
                " it gave, or deny it.",
                field="messages",
            )
