"""A call's arguments as a model wrote them: read, mended where they are plain, checked (pure).

Of JSON Schema it knows what tools' schemas use: types, enums, objects, arrays, bounds, unions
and references into the schema itself. What else a schema says is let pass; patterns too, which can
be written so that they never end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from yiku.core.errors import InvalidTool

Schema = Mapping[str, Any]

NOT_OURS = frozenset({"request_heartbeat", "inner_thoughts", "thinking"})
"""What models add that were taught older tools: left out where the tool has no such parameter."""
DEEPEST = 32
"""References and unions that lead on for ever end here."""
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


def read(name: str, written: str, parameters: Schema) -> dict[str, Any]:
    """The arguments of a call of the tool `name`.

    Raises: InvalidTool, telling the model what is wrong and what would be right.
    """
    given = parsed(name, written, parameters)
    known = properties_of(parameters)
    required = set(parameters.get("required", ()))
    kept = {
        key: value
        for key, value in given.items()
        if (key in known or key not in NOT_OURS)
        and (value is not None or key in required or key not in known or nullable(known[key]))
    }
    missing = [key for key in parameters.get("required", ()) if key not in kept]
    if missing:
        raise InvalidTool(f"`{name}` needs {listed(missing)}. {takes(name, parameters)}")
    if parameters.get("additionalProperties") is not True:
        unknown = [key for key in kept if key not in known]
        if unknown:
            raise InvalidTool(
                f"`{name}` has no parameter `{unknown[0]}`. {takes(name, parameters)}"
            )
    found: dict[str, Any] = {}
    for key, value in kept.items():
        if key not in known:
            found[key] = value
            continue
        value = mended(value, known[key], parameters)
        wrong = problem(value, known[key], f"`{key}`", parameters)
        if wrong:
            raise InvalidTool(f"`{name}` was not called: {wrong}. {takes(name, parameters)}")
        found[key] = value
    return found


def parsed(name: str, written: str, parameters: Schema) -> dict[str, Any]:
    """Raises: InvalidTool."""
    if not written.strip():
        return {}
    try:
        # Providers let models write line breaks into strings as they are.
        value = json.loads(written, strict=False)
    except (ValueError, RecursionError) as error:
        raise InvalidTool(
            f"`{name}` was not called: its arguments are not valid JSON ({error})."
            f" {takes(name, parameters)}"
        ) from error
    if not isinstance(value, dict):
        raise InvalidTool(
            f"`{name}` was not called: its arguments must be one JSON object, not"
            f" {kind_of(value)}. {takes(name, parameters)}"
        )
    check_characters(name, value)
    return cast("dict[str, Any]", value)


def check_characters(name: str, value: Any) -> None:
    """Raises: InvalidTool where a text holds what no database keeps."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidTool(
            f"`{name}` was not called: its arguments hold half a character (a lone surrogate)."
        ) from error


def takes(name: str, parameters: Schema) -> str:
    """What a right call looks like."""
    known = properties_of(parameters)
    if not known:
        return f"Call `{name}` with {{}}."
    required = set(parameters.get("required", ()))
    each = [
        f'"{key}": {type_words(schema, parameters)}{"" if key in required else " (optional)"}'
        for key, schema in known.items()
    ]
    return f"Call it with {{{', '.join(each)}}}."


def properties_of(parameters: Schema) -> Mapping[str, Schema]:
    found = parameters.get("properties", {})
    return cast("Mapping[str, Schema]", found)


def type_words(schema: Schema, root: Schema) -> str:
    schema = resolved(schema, root)
    if "enum" in schema:
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    unions = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if unions:
        return " | ".join(dict.fromkeys(type_words(one, root) for one in unions))
    names = types_of(schema)
    if names == ("array",) and isinstance(schema.get("items"), Mapping):
        return f"[{type_words(schema['items'], root)}, …]"
    return " | ".join(names) or "any value"


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


def mended(value: Any, schema: Schema, root: Schema) -> Any:
    """What models write beside the type and mean plainly: "5" for 5, 5.0 for 5, "true" for true,
    a list or an object as its JSON text, one text for a list of texts."""
    schema = resolved(schema, root)
    names = set(types_of(schema))
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        names |= set(types_of(resolved(one, root)))
    if not names or any(is_type(value, name) for name in names):
        return value
    if isinstance(value, float) and value.is_integer() and "integer" in names:
        return int(value)
    if not isinstance(value, str):
        return value
    try:
        meant = json.loads(value)
    except (ValueError, RecursionError):
        meant = None
    if meant is not None and any(is_type(meant, name) for name in names):
        return meant
    if "array" in names and isinstance(items := schema.get("items"), Mapping):
        inner = resolved(cast(Schema, items), root)
        return [value] if "string" in types_of(inner) else value
    return value


