"""The conversation that the demo remembers, and what it asks about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the messages that answer it."""

    question: str
    lang: str
    expect: tuple[str, ...]
    note: str
    """What makes it hard."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A text, and the role it belongs to; None: to none."""

    text: str
    role: str | None


@dataclass(frozen=True, slots=True)
class Story:
    turns: list[dict[str, Any]]
    """As the client takes them."""
    questions: list[Question]
    old: str
    """The message whose fact changed, and the one that changed it."""
    new: str
    where: str
    """The question about it."""
    as_of: str
    secret: str
    """The message that is to be forgotten, and the question about it."""
    secret_question: str
    memories: list[Placed]
    """For roles to claim."""
    contexts: list[Placed]
    """For roles to speak in."""


def story() -> Story:
    told = json.loads(read("story.json"))
    changed, forget = told["changed_fact"], told["forget"]
    return Story(
        turns=[json.loads(line) for line in read("conversation.jsonl").splitlines()],
        questions=[
            Question(one["question"], one["lang"], tuple(one["expect"]), one["note"])
            for one in map(json.loads, read("questions.jsonl").splitlines())
        ],
        old=changed["old_message"],
        new=changed["new_message"],
        where=changed["question"],
        as_of=changed["as_of"],
        secret=forget["message"],
        secret_question=forget["question"],
        memories=[Placed(**one) for one in told["roles"]["memories"]],
        contexts=[Placed(**one) for one in told["roles"]["contexts"]],
    )


def read(name: str) -> str:
    return resources.files("yiku.cli.demo").joinpath(name).read_text(encoding="utf-8")
