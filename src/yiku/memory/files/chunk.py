"""From a stretch of text to chunks that are found by their meaning."""

from __future__ import annotations

from functools import cache

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from yiku.core.file import Chunk, Stretch
from yiku.core.language import language_of

LATIN = 1_200
"""Characters of a chunk: some 300 tokens."""
CHINESE = 400
"""As many tokens of Chinese."""
AS_MARKDOWN = frozenset({"text/markdown", "text/html"})


@cache
def splitter(capacity: int, *, markdown: bool) -> TextSplitter | MarkdownSplitter:
    return MarkdownSplitter(capacity) if markdown else TextSplitter(capacity)


def chunks(stretch: Stretch, media_type: str) -> list[Chunk]:
    """Always the same ones of the same stretch: an embedding that broke off goes on behind the
    last that is stored. At headings and paragraphs where it can be, else at sentences and words.
    """
    text = stretch.text
    if not text.strip():
        return []
    capacity = CHINESE if language_of([text]) == "zh" else LATIN
    made: list[Chunk] = []
    at, line = 0, stretch.first_line
    of_kind = splitter(capacity, markdown=media_type in AS_MARKDOWN)
    for start, part in of_kind.chunk_indices(text):
        line += text.count("\n", at, start)
        last = line + part.rstrip("\n").count("\n")
        made.append(Chunk(text=part, first_line=line, last_line=last))
        at = start
    return made
