"""Moving an archive from one embedding model to another, on both databases."""

import asyncio
from pathlib import Path

import pytest

from tests.servers.openai_embeddings import EmbeddingServer
from yiku.app import build
from yiku.core import errors
from yiku.core.memory import Draft
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import ingest, search
from yiku.memory.archival import Place
from yiku.memory.reembed import reembed
from yiku.settings import Settings, load

HOME = Place("ann")
FACTS = [f"fact {n}: the {n * 7 % 101}th drawer holds {n} marbles" for n in range(150)]


def remote(home: Path, database_url: str, server: EmbeddingServer, model: str) -> Settings:
    return load(
        home=home,
        database_url=database_url,
        embedding=f"test/{model}",
        embedding_base_url=server.url,
        embedding_api_key="k",
    )


async def fill(settings: Settings, facts: list[str]) -> None:
    async with build(settings) as app:
        drafts = [Draft(text=fact, conversation="c") for fact in facts]
        await ingest.add(app.memory, LOCAL_ACTOR, HOME, drafts)


async def test_vectors_of_two_models_never_meet(yiku_home: Path, database_url: str) -> None:
    local = load(home=yiku_home, database_url=database_url)
    await fill(local, FACTS[:5])
    with EmbeddingServer() as server:
        async with build(remote(yiku_home, database_url, server, "big")) as app:
            for refused in (
                ingest.add(app.memory, LOCAL_ACTOR, HOME, [Draft(text="more")]),
                search.search(app.memory, LOCAL_ACTOR, [HOME], "marbles"),
            ):
                with pytest.raises(errors.EmbeddingModelMismatch, match="yiku reembed"):
                    await refused


async def test_a_moved_archive_is_found_by_the_new_model_and_by_no_other(
    yiku_home: Path, database_url: str
) -> None:
    local = load(home=yiku_home, database_url=database_url)
    await fill(local, FACTS)
    with EmbeddingServer() as server:
        async with build(remote(yiku_home, database_url, server, "big")) as app:
            steps: list[tuple[int, int]] = []
            moved = await reembed(
                app.memory, LOCAL_ACTOR, HOME, lambda done, total: steps.append((done, total))
            )
            assert moved == len(FACTS)
            assert steps[0] == (0, 150)
            assert steps[-1] == (150, 150)
            hits = await search.search(app.memory, LOCAL_ACTOR, [HOME], FACTS[77], limit=1)
            assert hits[0].passage.text == FACTS[77]
            await ingest.add(app.memory, LOCAL_ACTOR, HOME, [Draft(text="one more")])
    async with build(local) as app:
        with pytest.raises(errors.EmbeddingModelMismatch):
            await search.search(app.memory, LOCAL_ACTOR, [HOME], "marbles")


async def test_an_interrupted_move_goes_on_where_it_stood(
    yiku_home: Path, database_url: str
) -> None:
    local = load(home=yiku_home, database_url=database_url)
    await fill(local, FACTS)
    with EmbeddingServer() as server:
        settings = remote(yiku_home, database_url, server, "big")
        async with build(settings) as app:

            def stop(done: int, total: int) -> None:
                if done:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                await reembed(app.memory, LOCAL_ACTOR, HOME, stop)
        async with build(local) as app:  # until the move is done, the old model's
            hits = await search.search(app.memory, LOCAL_ACTOR, [HOME], FACTS[3], limit=1)
            assert hits[0].passage.text == FACTS[3]
            await ingest.add(app.memory, LOCAL_ACTOR, HOME, [Draft(text="said meanwhile")])
        async with build(settings) as app:
            moved = await reembed(app.memory, LOCAL_ACTOR, HOME, lambda done, total: None)
            assert 0 < moved < 151
            hits = await search.search(app.memory, LOCAL_ACTOR, [HOME], "said meanwhile", limit=1)
            assert hits[0].passage.text == "said meanwhile"


async def test_a_provider_that_changes_its_dimension_is_refused(
    yiku_home: Path, database_url: str
) -> None:
    with EmbeddingServer() as server:
        await fill(remote(yiku_home, database_url, server, "m"), FACTS[:3])
    changed = {"embedding_dimension": 4}
    with EmbeddingServer() as server:
        settings = remote(yiku_home, database_url, server, "m").model_copy(update=changed)
        async with build(settings) as app:
            with pytest.raises(errors.DimensionMismatch):
                await ingest.add(app.memory, LOCAL_ACTOR, HOME, [Draft(text="another fact")])


async def test_many_searches_load_a_cold_archive_at_once(
    yiku_home: Path, database_url: str
) -> None:
    local = load(home=yiku_home, database_url=database_url)
    await fill(local, FACTS)
    async with build(local) as app:
        queries = [
            search.search(app.memory, LOCAL_ACTOR, [HOME], FACTS[n], limit=1) for n in range(12)
        ]
        found = await asyncio.wait_for(asyncio.gather(*queries), 60)
        assert [hits[0].passage.text for hits in found] == FACTS[:12]
