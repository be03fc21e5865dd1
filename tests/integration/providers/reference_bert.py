"""BERT's forward pass in NumPy, float64, written from the paper; nothing of Yiku's is used.

Source: Devlin et al., NAACL 2019; Reimers and Gurevych, EMNLP 2019 (pooling).
"""

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Array = NDArray[np.float64]
erf = np.frompyfunc(math.erf, 1, 1)


def read_tensors(path: Path) -> dict[str, Array]:
    """Of a safetensors file in float32."""
    raw = path.read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    tensors: dict[str, Array] = {}
    for name, entry in json.loads(raw[8:start]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            flat = np.frombuffer(raw[start + begin : start + end], "<f4")
            tensors[name] = flat.reshape(entry["shape"]).astype(np.float64)
    return tensors


class Reference:
    def __init__(self, folder: Path, tensors: dict[str, Array], pooling: str = "mean") -> None:
        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.tensors = tensors
        self.pooling = pooling

    def embed(self, text: str) -> Array:
        ids = self.tokenizer.encode(text).ids
        first = self.config["pad_token_id"] + 1 if "roberta" in self.config["model_type"] else 0
        places = np.arange(first, first + len(ids))
        t = self.tensors
        hidden = (
            t["embeddings.word_embeddings.weight"][ids]
            + t["embeddings.position_embeddings.weight"][places]
            + t["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self.norm(hidden, "embeddings.LayerNorm")
        for i in range(self.config["num_hidden_layers"]):
            hidden = self.layer(hidden, f"encoder.layer.{i}")
        pooled = hidden.mean(axis=0) if self.pooling == "mean" else hidden[0]
        return pooled / np.linalg.norm(pooled)

    def layer(self, hidden: Array, name: str) -> Array:
        query, key, value = (
            self.heads(self.linear(hidden, f"{name}.attention.self.{part}"))
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        odds = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (odds / odds.sum(axis=-1, keepdims=True)) @ value
        mixed = mixed.transpose(1, 0, 2).reshape(hidden.shape)
        attended = self.linear(mixed, f"{name}.attention.output.dense")
        hidden = self.norm(attended + hidden, f"{name}.attention.output.LayerNorm")
        wide = self.linear(hidden, f"{name}.intermediate.dense")
        active = wide * 0.5 * (1 + erf(wide / math.sqrt(2)).astype(np.float64))
        return self.norm(
            self.linear(active, f"{name}.output.dense") + hidden, f"{name}.output.LayerNorm"
        )

    def heads(self, x: Array) -> Array:
        count = self.config["num_attention_heads"]
        return x.reshape(len(x), count, -1).transpose(1, 0, 2)

    def linear(self, x: Array, name: str) -> Array:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return centred / spread * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]
