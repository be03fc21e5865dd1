"""Roles by name: a template, or a set of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from yiku.core.errors import Invalid, TemplateNotFound
from yiku.core.role import EmbeddingRoleConfig
from yiku.memory.roles.templates import (
    get_role_template,
    get_role_template_set,
    template_names,
    template_sets,
)

OWN = "roles"
"""Folder of the data directory where users keep templates of their own."""


def named_roles(name: str, home: Path) -> list[EmbeddingRoleConfig]:
    """The template of this name, or the set. Raises: TemplateNotFound, naming those there are."""
    folder = home / OWN
    if name in template_names(folder=folder):
        return [get_role_template(name, folder=folder)]
    if name in template_sets(folder):
        return get_role_template_set(name, folder=folder)
    raise TemplateNotFound(
        f"There is no role template and no set of them {name!r}; there are the templates"
        f" {', '.join(template_names(folder=folder))}, and the sets"
        f" {', '.join(template_sets(folder))}.",
        name=name,
    )


def all_roles(
    given: Sequence[EmbeddingRoleConfig | str] | EmbeddingRoleConfig | str, home: Path
) -> list[EmbeddingRoleConfig]:
    """Configurations as they are, names as what they name.

    Raises: Invalid where something is neither, or a `role_id` is there twice; TemplateNotFound.
    """
    some = [given] if isinstance(given, str | EmbeddingRoleConfig) else list(given)
    found: list[EmbeddingRoleConfig] = []
    for one in some:
        if isinstance(one, str):
            found += named_roles(one, home)
        elif isinstance(one, EmbeddingRoleConfig):  # pyright: ignore[reportUnnecessaryIsInstance] # callers may not be typed
            found.append(one)
        else:
            kind = type(one).__name__
            raise Invalid(
                f"A role is an EmbeddingRoleConfig or the name of a template, not {kind}.",
                field="roles",
            )
    ids = [one.role_id for one in found]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise Invalid(f"A `role_id` is there twice: {', '.join(twice)}.", field="role_id")
    return found
