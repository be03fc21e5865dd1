"""Data sets for measuring retrieval: passages, and questions with the passages that answer them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from yiku.core.errors import InvalidFile

LOCOMO_CATEGORIES = {
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    5: "adversarial",
}
ADVERSARIAL = LOCOMO_CATEGORIES[5]
SESSION = re.compile(r"session_(\d+)")
EVIDENCE = re.compile(r"D:?(\d+):(\d+)")
"""LoCoMo has malformed ids: "D8:6; D9:17" is two, "D:11:26" is D11:26, "D30:05" is D30:5."""


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    evidence: tuple[str, ...]
    category: str


@dataclass(frozen=True, slots=True)
class Pool:
    """What is searched together: a conversation, say."""

    name: str
    passages: list[dict[str, Any]]
    """As the client takes them; `metadata` has the data set's `id`."""
    questions: list[Question]


def locomo(path: Path, conversations: Sequence[int] | None) -> Iterator[Pool]:
    """The conversations of LoCoMo's layout; None: all. Questions without evidence are left out.

    Raises: InvalidFile.
    """
    found = parsed(path, path.read_text(encoding="utf-8"))
    if not isinstance(found, list):
        raise InvalidFile(f"{path} is not in LoCoMo's layout: a list of conversations.")
    whole = cast("list[Any]", found)
    chosen = range(len(whole)) if conversations is None else conversations
    for number in chosen:
        if number >= len(whole):
            raise InvalidFile(f"{path} has {len(whole)} conversations, none numbered {number}.")
        try:
            yield locomo_pool(whole[number], number)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidFile(
                f"{path}: conversation {number} is not in LoCoMo's layout ({error!r})."
            ) from error


def locomo_pool(sample: dict[str, Any], number: int) -> Pool:
    talk: dict[str, Any] = sample["conversation"]
    sessions = sorted(
        int(match[1])
        for name in talk
        if (match := SESSION.fullmatch(name)) and isinstance(talk[name], list)
    )
    passages: list[dict[str, Any]] = [
        {
            "text": said(turn),
            "speaker": turn["speaker"],
            "at": session_time(talk[f"session_{session}_date_time"]),
            "conversation": f"session_{session}",
            "metadata": {"id": turn["dia_id"]},
        }
        for session in sessions
        for turn in talk[f"session_{session}"]
    ]
    ids = {one["metadata"]["id"] for one in passages}
    questions = [
        Question(str(one["question"]), evidence, LOCOMO_CATEGORIES[one["category"]])
        for one in sample["qa"]
        if (evidence := repaired(one.get("evidence") or [], ids))
    ]
    return Pool(str(sample.get("sample_id", number)), passages, questions)


def said(turn: dict[str, Any]) -> str:
    caption = turn.get("blip_caption")
    return f"{turn['text']} [shares {caption}]" if caption else turn["text"]


def session_time(written: str) -> str:
    """`1:56 pm on 8 May, 2023`"""
    return datetime.strptime(written, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC).isoformat()


def repaired(evidence: Sequence[str], ids: set[str]) -> tuple[str, ...]:
    found = (f"D{int(s)}:{int(t)}" for one in evidence for s, t in EVIDENCE.findall(str(one)))
    return tuple(dict.fromkeys(one for one in found if one in ids))


def qa(path: Path) -> Iterator[Pool]:
    """One pool a line: `{"pool", "passages": [{id, text, speaker, date, session}], "questions":
    [{q, evidence: [ids], category}]}`.

    Raises: InvalidFile.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield qa_pool(parsed(path, line))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidFile(f"{path}, line {number}: not such a pool ({error!r}).") from error


def qa_pool(found: dict[str, Any]) -> Pool:
    passages: list[dict[str, Any]] = []
    for one in found["passages"]:
        fields = {
            "text": one["text"],
            "speaker": one.get("speaker") or None,
            "at": one.get("date") or None,
            "conversation": str(one["session"]) if one.get("session") not in (None, "") else None,
            "metadata": {"id": one["id"]},
        }
        passages.append({name: value for name, value in fields.items() if value is not None})
    ids = {one["metadata"]["id"] for one in passages}
    questions = [
        Question(one["q"], evidence, str(one.get("category") or "all"))
        for one in found["questions"]
        if (evidence := tuple(e for e in one["evidence"] if e in ids))
    ]
    return Pool(str(found["pool"]), passages, questions)


def parsed(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidFile(f"{path} is no valid JSON: {error}.") from error
