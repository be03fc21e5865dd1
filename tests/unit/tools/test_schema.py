"""The schema of a function is read from its source, and what is missing is named."""

import ast
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiku.core.errors import InvalidTool
from yiku.tools import docstring, schema

FULL = '''
from typing import Literal, Optional
import os
from pydantic import BaseModel, Field

class Place(BaseModel):
    """Where."""
    city: str
    zip: Optional[str] = None
    floors: list[int] = Field(default_factory=list, description="Which floors")

class House(Place):
    rooms: int = Field(..., description="How many", ge=1)

def _helper(x): ...

def book(
    who: str,
    place: House,
    nights: int = 1,
    price: "float | None" = None,
    kind: Literal["single", "double"] = "single",
    *,
    tags: list[str],
    extra: dict[str, list[bool]] | None = None,
) -> str:
    """Book a room.

    It may take a while.

    Args:
        who (str): Who sleeps there,
            with the whole name.
        place: 在哪里
        nights: How many nights: at least one
        price: What it may cost
        kind: Of room
        tags: Words
        extra: More

    Returns:
        str: the number: of the booking
    """
    return os.getcwd()
'''


def test_a_whole_signature_is_read() -> None:
    made = schema.of_source(FULL)

    assert made["name"] == "book"
    assert made["description"] == "Book a room.\n\nIt may take a while."
    assert made["parameters"]["required"] == ["who", "place", "tags"]
    assert made["parameters"]["properties"] == {
        "who": {"type": "string", "description": "Who sleeps there, with the whole name."},
        "place": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "zip": {"type": "string"},
                "floors": {
                    "type": "array",
                    "items": {"type": "integer"},
                    "description": "Which floors",
                },
                "rooms": {"type": "integer", "description": "How many"},
            },
            "required": ["city", "rooms"],
            "description": "在哪里",
        },
        "nights": {
            "type": "integer",
            "description": "How many nights: at least one",
            "default": 1,
        },
        "price": {"type": "number", "description": "What it may cost"},
        "kind": {
            "type": "string",
            "enum": ["single", "double"],
            "description": "Of room",
            "default": "single",
        },
        "tags": {"type": "array", "items": {"type": "string"}, "description": "Words"},
        "extra": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "boolean"}},
            "description": "More",
        },
    }


def test_the_source_is_never_run(tmp_path: Any) -> None:
    trace = tmp_path / "ran"
    source = f'open({str(trace)!r}, "w")\ndef f():\n    """X."""\n'
    schema.of_source(source)
    assert not trace.exists()


def test_the_last_public_function_is_the_tool_unless_one_is_named() -> None:
    source = 'def a():\n    "A."\ndef b():\n    "B."\ndef _c(): ...\n'
    assert schema.of_source(source)["name"] == "b"
    assert schema.of_source(source, "a")["name"] == "a"
    with pytest.raises(InvalidTool, match="no function 'z'; its functions: a, b, _c"):
        schema.of_source(source, "z")


def function(signature: str, args: str = "x: it") -> str:
    return f'def f({signature}):\n    """Does.\n\n    Args:\n        {args}\n    """\n'


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("def f(:", "no Python: line 1"),
        ("x = 1", "no function at its top level"),
        ("def f(): ...", "`f` has no docstring"),
        (function("x"), "`f`, parameter `x` has no type"),
        (function("x: int", "y: other"), "`f`, parameter `x` isn't described"),
        (function("x: datetime"), "parameter `x` has the type `datetime`"),
        (function("x: dict[int, str]"), "keys that aren't str"),
        (function("x: list[list[Foo]]"), "the type `Foo`"),
        (function("*x"), r"takes `\*x`"),
        (function("**x"), r"takes `\*\*x`"),
        (function("x: int, /"), "by position only"),
        (function('x: "int["'), "which is no type"),
        ("class P: ...\n" + function("x: P"), "no pydantic model"),
        ("class P(BaseModel):\n    p: 'P'\n" + function("x: P"), "holds itself"),
        ("class P(Q): ...\nclass Q(P): ...\n" + function("x: P"), "no pydantic model"),
        ("(" * 500 + ")" * 500, "no Python"),
        ("\0", "no Python"),
    ],
)
def test_what_is_missing_is_named(source: str, complaint: str) -> None:
    with pytest.raises(InvalidTool, match=complaint):
        schema.of_source(source)


def test_docstrings_without_arguments_and_with_other_sections() -> None:
    told = docstring.read(
        "Does.\n\nRaises:\n    x: bad\n\nArgs:\n  a: one\n\n  b: two\nmore: prose\n"
    )
    assert told.description == "Does."
    assert told.arguments == {"a": "one", "b": "two"}
    assert docstring.read(None).description == ""


TYPES = st.recursive(
    st.sampled_from(["str", "int", "float", "bool", "list", "dict", "Any", "Literal['a', 2]"]),
    lambda inner: st.one_of(
        inner.map(lambda t: f"list[{t}]"),
        inner.map(lambda t: f"Dict[str, {t}]"),
        inner.map(lambda t: f"Optional[{t}]"),
        inner.map(lambda t: f"typing.List[{t}]"),
        st.tuples(inner, inner).map(lambda two: f"{two[0]} | {two[1]}"),
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(TYPES, st.booleans()), max_size=6))
def test_every_signature_of_known_types_has_a_schema(kinds: list[tuple[str, bool]]) -> None:
    words = [f"p{n}: {kind}{' = None' if free else ''}" for n, (kind, free) in enumerate(kinds)]
    told = "\n".join(f"        p{n}: number {n}" for n in range(len(kinds)))
    stars = "*, " if words else ""
    source = f'def f({stars}{", ".join(words)}):\n    """Does.\n\n    Args:\n{told}\n    """\n'
    made = schema.of_source(source)["parameters"]
    assert list(made["properties"]) == [f"p{n}" for n in range(len(kinds))]
    assert made["required"] == [f"p{n}" for n, (_, free) in enumerate(kinds) if not free]
    assert schema.checked_parameters(made) == made


@given(st.text(max_size=300))
def test_any_text_has_a_schema_or_a_reason(source: str) -> None:
    with suppress(InvalidTool):
        schema.of_source(source)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_docstring_can_be_read(summary: str, words: str) -> None:
    told = docstring.read(f"{summary}\n\nArgs:\n    x: {words}")
    assert isinstance(told.arguments, dict)


@pytest.mark.parametrize(
    ("given_schema", "complaint"),
    [
        ({}, "json_schema.name"),
        ({"name": "a b"}, "json_schema.name"),
        ({"name": "a", "description": 1}, "description"),
        ({"name": "a", "parameters": []}, "an object"),
        ({"name": "a", "parameters": {"type": "array"}}, 'of `"type": "object"`'),
        ({"name": "a", "parameters": {"required": ["x"]}}, "in `properties`"),
    ],
)
def test_a_given_schema_is_checked(given_schema: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidTool, match=complaint):
        schema.check(given_schema)


def test_a_given_schema_gets_the_parts_it_lacks() -> None:
    assert schema.check({"name": "a"})["parameters"] == {
        "type": "object",
        "properties": {},
        "required": [],
    }


def test_unions_are_taken_apart_in_order() -> None:
    parsed = ast.parse("a | b | c", mode="eval").body
    assert [schema.name_of(part) for part in schema.union(parsed)] == ["a", "b", "c"]
