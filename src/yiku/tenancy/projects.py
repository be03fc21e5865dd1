"""An organization's projects."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from yiku.core.audit import Act
from yiku.core.errors import Invalid, ProjectExists
from yiku.core.ids import ProjectId
from yiku.core.project import Project
from yiku.store import audit
from yiku.store import projects as store
from yiku.store.database import Tx
from yiku.tenancy.reach import checked_name

LONGEST_SLUG = 64
SLUG = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is said of a project; None: nothing."""

    name: str | None = None
    slug: str | None = None
    description: str | None = None


def add(tx: Tx, name: str, slug: str | None, description: str) -> Project:
    """`slug`: None, made from the name. Raises: Invalid, ProjectExists."""
    plain = checked_name("name", name)
    made = store.add(
        tx, plain, free_slug(tx, slug_of(plain) if slug is None else slug), description
    )
    audit.note(tx, Act.PROJECT_CREATE, made.id, name=made.name, slug=made.slug)
    return made


def slug_of(name: str) -> str:
    """`Tea house` is `tea-house`; 茶馆 is itself."""
    plain = unicodedata.normalize("NFKC", name).lower()
    return re.sub(r"[^\w.]+", "-", plain).strip("-")[:LONGEST_SLUG]


def free_slug(tx: Tx, slug: str) -> str:
    """Raises: Invalid, ProjectExists."""
    if len(slug) > LONGEST_SLUG or not SLUG.fullmatch(slug):
        raise Invalid(
            f"`slug` has 1 to {LONGEST_SLUG} letters, digits, dots and dashes, not {slug!r:.80}.",
            field="slug",
        )
    if store.find(tx, slug) is not None:
        raise ProjectExists(f"There is already a project {slug!r}.", slug=slug)
    return slug


def update(tx: Tx, project_id: ProjectId, told: Told) -> Project:
    """Raises: ProjectNotFound, Invalid, ProjectExists."""
    before = store.get(tx, project_id)
    values: dict[str, str] = {}
    if told.name is not None and (name := checked_name("name", told.name)) != before.name:
        values["name"] = name
    if told.slug is not None and told.slug != before.slug:
        values["slug"] = free_slug(tx, told.slug)
    if told.description is not None and told.description != before.description:
        values["description"] = told.description
    if not values:
        return before
    changed = store.change(tx, project_id, values)
    audit.note(
        tx, Act.PROJECT_UPDATE, project_id, name=changed.name, changed=", ".join(sorted(values))
    )
    return changed


def delete(tx: Tx, project_id: ProjectId) -> None:
    """What is filed under it stays. Raises: ProjectNotFound."""
    gone = store.remove(tx, project_id)
    audit.note(tx, Act.PROJECT_DELETE, project_id, name=gone.name)
