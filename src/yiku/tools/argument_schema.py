"""What the JSON Schema of a tool's parameters says of a value (pure).

It knows what tools' schemas use: types, enums, objects, arrays, bounds, unions and references into
the schema itself. What else a schema says is let pass; patterns too, which can be written so that
they never end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from yiku.core.language import Language
from yiku.tools.argument_words import KINDS_ZH, WORDS

Schema = Mapping[str, Any]

DEEPEST = 32
"""References that lead on for ever, and values nested deeper than that, are let pass."""
SHOWN = 200

TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def properties_of(parameters: Schema) -> Mapping[str, Schema]:
    found = parameters.get("properties", {})
    return cast("Mapping[str, Schema]", found)


def types_of(schema: Schema) -> tuple[str, ...]:
    declared = schema.get("type", ())
    return (declared,) if isinstance(declared, str) else tuple(declared)


def nullable(schema: Schema) -> bool:
    named = types_of(schema)
    unions = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return (
        "null" in named
        or any(nullable(one) for one in unions)
        or None in schema.get("enum", ())
        or not (named or unions or "enum" in schema or "$ref" in schema or "allOf" in schema)
    )


def resolved(schema: Schema, root: Schema, depth: int = 0) -> Schema:
    """The schema that a reference leads to; what leads nowhere allows anything."""
    target = schema.get("$ref")
    if not isinstance(target, str):
        return schema
    found: Any = root
    for part in target.removeprefix("#/").split("/") if target.startswith("#/") else ():
        found = cast(Schema, found).get(part) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or depth >= DEEPEST or found is root:
        return {}
    return resolved(cast(Schema, found), root, depth + 1)


def options_of(schema: Schema, root: Schema) -> Iterator[Schema]:
    """What a union comes down to, each once: unions within it are followed, in circles too."""
    seen, rest = set[int](), [schema]
    while rest:
        one = resolved(rest.pop(), root)
        if id(one) in seen:
            continue
        seen.add(id(one))
        inner: list[Any] = [*one.get("anyOf", ()), *one.get("oneOf", ())]
        if not inner:
            yield one
        rest += [cast(Schema, each) for each in reversed(inner) if isinstance(each, Mapping)]


def is_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES.get(name, (object,)))


@dataclass(frozen=True, slots=True)
class Reader:
    """Tells what is wrong with values."""

    root: Schema
    """What references lead into."""
    language: Language = "en"
    _told: dict[tuple[str, int, int], str | None] = field(
        default_factory=dict[Any, Any], repr=False
    )
    """What a schema found of a place's value: unions that lead back to themselves ask once."""

    def problem(self, value: Any, schema: Any, at: str, depth: int = 0) -> str | None:
        """What is wrong with a value; None: nothing."""
        words = WORDS[self.language]
        if schema is True or not isinstance(schema, Mapping) or depth > DEEPEST:
            return words["disallowed"].format(at=at) if schema is False else None
        schema = resolved(cast(Schema, schema), self.root)
        key = at, id(value), id(schema)
        if key not in self._told:
            self._told[key] = None  # what asks for itself again adds nothing
            self._told[key] = self._problem(value, schema, at, depth)
        return self._told[key]

    def _problem(self, value: Any, schema: Schema, at: str, depth: int) -> str | None:
        words, names = WORDS[self.language], types_of(schema)
        if names and not any(is_type(value, name) for name in names):
            types = words["or"].join(a(name, self.language) for name in names)
            kind = kind_of(value, self.language)
            return words["type"].format(at=at, types=types, kind=kind, value=shown(value))
        if "enum" in schema and value not in schema["enum"]:
            allowed = ", ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
            return words["enum"].format(at=at, allowed=allowed, value=shown(value))
        if "const" in schema and value != schema["const"]:
            wanted = shown(schema["const"])
            return words["const"].format(at=at, wanted=wanted, value=shown(value))
        return (
            self._of_unions(value, schema, at, depth)
            or self._of_bounds(value, schema, at)
            or self._of_members(value, schema, at, depth)
        )

    def _of_unions(self, value: Any, schema: Schema, at: str, depth: int) -> str | None:
        for one in schema.get("allOf", ()):
            if wrong := self.problem(value, one, at, depth + 1):
                return wrong
        for name in ("anyOf", "oneOf"):
            options = cast("Sequence[Any]", schema.get(name, ()))
            wrongs = [self.problem(value, one, at, depth + 1) for one in options]
            if options and all(wrongs):
                return " / ".join(dict.fromkeys(one for one in wrongs if one))
        return None

    def _of_bounds(self, value: Any, schema: Schema, at: str) -> str | None:
        words = WORDS[self.language]
        for name, fits, broken in BOUNDS:
            bound = schema.get(name)
            # Draft 4 has `exclusiveMinimum: true` beside `minimum`.
            is_bound = isinstance(bound, int | float) and not isinstance(bound, bool)
            if is_bound and fits(value) and broken(value, bound):
                must = words[name].format(bound)
                return words["bound"].format(at=at, must=must, value=shown(value))
        return None

    def _of_members(self, value: Any, schema: Schema, at: str, depth: int) -> str | None:
        if isinstance(value, list) and "items" in schema:
            for i, one in enumerate(cast("list[Any]", value)):
                if wrong := self.problem(one, schema["items"], f"{at}[{i}]", depth + 1):
                    return wrong
        if not isinstance(value, dict):
            return None
        members = cast("dict[str, Any]", value)
        known = properties_of(schema)
        missing = [key for key in schema.get("required", ()) if key not in members]
        if missing:
            names = listed(missing, self.language)
            return WORDS[self.language]["lacks"].format(at=at, names=names)
        others = schema.get("additionalProperties", True)
        for key, one in members.items():
            if wrong := self.problem(one, known.get(key, others), f"{at}.{key}", depth + 1):
                return wrong
        return None


BOUNDS: Sequence[tuple[str, Callable[[Any], bool], Callable[[Any, Any], bool]]] = (
    ("minimum", lambda v: is_type(v, "number"), lambda v, b: v < b),
    ("maximum", lambda v: is_type(v, "number"), lambda v, b: v > b),
    ("exclusiveMinimum", lambda v: is_type(v, "number"), lambda v, b: v <= b),
    ("exclusiveMaximum", lambda v: is_type(v, "number"), lambda v, b: v >= b),
    ("minLength", lambda v: isinstance(v, str), lambda v, b: len(v) < b),
    ("maxLength", lambda v: isinstance(v, str), lambda v, b: len(v) > b),
    ("minItems", lambda v: isinstance(v, list), lambda v, b: len(v) < b),
    ("maxItems", lambda v: isinstance(v, list), lambda v, b: len(v) > b),
)


def listed(names: Sequence[str], language: Language) -> str:
    return WORDS[language]["and"].join(f"`{name}`" for name in names)


def a(name: str, language: Language) -> str:
    if language == "zh":
        return KINDS_ZH.get(name, name)
    return {"null": "null", "array": "a list"}.get(
        name, f"an {name}" if name[0] in "aeio" else f"a {name}"
    )


def kind_of(value: Any, language: Language) -> str:
    for name in ("null", "boolean", "integer", "number", "string", "array", "object"):
        if is_type(value, name):
            return a(name, language)
    return type(value).__name__


def shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
