"""Schemas that MCP servers publish, mended."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from yiku.tools import arguments
from yiku.tools.mcp.schema import empty, mended
from yiku.tools.schema import checked_parameters

STRING = {"type": "string"}


def of(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [], **more}


def test_a_right_schema_stays_as_it_is() -> None:
    right = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", None], "description": "A."},
            "b": {"type": "array", "items": {"$ref": "#/$defs/one"}},
            "c": {"anyOf": [STRING, {"type": "integer", "minimum": 3}]},
            "d": {"type": "object", "additionalProperties": STRING},
        },
        "required": ["a"],
        "additionalProperties": False,
        "$defs": {"one": {"type": "object", "properties": {"x": STRING}, "required": ["x"]}},
    }
    assert mended(right) == (right, [])


@pytest.mark.parametrize(
    ("given", "made", "problem"),
    [
        (None, empty(), "no object"),
        ({"properties": {"a": STRING}}, of({"a": STRING}), '"type": "object" is missing'),
        ({"type": "string"}, of({}), "a tool's is"),
        (of({"a": {"type": "int"}}), of({"a": {"type": "integer"}}), "taken as 'integer'"),
        (of({"a": {"type": "date"}}), of({"a": {}}), "no type of JSON Schema"),
        (of({"a": "text"}), of({"a": {}}), "a schema is an object"),
        (of({"a": STRING}, required=["a", "b"]), of({"a": STRING}, required=["a"]), "'b'"),
        (of({"a": STRING}, required=True), of({"a": STRING}), "list of an object's required"),
        (of({"a": {"type": "array"}}), of({"a": {"type": "array", "items": {}}}), "needs items"),
        (of({"a": {"$ref": "#/$defs/b"}}), of({"a": {}}), "leads nowhere"),
        (of({"a": {"enum": []}}), of({"a": {}}), "enum is a list"),
        (of({"a": {"anyOf": {}}}), of({"a": {}}), "anyOf is a list"),
        (of({"a": {"description": 3}}), of({"a": {}}), "description is a text"),
        ({"type": "object", "properties": []}, of({}), "properties is an object"),
        (
            {"type": "object", "oneOf": [of({"a": STRING}), of({"b": STRING})]},
            of({"a": STRING, "b": STRING}),
            "oneOf at the top",
        ),
    ],
)
def test_what_is_wrong_is_mended_and_told(given: Any, made: Any, problem: str) -> None:
    found, problems = mended(given)
    assert found == made
    assert problem in " ".join(problems)


def test_what_holds_itself_ends() -> None:
    tree = of({"child": {"$ref": "#/$defs/tree"}})
    root = of({"top": {"$ref": "#/$defs/tree"}}, **{"$defs": {"tree": tree}})
    assert mended(root)[1] == []
    deep: Any = STRING
    for _ in range(200):
        deep = of({"a": deep})
    found, problems = mended(deep)
    assert "too deep" in problems[0]
    assert len(json.dumps(found)) < 5_000


KEYS = st.sampled_from(
    [
        *"type properties required items anyOf $ref enum description $defs a".split(),
        "additionalProperties",
    ]
)
SCHEMAS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["object", "int", "a", "#/$defs/a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(SCHEMAS)
@example({"items": {"properties": {"type": None}, "type": []}})
@settings(deadline=None)
def test_whatever_a_server_publishes_can_be_told_and_called(given: Any) -> None:
    found, problems = mended(given)
    assert checked_parameters(found) == found
    assert mended(found)[0] == found
    assert all(isinstance(one, str) for one in problems)
    arguments.takes("tool", found)
    arguments.Reader(found).problem({"a": 1}, found, "it")
