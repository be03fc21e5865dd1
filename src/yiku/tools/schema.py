"""The JSON schema of a Python function, from its source: read, never imported (pure)."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from yiku.core.errors import InvalidTool
from yiku.tools import docstring

Schema = dict[str, Any]

MAX_SOURCE = 250_000
"""Characters; reading so many takes half a second at worst."""
AGENT = "agent_state"
"""The parameter that the server fills, as in Letta: models aren't told of it."""
PLAIN: Mapping[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array", "items": {}},
    "List": {"type": "array", "items": {}},
    "Sequence": {"type": "array", "items": {}},
    "dict": {"type": "object"},
    "Dict": {"type": "object"},
    "Mapping": {"type": "object"},
    "Any": {},
    "object": {},
    "None": {"type": "null"},
}
LISTS = {"list", "List", "Sequence", "Iterable"}
OBJECTS = {"dict", "Dict", "Mapping"}
LITERALS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
TYPES = "str, int, float, bool, list[…], dict[str, …], Optional[…], Literal[…] or a pydantic model"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """A tool's module, parsed."""

    functions: Mapping[str, Function]
    models: Mapping[str, ast.ClassDef]


def parse(source: str) -> Source:
    """Raises: InvalidTool."""
    if len(source) > MAX_SOURCE:
        raise InvalidTool(f"The source has {len(source):,} characters; {MAX_SOURCE:,} are allowed.")
    try:
        module = ast.parse(source)
    except SyntaxError as error:
        raise InvalidTool(f"The source is no Python: line {error.lineno}: {error.msg}.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidTool(
            f"The source is no Python: {error or 'it is nested too deeply'}."
        ) from error
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return Source(
        {node.name: node for node in module.body if isinstance(node, kinds)},
        {node.name: node for node in module.body if isinstance(node, ast.ClassDef)},
    )


def function_of(source: Source, name: str | None = None) -> Function:
    """The function called `name`, or else the last public one. Raises: InvalidTool."""
    if name is not None:
        if name not in source.functions:
            there = ", ".join(source.functions) or "none"
            raise InvalidTool(f"The source has no function {name!r}; its functions: {there}.")
        return source.functions[name]
    public = [one for one in source.functions.values() if not one.name.startswith("_")]
    if not public:
        raise InvalidTool(
            "The source has no function at its top level whose name begins with no underscore."
        )
    return public[-1]


def of_source(source: str, name: str | None = None) -> Schema:
    """`name`, `description` and `parameters` of a function. Raises: InvalidTool."""
    try:
        module = parse(source)
        return of_function(module, function_of(module, name))
    except RecursionError as error:
        raise InvalidTool("The source is nested too deeply to be read.") from error


def head_of_source(source: str, description: str | None) -> Schema:
    """`name` and `description` of a function whose parameters are described elsewhere: what its
    source says of them isn't read. Raises: InvalidTool."""
    try:
        function = function_of(parse(source))
    except RecursionError as error:
        raise InvalidTool("The source is nested too deeply to be read.") from error
    words = description or docstring.read(ast.get_docstring(function)).description
    if not words:
        raise undescribed(function)
    return {"name": function.name, "description": words}


def undescribed(function: Function) -> InvalidTool:
    return InvalidTool(
        f"Function `{function.name}` has no docstring that says what it is for.",
        function=function.name,
    )


def of_function(module: Source, function: Function) -> Schema:
    """Raises: InvalidTool, naming the function, the parameter and what is missing."""
    told = docstring.read(ast.get_docstring(function))
    where = f"Function `{function.name}`"
    if not told.description:
        raise undescribed(function)
    properties: Schema = {}
    required: list[str] = []
    for argument, default in parameters(function, where):
        name = argument.arg
        if name == AGENT:
            continue
        here = f"{where}, parameter `{name}`"
        if argument.annotation is None:
            raise InvalidTool(
                f"{here} has no type: annotate it, with {TYPES}.",
                function=function.name,
                parameter=name,
            )
        if not told.arguments.get(name):
            raise InvalidTool(
                f"{here} isn't described: add `{name}: what it is` to `Args:` in the docstring.",
                function=function.name,
                parameter=name,
            )
        found = Reader(module.models, here).of(argument.annotation)
        properties[name] = {**found, "description": told.arguments[name], **default_of(default)}
        if default is None:
            required.append(name)
    arguments = {"type": "object", "properties": properties, "required": required}
    return {"name": function.name, "description": told.description, "parameters": arguments}


