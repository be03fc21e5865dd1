"""The ONNX graph of a BERT-like sentence encoder, built from its weights.

Word and position embeddings stay outside: looking them up in the memory-mapped weights costs
nothing, and the graph of a small model is half as large. `onnx` is needed to build a graph, not
to run one, so only what builds imports this module.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from yiku.providers.architecture import Architecture
from yiku.providers.presets import Pooling
from yiku.providers.tensors import Tensors

FUSED = "com.microsoft"  # onnxruntime's own operators
OPSET, IR_VERSION = 17, 8

Weights = Literal["float32", "int8", "uint8"]


class GraphBuilder:
    """Collects nodes and constants; each method returns the name of the value it adds."""

    def __init__(self, tensors: Tensors, weights: Weights) -> None:
        self._tensors = tensors
        self._weights: Weights = weights
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def add(
        self, operator: str, inputs: Sequence[str], output: str, domain: str = "", **options: Any
    ) -> str:
        self._nodes.append(
            helper.make_node(operator, list(inputs), [output], domain=domain, **options)
        )
        return output

    def split(self, source: str, outputs: Sequence[str]) -> None:
        """`source` cut into equal parts along its last axis."""
        self._nodes.append(helper.make_node("Split", [source], list(outputs), axis=2))

    def linear(self, source: str, output: str, names: Sequence[str]) -> str:
        """`source` through the layers `names`, side by side in one product."""
        arrays = self._tensors.array
        weight = np.concatenate([arrays(f"{n}.weight") for n in names])  # (outputs, inputs)
        bias = self._constant(
            f"{output}.bias", np.concatenate([arrays(f"{n}.bias") for n in names])
        )
        if self._weights == "float32":
            product = self.add(
                "MatMul",
                [source, self._constant(f"{output}.weight", weight.T)],
                f"{output}.product",
            )
            return self.add("Add", [product, bias], output)
        whole, scale, zero = quantize(weight, self._weights)
        inputs = [
            source,
            self._constant(f"{output}.weight", whole.T),
            self._constant(f"{output}.scale", scale),
            self._constant(f"{output}.zero", zero),
            bias,
        ]
        return self.add("DynamicQuantizeMatMul", inputs, output, FUSED)

    def norm(self, source: str, output: str, name: str, eps: float) -> str:
        """Layer normalisation.

        Not the operator that adds and normalises at once: on a processor onnxruntime's takes four
        times as long as the two.
        """
        scale_and_shift = [
            self._constant(f"{name}.{part}", self._tensors.array(f"{name}.{part}"))
            for part in ("weight", "bias")
        ]
        return self.add("LayerNormalization", [source, *scale_and_shift], output, epsilon=eps)

    def first_token(self, source: str, output: str) -> str:
        index = self._constant(f"{output}.index", np.array(0, np.int64))
        return self.add("Gather", [source, index], output, axis=1)

    def model(self, hidden: int) -> ModelProto:
        """The finished graph: `x` (1, tokens, hidden) to `vector` (1, hidden)."""
        graph = helper.make_graph(
            self._nodes,
            "sentence_encoder",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "tokens", hidden])],
            [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, hidden])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name


def build_graph(
    tensors: Tensors, architecture: Architecture, pooling: Pooling, weights: Weights
) -> ModelProto:
    """From summed embeddings `x` (1, tokens, hidden) to a unit `vector` (1, hidden).

    `weights` other than float32 are quantised a row at a time, activations a matrix at a time
    while running, so the vector of a text depends on what is in its matrix: run one text a time.

    Raises: ModelNotFound when a tensor is missing.
    """
    graph = GraphBuilder(tensors, weights)
    eps = architecture.eps
    hidden = graph.norm("x", "hidden.0", "embeddings.LayerNorm", eps)
    for i in range(architecture.layers):
        layer = f"encoder.layer.{i}"
        attention = f"{layer}.attention"
        parts = [f"{attention}.self.{part}" for part in ("query", "key", "value")]
        graph.split(graph.linear(hidden, f"{attention}.self", parts), parts)
        mixed = graph.add(
            "MultiHeadAttention", parts, f"{attention}.mixed", FUSED, num_heads=architecture.heads
        )
        projected = graph.linear(mixed, f"{attention}.projected", [f"{attention}.output.dense"])
        mixed_in = graph.add("Add", [projected, hidden], f"{attention}.sum")
        attended = graph.norm(mixed_in, f"{attention}.normed", f"{attention}.output.LayerNorm", eps)
        wide = graph.linear(attended, f"{layer}.wide", [f"{layer}.intermediate.dense"])
        active = graph.add("Gelu", [wide], f"{layer}.active", FUSED)
        narrow = graph.linear(active, f"{layer}.narrow", [f"{layer}.output.dense"])
        summed = graph.add("Add", [narrow, attended], f"{layer}.sum")
        hidden = graph.norm(summed, f"hidden.{i + 1}", f"{layer}.output.LayerNorm", eps)
    if pooling == "mean":
        pooled = graph.add("ReduceMean", [hidden], "pooled", axes=[1], keepdims=0)
    else:
        pooled = graph.first_token(hidden, "pooled")
    graph.add("LpNormalization", [pooled], "vector", axis=1, p=2)
    return graph.model(architecture.hidden)


def quantize(
    weight: NDArray[np.float32], kind: Literal["int8", "uint8"]
) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[Any]]:
    """Whole numbers (outputs, inputs), scale (outputs,) and zero point (outputs,).

    int8 and uint8 stand for the same numbers, -127..127 steps of `scale`; uint8 counts them
    from 128.
    """
    scale = np.abs(weight).max(axis=1).clip(1e-9) / np.float32(127)
    steps = np.rint(weight / scale[:, None]).astype(np.int16)
    zero = 0 if kind == "int8" else 128
    dtype = np.int8 if kind == "int8" else np.uint8
    return (steps + zero).astype(dtype), scale, np.full(len(weight), zero, dtype)
