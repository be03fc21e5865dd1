"""What the requirements files pin is enough on every Python and system Yiku supports."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FILES = ["requirements.txt", "requirements-dev.txt", "requirements-bench.txt"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

ENVIRONMENTS = [
    {"python_version": version, "python_full_version": f"{version}.9", **system}
    for version in ("3.11", "3.12", "3.13")
    for system in (
        {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
        {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
        {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    )
]


def pinned(file: str) -> dict[str, str]:
    """Version by name."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def wanted(requirements: list[Requirement]) -> Iterator[Requirement]:
    """The requirements that apply somewhere, and those of each package they install."""
    seen: set[str] = set()
    queue = list(requirements)
    while queue:
        requirement = queue.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        yield requirement
        try:
            declared = metadata.requires(requirement.name) or []
        except metadata.PackageNotFoundError:
            continue  # of another system, or another requirements file
        for text in declared:
            child = Requirement(text)
            if any(applies(child, extra) for extra in ("", *requirement.extras)):
                queue.append(child)


def applies(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate({**default_environment(), **environment, "extra": extra})
        for environment in ENVIRONMENTS
    )


@pytest.mark.parametrize("file", FILES)
def test_each_line_has_a_hash_and_none_names_an_index(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))

    assert len(entries) > 20
    assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == []
    assert re.findall(r"^-.*|\S*://\S*", text, re.MULTILINE) == []


@pytest.mark.parametrize(
    ("file", "extras"), [("requirements.txt", ["all"]), ("requirements-dev.txt", ["all", "dev"])]
)
def test_all_that_is_needed_anywhere_is_pinned(file: str, extras: list[str]) -> None:
    declared = PROJECT["dependencies"] + [
        line for extra in extras for line in PROJECT["optional-dependencies"][extra]
    ]
    versions = pinned(file)

    missing = [
        str(requirement)
        for requirement in wanted([Requirement(line) for line in declared])
        if not requirement.specifier.contains(
            versions.get(canonicalize_name(requirement.name), ""), prereleases=True
        )
    ]

    assert missing == []


def test_the_files_agree_on_every_version() -> None:
    run, dev, bench = map(pinned, FILES)

    assert run.items() <= dev.items() <= bench.items()


def test_every_package_that_the_code_imports_is_declared() -> None:
    """Directly: a package that another one happens to pull in may be gone with its next version."""
    declared = {
        canonicalize_name(Requirement(line).name)
        for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["all"]
    }
    distributions = metadata.packages_distributions()

    undeclared = {
        top
        for module in (ROOT / "src/yiku").rglob("*.py")
        for top in imported(ast.parse(module.read_text(encoding="utf-8")))
        if top not in sys.stdlib_module_names | {"yiku"}
        and not declared & {canonicalize_name(name) for name in distributions.get(top, [])}
    }

    assert undeclared == set()


def imported(tree: ast.Module) -> Iterator[str]:
    """The top-level packages that a module imports, at its top or later."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