def takes_agent(source: str, name: str) -> bool:
    """Whether a tool's function wants to be shown its agent. Raises: InvalidTool."""
    if AGENT not in source:  # of nearly all, and parsing takes its time
        return False
    function = function_of(parse(source), name)
    return any(one.arg == AGENT for one in (*function.args.args, *function.args.kwonlyargs))


def without_agent(given: Schema) -> Schema:
    """Parameters that somebody described, without the one that models can't fill."""
    properties = {name: one for name, one in given["properties"].items() if name != AGENT}
    required = [name for name in given["required"] if name != AGENT]
    return {**given, "properties": properties, "required": required}


def parameters(function: Function, where: str) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Each with its default. Raises: InvalidTool."""
    given = function.args
    if given.vararg or given.kwarg:
        star = f"*{given.vararg.arg}" if given.vararg else f"**{cast('ast.arg', given.kwarg).arg}"
        raise InvalidTool(f"{where} takes `{star}`; name each parameter instead.")
    if given.posonlyargs:
        raise InvalidTool(
            f"{where} takes `{given.posonlyargs[0].arg}` by position only; arguments come by name."
        )
    missing = [None] * (len(given.args) - len(given.defaults))
    yield from zip(given.args, [*missing, *given.defaults], strict=True)
    yield from zip(given.kwonlyargs, given.kw_defaults, strict=True)


def default_of(default: ast.expr | None) -> Schema:
    """`default`, where it is a plain value other than None."""
    if default is None:
        return {}
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return {}
    return {"default": value} if isinstance(value, str | int | float) else {}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads annotations. `inside`: the models around, which it can't come back to."""

    models: Mapping[str, ast.ClassDef]
    where: str
    inside: tuple[str, ...] = field(default=())

    def of(self, annotation: ast.expr) -> Schema:
        """Raises: InvalidTool."""
        match annotation:
            case ast.Constant(value=None):
                return dict(PLAIN["None"])
            case ast.Constant(value=str(text)):
                return self._quoted(text)
            case ast.BinOp(op=ast.BitOr()):
                return self._any_of(union(annotation))
            case ast.Subscript(value=kind, slice=inner):
                return self._subscript(annotation, name_of(kind), inner)
            case ast.Name() | ast.Attribute():
                return self._named(annotation, name_of(annotation))
            case _:
                raise self._unknown(annotation)

    def _quoted(self, text: str) -> Schema:
        try:
            return self.of(ast.parse(text, mode="eval").body)
        except SyntaxError as error:
            raise InvalidTool(f"{self.where} has the type {text!r}, which is no type.") from error

    def _named(self, annotation: ast.expr, name: str) -> Schema:
        if name in self.models:
            return self._model(self.models[name])
        if name not in PLAIN:
            raise self._unknown(annotation)
        return dict(PLAIN[name])

    def _subscript(self, annotation: ast.expr, name: str, inner: ast.expr) -> Schema:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if name == "Literal":
            return self._literal(annotation, parts)
        if name == "Optional" and len(parts) == 1:
            return self._any_of([*parts, ast.Constant(None)])
        if name == "Union":
            return self._any_of(parts)
        if name == "Annotated":
            return self.of(parts[0])
        if name in LISTS and len(parts) == 1:
            return {"type": "array", "items": self.of(parts[0])}
        if name in OBJECTS and len(parts) == 2:
            if name_of(parts[0]) != "str":
                raise InvalidTool(f"{self.where} has keys that aren't str; JSON has no others.")
            return {"type": "object", "additionalProperties": self.of(parts[1])}
        raise self._unknown(annotation)

    def _literal(self, annotation: ast.expr, parts: list[ast.expr]) -> Schema:
        try:
            values = [ast.literal_eval(part) for part in parts]
            kinds = list(dict.fromkeys(LITERALS[type(value)] for value in values))
        except (ValueError, KeyError) as error:
            raise self._unknown(annotation) from error
        return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": values}

    def _any_of(self, parts: list[ast.expr]) -> Schema:
        """Optional types are told as the type alone: models fill in null too readily."""
        found = [self.of(part) for part in parts if not is_none(part)]
        different = [one for n, one in enumerate(found) if one not in found[:n]]
        if not different:
            return dict(PLAIN["None"])
        return different[0] if len(different) == 1 else {"anyOf": different}

    def _model(self, model: ast.ClassDef) -> Schema:
        """A pydantic model that the source defines."""
        if not self._is_model(model):
            raise InvalidTool(
                f"{self.where} has the class `{model.name}` as its type, which is no pydantic"
                " model: derive it from BaseModel."
            )
        if model.name in self.inside:
            raise InvalidTool(f"{self.where}: the model `{model.name}` holds itself.")
        inside = Reader(self.models, f"{self.where}, `{model.name}`", (*self.inside, model.name))
        properties: Schema = {}
        required: list[str] = []
        for base in model.bases:
            if name_of(base) in self.models:
                above = inside._model(self.models[name_of(base)])
                properties |= above["properties"]
                required += above["required"]
        for node in model.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                name = node.target.id
                told, needed = field_of(node.value)
                properties[name] = {**inside.of(node.annotation), **told}
                required = [one for one in required if one != name] + [name] * needed
        made: Schema = {"type": "object", "properties": properties, "required": required}
        words = docstring.read(ast.get_docstring(model)).description
        return {**made, "description": words} if words else made

    def _is_model(self, model: ast.ClassDef, seen: tuple[str, ...] = ()) -> bool:
        names = {name_of(base) for base in model.bases}
        return "BaseModel" in names or any(
            self._is_model(self.models[name], (*seen, model.name))
            for name in names & self.models.keys()
            if name not in (*seen, model.name)
        )

    def _unknown(self, annotation: ast.expr) -> InvalidTool:
        return InvalidTool(
            f"{self.where} has the type `{ast.unparse(annotation)[:80]}`, which a model can't give"
            f" as JSON; use {TYPES}."
        )


