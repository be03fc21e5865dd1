"""Arrays in one file, to be mapped into memory: what they are, checksums, then the arrays.

Layout: 8 bytes that say what the file is, the length of the header and its CRC-32, the header as
JSON, then the arrays, each from a multiple of `ALIGNMENT` on. The header has the size and the
CRC-32 of all that follows it.
"""

from __future__ import annotations

import json
import mmap
import os
import secrets
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"YIKUIDX\x01"
"""Its last byte is the layout's version."""
LEAD = struct.Struct("<8sII")
ALIGNMENT = 64
BLOCK = 1 << 20
"""Bytes read at a time for the checksum: not through the mapping, whose pages would count as this
process's memory from then on."""
PARTIAL = ".partial"

Arrays = Mapping[str, NDArray[Any]]


class Unusable(Exception):
    """The file is not what it should be: cut off, damaged, or another program's."""


@dataclass(frozen=True, slots=True)
class Container:
    """What a file holds; the arrays are read-only views of it."""

    facts: Mapping[str, Any]
    arrays: Arrays


def write(path: Path, facts: Mapping[str, Any], arrays: Arrays) -> None:
    """Whole at `path`, replacing what was there, or not at all; only the user may read it.

    It is not synced: after a loss of power its checksums tell whether it is whole.
    """
    parts: list[bytes | memoryview] = []
    table: list[tuple[str, str, Sequence[int], int]] = []
    size = crc = 0

    def append(part: bytes | memoryview) -> None:
        nonlocal size, crc
        parts.append(part)
        size, crc = size + len(part), zlib.crc32(part, crc)

    for name, array in arrays.items():
        append(bytes(-size % ALIGNMENT))
        table.append((name, array.dtype.str, array.shape, size))
        append(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    header = json.dumps({"facts": facts, "arrays": table, "size": size, "crc": crc}).encode()
    lead = LEAD.pack(MAGIC, len(header), zlib.crc32(header))
    gap = bytes(-(LEAD.size + len(header)) % ALIGNMENT)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines([lead, header, gap, *parts])
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read(path: Path) -> Container:
    """Map the file. Raises: Unusable, OSError."""
    with path.open("rb") as file:
        header, start = header_of(file.fileno())
        try:
            size, crc, table = header["size"], header["crc"], header["arrays"]
            if os.fstat(file.fileno()).st_size != start + size:
                raise Unusable("its size is not what its header says")
            if crc_of(file.fileno(), start) != crc:
                raise Unusable("its checksum is wrong")
            # An empty mapping is an error; a file with a header never is empty.
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            arrays = {
                name: np.ndarray(tuple(shape), np.dtype(dtype), mapped, start + offset)
                for name, dtype, shape, offset in table
            }
            return Container(header["facts"], arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise Unusable("its header can't be understood") from error


def facts_of(path: Path) -> Mapping[str, Any]:
    """The header's facts alone; the rest is not looked at. Raises: Unusable, OSError."""
    with path.open("rb") as file:
        return header_of(file.fileno())[0].get("facts", {})


def header_of(handle: int) -> tuple[dict[str, Any], int]:
    """The header, and where the arrays begin. Raises: Unusable."""
    lead = os.pread(handle, LEAD.size, 0)
    if len(lead) < LEAD.size or not lead.startswith(MAGIC):
        raise Unusable("it is another program's, another version's or empty")
    _, length, crc = LEAD.unpack(lead)
    header = os.pread(handle, length, LEAD.size)
    if len(header) != length or zlib.crc32(header) != crc:
        raise Unusable("its header is damaged")
    end = LEAD.size + length
    return json.loads(header), end + -end % ALIGNMENT


def crc_of(handle: int, start: int) -> int:
    """Of all from `start` to the file's end."""
    crc, block = 0, bytearray(BLOCK)
    view = memoryview(block)
    while count := os.preadv(handle, [block], start):
        crc = zlib.crc32(view[:count], crc)
        start += count
    return crc
