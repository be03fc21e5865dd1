"""Between v1's forms of schedules and ours; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from yiku.core.ids import AgentId, ScheduleId
from yiku.core.message import Image, Incoming, Part, Text
from yiku.core.run import RunRequest
from yiku.core.schedule import Missed, Schedule, ScheduleDraft, SchedulePage
from yiku.server.v1 import wire_schedules as wire
from yiku.server.v1.translate_messages import Form, form_of
from yiku.server.v1.translate_sent import message_in
from yiku.store.tables import EPOCH


def draft_in(
    agent_id: str, body: wire.ScheduleIn, missed: str, callback_url: str | None = None
) -> ScheduleDraft:
    """`missed`: as the server is set to. `callback_url`: it was looked at. Raises: Invalid."""
    types, when = body.include_return_message_types, body.schedule
    form = Form(types=None if types is None else frozenset(types))
    request = RunRequest(
        max_steps=body.max_steps,
        background=True,
        incoming=tuple(message_in(one) for one in body.messages),
        callback_url=callback_url,
        wire=form.as_json(),
    )
    once = isinstance(when, wire.OnceIn)
    return ScheduleDraft(
        agent_id=AgentId(agent_id),
        at=EPOCH + timedelta(milliseconds=when.scheduled_at) if once else None,
        cron=None if once else when.cron_expression,
        timezone="UTC" if once else when.timezone,
        missed=Missed(body.missed or missed),
        request=request,
    )


def schedule_page(query: wire.ScheduleQuery) -> SchedulePage:
    return SchedulePage(
        limit=query.limit + 1,  # one more tells whether there is a next page
        after=None if query.after is None else ScheduleId(query.after),
        before=None if query.before is None else ScheduleId(query.before),
    )


def made_out(one: Schedule) -> wire.ScheduleMadeOut:
    return wire.ScheduleMadeOut.model_construct(
        **dict(schedule_out(one)), next_scheduled_at=told(one.next_at)
    )


def told(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def schedule_out(one: Schedule) -> wire.ScheduleOut:
    return wire.ScheduleOut.model_construct(
        id=one.id,
        agent_id=one.agent_id,
        message=sent_out(one.request),
        schedule=when_out(one),
        next_scheduled_time=told(one.next_at),
        missed=one.missed.value,
        status=one.status.value,
        problem=one.problem,
        last_fired_at=one.fired_at,
        last_run_id=one.last_run_id,
        fired_count=one.fired_count,
        created_at=one.created_at,
    )


def when_out(one: Schedule) -> wire.OnceOut | wire.RecurringOut:
    if one.at is not None:
        at = (one.at - EPOCH) / timedelta(milliseconds=1)
        return wire.OnceOut(type="one-time", scheduled_at=at)
    return wire.RecurringOut(
        type="recurring", cron_expression=one.cron or "", timezone=one.timezone
    )


def sent_out(request: RunRequest) -> wire.SentLaterOut:
    types = form_of(request.wire).types
    return wire.SentLaterOut(
        messages=[message_out(one) for one in request.incoming],
        include_return_message_types=None if types is None else sorted(types),
        max_steps=request.max_steps,
        callback_url=request.callback_url,
    )


def message_out(one: Incoming) -> dict[str, Any]:
    values: dict[str, Any] = {
        "type": "message",
        "role": one.role.value,
        "content": content_out(one.parts),
        "name": one.name,
        "otid": one.otid,
        "sender_id": one.sender_id,
    }
    return {name: value for name, value in values.items() if value is not None}


def content_out(parts: Sequence[Part]) -> str | list[dict[str, Any]]:
    match parts:
        case (Text(text),):
            return text
        case _:
            return [part_out(part) for part in parts if isinstance(part, Text | Image)]


def part_out(part: Text | Image) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if part.url is not None:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    source = {"type": "base64", "data": part.data, "media_type": part.media_type}
    return {"type": "image", "source": source}


def page_out(found: Sequence[Schedule], query: wire.ScheduleQuery) -> wire.SchedulesOut:
    """`found` is one more than asked for where there are more; before a cursor, the first of them
    is the one too many."""
    backwards = query.before is not None and query.after is None
    within = found[-query.limit :] if backwards else found[: query.limit]
    return wire.SchedulesOut.model_construct(
        scheduled_messages=[schedule_out(one) for one in within],
        has_next_page=len(found) > len(within),
    )
