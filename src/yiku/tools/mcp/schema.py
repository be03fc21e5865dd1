"""The parameters of MCP tools as models and their providers take them (pure).

What servers publish as a schema is often nearly one. What is plain is mended, what can't be is let
pass as anything; either way it is told, with what the server's author would change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
MEANT: Mapping[str, str] = {
    "str": "string",
    "text": "string",
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "map": "object",
    "none": "null",
}
"""What is written for JSON Schema's types in other languages."""
DEEPEST = 24
MOST_NODES = 5_000
LONGEST_DESCRIPTION = 4_000
UNIONS = ("anyOf", "oneOf", "allOf")
SHOWN_PROBLEMS = 20


def mended(given: Any) -> tuple[dict[str, Any], list[str]]:
    """The parameters, of `"type": "object"` with `properties`, and what was wrong."""
    mender = Mender()
    if not isinstance(given, Mapping):
        return empty(), ["inputSchema is no object; it is taken as a tool without parameters"]
    root = mender.root(dict(cast("Mapping[str, Any]", given)))
    return root, mender.problems[:SHOWN_PROBLEMS]


def empty() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "required": []}


class Mender:
    """Goes through one schema."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._nodes = 0
        self._root: Mapping[str, Any] = {}

    def root(self, given: dict[str, Any]) -> dict[str, Any]:
        self._root = given
        if given.get("type", "object") != "object":
            self._tell("", f'type is {given["type"]!r:.40}; a tool\'s is "object"')
            given = {**given, "type": "object"}
        if "type" not in given and given:
            self._tell("", '"type": "object" is missing')
        for name in UNIONS:
            if name in given:
                # Providers refuse unions at the top; the server checks what it is given anyway.
                self._tell("", f"{name} at the top is left out: list all properties in one object")
                given = {key: one for key, one in given.items() if key != name} | self._joined(
                    given, name
                )
        made = self._schema(given, "", 0)
        made.setdefault("properties", {})
        made["required"] = [one for one in made.get("required", []) if one in made["properties"]]
        return {**made, "type": "object"}

    def _joined(self, given: dict[str, Any], union: str) -> dict[str, Any]:
        """The properties of all of a union's parts; none is required."""
        properties = dict(mapping(given.get("properties")))
        options: Any = given[union]
        for one in cast("list[Any]", options) if isinstance(options, list) else []:
            properties = {**mapping(mapping(one).get("properties")), **properties}
        return {"properties": properties}

    def _schema(self, given: Any, at: str, depth: int) -> Any:
        self._nodes += 1
        if isinstance(given, bool):
            return {} if given else {"not": {}}
        if not isinstance(given, Mapping):
            self._tell(at, f"a schema is an object, not {given!r:.40}")
            return {}
        if depth > DEEPEST or self._nodes > MOST_NODES:
            self._tell(at, "nested too deep, or too large; anything is let pass from here on")
            return {}
        made = dict(cast("Mapping[str, Any]", given))
        self._reference(made, at)
        self._type(made, at)
        self._members(made, at, depth)
        self._texts(made, at)
        return made

    def _reference(self, made: dict[str, Any], at: str) -> None:
        target = made.get("$ref")
        if target is None:
            return
        found: Any = self._root if isinstance(target, str) and target.startswith("#/") else None
        for part in str(target)[2:].split("/"):
            found = cast("Mapping[str, Any]", found).get(part) if mapping(found) else None
        if not isinstance(found, Mapping):
            self._tell(at, f"$ref {target!r:.80} leads nowhere in the schema: put it in $defs")
            del made["$ref"]

    def _type(self, made: dict[str, Any], at: str) -> None:
        if "type" not in made:
            self._untyped(made)
            return
        named: Any = made["type"]
        names = cast("list[Any]", named) if isinstance(named, list) else [named]
        right: list[str] = []
        for one in names:
            name = MEANT.get(str(one).lower(), str(one).lower())
            if name not in TYPES:
                self._tell(at, f"{one!r:.40} is no type of JSON Schema; anything is let pass")
            elif name != one:
                self._tell(at, f"type {one!r:.40} is taken as {name!r}")
            if name in TYPES and name not in right:
                right.append(name)
        if not right:
            del made["type"]
            self._untyped(made)
        else:
            made["type"] = right if len(right) > 1 else right[0]

    def _untyped(self, made: dict[str, Any]) -> None:
        if mapping(made.get("properties")):
            made["type"] = "object"

    def _members(self, made: dict[str, Any], at: str, depth: int) -> None:
        if "properties" in made:
            if not isinstance(made["properties"], Mapping):
                self._tell(at, "properties is an object of schemas by name; it is left out")
                made["properties"] = {}
            made["properties"] = {
                str(name): self._schema(one, f"{at}.{name}", depth + 1)
                for name, one in cast("Mapping[str, Any]", made["properties"]).items()
            }
        self._required(made, at)
        self._items(made, at, depth)
        others = made.get("additionalProperties")
        if others is not None and not isinstance(others, bool):
            made["additionalProperties"] = self._schema(others, f"{at}.*", depth + 1)
        for name in ("$defs", "definitions"):
            if mapping(made.get(name)):
                made[name] = {
                    key: self._schema(one, f"{at}.{name}.{key}", depth + 1)
                    for key, one in mapping(made[name]).items()
                }
        self._unions(made, at, depth)

    def _items(self, made: dict[str, Any], at: str, depth: int) -> None:
        kind = made.get("type")
        if "array" in (cast("list[str]", kind) if isinstance(kind, list) else [kind]):
            items = made.get("items", made.get("prefixItems"))
            if items is None or isinstance(items, list):
                if "prefixItems" not in made:
                    self._tell(at, "an array needs items, one schema; any are let pass")
                made["items"] = {}
        if "items" in made:
            made["items"] = self._schema(made["items"], f"{at}[]", depth + 1)

    def _unions(self, made: dict[str, Any], at: str, depth: int) -> None:
        for name in (one for one in UNIONS if one in made):
            options: Any = made[name]
            if not isinstance(options, list) or not options:
                self._tell(at, f"{name} is a list of schemas; it is left out")
                del made[name]
                continue
            made[name] = [self._schema(one, at, depth + 1) for one in cast("list[Any]", options)]

    def _required(self, made: dict[str, Any], at: str) -> None:
        if "required" not in made:
            return
        wanted: Any = made["required"]
        known = mapping(made.get("properties"))
        if not isinstance(wanted, list):
            self._tell(at, "required is the list of an object's required names; it is left out")
            # Draft 3 had `"required": true` at each property: what that says of its parent is lost.
            del made["required"]
            return
        names = [str(one) for one in cast("list[Any]", wanted)]
        unknown = [one for one in names if one not in known]
        if unknown and known:
            self._tell(at, f"required names {unknown[0]!r:.60}, which is in no properties")
        made["required"] = [one for one in dict.fromkeys(names) if one in known]

    def _texts(self, made: dict[str, Any], at: str) -> None:
        if "enum" in made and not (isinstance(made["enum"], list) and made["enum"]):
            self._tell(at, "enum is a list of values; it is left out")
            del made["enum"]
        words = made.get("description")
        if words is None:
            made.pop("description", None)
        elif not isinstance(words, str):
            self._tell(at, "description is a text; it is left out")
            del made["description"]
        elif len(words) > LONGEST_DESCRIPTION:
            self._tell(at, f"description is cut to {LONGEST_DESCRIPTION:,} characters")
            made["description"] = words[:LONGEST_DESCRIPTION]

    def _tell(self, at: str, problem: str) -> None:
        where = f"inputSchema{at}"
        self.problems.append(f"{where}: {problem}")


def mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
