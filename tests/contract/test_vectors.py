"""Adding with vectors that the caller has made already."""

import numpy as np
import pytest

from yiku.app import App
from yiku.core import errors
from yiku.core.memory import Draft
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import ingest, search
from yiku.memory.archival import Place

HOME = Place("ann")
TEXTS = ["The ferry leaves at noon", "我的猫叫豆包", "Piranesi is a novel"]


async def test_given_vectors_are_found_like_made_ones(app: App) -> None:
    made = await app.memory.embedder.embed(TEXTS, purpose="document")
    drafts = [Draft(text=text) for text in TEXTS]
    await ingest.add(app.memory, LOCAL_ACTOR, HOME, drafts, vectors=made * 3)
    hits = await search.search(app.memory, LOCAL_ACTOR, [HOME], "When does the boat go?", limit=1)
    assert hits[0].passage.text == TEXTS[0]
    assert hits[0].ranks["dense"] == 1


@pytest.mark.parametrize(
    ("vectors", "error"),
    [
        (np.ones((2, 384), np.float32), errors.Invalid),
        (np.ones((3, 5), np.float32), errors.DimensionMismatch),
        (np.zeros((3, 384), np.float32), errors.Invalid),
        (np.full((3, 384), np.nan, np.float32), errors.Invalid),
    ],
)
async def test_vectors_that_cannot_be_right_are_refused(
    app: App, vectors: np.ndarray, error: type[Exception]
) -> None:
    await app.memory.embedder.embed(["the model is there"], purpose="query")
    drafts = [Draft(text=text) for text in TEXTS]
    with pytest.raises(error):
        await ingest.add(app.memory, LOCAL_ACTOR, HOME, drafts, vectors=vectors)
    with pytest.raises(errors.ArchiveNotFound):
        await search.search(app.memory, LOCAL_ACTOR, [Place("ann", "other")], "ferry")
    assert await search.search(app.memory, LOCAL_ACTOR, [HOME], "ferry") == []
