"""A call's arguments as a model wrote them: read, mended where they are plain, checked (pure).

Of JSON Schema it knows what tools' schemas use: types, enums, objects, arrays, bounds, unions
and references into the schema itself. What else a schema says is let pass; patterns too, which can
be written so that they never end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from yiku.core.errors import InvalidTool
from yiku.core.language import Language

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


WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "needs": "`{tool}` needs {names}. {takes}",
        "unknown": "`{tool}` has no parameter `{name}`. {takes}",
        "wrong": "`{tool}` was not called: {wrong}. {takes}",
        "no_json": "`{tool}` was not called: its arguments are not valid JSON ({error}). {takes}",
        "no_object": "`{tool}` was not called: its arguments must be one JSON object, not {kind}."
        " {takes}",
        "half": "`{tool}` was not called: its arguments hold half a character (a lone surrogate).",
        "empty": "Call `{tool}` with {{}}.",
        "takes": "Call it with {{{each}}}.",
        "optional": " (optional)",
        "any": "any value",
        "disallowed": "{at} is not allowed",
        "type": "{at} must be {types}, not {kind} ({value})",
        "enum": "{at} must be one of {allowed}, not {value}",
        "const": "{at} must be {wanted}, not {value}",
        "bound": "{at} {must}; it was {value}",
        "lacks": "{at} needs {names}",
        "minimum": "must be at least {}",
        "maximum": "must be at most {}",
        "exclusiveMinimum": "must be above {}",
        "exclusiveMaximum": "must be below {}",
        "minLength": "needs {} characters",
        "maxLength": "may have {} characters",
        "minItems": "needs {} or more entries",
        "maxItems": "may have {} entries at most",
        "or": " or ",
        "and": ", ",
    },
    "zh": {
        "needs": "`{tool}` 缺少 {names}。{takes}",
        "unknown": "`{tool}` 没有参数 `{name}`。{takes}",
        "wrong": "没有调用 `{tool}`：{wrong}。{takes}",
        "no_json": "没有调用 `{tool}`：参数不是有效的 JSON（{error}）。{takes}",
        "no_object": "没有调用 `{tool}`：参数应为一个 JSON 对象，而不是{kind}。{takes}",
        "half": "没有调用 `{tool}`：参数中有半个字符（孤立的代理码元）。",
        "empty": "请用 {{}} 调用 `{tool}`。",
        "takes": "调用格式：{{{each}}}。",
        "optional": "（可选）",
        "any": "任意值",
        "disallowed": "不允许有 {at}",
        "type": "{at} 应为{types}，而不是{kind}（{value}）",
        "enum": "{at} 应为 {allowed} 之一，而不是 {value}",
        "const": "{at} 应为 {wanted}，而不是 {value}",
        "bound": "{at} {must}，给出的是 {value}",
        "lacks": "{at} 缺少 {names}",
        "minimum": "至少为 {}",
        "maximum": "至多为 {}",
        "exclusiveMinimum": "应大于 {}",
        "exclusiveMaximum": "应小于 {}",
        "minLength": "至少要有 {} 个字符",
        "maxLength": "至多有 {} 个字符",
        "minItems": "至少要有 {} 项",
        "maxItems": "至多有 {} 项",
        "or": "或",
        "and": "、",
    },
}
KINDS_ZH: Mapping[str, str] = {
    "null": "空值",
    "boolean": "布尔值",
    "integer": "整数",
    "number": "数字",
    "string": "字符串",
    "array": "列表",
    "object": "对象",
}


def read(name: str, written: str, parameters: Schema, language: Language = "en") -> dict[str, Any]:
    """The arguments of a call of the tool `name`.

    Raises: InvalidTool, telling the model what is wrong and what would be right.
    """
    given, words = parsed(name, written, parameters, language), WORDS[language]
    right = partial(takes, name, parameters, language)
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
        names = listed(missing, language)
        raise InvalidTool(words["needs"].format(tool=name, names=names, takes=right()))
    if parameters.get("additionalProperties") is not True:
        unknown = [key for key in kept if key not in known]
        if unknown:
            raise InvalidTool(words["unknown"].format(tool=name, name=unknown[0], takes=right()))
    found: dict[str, Any] = {}
    reader = Reader(parameters, language)
    for key, value in kept.items():
        if key not in known:
            found[key] = value
            continue
        value = mended(value, known[key], parameters)
        wrong = reader.problem(value, known[key], f"`{key}`")
        if wrong:
            raise InvalidTool(words["wrong"].format(tool=name, wrong=wrong, takes=right()))
        found[key] = value
    return found


def parsed(
    name: str, written: str, parameters: Schema, language: Language = "en"
) -> dict[str, Any]:
    """Raises: InvalidTool."""
    if not written.strip():
        return {}
    words = WORDS[language]
    try:
        # Providers let models write line breaks into strings as they are.
        value = json.loads(written, strict=False)
    except (ValueError, RecursionError) as error:
        right = takes(name, parameters, language)
        raise InvalidTool(words["no_json"].format(tool=name, error=error, takes=right)) from error
    if not isinstance(value, dict):
        kind, right = kind_of(value, language), takes(name, parameters, language)
        raise InvalidTool(words["no_object"].format(tool=name, kind=kind, takes=right))
    check_characters(name, value, language)
    return cast("dict[str, Any]", value)


def check_characters(name: str, value: Any, language: Language) -> None:
    """Raises: InvalidTool where a text holds what no database keeps."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidTool(WORDS[language]["half"].format(tool=name)) from error


