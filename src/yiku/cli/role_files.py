"""Roles as files: what `yiku role add --file` reads, and `yiku role template --to` writes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from yiku.cli.options import decoded
from yiku.core.errors import Invalid, InvalidFile
from yiku.core.role import EmbeddingRoleConfig, config_of
from yiku.memory.roles.templates import config_of_template

TOML = ".toml"
HEAD = """\
# A role. `yiku role add --file {file}` makes it. As ~/.yiku/roles/{name}.toml it is a template
# of your own: `yiku role add --template {name}`.
"""


def roles_in(file: Path, language: str) -> list[EmbeddingRoleConfig]:
    """The roles of a file: a list (JSON), `[[role]]` (TOML), or one template (TOML).

    Raises: InvalidFile, naming the role and the field.
    """
    rows = parsed(file)
    if isinstance(rows, dict):
        found = cast("dict[str, Any]", rows)
        rows = found.get("role", found.get("roles"))
        if rows is None and file.suffix.lower() == TOML:
            return [config_of_template(file.stem, found, language)]
    if not isinstance(rows, list) or not rows:
        raise InvalidFile(f"{file}: it has no roles; {expected(file)}.")
    made: list[EmbeddingRoleConfig] = []
    for place, row in enumerate(cast("list[Any]", rows), 1):
        if not isinstance(row, dict):
            raise InvalidFile(f"{file}: role {place} is no object; {expected(file)}.")
        try:
            made.append(config_of(cast("dict[str, Any]", row)))
        except Invalid as error:
            raise InvalidFile(f"{file}, role {place}: {error.message}") from error
    return made


def parsed(file: Path) -> Any:
    """Raises: InvalidFile."""
    text = decoded(file.read_bytes(), str(file))
    is_toml = file.suffix.lower() == TOML
    try:
        return tomllib.loads(text) if is_toml else json.loads(text)
    except ValueError as error:
        raise InvalidFile(f"{file} is not {'TOML' if is_toml else 'JSON'}: {error}.") from error


def expected(file: Path) -> str:
    if file.suffix.lower() == TOML:
        return "a TOML file has a [[role]] for each, with role_id and role_description"
    return "a JSON file is a list of objects with role_id and role_description"


def template_of(config: Mapping[str, Any], language: str, file: Path) -> str:
    """A role as a template file, its texts in one table."""
    settings = ("role_type", "activation_threshold", "max_memory_size", "memory_retention_strategy")
    lines = [HEAD.format(file=file.name, name=file.stem)]
    lines += [f"{name} = {toml(config[name])}" for name in settings]
    lines += ["", f"[{language}]"]
    lines += [f"name = {toml(config['role_name'])}"]
    lines += [f"description = {toml(config['role_description'])}"]
    lines += [f"{name} = {toml(config[name])}" for name in ("keywords", "examples")]
    return "\n".join(lines) + "\n"


def toml(value: str | float | Sequence[str]) -> str:
    """A value as TOML has it: its strings take JSON's escapes, and need one for DEL too."""
    if isinstance(value, str | int | float):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return "\n".join(["[", *(f"  {toml(one)}," for one in value), "]"]) if value else "[]"
