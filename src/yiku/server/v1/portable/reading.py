"""What all that is read of agent files shares; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from yiku.core.errors import InvalidImport

Json = dict[str, Any]
M = TypeVar("M", bound=BaseModel)
LONGEST_KEY = 200


@dataclass(slots=True)
class Notes:
    """What has no place here, said once for each thing and place."""

    said: dict[str, None] = field(default_factory=dict[str, None])

    def say(self, words: str) -> None:
        self.said.setdefault(words)


def read(form: type[M], value: Any, place: str) -> M:
    """Raises: InvalidImport, naming the place and what is wrong."""
    try:
        return form.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([place, *map(str, first["loc"])])
        raise InvalidImport(f"{where}: {first['msg']}", place=where) from error


def known_only(form: type[BaseModel], value: Mapping[str, Any]) -> Json:
    """The fields that the form has and that say something; forms within likewise."""
    kept: Json = {}
    for name, one in value.items():
        if one is not None and name in form.model_fields:
            kept[name] = one
    return kept


def as_object(value: Any, place: str) -> Json:
    """Raises: InvalidImport."""
    if not isinstance(value, dict):
        raise InvalidImport(f"{place}: an object is expected, not {type(value).__name__}")
    return cast("Json", value)


def keyed(values: Sequence[Any], place: str, of: Callable[[Any, str], Any]) -> dict[str, Any]:
    """What a list of the file holds, by the ids there. Raises: InvalidImport."""
    found: dict[str, Any] = {}
    for n, one in enumerate(values):
        key = key_of(as_object(one, f"{place}[{n}]"), f"{place}[{n}]", f"{place}-{n}")
        if key in found:
            raise InvalidImport(f"{place}[{n}]: the id {key!r} is there twice")
        found[key] = of(one, f"{place}[{n}]")
    return found


def key_of(value: Mapping[str, Any], place: str, otherwise: str) -> str:
    """What a thing of the file is called there. Raises: InvalidImport."""
    key = str(value.get("id") or otherwise)
    if len(key) > LONGEST_KEY:
        words = f"an id has {LONGEST_KEY} characters at most, not {len(key):,}"
        raise InvalidImport(f"{place}.id: {words}", place=f"{place}.id")
    return key


def list_of(value: Mapping[str, Any], name: str) -> list[Any]:
    """Raises: InvalidImport."""
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise InvalidImport(f"`{name}` is a list, not {type(found).__name__}", place=name)
    return cast("list[Any]", found)
