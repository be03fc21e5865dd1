"""Long JSON files are looked at before a parser may take the machine's memory for them."""

import io
import json
import zipfile
from typing import Any

import pytest

from yiku.agents.transfer import long_json
from yiku.agents.transfer.export_file import ExportFile
from yiku.agents.transfer.long_json import DEEPEST, demand_readable, skeleton
from yiku.core.errors import InvalidImport

# Brackets, quotes and backslashes that stand in texts, at each other's side.
TEXTS = ["[" * 300, '"', "\\", '\\"', '\\\\"{', "]\\", "é[", ""]


def file_of(value: Any) -> io.BytesIO:
    return io.BytesIO(json.dumps(value, ensure_ascii=False).encode())


def nested(levels: int, inner: Any = 0) -> Any:
    value = inner
    for n in range(levels):
        value = [*TEXTS, value] if n % 2 else {"".join(TEXTS): value, "b": TEXTS}
    return value


@pytest.mark.parametrize("look", [1, 2, 3, 7, 1 << 20])
def test_depth_is_counted_outside_of_texts(monkeypatch: pytest.MonkeyPatch, look: int) -> None:
    monkeypatch.setattr(long_json, "LOOK", look)
    levels = DEEPEST if look > 7 else 20
    monkeypatch.setattr(long_json, "DEEPEST", levels)
    demand_readable(file_of(nested(levels - 2, {"a": []})))
    with pytest.raises(InvalidImport, match=f"nested deeper than {levels} levels"):
        demand_readable(file_of(nested(levels - 1, {"a": []})))


def test_a_small_file_cannot_take_the_memory_of_a_large_machine() -> None:
    """100,000 levels: with the path to each, 10 GB."""
    file = io.BytesIO(b'{"a":' * 100_000)
    with pytest.raises(InvalidImport, match="nested deeper"):
        skeleton(file, ())


def test_a_text_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_json, "LOOK", 64)
    monkeypatch.setattr(long_json, "LONGEST", 1_000)
    demand_readable(file_of(["a" * 900] * 3))
    with pytest.raises(InvalidImport, match="a text of more than 1,000 bytes"):
        demand_readable(file_of(["a" * 1_100]))


@pytest.mark.parametrize("value", [{"x": [0] * 500}, {"x": "a" * 20_000}])
def test_what_is_held_of_a_file_is_bounded(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    monkeypatch.setattr(long_json, "MOST", 16_384)
    left_out = {"messages": [{"x": "a" * 100}] * 500}
    assert skeleton(file_of({"a": 1, **left_out}), ("messages",)).value == {"a": 1}
    with pytest.raises(InvalidImport, match="more beside its messages") as refused:
        skeleton(file_of({**value, **left_out}), ("messages",))
    assert str(refused.value.facts["place"]).startswith("x")


def archive_of(content: bytes) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", content)
    return made


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[" + b" " * 10_000 + b"]", r"10,002 bytes long; 10,000 are allowed \(YIKU_MAX_IMPORT_"),
        (b"[" * 5_000, "nested deeper"),
    ],
)
def test_an_archive_that_is_a_bomb_is_refused(content: bytes, told: str) -> None:
    export = ExportFile("chatgpt", archive_of(content), most=10_000)
    with pytest.raises(InvalidImport, match=told):
        next(export.chats())
