"""An onnxruntime session for a local model: its graph is built once and kept on disk.

What is kept is the plain graph, not one optimised by onnxruntime: that would be tied to this
processor and version, and opens no faster (14 ms against 13). The weights lie beside the graph in
a file of their own, which onnxruntime maps instead of copying: 8 MB less in memory.
"""

import importlib
import json
import logging
import os
import platform
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from yiku.core.errors import ModelNotFound
from yiku.providers.architecture import Architecture
from yiku.providers.presets import LocalPreset
from yiku.providers.tensors import Tensors
from yiku.providers.weights import cache_folder

if TYPE_CHECKING:
    from onnx import ModelProto

    from yiku.providers.graph import Weights

logger = logging.getLogger(__name__)

Variant = Literal["float32", "int8"]

# Of build_graph's result: raise it when that changes, and cached graphs are built anew.
GRAPH_VERSION = 2
GRAPH, WEIGHTS, SUMS = "graph.onnx", "weights.bin", "sums.json"
BLOCK = 1 << 20


def open_session(
    tensors: Tensors, architecture: Architecture, preset: LocalPreset, variant: Variant, place: Path
) -> Any:
    """An onnxruntime.InferenceSession from `x` to `vector` (see `graph.build_graph`).

    `place` is where the graph is kept (see `graph_folder`). If it can't be written, the graph
    is built each time.

    Raises: ModelNotFound when a tensor or the `onnx` package is missing.
    """
    if _intact(place):
        return _session(str(place / GRAPH))
    try:
        from yiku.providers.graph import build_graph  # imports onnx: slow, and needed only here
    except ImportError as error:
        raise ModelNotFound(
            "Preparing a local model takes the package `onnx`: `pip install onnx`."
        ) from error

    def built() -> "ModelProto":
        return build_graph(tensors, architecture, preset.pooling, _weights(variant))

    try:
        _keep(built(), place)
    except OSError as error:
        logger.warning(
            "model graph not kept",
            extra={"action": "model_graph_not_kept", "path": str(place), "error": str(error)},
        )
        return _session(built().SerializeToString())  # the first one is spent: see _keep
    return _session(str(place / GRAPH))


def graph_folder(home: Path, preset: LocalPreset, variant: Variant, digest: str) -> Path:
    """Named after all that shapes the graph; `digest` is the weights' SHA-256."""
    parts = (preset.name, digest[:16], preset.pooling, _weights(variant), f"g{GRAPH_VERSION}")
    return cache_folder(home) / "-".join(parts)


def saturates() -> bool:
    """Whether this processor's products of uint8 and int8 may overflow their 16 bits.

    x86 without VNNI adds pairs of products in 16 bits. With uint8 weights onnxruntime takes
    another, slower way there, and gets the numbers an int8 product would have had.
    Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """
    if platform.machine().lower() not in ("x86_64", "amd64", "x86", "i386", "i686"):
        return False
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return True  # not Linux: unknown, so the way that is right everywhere
    return not {"avx512_vnni", "avx_vnni"} & set(flags.split())


def _weights(variant: Variant) -> "Weights":
    return "uint8" if variant == "int8" and saturates() else variant


def _session(graph: str | bytes) -> Any:
    # Loaded by name, since it has no type stubs; and not before a text is embedded: it takes 40 ms.
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # The graph is fused as it should be; more would fuse sums with what follows, see graph.norm.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _keep(model: "ModelProto", place: Path) -> None:
    """Write the graph and its weights to the folder `place`, whole or not at all.

    The weights are taken out of `model`, also when this fails.

    Raises: OSError.
    """
    import onnx

    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=place.parent, prefix=".graph-"))
    try:
        onnx.save_model(  # pyright: ignore[reportUnknownMemberType]  # its PathLike has no type
            model, draft / GRAPH, save_as_external_data=True, location=WEIGHTS, size_threshold=1024
        )
        sums = {name: _crc32(draft / name) for name in (GRAPH, WEIGHTS)}
        (draft / SUMS).write_text(json.dumps(sums))
        if place.exists() and not _intact(place):
            shutil.rmtree(place)
        try:
            os.replace(draft, place)
        except OSError:
            if not _intact(place):  # else another process was first; its graph is the same
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _intact(place: Path) -> bool:
    try:
        sums = json.loads((place / SUMS).read_bytes())
        return sums == {name: _crc32(place / name) for name in (GRAPH, WEIGHTS)}
    except (OSError, ValueError):
        return False


def _crc32(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            total = zlib.crc32(block, total)
    return total