def field_of(value: ast.expr | None) -> tuple[Schema, bool]:
    """What `= Field(…)` or `= default` says of a model's field, and whether it is required."""
    if value is None:
        return {}, True
    if not (isinstance(value, ast.Call) and name_of(value.func) == "Field"):
        return default_of(value), False
    named = {word.arg: word.value for word in value.keywords if word.arg}
    default = value.args[0] if value.args else named.get("default")
    told: Schema = {}
    description = named.get("description")
    if isinstance(description, ast.Constant) and isinstance(description.value, str):
        told["description"] = description.value
    needed = "default_factory" not in named and (
        default is None or (isinstance(default, ast.Constant) and default.value is ...)
    )
    return told if needed else {**told, **default_of(default)}, needed


def union(annotation: ast.expr) -> list[ast.expr]:
    """`a | b | c`, taken apart."""
    parts: list[ast.expr] = []
    while isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        parts.insert(0, annotation.right)
        annotation = annotation.left
    return [annotation, *parts]


def is_none(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Constant) and annotation.value is None


def name_of(expression: ast.expr) -> str:
    """The last name: `List` of `typing.List`."""
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def check(schema: Mapping[str, Any]) -> Schema:
    """A schema that somebody gives, with all its parts. Raises: InvalidTool."""
    name: Any = schema.get("name")
    if not isinstance(name, str) or not is_name(name):
        raise InvalidTool(
            "`json_schema.name` is the tool's name: letters, digits, `_` and `-`, 64 at most,"
            f" not {name!r:.80}."
        )
    description: Any = schema.get("description", "")
    if not isinstance(description, str):
        raise InvalidTool(f"`json_schema.description` is a text, not {description!r:.80}.")
    return {
        **schema,
        "name": name,
        "description": description,
        "parameters": checked_parameters(schema.get("parameters")),
    }


def checked_parameters(given: Any) -> Schema:
    """Raises: InvalidTool."""
    empty: Schema = {"type": "object", "properties": {}, "required": []}
    if given is None:
        return empty
    if not isinstance(given, dict):
        raise InvalidTool("`parameters` is a JSON schema: an object.")
    found = cast("Schema", given)
    properties: Any = found.get("properties", {})
    required: Any = found.get("required", [])
    if found.get("type", "object") != "object" or not isinstance(properties, dict):
        raise InvalidTool('`parameters` is a schema of `"type": "object"` with `properties`.')
    if not isinstance(required, list) or not all(
        isinstance(one, str) and one in properties for one in cast("list[Any]", required)
    ):
        raise InvalidTool("`parameters.required` lists names that are in `properties`.")
    return {**empty, **found}


def is_name(name: str) -> bool:
    plain = name.replace("-", "_")
    return plain.isascii() and plain.replace("_", "a").isalnum() and len(name) <= 64


def is_function_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)
