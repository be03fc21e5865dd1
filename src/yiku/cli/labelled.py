"""Labelled texts to measure routing with."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from yiku.cli.pools import parsed
from yiku.core.errors import InvalidFile
from yiku.memory.text import language


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, and the roles it belongs to; none: out of scope."""

    text: str
    lang: str
    roles: frozenset[str]


def labelled_texts(path: Path) -> list[Labelled]:
    """JSON Lines: `{"text", "lang", "roles": [ids]}`. Raises: InvalidFile."""
    found: list[Labelled] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(labelled_text(parsed(path, line)))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidFile(
                f"{path}, line {number}: not a text with its roles ({error!r})."
            ) from error
    if not found:
        raise InvalidFile(f"{path} has no texts.")
    return found


def labelled_text(row: dict[str, Any]) -> Labelled:
    text, roles = row["text"], row["roles"]
    if not isinstance(text, str) or not text.strip():
        raise TypeError("`text` is empty or no text")
    if not isinstance(roles, list):
        raise TypeError("`roles` is no list")
    names = frozenset(str(one) for one in cast("list[Any]", roles))
    return Labelled(text, str(row.get("lang") or language(text)), names)


def demand_roles(path: Path, texts: Sequence[Labelled], roles: Sequence[str]) -> None:
    """Raises: InvalidFile, naming labels that aren't in the role set."""
    unknown = sorted({role for one in texts for role in one.roles} - set(roles))
    if unknown:
        raise InvalidFile(
            f"{path} has texts of {', '.join(unknown)}, and the role set doesn't; it has"
            f" {', '.join(roles)}. Choose another by --set or --roles."
        )


def taught(texts: Sequence[Labelled], count: int, seed: int) -> list[Labelled]:
    """`count` texts of each role, of those that have one role only, evenly by language.

    Raises: InvalidFile where that would leave a role without a text to judge by.
    """
    rng = random.Random(seed)
    languages = list(dict.fromkeys(one.lang for one in texts))
    chosen: list[Labelled] = []
    for role in sorted({role for one in texts for role in one.roles}):
        mine = [one for one in texts if one.roles == frozenset({role})]
        if len(mine) <= count:
            raise InvalidFile(
                f"Role {role!r} has {len(mine)} texts of its own; learning from {count} leaves"
                " none to measure with."
            )
        rng.shuffle(mine)
        piles = [[one for one in mine if one.lang == lang] for lang in languages]
        longest = max(len(pile) for pile in piles)
        dealt = [pile[i] for i in range(longest) for pile in piles if i < len(pile)]
        chosen += dealt[:count]
    return chosen
