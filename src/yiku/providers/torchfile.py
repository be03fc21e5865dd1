"""Where the tensors lie in a PyTorch checkpoint (a zip), without torch.

bge-m3 is published in no other form. Only the few names such a checkpoint needs can be unpickled;
any other is refused, so a file can't run code.
Source: https://pytorch.org/docs/stable/notes/serialization.html
"""

import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

STORAGES = {"FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16"}
ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in a storage: `start` counts items, not bytes."""

    dtype: str
    key: str
    start: int
    shape: tuple[int, ...]


def read_torch_zip(path: Path) -> dict[str, tuple[str, tuple[int, ...], int]]:
    """Name to (dtype, shape, offset in bytes) of each float tensor.

    Raises: ValueError when the file isn't such a checkpoint.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            pickled = next((n for n in archive.namelist() if n.endswith("data.pkl")), None)
            if pickled is None:
                raise ValueError("there is no data.pkl in it")
            root = pickled.removesuffix("data.pkl")
            with archive.open(pickled) as stream:
                found = CheckpointUnpickler(stream).load()
            if not isinstance(found, dict):
                raise ValueError("it holds no dictionary of tensors")
            entries = cast("dict[Any, Any]", found).items()
            tensors = {str(k): v for k, v in entries if isinstance(v, Stored)}
            places: dict[str, tuple[str, tuple[int, ...], int]] = {}
            for name, tensor in tensors.items():
                member = archive.getinfo(f"{root}data/{tensor.key}")
                if member.compress_type != zipfile.ZIP_STORED:
                    raise ValueError("its tensors are compressed")
                # The zip's own header may be padded, so that tensors start at round addresses.
                file.seek(member.header_offset + 26)
                padding = sum(struct.unpack("<HH", file.read(4)))
                offset = member.header_offset + 30 + padding
                offset += tensor.start * ITEM_BYTES[tensor.dtype]
                places[name] = (tensor.dtype, tensor.shape, offset)
            return places
    except (zipfile.BadZipFile, pickle.UnpicklingError, struct.error, KeyError) as error:
        raise ValueError(str(error)) from error


class CheckpointUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _stored,
        }
        if module_name == "torch" and global_name.endswith("Storage"):
            return global_name
        if (module_name, global_name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")
        return known[module_name, global_name]

    def persistent_load(self, pid: Any, /) -> tuple[str | None, str]:
        _, storage, key, *_ = pid
        return STORAGES.get(storage), key


def _stored(
    storage: tuple[str | None, str], start: int, shape: tuple[int, ...], *rest: Any
) -> Stored | None:
    """None for a tensor that isn't of floats: position ids, say."""
    dtype, key = storage
    strides: tuple[int, ...] = rest[0]
    whole = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
    if strides != whole:
        raise pickle.UnpicklingError("a tensor isn't row-major")
    return Stored(dtype, key, start, shape) if dtype else None
