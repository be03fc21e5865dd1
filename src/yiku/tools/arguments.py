"""A call's arguments as a model wrote them: read, mended where they are plain, checked (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, cast

from yiku.core.errors import InvalidTool
from yiku.core.language import Language
from yiku.tools.argument_schema import (
    DEEPEST,
    Reader,
    Schema,
    is_type,
    kind_of,
    listed,
    nullable,
    options_of,
    properties_of,
    resolved,
    types_of,
)
from yiku.tools.argument_words import WORDS

NOT_OURS = frozenset({"request_heartbeat", "inner_thoughts", "thinking"})
"""What models add that were taught older tools: left out where the tool has no such parameter."""
MOST_TRIES = 100
"""So many options of unions are tried for the values of one call."""
TOLD_DEEP, TOLD_WIDE = 3, 10
"""How much of a parameter's type is told: lists in lists, and options of a union."""


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
    reader, mender = Reader(parameters, language), Mender(parameters)
    for key, value in kept.items():
        if key not in known:
            found[key] = value
            continue
        value = mender.mended(value, known[key])
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


def type_words(schema: Schema, root: Schema, language: Language, depth: int = 0) -> str:
    any_value = WORDS[language]["any"]
    schema = resolved(schema, root)
    if depth > TOLD_DEEP:
        return any_value
    if "enum" in schema:
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    if schema.get("anyOf") or schema.get("oneOf"):
        found = islice(options_of(schema, root), TOLD_WIDE)
        each = dict.fromkeys(type_words(one, root, language, depth + 1) for one in found)
        return " | ".join(each) or any_value
    names, items = types_of(schema), schema.get("items")
    if names == ("array",) and isinstance(items, Mapping):
        inner = type_words(cast(Schema, items), root, language, depth + 1)
        return f"[{inner}, …]"
    return " | ".join(names) or any_value


@dataclass(slots=True)
class Mender:
    """Reads what models write beside the type and mean plainly, in lists and objects too."""

    root: Schema
    """What references lead into."""
    tries: int = MOST_TRIES

    def mended(self, value: Any, schema: Schema, depth: int = 0) -> Any:
        schema = resolved(schema, self.root)
        value = meant(value, schema, self.root)
        if depth >= DEEPEST or not isinstance(value, list | dict):
            return value
        if schema.get("anyOf") or schema.get("oneOf"):
            return self._by_an_option(cast("Any", value), schema, depth)
        if isinstance(value, list):
            items = schema.get("items")
            if not isinstance(items, Mapping):
                return cast("list[Any]", value)
            inner = cast(Schema, items)
            return [self.mended(one, inner, depth + 1) for one in cast("list[Any]", value)]
        known, required = properties_of(schema), set(schema.get("required", ()))
        return {
            key: self.mended(one, known[key], depth + 1)
            if isinstance(known.get(key), Mapping)
            else one
            for key, one in cast("dict[str, Any]", value).items()
            if one is not None or key in required or key not in known or nullable(known[key])
        }

    def _by_an_option(self, value: Any, schema: Schema, depth: int) -> Any:
        """By the first option that the value fits then."""
        if Reader(self.root).problem(value, schema, "") is None:
            return value
        for one in options_of(schema, self.root):
            if self.tries <= 0:
                break
            self.tries -= 1
            tried = self.mended(value, one, depth + 1)
            if Reader(self.root).problem(tried, one, "") is None:
                return tried
        return value


def meant(value: Any, schema: Schema, root: Schema) -> Any:
    """A value for itself: "5" for 5, 5.0 for 5, "true" for true, a list or an object as its JSON
    text, one text for a list of texts. `schema`: resolved."""
    names = {name for one in options_of(schema, root) for name in types_of(one)}
    if not names or any(is_type(value, name) for name in names):
        return whole(value, names)
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if found is not None and any(is_type(found, name) for name in names):
        return whole(found, names)
    if "array" in names and isinstance(items := schema.get("items"), Mapping):
        inner = resolved(cast(Schema, items), root)
        return [value] if "string" in types_of(inner) else value
    return value


def whole(value: Any, names: Set[str]) -> Any:
    """5.0 is an integer to JSON Schema, and none to Python."""
    wanted = "integer" in names and "number" not in names
    return int(value) if wanted and isinstance(value, float) and value.is_integer() else value
