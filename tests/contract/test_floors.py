"""The import contracts of pyproject.toml hold, and see what they are there to see."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")

# A module, a line added to it, and what the linter then says
BAD = [
    ("core/ids.py", "import yiku.store.tables", "yiku.core is not allowed to import yiku.store"),
    (
        "store/tables.py",
        "import yiku.memory.text",
        "yiku.store is not allowed to import yiku.memory",
    ),
    (
        "providers/presets.py",
        "import yiku.store.tables",
        "yiku.providers is not allowed to import yiku.store",
    ),
    (
        "memory/text.py",
        "import yiku.server.http",
        "yiku.memory is not allowed to import yiku.server",
    ),
    ("core/ids.py", "import numpy", "yiku.core is not allowed to import numpy"),
    ("memory/text.py", "import fastapi", "yiku.memory is not allowed to import fastapi"),
    ("cli/main.py", "import sqlalchemy", "yiku.cli is not allowed to import sqlalchemy"),
    ("newcomer.py", "", "yiku.newcomer"),
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of src that may be spoilt."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return shutil.copytree(
        ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__")
    )


def lint(source: Path) -> subprocess.CompletedProcess[str]:
    # The linter looks for the package in its working directory first: there is the copy.
    return subprocess.run(
        [str(LINTER), "--config", "../pyproject.toml", "--no-cache"],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_code_keeps_to_its_floors(source: Path) -> None:
    linted = lint(source)

    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(("module", "line", "complaint"), BAD, ids=[f"{m}: {i}" for m, i, _ in BAD])
def test_a_bad_import_is_caught(source: Path, module: str, line: str, complaint: str) -> None:
    with (source / "yiku" / module).open("a") as file:
        file.write(f"\n{line}\n")

    linted = lint(source)

    assert linted.returncode != 0
    assert complaint in linted.stdout


def imports_when_run(tree: ast.AST) -> Iterator[str]:
    """Names of the modules that a module imports, without those under `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import():
                yield from (name.name for name in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module
            case _:
                yield from imports_when_run(node)


def test_the_core_imports_the_standard_library_only() -> None:
    others = [
        (module.name, name)
        for module in (ROOT / "src/yiku/core").rglob("*.py")
        for name in imports_when_run(ast.parse(module.read_text(encoding="utf-8")))
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("yiku.core")
    ]

    assert others == []


@pytest.mark.parametrize(
    ("module", "too_heavy"),
    [
        ("yiku", {"numpy", "httpx", "pydantic", "sqlalchemy"}),
        ("yiku.cli.main", {"fastapi", "uvicorn", "alembic", "onnx", "onnxruntime", "psycopg"}),
        # FastAPI itself imports OpenTelemetry's interface where that is installed.
        ("yiku.cli.serve", {"prometheus_client", "opentelemetry.sdk", "sentry_sdk"}),
        ("yiku.app", {"fastapi", "uvicorn", "alembic", "onnx", "onnxruntime", "psycopg"}),
    ],
)
def test_heavy_imports_are_lazy(module: str, too_heavy: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert too_heavy & set(loaded.stdout.split()) == set()
