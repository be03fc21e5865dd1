"""The working parts of archival memory, which its use cases share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from yiku.core.errors import ArchiveNotFound
from yiku.core.ids import ArchiveId
from yiku.core.memory import Archive
from yiku.core.ports import Embedder
from yiku.memory.names import strip_names
from yiku.memory.roles.gatings import GateLog
from yiku.memory.roles.pool import RolePool
from yiku.store import archives
from yiku.store.database import Database, Tx
from yiku.store.index.pool import IndexPool


@dataclass(frozen=True, slots=True)
class Place:
    """An archive by name: whose it is (empty: the organization's own), and what it is called."""

    owner: str = ""
    name: str = "default"


@dataclass(frozen=True, slots=True)
class OwnPlace(Place):
    """An archive of Yiku's own, whose owner is `HIDDEN`; no door makes such a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What settings decide about memories."""

    duplicates: Literal["link", "keep"]
    echo_guard: timedelta
    max_text_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivalMemory:
    """Where passages are kept, what makes their vectors, and what finds them."""

    database: Database
    embedder: Embedder
    indexes: IndexPool
    gloss: Callable[[str], str]
    """Chinese to English, word by word; the identity where the model is multilingual."""
    forget_cached: Callable[[], None]
    """Empties every cache: after a deletion nothing made from the text may stay."""
    policy: Policy
    roles: RolePool
    gatings: GateLog

    def embeddable(self, text: str, names: Iterable[str]) -> str:
        """What the model is given for a text: its speakers' names taken out, Chinese glossed.

        A name says who speaks, not what is said; the speaker is a signal of its own.
        """
        return self.gloss(strip_names(text, names)) or text


def check_place(where: Place | ArchiveId) -> None:
    """Raises: Invalid where a door asks for an archive of Yiku's own."""
    if isinstance(where, Place) and not isinstance(where, OwnPlace):
        archives.check_owner(where.owner)


MAX_PARTICIPANTS = 200
"""More speakers than this are a crowd: looking for each name in each text would cost too much."""


def participants(speakers: AbstractSet[str]) -> AbstractSet[str]:
    """The speakers whose names are looked for in texts; none of a crowd."""
    return speakers if len(speakers) <= MAX_PARTICIPANTS else frozenset()


def resolve(tx: Tx, where: Place | ArchiveId) -> Archive:
    """Raises: ArchiveNotFound, naming what there is instead; Invalid."""
    check_place(where)
    if isinstance(where, str):
        return archives.get(tx, where)
    found = archives.find(tx, where.owner, where.name)
    if found is None:
        whose = f" of {where.owner!r}" if where.owner else ""
        raise ArchiveNotFound(
            f"There is no archive {where.name!r}{whose}. `yiku archive list` shows what there is;"
            " adding to an archive makes it.",
            owner=where.owner,
            name=where.name,
        )
    return found
