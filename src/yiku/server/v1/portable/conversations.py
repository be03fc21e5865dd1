"""Conversations beside an agent's own, and what its model sees of each, as agent files have them;
pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from yiku.agents.transfer.carried import CarriedConversation, CarriedSummary, CarriedThread
from yiku.core.conversation import Conversation
from yiku.core.errors import Invalid, InvalidImport
from yiku.server.v1 import wire_conversations as wire
from yiku.server.v1 import wire_models
from yiku.server.v1.portable import messages
from yiku.server.v1.portable.reading import Json, as_object, known_only, list_of, read
from yiku.server.v1.translate_conversations import conversation_out, settings_in

SAME = ("summary", "description", "model", "model_settings", "context_window_limit")
MOMENTS = ("created_at", "archived_at", "last_message_at")


def conversation_to_file(one: Conversation, key: str, forked_from: str | None) -> Json:
    """Without its messages."""
    told = conversation_out(one).model_dump(mode="json")
    kept = {name: told[name] for name in (*SAME, *MOMENTS)}
    return {"id": key, **kept, "hidden": one.settings.hidden, "forked_from": forked_from}


def threads_of(
    fields: Json, place: str, own: CarriedThread, counts: Sequence[int]
) -> tuple[CarriedThread, ...]:
    """An agent's own conversation and those beside it; `counts`: how many messages those have.

    Raises: InvalidImport.
    """
    threads = [own]
    keys: set[str] = set()
    for n, (value, count) in enumerate(zip(list_of(fields, "conversations"), counts, strict=True)):
        one = thread_of(value, f"{place}.conversations[{n}]", n, count)
        key = cast("CarriedConversation", one.beside).key
        if key in keys:
            raise InvalidImport(f"{place}.conversations[{n}]: the id {key!r} is there twice")
        keys.add(key)
        threads.append(one)
    return tuple(threads)


def thread_of(value: Any, place: str, n: int, count: int) -> CarriedThread:
    """Raises: InvalidImport."""
    said = as_object(value, place)
    known = known_only(wire.ConversationIn, said)
    if isinstance(inner := known.get("model_settings"), dict):
        known["model_settings"] = known_only(wire_models.ModelSettings, cast("Json", inner))
    try:
        settings = settings_in(read(wire.ConversationIn, known, place))
        moments = {name: messages.moment(said.get(name), name) for name in MOMENTS}
    except Invalid as error:
        if error.message.startswith(place):
            raise
        raise InvalidImport(f"{place}: {error.message}", place=place) from error
    forked_from = said.get("forked_from")
    return CarriedThread(
        in_context=in_context(said, place, count),
        count=count,
        summary=summary_of(said.get("context_summary"), f"{place}.context_summary"),
        beside=CarriedConversation(
            key=str(said.get("id") or f"conversation-{n}"),
            settings=settings,
            forked_from=None if forked_from is None else str(forked_from),
            **moments,
        ),
    )


def in_context(fields: Json, place: str, count: int) -> frozenset[str] | None:
    """Keys of the messages the model sees; None: the file doesn't say. Raises: InvalidImport."""
    if "in_context_message_indices" in fields:
        found = list_of(fields, "in_context_message_indices")
        for one in found:
            if not isinstance(one, int) or not 0 <= one < count:
                raise InvalidImport(
                    f"{place}.in_context_message_indices: {one!r:.40} is no message; there are"
                    f" {count:,}"
                )
        return frozenset(f"message-{one}" for one in found)
    if fields.get("in_context_message_ids") is None:
        return None
    return frozenset(str(one) for one in list_of(fields, "in_context_message_ids"))


def summary_of(value: Any, place: str) -> CarriedSummary | None:
    """Raises: InvalidImport."""
    if value is None:
        return None
    said = as_object(value, place)
    try:
        created = messages.moment(said["created_at"])
        if created is None:
            raise KeyError("created_at")
        return CarriedSummary(
            text=str(said["text"]),
            first_key=str(said["first_message_id"]),
            last_key=str(said["last_message_id"]),
            count=int(said["count"]),
            created_at=created,
            model=said.get("model"),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidImport(f"{place}: it needs {error}", place=place) from error
