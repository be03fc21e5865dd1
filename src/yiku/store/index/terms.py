"""A passage's lexical tokens and filterable fields, hashed and packed into one blob.

Layout, little-endian: a 16-byte header (format, flags, 2 spare bytes, number of terms, length of
the text in tokens, length with its context), then per term its 64-bit hash, then per term how
often it stands in text and context together. Fields (tags, speaker …) are terms with count 0:
they select, and don't score.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
HEADER = struct.Struct("<BBHIII")
MAX_COUNT = 255
TERM_BYTES = 9


@lru_cache(maxsize=131_072)
def term_hash(term: str) -> int:
    """64 bits of BLAKE2b: two terms of one archive collide with odds of about 1 in 10⁷."""
    digest = blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def field_term(name: str, value: str) -> str:
    """The term that stands for `name == value`; no token of a text looks like it."""
    return f"\x1f{name}\x1f{value}"


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of n passages, one after the other."""

    sizes: NDArray[np.int64]
    """(n,) how many terms each has."""
    hashes: NDArray[np.uint64]
    counts: NDArray[np.uint8]
    """(sum of sizes,) as the hashes; in context and text together."""
    lengths: NDArray[np.uint32]
    """(n,) tokens of the text."""
    context_lengths: NDArray[np.uint32]
    """(n,) tokens of context and text together."""
    flags: NDArray[np.uint8]


def pack(tokens: Sequence[str], context: Sequence[str], fields: Iterable[str], flags: int) -> bytes:
    """Pack a text's tokens, the tokens of the turn before it, and its field terms."""
    counts = Counter([*tokens, *context])
    names = [*counts, *fields]
    header = HEADER.pack(FORMAT, flags, 0, len(names), len(tokens), len(tokens) + len(context))
    hashes = struct.pack(f"<{len(names)}Q", *map(term_hash, names))
    try:
        numbers = bytes(counts.values())
    except ValueError:  # some are over 255
        numbers = bytes([min(count, MAX_COUNT) for count in counts.values()])
    return b"".join((header, hashes, numbers, bytes(len(names) - len(counts))))


def unpack(blobs: Sequence[bytes]) -> Terms:
    """What `pack` packed, for many passages at once."""
    headers = [HEADER.unpack_from(blob) for blob in blobs]
    middles = [HEADER.size + 8 * header[3] for header in headers]
    hashes = b"".join([blob[HEADER.size : m] for blob, m in zip(blobs, middles, strict=True)])
    counts = b"".join([blob[m:] for blob, m in zip(blobs, middles, strict=True)])
    table = np.array(headers, np.int64).reshape(len(headers), 6)
    return Terms(
        sizes=table[:, 3],
        hashes=np.frombuffer(hashes, "<u8"),
        counts=np.frombuffer(counts, np.uint8),
        lengths=table[:, 4].astype(np.uint32),
        context_lengths=table[:, 5].astype(np.uint32),
        flags=table[:, 1].astype(np.uint8),
    )
