"""Tensors of a weights file, straight from the memory-mapped file."""

import json
import math
import mmap
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import ModelNotFound
from yiku.providers.torchfile import read_torch_zip

# NumPy has no bfloat16: it is read as the upper half of a float32.
DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor lies in the file: offset in bytes, row-major."""

    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(DTYPES[self.dtype]).itemsize


class Tensors:
    """The named tensors of a weights file: float32, float16 or bfloat16, read as float32.

    The file is a safetensors file or, if its name ends in .bin, a PyTorch checkpoint. Names lose
    the prefix (`bert.`, `roberta.` …) some checkpoints put before `embeddings.`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            try:
                self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise _damaged(path, "it is empty") from error
        read = _read_torch if path.suffix == ".bin" else _read_safetensors
        self._places = _without_prefix(read(self._file, path))

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def array(self, name: str) -> NDArray[np.float32]:
        """The whole tensor, float32; a read-only view of the file where the file has float32."""
        return _as_float32(self._raw(name))

    def rows(self, name: str, indices: Sequence[int]) -> NDArray[np.float32]:
        """`indices` of a matrix, float32 (len(indices), columns); only these are read."""
        return _as_float32(self._raw(name)[indices])

    def _raw(self, name: str) -> NDArray[Any]:
        place = self._places.get(name)
        if place is None:
            raise _damaged(self._path, f"it has no tensor `{name}`")
        count = math.prod(place.shape)
        flat = np.frombuffer(self._file, DTYPES[place.dtype], count, place.offset)
        return flat.reshape(place.shape)


def _as_float32(raw: NDArray[Any]) -> NDArray[np.float32]:
    if raw.dtype == np.uint16:
        return (raw.astype(np.uint32) << 16).view(np.float32)
    return raw.astype(np.float32, copy=False)


def _read_torch(file: mmap.mmap, path: Path) -> dict[str, Place]:
    try:
        places = {name: Place(*place) for name, place in read_torch_zip(path).items()}
    except ValueError as error:
        raise _damaged(path, f"it is not a PyTorch checkpoint ({error})") from error
    if any(p.offset + p.bytes > len(file) for p in places.values()):
        raise _damaged(path, "it is cut short")
    return places


def _read_safetensors(file: mmap.mmap, path: Path) -> dict[str, Place]:
    """An 8-byte little-endian length, that many bytes of JSON, then the tensors' bytes.

    Source: https://github.com/huggingface/safetensors#format
    """
    if len(file) < 8:
        raise _damaged(path, "it is too short")
    start = 8 + int(struct.unpack("<Q", file[:8])[0])
    try:
        header: dict[str, Any] = json.loads(file[8:start])
    except ValueError as error:
        raise _damaged(path, "it is not a safetensors file") from error
    places: dict[str, Place] = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in DTYPES:
            continue
        begin, _ = entry["data_offsets"]
        place = Place(entry["dtype"], tuple(entry["shape"]), start + begin)
        if place.offset + place.bytes > len(file):
            raise _damaged(path, "it is cut short")
        places[name] = place
    return places


def _without_prefix(places: Mapping[str, Place]) -> dict[str, Place]:
    anchor = "embeddings.word_embeddings.weight"
    prefix = next((n.removesuffix(anchor) for n in places if n.endswith(anchor)), "")
    return {name.removeprefix(prefix): place for name, place in places.items()}


def _damaged(path: Path, why: str) -> ModelNotFound:
    return ModelNotFound(
        f"{path} can't be used: {why}. Fetch it again: `yiku model pull`.", path=str(path)
    )