def takes(name: str, parameters: Schema, language: Language = "en") -> str:
    """What a right call looks like."""
    known, words = properties_of(parameters), WORDS[language]
    if not known:
        return words["empty"].format(tool=name)
    required = set(parameters.get("required", ()))
    each = [
        f'"{key}": {type_words(schema, parameters, language)}'
        f"{'' if key in required else words['optional']}"
        for key, schema in known.items()
    ]
    return words["takes"].format(each=", ".join(each))


def properties_of(parameters: Schema) -> Mapping[str, Schema]:
    found = parameters.get("properties", {})
    return cast("Mapping[str, Schema]", found)


def type_words(schema: Schema, root: Schema, language: Language) -> str:
    schema = resolved(schema, root)
    if "enum" in schema:
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    unions = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if unions:
        return " | ".join(dict.fromkeys(type_words(one, root, language) for one in unions))
    names = types_of(schema)
    if names == ("array",) and isinstance(schema.get("items"), Mapping):
        return f"[{type_words(schema['items'], root, language)}, …]"
    return " | ".join(names) or WORDS[language]["any"]


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


def mended(value: Any, schema: Any, root: Schema, depth: int = 0) -> Any:
    """What models write beside the type and mean plainly: "5" for 5, 5.0 for 5, "true" for true,
    a list or an object as its JSON text, one text for a list of texts; inside of those, too."""
    if depth == DEEPEST or not isinstance(schema, Mapping):
        return value
    schema = resolved(cast(Schema, schema), root)
    value = of_type(value, schema, root)
    if isinstance(value, list) and (items := schema.get("items")) is not None:
        found = cast("list[Any]", value)
        return [mended(one, items, root, depth + 1) for one in found]
    if isinstance(value, dict):
        known = properties_of(schema)
        return {
            key: mended(one, known[key], root, depth + 1) if key in known else one
            for key, one in cast("dict[str, Any]", value).items()
        }
    return cast("Any", value)


def of_type(value: Any, schema: Schema, root: Schema) -> Any:
    names = set(types_of(schema))
    for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        names |= set(types_of(resolved(one, root)))
    if not names or any(is_type(value, name) for name in names):
        return whole(value, names)
    if not isinstance(value, str):
        return value
    try:
        meant = json.loads(value)
    except (ValueError, RecursionError):
        meant = None
    if meant is not None and any(is_type(meant, name) for name in names):
        return whole(meant, names)
    if "array" in names and isinstance(items := schema.get("items"), Mapping):
        inner = resolved(cast(Schema, items), root)
        return [value] if "string" in types_of(inner) else value
    return value


def whole(value: Any, names: Collection[str]) -> Any:
    """5.0 is an integer to JSON Schema, and none to Python."""
    wanted = "integer" in names and "number" not in names
    return int(value) if wanted and isinstance(value, float) and value.is_integer() else value


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

    def problem(self, value: Any, schema: Any, at: str, depth: int = 0) -> str | None:
        """What is wrong with a value; None: nothing."""
        words = WORDS[self.language]
        if schema is True or not isinstance(schema, Mapping) or depth > DEEPEST:
            return words["disallowed"].format(at=at) if schema is False else None
        schema = resolved(cast(Schema, schema), self.root)
        names = types_of(schema)
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
