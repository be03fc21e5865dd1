"""Passages as agent files have them; pure. Other servers' files have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from yiku.core.errors import InvalidImport
from yiku.core.memory import Draft, Passage

MOMENTS = ("at", "valid_from", "valid_to")


def to_file(one: Passage, roles: Sequence[str], key: str) -> dict[str, Any]:
    return {
        "id": key,
        "text": one.text,
        "tags": list(one.tags),
        "metadata": dict(one.metadata),
        "created_at": one.at.isoformat(),
        "language": one.language,
        "speaker": one.speaker,
        "conversation": one.conversation,
        "message": one.message,
        "valid_from": one.valid_from.isoformat(),
        "valid_to": None if one.valid_to is None else one.valid_to.isoformat(),
        "roles": list(roles),
    }


def of_file(value: Mapping[str, Any], place: str) -> Draft:
    """Raises: InvalidImport."""
    text = value.get("text")
    if not isinstance(text, str) or not text.strip():
        raise InvalidImport(f"{place}.text: a passage needs its text", place=place)
    said = {"at": value.get("created_at"), **{name: value.get(name) for name in MOMENTS[1:]}}
    moments: dict[str, Any] = {}
    for name, one in said.items():
        try:
            moments[name] = None if one is None else datetime.fromisoformat(str(one))
        except ValueError as error:
            raise InvalidImport(f"{place}.{name}: {one!r:.60} is no moment", place=place) from error
    roles = value.get("roles")
    return Draft(
        text=text,
        tags=tuple(map(str, value.get("tags") or ())),
        metadata=cast("dict[str, Any]", value.get("metadata") or {}),
        language=value.get("language"),
        speaker=value.get("speaker"),
        conversation=value.get("conversation"),
        message=value.get("message"),
        roles=None if roles is None else tuple(map(str, roles)),
        **moments,
    )
