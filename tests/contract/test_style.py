"""The parts of the project's style that no linter knows."""

import ast
import re
import tokenize
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = sorted((ROOT / "src/yiku").rglob("*.py"))
EVERYTHING = sorted(
    path
    for folder in ("src", "tests", "bench", "scripts")
    for path in (ROOT / folder).rglob("*.py")
)
PUBLIC_NAMES = {
    "yiku": {"YikuError", "connect"},
    "yiku.roles": {
        "EmbeddingMoEAgent",
        "EmbeddingMoEMemory",
        "EmbeddingRoleConfig",
        "EmbeddingRoleMemoryRepository",
        "RoleType",
        "create_embedding_moe_agent_async",
        "create_embedding_moe_memory_async",
        "get_role_template",
        "get_role_template_set",
    },
}

LONG_MODULE = 400
TOO_LONG_MODULE = 600
TOO_LONG_FUNCTION = 60

WAIVER = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[^\]]*\])?"
    r"|pyright:\s*ignore(?:\[[^\]]*\])?|pragma:\s*no cover)(?P<reason>.*)"
)


def test_modules_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE}

    for path, lines in lengths.items():
        if LONG_MODULE < lines <= TOO_LONG_MODULE:
            print(f"{name_of(path)} has {lines} lines; it may be time to split it")
    assert [name_of(path) for path, lines in lengths.items() if lines > TOO_LONG_MODULE] == []


def test_functions_are_short() -> None:
    too_long = [
        f"{at(path, node)} {node.name}"
        for path in SOURCE
        if "migrations/versions" not in name_of(path)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= TOO_LONG_FUNCTION
    ]

    assert too_long == []


def test_no_error_is_passed_over() -> None:
    """What catches everything does something with it."""
    passed_over = [
        at(path, node)
        for path in SOURCE
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or names(node.type) & {"Exception", "BaseException"})
        and all(is_nothing(statement) for statement in node.body)
    ]

    assert passed_over == []


def test_exceptions_to_a_rule_give_their_reason() -> None:
    """`# noqa: E501 - why it is`, `# type: ignore[x]  # why it is`."""
    without_reason = [
        f"{name_of(path)}:{line} {comment}"
        for path in EVERYTHING
        for line, comment in comments(path)
        if (waiver := WAIVER.search(comment))
        and len(re.findall(r"\w+", WAIVER.sub("", waiver["reason"]))) < 2
    ]

    assert without_reason == []


def test_work_left_names_an_issue() -> None:
    nameless = [
        f"{name_of(path)}:{line} {comment}"
        for path in EVERYTHING
        for line, comment in comments(path)
        if re.search(r"\b(TODO|FIXME|XXX)\b", comment) and not re.search(r"#\d+", comment)
    ]

    assert nameless == []


def test_init_modules_are_empty_but_the_packages() -> None:
    with_code = [
        name_of(path)
        for path in SOURCE
        if path.name == "__init__.py"
        and name_of(path.parent).removeprefix("src/").replace("/", ".") not in PUBLIC_NAMES
        and not all(is_nothing(node) for node in parsed(path).body)
    ]

    assert with_code == []


@pytest.mark.parametrize("package", PUBLIC_NAMES)
def test_the_public_names_are_the_ones_meant(package: str) -> None:
    public = import_module(package)

    assert set(public.__all__) == PUBLIC_NAMES[package]
    assert len(public.__all__) <= 12
    for name in public.__all__:
        assert getattr(public, name) is not None


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def at(path: Path, node: ast.AST) -> str:
    return f"{name_of(path)}:{getattr(node, 'lineno', 0)}"


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def comments(path: Path) -> Iterator[tuple[int, str]]:
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def is_nothing(statement: ast.stmt) -> bool:
    """`pass`, `...` or a docstring."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def names(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