def is_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES.get(name, (object,)))


def problem(value: Any, schema: Any, at: str, root: Schema, depth: int = 0) -> str | None:
    """What is wrong with a value; None: nothing."""
    if schema is True or not isinstance(schema, Mapping) or depth > DEEPEST:
        return f"{at} is not allowed" if schema is False else None
    schema = resolved(cast(Schema, schema), root)
    names = types_of(schema)
    if names and not any(is_type(value, name) for name in names):
        return f"{at} must be {' or '.join(map(a, names))}, not {kind_of(value)} ({shown(value)})"
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
        return f"{at} must be one of {allowed}, not {shown(value)}"
    if "const" in schema and value != schema["const"]:
        return f"{at} must be {shown(schema['const'])}, not {shown(value)}"
    return (
        of_unions(value, schema, at, root, depth)
        or of_bounds(value, schema, at)
        or of_members(value, schema, at, root, depth)
    )


def of_unions(value: Any, schema: Schema, at: str, root: Schema, depth: int) -> str | None:
    for one in schema.get("allOf", ()):
        if wrong := problem(value, one, at, root, depth + 1):
            return wrong
    for name in ("anyOf", "oneOf"):
        options = cast("Sequence[Any]", schema.get(name, ()))
        wrongs = [problem(value, one, at, root, depth + 1) for one in options]
        if options and all(wrongs):
            return " / ".join(dict.fromkeys(one for one in wrongs if one))
    return None


BOUNDS: Sequence[tuple[str, Callable[[Any], bool], Callable[[Any, Any], bool], str]] = (
    ("minimum", lambda v: is_type(v, "number"), lambda v, b: v < b, "must be at least {}"),
    ("maximum", lambda v: is_type(v, "number"), lambda v, b: v > b, "must be at most {}"),
    ("exclusiveMinimum", lambda v: is_type(v, "number"), lambda v, b: v <= b, "must be above {}"),
    ("exclusiveMaximum", lambda v: is_type(v, "number"), lambda v, b: v >= b, "must be below {}"),
    ("minLength", lambda v: isinstance(v, str), lambda v, b: len(v) < b, "needs {} characters"),
    ("maxLength", lambda v: isinstance(v, str), lambda v, b: len(v) > b, "may have {} characters"),
    ("minItems", lambda v: isinstance(v, list), lambda v, b: len(v) < b, "needs {} entries"),
    ("maxItems", lambda v: isinstance(v, list), lambda v, b: len(v) > b, "may have {} entries"),
)


def of_bounds(value: Any, schema: Schema, at: str) -> str | None:
    for name, fits, broken, words in BOUNDS:
        bound = schema.get(name)
        # Draft 4 has `exclusiveMinimum: true` beside `minimum`.
        is_bound = isinstance(bound, int | float) and not isinstance(bound, bool)
        if is_bound and fits(value) and broken(value, bound):
            return f"{at} {words.format(bound)}; it was {shown(value)}"
    return None


def of_members(value: Any, schema: Schema, at: str, root: Schema, depth: int) -> str | None:
    if isinstance(value, list) and "items" in schema:
        for i, one in enumerate(cast("list[Any]", value)):
            if wrong := problem(one, schema["items"], f"{at}[{i}]", root, depth + 1):
                return wrong
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, Any]", value)
    known = properties_of(schema)
    missing = [key for key in schema.get("required", ()) if key not in members]
    if missing:
        return f"{at} needs {listed(missing)}"
    others = schema.get("additionalProperties", True)
    for key, one in members.items():
        if wrong := problem(one, known.get(key, others), f"{at}.{key}", root, depth + 1):
            return wrong
    return None


def listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def a(name: str) -> str:
    return {"null": "null", "array": "a list"}.get(
        name, f"an {name}" if name[0] in "aeio" else f"a {name}"
    )


def kind_of(value: Any) -> str:
    for name in ("null", "boolean", "integer", "number", "string", "array", "object"):
        if is_type(value, name):
            return a(name)
    return type(value).__name__


def shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
