"""What routing and gating cost with 4, 100 and 1,000 roles, and what roles cost an adding.

python -m bench.roles roles PLACE SIZE, where PLACE is the run's folder. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

import numpy as np

from bench.data import Vocabulary
from bench.measure import Desk, Figure, awaited, turns
from bench.place import Place, say
from bench.yiku_side import opened
from yiku.core.memory import Draft
from yiku.core.role import EmbeddingRoleConfig
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import ingest
from yiku.memory.archival import ArchivalMemory
from yiku.memory.archival import Place as Home
from yiku.memory.roles import manage, route
from yiku.memory.roles.templates import get_role_template_set

COUNTS = (4, 100, 1000)
PLAIN = Home(name="no roles")
PHRASES = 6
"""Keywords of a made-up role, and examples: as many as a careful user writes."""
STORED = 200
"""Memories of each archive before anything is timed."""
WARM_UP = 20


def home_of(count: int) -> Home:
    return Home(name=f"{count} roles")


def made_up(words: Vocabulary, seed: int, count: int) -> list[EmbeddingRoleConfig]:
    """Roles of drawn words."""
    rng = np.random.default_rng([seed, 11])

    def phrase(length: int) -> str:
        return " ".join(rng.choice(words.english[: words.known], length))

    return [
        EmbeddingRoleConfig(
            role_id=f"role{n}",
            role_description=phrase(10),
            keywords=[phrase(1) for _ in range(PHRASES)],
            examples=[phrase(8) for _ in range(PHRASES)],
        )
        for n in range(count)
    ]


async def fill(memory: ArchivalMemory, place: Place) -> None:
    """Archives with the four templates and as many made-up roles as it takes."""
    corpus = place.corpus()
    drafts = [Draft(text=one.text) for one in corpus.memories(0)[:STORED]]
    vectors = corpus.vectors(0)[:STORED]
    await ingest.add(memory, LOCAL_ACTOR, PLAIN, drafts, vectors=vectors)
    templates = get_role_template_set("all")
    others = made_up(corpus.words, place.plan.seed, max(COUNTS) - len(templates))
    for count in COUNTS:
        roles = [*templates, *others[: count - len(templates)]]
        await manage.add(memory, LOCAL_ACTOR, home_of(count), roles)
        await ingest.add(memory, LOCAL_ACTOR, home_of(count), drafts, vectors=vectors)
        say(f"yiku: {count:,} roles made")


async def timed_once(memory: ArchivalMemory, kind: str, text: str) -> float:
    """Seconds of one call; no text is asked for twice, so each is embedded."""
    name, _, count = kind.partition("_")
    match name:
        case "embed":
            work = memory.embedder.embed([memory.embeddable(text, ())], purpose="query")
            return await awaited(work)
        case "route":
            return await awaited(route.route(memory, LOCAL_ACTOR, home_of(int(count)), text))
        case "gate":
            return await awaited(route.gate(memory, LOCAL_ACTOR, home_of(int(count)), text))
        case _:
            home = home_of(4) if count == "roles" else PLAIN
            return await awaited(ingest.add(memory, LOCAL_ACTOR, home, [Draft(text=text)]))


async def measure(place: Place) -> list[Figure]:
    desk, texts = Desk("yiku", place.size), place.queries()[0]
    texts = [texts[i % len(texts)] for i in range(place.repeats + WARM_UP)]
    kinds = [f"{name}_{count}" for name in ("route", "gate") for count in COUNTS]
    kinds += ["embed_alone", "add_without", "add_roles"]
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    async with opened(place, duplicates="keep") as app:
        await fill(app.memory, place)
        for i, kind in turns(kinds, len(texts)):
            # A round's kinds get texts of one length: only the last word differs.
            text = f"{texts[i]} {kinds.index(kind)}{i}"
            seconds[kind].append(await timed_once(app.memory, kind, text))
    return [desk.many(kind, values[WARM_UP:]) for kind, values in seconds.items()]


def main(arguments: Sequence[str]) -> None:
    _, folder, size = arguments
    place = Place.load(folder, int(size), "roles")
    start = time.perf_counter()
    figures = asyncio.run(measure(place))
    say(f"yiku: roles took {time.perf_counter() - start:.0f} s")
    place.report(figures)


if __name__ == "__main__":
    main(sys.argv[1:])
