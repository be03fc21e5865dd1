"""Role templates: data files, Yiku's own and the user's.

A template is a TOML file with one table a language (`[en]`, `[zh]`, …), each with `name`,
`description`, `keywords` and `examples`; the role made of it has all of them, so that it knows a
text of any of its languages.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast

from yiku.core.errors import Invalid, InvalidFile, TemplateNotFound
from yiku.core.role import ROLE_ID, EmbeddingRoleConfig, config_of

FILES = resources.files("yiku.memory.roles") / "templates"
SETS = "sets.toml"
DEFAULT_LANGUAGE = "en"
"""Asked for where nobody says; a template that hasn't it is named in its own."""
SETTINGS = ("role_type", "activation_threshold", "max_memory_size", "memory_retention_strategy")
TEXTS = ("name", "description", "keywords", "examples")


def get_role_template(
    name: str, *, language: str = "en", folder: Path | None = None
) -> EmbeddingRoleConfig:
    """The template of this name, as a role's configuration.

    `language` says in which of its languages the role is named. `folder` holds templates of the
    user's own, which come before those of the same name that Yiku has.

    Raises: TemplateNotFound, naming those there are; InvalidFile.
    """
    return config_of_template(name, read_toml(template_file(name, folder)), language)


def template_text(name: str, *, folder: Path | None = None) -> str:
    """The template's file, to start another from. Raises: TemplateNotFound, InvalidFile."""
    file = template_file(name, folder)
    try:
        return file.read_text("utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise InvalidFile(f"{file} can't be read: {error}.") from error


def template_file(name: str, folder: Path | None) -> Path | Traversable:
    """Raises: TemplateNotFound, naming those there are."""
    for one in (folder, FILES) if ROLE_ID.fullmatch(name) else ():  # no way to other folders
        if one is not None and (file := one / f"{name}.toml").is_file() and file.name != SETS:
            return file
    there = ", ".join(template_names(folder=folder))
    raise TemplateNotFound(f"There is no role template {name!r}; there are {there}.", name=name)


def get_role_template_set(
    name: str, *, language: str = "en", folder: Path | None = None
) -> list[EmbeddingRoleConfig]:
    """The templates of a set, the one it is named for first.

    Raises: TemplateNotFound, naming the sets there are; InvalidFile.
    """
    sets = template_sets(folder)
    if name not in sets:
        raise TemplateNotFound(
            f"There is no set of role templates {name!r}; there are {', '.join(sets)}.", name=name
        )
    return [get_role_template(one, language=language, folder=folder) for one in sets[name]]


def template_names(*, folder: Path | None = None) -> list[str]:
    """The user's own first, then Yiku's."""
    places: list[Path | Traversable] = [FILES] if folder is None else [folder, FILES]
    names = (
        file.name.removesuffix(".toml")
        for place in places
        if place.is_dir()
        for file in sorted(place.iterdir(), key=lambda one: one.name)
        if file.name.endswith(".toml") and file.name != SETS
    )
    return list(dict.fromkeys(names))


def template_sets(folder: Path | None = None) -> dict[str, list[str]]:
    """By name of the set, the templates in it. Raises: InvalidFile."""
    found: dict[str, list[str]] = {}
    for place in (FILES, folder):
        if place is None or not (file := place / SETS).is_file():
            continue
        for name, values in read_toml(file).items():
            found[name] = members_of(name, values)
    return found


def members_of(name: str, values: Any) -> list[str]:
    """Raises: InvalidFile."""
    members: Any = values.get("roles") if isinstance(values, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # a file may hold anything
    if not isinstance(members, list):
        raise InvalidFile(f"{SETS}: set {name!r} needs `roles`, a list of template names.")
    return [str(one) for one in cast("list[Any]", members)]


def config_of_template(name: str, data: Mapping[str, Any], language: str) -> EmbeddingRoleConfig:
    """Raises: InvalidFile."""
    texts = dict(languages_of(name, data))
    unknown = data.keys() - set(texts) - set(SETTINGS)
    if unknown or not texts:
        raise InvalidFile(
            f"Role template {name!r} may have {', '.join(SETTINGS)} and one table a language"
            f" (such as [en]), with a description; not {', '.join(sorted(unknown)) or 'nothing'}."
        )
    if language not in texts and language != DEFAULT_LANGUAGE:
        there = " and ".join(texts)
        raise Invalid(
            f"Role template {name!r} is in {there}, not in {language!r}.", field="language"
        )
    first = texts.get(language) or next(iter(texts.values()))
    values = {setting: data[setting] for setting in SETTINGS if setting in data}
    try:
        return config_of(
            {
                **values,
                "role_id": name,
                "role_name": first.get("name", name),
                "role_description": "\n".join(one["description"] for one in texts.values()),
                "keywords": [k for one in texts.values() for k in one.get("keywords", [])],
                "examples": [e for one in texts.values() for e in one.get("examples", [])],
            }
        )
    except Invalid as error:
        raise InvalidFile(f"Role template {name!r}: {error.message}") from error


def languages_of(name: str, data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Raises: InvalidFile."""
    for language, texts in data.items():
        if not isinstance(texts, dict):
            continue
        found = cast("dict[str, Any]", texts)
        if not found.get("description") or found.keys() - set(TEXTS):
            raise InvalidFile(
                f"Role template {name!r}, [{language}]: it has {', '.join(TEXTS)}, and needs the"
                " description."
            )
        for field in TEXTS:
            kind = list if field in ("keywords", "examples") else str
            if not isinstance(found.get(field, kind()), kind):
                raise InvalidFile(
                    f"Role template {name!r}, [{language}]: `{field}` is a"
                    f" {'list of texts' if kind is list else 'text'}."
                )
        yield language, found


@cache
def own_toml(name: str) -> dict[str, Any]:
    """A file of Yiku's own, which doesn't change."""
    return tomllib.loads((FILES / name).read_text("utf-8"))


def read_toml(file: Path | Traversable) -> dict[str, Any]:
    """Raises: InvalidFile."""
    if file == FILES / file.name:
        return own_toml(file.name)
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidFile(f"{file} can't be read: {error}.") from error
