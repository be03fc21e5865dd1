"""Every Python block of the documents and docstrings runs as it stands.

A block sees nothing of the others, unless `<!-- continue -->` stands on the line above it: then it
goes on where the block before it in the same file ended. `await` works at the top level.
"""

import ast
import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.check_docs import ROOT, Block, blocks, documents

CONTINUE = "<!-- continue -->"


def examples() -> Iterator[list[Block]]:
    """Each Python block, behind those it continues."""
    for path in (*documents(ROOT), *sorted((ROOT / "src").rglob("*.py"))):
        before: list[Block] = []
        for block in blocks(path):
            if block.language == "python":
                before = [*before, block] if block.before == CONTINUE else [block]
                yield before


def title(chain: list[Block]) -> str:
    return f"{chain[-1].path.relative_to(ROOT).as_posix()}:{chain[-1].line}"


@pytest.mark.usefixtures("used_home")
@pytest.mark.parametrize("chain", list(examples()), ids=title)
def test_an_example_runs(
    chain: list[Block], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    run_chain(chain)


def run_chain(chain: list[Block]) -> None:
    """One event loop for a chain whose blocks await; none for others, which may start their own."""
    names: dict[str, Any] = {"__name__": "__main__"}
    if not any(awaits(block) for block in chain):
        for block in chain:
            exec(compiled(block), names)
        return

    async def run() -> None:
        for block in chain:
            answer = eval(compiled(block), names)
            if inspect.isawaitable(answer):
                await answer

    asyncio.run(run())


def compiled(block: Block) -> Any:
    # Line numbers of a traceback are those of the document.
    code = "\n" * (block.line - 1) + block.code
    return compile(code, str(block.path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def awaits(block: Block) -> bool:
    return bool(compiled(block).co_flags & inspect.CO_COROUTINE)
