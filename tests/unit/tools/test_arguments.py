"""Arguments as models write them: read, mended where they are plain, refused with what is right."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiku.core.errors import InvalidTool
from yiku.tools.argument_schema import Reader
from yiku.tools.argument_words import WORDS
from yiku.tools.arguments import read

PARAMETERS = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 9},
        "mode": {"type": "string", "enum": ["any", "all"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "exact": {"type": "boolean"},
        "since": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "near": {"$ref": "#/$defs/Point"},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "shape": {"anyOf": [{"$ref": "#/$defs/Square"}, {"$ref": "#/$defs/Label"}]},
    },
    "required": ["query"],
    "$defs": {
        "Square": {
            "type": "object",
            "properties": {"side": {"type": "integer"}},
            "required": ["side"],
        },
        "Label": {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
        },
        "Point": {
            "type": "object",
            "properties": {"x": {"type": "number"}, "next": {"$ref": "#/$defs/Point"}},
            "required": ["x"],
            "additionalProperties": False,
        },
    },
}


def arguments(written: str) -> dict[str, Any]:
    return read("find", written, PARAMETERS)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('{"query": "茶"}', {"query": "茶"}),
        ('{"query": "a\nb"}', {"query": "a\nb"}),
        ('{"query": "a", "limit": "5"}', {"query": "a", "limit": 5}),
        ('{"query": "a", "limit": "5.0"}', {"query": "a", "limit": 5}),
        ('{"query": "a", "limit": 5.0}', {"query": "a", "limit": 5}),
        ('{"query": "a", "exact": "true"}', {"query": "a", "exact": True}),
        ('{"query": "a", "tags": "tea"}', {"query": "a", "tags": ["tea"]}),
        ('{"query": "a", "tags": "[\\"tea\\"]"}', {"query": "a", "tags": ["tea"]}),
        ('{"query": "a", "limit": null}', {"query": "a"}),
        ('{"query": "a", "since": null}', {"query": "a", "since": None}),
        ('{"query": "a", "request_heartbeat": true}', {"query": "a"}),
        ('{"query": "5"}', {"query": "5"}),
        ('{"query": "a", "near": {"x": 1, "next": {"x": 2}}}',
         {"query": "a", "near": {"x": 1, "next": {"x": 2}}}),
        ('{"query": "a", "near": {"x": "1", "next": "{\\"x\\": \\"2\\"}"}}',
         {"query": "a", "near": {"x": 1, "next": {"x": 2}}}),
        ('{"query": "a", "near": {"x": 1, "next": null}}', {"query": "a", "near": {"x": 1}}),
        ('{"query": "a", "sizes": ["1", 2.0, "3"]}', {"query": "a", "sizes": [1, 2, 3]}),
        ('{"query": "a", "shape": {"side": "2"}}', {"query": "a", "shape": {"side": 2}}),
        ('{"query": "a", "shape": {"text": "2"}}', {"query": "a", "shape": {"text": "2"}}),
    ],
)  # fmt: skip
def test_what_is_meant_plainly_is_read(written: str, meant: dict[str, Any]) -> None:
    # As JSON, since 2.0 is no index of a list, and equals one.
    assert json.dumps(arguments(written)) == json.dumps(meant)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", "`find` needs `query`"),
        ("{", "not valid JSON"),
        ("[1]", "one JSON object, not a list"),
        ('{"query": 5}', "`query` must be a string, not an integer (5)"),
        ('{"query": null}', "`query` must be a string, not null"),
        ('{"query": "a", "limit": 10}', "`limit` must be at most 9; it was 10"),
        ('{"query": "a", "limit": true}', "`limit` must be an integer, not a boolean"),
        ('{"query": "a", "limit": "many"}', "`limit` must be an integer, not a string"),
        ('{"query": "a", "mode": "some"}', '`mode` must be one of "any", "all", not "some"'),
        ('{"query": "a", "tags": ["b", 1]}', "`tags`[1] must be a string"),
        ('{"query": "a", "since": 1}', "`since` must be a string"),
        ('{"query": "a", "near": {}}', "`near` needs `x`"),
        ('{"query": "a", "near": {"x": 1, "next": {"x": "b"}}}', "`near`.next.x must be a number"),
        ('{"query": "a", "near": {"x": 1, "y": 2}}', "`near`.y is not allowed"),
        ('{"query": "a", "color": 1}', "no parameter `color`"),
        ('{"query": "\\ud800"}', "half a character"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(written: str, told: str) -> None:
    with pytest.raises(InvalidTool) as refused:
        arguments(written)
    assert told in refused.value.message


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{}", '`find` 缺少 `query`。调用格式：{"query": string, "limit": integer（可选）'),
        ("{", "参数不是有效的 JSON"),
        ("[1]", "应为一个 JSON 对象，而不是列表"),
        ('{"query": 5}', "`query` 应为字符串，而不是整数（5）"),
        ('{"query": "a", "limit": 10}', "`limit` 至多为 9，给出的是 10"),
        ('{"query": "a", "mode": "some"}', '`mode` 应为 "any", "all" 之一，而不是 "some"'),
        ('{"query": "a", "near": {}}', "`near` 缺少 `x`"),
        ('{"query": "a", "color": 1}', "没有参数 `color`"),
        ('{"query": "\\ud800"}', "半个字符"),
    ],
)
def test_a_chinese_agent_is_refused_in_chinese(written: str, told: str) -> None:
    with pytest.raises(InvalidTool) as refused:
        read("find", written, PARAMETERS, "zh")
    assert told in refused.value.message


def test_the_words_are_there_in_both_languages() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()


def test_a_refusal_shows_what_a_right_call_is() -> None:
    with pytest.raises(InvalidTool) as refused:
        arguments("{}")
    assert '"query": string, "limit": integer (optional)' in refused.value.message
    assert '"mode": "any" | "all" (optional), "tags": [string, …]' in refused.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=JSON, schema=JSON)
def test_no_value_and_no_schema_is_too_odd(value: Any, schema: Any) -> None:
    told = Reader({}).problem(value, schema, "`x`")
    assert told is None or "`x`" in told


def test_a_schema_that_refers_to_itself_ends() -> None:
    loop = {"$ref": "#/$defs/a"}
    assert Reader({"$defs": {"a": loop}}).problem(1, loop, "`x`") is None
    union: dict[str, Any] = {"anyOf": [{"$ref": "#/$defs/u"}]}
    assert Reader({"$defs": {"u": union}}).problem(1, union, "`x`") is None


def circle(size: int) -> dict[str, Any]:
    """Definitions each of which is one of all of them, twice, and of what fits nothing here."""
    names = [{"$ref": f"#/$defs/d{n}"} for n in range(size)]
    never = {"allOf": [*names, {"type": "string"}]}
    return {f"d{n}": {"anyOf": [never, *names, *reversed(names), never]} for n in range(size)}


@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize("value", ["1", '{"a": {"a": [1, {"a": null}]}}', '"text"'])
def test_unions_in_circles_are_asked_once(size: int, value: str) -> None:
    """An MCP server may send such a schema: no call may hang on it, nor its refusal."""
    defs = circle(size)
    inner = {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}}
    parameters = {
        "type": "object",
        "properties": {"x": {"anyOf": [inner, {"$ref": "#/$defs/d0"}]}, "y": {"type": "string"}},
        "required": ["x"],
        "$defs": {**defs, "list": {"type": "array", "items": {"$ref": "#/$defs/list"}}},
    }
    assert "x" in read("t", f'{{"x": {value}}}', parameters)
    with pytest.raises(InvalidTool, match="`x`"):
        read("t", "{}", parameters)
    listed = {**parameters, "properties": {"x": {"$ref": "#/$defs/list"}}}
    with pytest.raises(InvalidTool, match=r"\[\["):
        read("t", "{}", listed)


def test_what_is_wrong_is_told_of_each_place_alone() -> None:
    within = {"type": "object", "additionalProperties": {"$ref": "#/$defs/n"}}
    defs = {"n": {"anyOf": [{"type": "integer"}, within]}}
    reader = Reader({"$defs": defs})
    assert reader.problem({"a.b": 1, "a": {"b": "x"}}, within, "`x`") is not None
