"""Small models with random weights, in the files a model hub would have."""

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

HIDDEN, LAYERS, HEADS, WIDE, POSITIONS = 32, 2, 4, 64, 40
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.:!?'我你他是不喜欢花生北京上海"

Floats = NDArray[np.float32]


def random_tensors(seed: int, words: int, kinds: int) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)

    def draw(*shape: int, around: float = 0.0) -> Floats:
        return (rng.normal(size=shape) * 0.15 + around).astype(np.float32)

    tensors = {
        "embeddings.word_embeddings.weight": draw(words, HIDDEN),
        "embeddings.position_embeddings.weight": draw(POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": draw(kinds, HIDDEN),
    }
    shapes = {
        "attention.self.query": (HIDDEN, HIDDEN),
        "attention.self.key": (HIDDEN, HIDDEN),
        "attention.self.value": (HIDDEN, HIDDEN),
        "attention.output.dense": (HIDDEN, HIDDEN),
        "intermediate.dense": (WIDE, HIDDEN),
        "output.dense": (HIDDEN, WIDE),
    }
    norms = ["embeddings.LayerNorm"]
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        for name, (outputs, inputs) in shapes.items():
            tensors[f"{layer}.{name}.weight"] = draw(outputs, inputs)
            tensors[f"{layer}.{name}.bias"] = draw(outputs)
    for name in norms:
        tensors[f"{name}.weight"] = draw(HIDDEN, around=1.0)
        tensors[f"{name}.bias"] = draw(HIDDEN)
    return tensors


def write_bert(folder: Path, *, dtype: str = "F32", prefix: str = "") -> dict[str, Floats]:
    """A BERT of WordPiece letters; its tensors as float32, rounded as `dtype` rounds them."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS]
    words += [f"##{letter}" for letter in LETTERS]
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    write_folder(folder, tokenizer, config("bert", pad=0))
    return write_safetensors(folder, random_tensors(1, len(vocabulary), 2), dtype, prefix)


def write_xlm_roberta(folder: Path) -> dict[str, Floats]:
    """An XLM-RoBERTa of single letters, its positions counted from 2."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *LETTERS]
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    write_folder(folder, tokenizer, config("xlm-roberta", pad=1))
    return write_safetensors(folder, random_tensors(2, len(pieces), 1), "F32", "roberta.")


def config(kind: str, pad: int) -> dict[str, Any]:
    return {
        "model_type": kind,
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": WIDE,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5 if kind == "xlm-roberta" else 1e-12,
        "max_position_embeddings": POSITIONS,
        "pad_token_id": pad,
        "position_embedding_type": "absolute",
    }


def write_folder(folder: Path, tokenizer: Tokenizer, config: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(config))


def write_safetensors(
    folder: Path, tensors: dict[str, Floats], dtype: str, prefix: str
) -> dict[str, Floats]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    rounded: dict[str, Floats] = {}
    for name, array in tensors.items():
        if dtype == "F16":
            raw, rounded[name] = array.astype("<f2").tobytes(), array.astype(np.float16)
        elif dtype == "BF16":
            upper = (array.view(np.uint32) >> 16).astype("<u2")
            raw, rounded[name] = upper.tobytes(), (upper.astype(np.uint32) << 16).view(np.float32)
        else:
            raw, rounded[name] = array.astype("<f4").tobytes(), array
        place = [len(body), len(body) + len(raw)]
        header[prefix + name] = {"dtype": dtype, "shape": array.shape, "data_offsets": place}
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    return {name: array.astype(np.float32) for name, array in rounded.items()}


def write_torch(folder: Path, tensors: dict[str, Floats]) -> None:
    """The zip torch.save writes, the pickle's names spelt out since torch isn't here."""
    pickled = b"\x80\x02ccollections\nOrderedDict\n)R("
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_STORED) as archive:
        for i, (name, array) in enumerate(tensors.items()):
            archive.writestr(f"model/data/{i}", array.astype("<f4").tobytes())
            strides = [s // array.itemsize for s in array.strides]
            storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
            storage += value(str(i)) + value("cpu") + value(array.size) + b"tQ"
            arguments = storage + value(0) + value(tuple(array.shape)) + value(tuple(strides))
            arguments += b"\x89ccollections\nOrderedDict\n)R"
            pickled += value(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"
        archive.writestr("model/data.pkl", pickled + b"u.")


def value(of: Any) -> bytes:
    """Pickled, without the frame and memo around it."""
    out = io.BytesIO()
    pickler = pickle.Pickler(out, protocol=2)
    pickler.fast = True
    pickler.dump(of)
    return out.getvalue()[2:-1]
