"""What callers say of a memory, and how it becomes a draft. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict

from yiku.core.errors import Invalid
from yiku.core.memory import Draft
from yiku.core.role import wrong
from yiku.core.tenant import Actor
from yiku.memory.known import after
from yiku.roles.embedding import text_given


class Said(TypedDict, total=False):
    """What is known of a memory besides its words."""

    metadata: Mapping[str, Any] | None
    at: datetime | str | None
    """When it was said, as a moment or in ISO 8601, UTC without a time zone; None: now."""
    speaker: str | None
    """None: the memory's `user`."""
    conversation: str | None
    message: str | None
    language: str | None
    valid_from: datetime | str | None
    valid_to: datetime | str | None


class Memory(Said, total=False):
    """A memory of several that are added at once."""

    text: str
    context: str | None
    role_ids: Sequence[str] | None
    tags: Sequence[str]


MOMENTS = ("at", "valid_from", "valid_to")


def draft_of(one: str | Memory, user: str) -> Draft:
    """Raises: Invalid."""
    given: dict[str, Any] = {"text": one} if isinstance(one, str) else dict(one)
    unknown = given.keys() - Memory.__annotations__.keys()
    if unknown or "text" not in given:
        allowed = ", ".join(Memory.__annotations__)
        raise Invalid(f"A memory is a text, or a dict of {allowed}; `text` is needed.")
    text = text_given("memory_content", given.pop("text"))
    context, role_ids = given.pop("context", None), given.pop("role_ids", None)
    alone = standing_alone(text, context)
    given |= {name: moment_of(name, given[name]) for name in MOMENTS if name in given}
    given |= {
        "text": text,
        "tags": tuple(given.get("tags") or ()),
        "metadata": dict(given.get("metadata") or {}),
        "speaker": given.get("speaker") or user or None,
        "roles": None if role_ids is None else ids_of(role_ids),
        "route_as": None if alone == text else alone,
    }
    return Draft(**given)


def standing_alone(text: str, context: Any) -> str:
    """The text, behind its context where it has too few words to be understood without.

    Raises: Invalid.
    """
    return text if context is None else after(text_given("context", context), text)


def ids_of(role_ids: str | Sequence[str]) -> tuple[str, ...]:
    """Of one id or several. Raises: Invalid."""
    some = (role_ids,) if isinstance(role_ids, str) else tuple(role_ids)
    return tuple(text_given("role_ids", one) for one in some)


def moment_of(name: str, value: datetime | str | None) -> datetime | None:
    """Raises: Invalid."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise Invalid(
                f"`{name}` is a moment in ISO 8601, like 2026-05-07T12:00:00+08:00, not {value!r}.",
                field=name,
            ) from error
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def actor_of(given: Any, usual: Actor) -> Actor:
    """Raises: Invalid."""
    if given is None:
        return usual
    if not isinstance(given, Actor):
        raise Invalid(
            f"`actor` is a yiku.core.tenant.Actor or None, not {type(given).__name__}.",
            field="actor",
        )
    return given


def whole(name: str, value: Any, most: int | None = None) -> int:
    """Raises: Invalid."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise wrong(name, "a whole number from 1", value)
    if most is not None and value > most:
        raise Invalid(f"`{name}` is 1 to {most}, not {value}.", field=name)
    return value
