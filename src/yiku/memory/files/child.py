"""The program that reads one file whose format needs a parser: PDF, DOCX, HTML, JSON.

It runs in a process of its own, with limits: files come from anywhere, and one that is made to take
all memory, or for ever, must end nothing but this. Called with the reader, the file, where the text
goes, and how much memory (MB), time (s) and text (characters) it may take; what is wrong with a
file it says on its standard output. Where the server is killed it ends by itself, when its time is
over.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from yiku.memory.files.decode import blocks
from yiku.memory.files.sniff import Reader

if sys.platform != "win32":
    import resource

MAX_UNPACKED = 200 * 1024 * 1024
"""Bytes that the parts of a DOCX may have together."""
LONG_LINE = 2_000
CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?([\w-]+)", re.I)


class Unreadable(Exception):
    """The file can't be read; the text says why."""


def pdf(path: Path) -> Iterator[str]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("It is encrypted: save it without a password, and upload it again.")
        count, said = len(reader.pages), False
        for n in range(count):
            text = reader.pages[n].extract_text()
            said = said or bool(text.strip())
            yield f"{text}\n\n"
            reader.resolved_objects.clear()  # else the whole file would stay in memory
    except PyPdfError as error:
        raise Unreadable(f"It is no whole PDF: {error}.") from error
    if not said:
        pages = "page has" if count == 1 else f"{count} pages have"
        raise Unreadable(
            f"Its {pages} no text, and may show a picture of it. Make a PDF with text of it by OCR,"
            " and upload that."
            if count
            else "It has no pages."
        )


def docx(path: Path) -> Iterator[str]:
    try:
        with zipfile.ZipFile(path) as whole:
            unpacked = sum(one.file_size for one in whole.infolist())
    except zipfile.BadZipFile as error:
        raise Unreadable(f"It is no whole DOCX: {error}.") from error
    if unpacked > MAX_UNPACKED:
        raise Unreadable(
            f"Unpacked it would be {unpacked:,} bytes long; {MAX_UNPACKED:,} are allowed."
        )
    from docx import Document
    from docx.table import Table

    for part in Document(str(path)).iter_inner_content():
        if isinstance(part, Table):
            for row in part.rows:
                yield " | ".join(" ".join(cell.text.split()) for cell in row.cells) + "\n"
            yield "\n"
            continue
        style = part.style.name if part.style is not None else None
        level = re.fullmatch(r"Heading (\d)", style or "")
        yield f"{'#' * int(level[1])} {part.text}\n" if level else f"{part.text}\n\n"


def html(path: Path) -> Iterator[str]:
    from html_to_markdown import convert

    with path.open("rb") as file:
        named = CHARSET.search(file.read(4096))
        file.seek(0)
        try:
            source = "".join(blocks(file, named[1].decode("ascii") if named else None))
        except LookupError:  # a name that nobody knows
            file.seek(0)
            source = "".join(blocks(file))
    yield convert(source).content or ""


def as_json(path: Path) -> Iterator[str]:
    """On one long line it would be of no use: then it is set out. What isn't JSON is text."""
    with path.open("rb") as file:
        source = "".join(blocks(file))
    if max(map(len, source.split("\n"))) <= LONG_LINE:
        yield source
        return
    try:
        value = json.loads(source)
    except (ValueError, RecursionError):
        yield source
        return
    yield from json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value)


READERS: dict[Reader, Callable[[Path], Iterator[str]]] = {
    Reader.PDF: pdf,
    Reader.DOCX: docx,
    Reader.HTML: html,
    Reader.JSON: as_json,
}


def read(reader: Reader, path: Path, target: Path, max_chars: int) -> None:
    """Raises: Unreadable."""
    written = 0
    with target.open("w", encoding="utf-8", errors="replace", newline="") as out:
        for text in READERS[reader](path):
            written += len(text)
            if written > max_chars:
                raise Unreadable(f"It has more than {max_chars:,} characters of text.")
            out.write(text)
    if not written:
        raise Unreadable("It has no text.")


def limit(memory_mb: int, cpu_s: int) -> None:
    """On Windows there are none."""
    if sys.platform == "win32":
        return
    most = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(reader: str, path: str, target: str, *limits: str) -> None:
    memory_mb, cpu_s, max_chars = map(int, limits)
    limit(memory_mb, cpu_s)
    try:
        read(Reader(reader), Path(path), Path(target), max_chars)
    except Unreadable as error:
        print(json.dumps({"problem": str(error)}))
    except (MemoryError, RecursionError):
        print(json.dumps({"problem": "Reading it takes more memory than a file may have."}))
    # A door: parsers raise whatever a broken file leads them to, and it is that file's problem.
    except Exception as error:
        kind = type(error).__name__
        print(json.dumps({"problem": f"It can't be read as {reader.upper()} ({kind})."}))


if __name__ == "__main__":
    main(*sys.argv[1:])
