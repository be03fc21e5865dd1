"""`yiku bench skills`: what memory skills cost, in calls of a model, tokens and time."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Literal

import click

from yiku.app import App, build
from yiku.cli import output
from yiku.cli.demo.story import story
from yiku.cli.options import Asked, Command
from yiku.cli.progress import Bar
from yiku.cli.running import home_of
from yiku.core.message import Text
from yiku.core.model import Answer, Finish, Piece, Prompt, Usage
from yiku.core.skill import SkillType
from yiku.core.tenant import LOCAL_ACTOR
from yiku.core.tokens import estimated_tokens
from yiku.memory import search
from yiku.memory.archival import Place
from yiku.memory.skills import encode, query, registry
from yiku.memory.skills.query import Refine
from yiku.memory.skills.shared import Skills
from yiku.providers.models import Models, ModelsChoice
from yiku.settings import load

HERE = Place()
THOUSAND = 1_000
ROUNDS = 10
"""Times that each question is timed, both ways in turn."""
CHOICES = 20
"""Times that a skill is chosen for each text."""
MARKED = re.compile(r"<(data_\w+)>\n(.*?)\n</\1>", re.DOTALL)
NAMED = re.compile(r"^- (\w+):", re.MULTILINE)

Encoding = Literal["off", "background", "request"]
ENCODINGS: Sequence[Encoding] = ("off", "background", "request")
REFINES: Sequence[Refine] = ("never", "auto", "always")


@dataclass(slots=True)
class Spent:
    """Of a model."""

    calls: int = 0
    tokens: int = 0
    """Of prompts and answers together, as estimated."""

    def of_thousand(self, messages: int) -> Spent:
        scale = THOUSAND / messages
        return Spent(round(self.calls * scale), round(self.tokens * scale))


class Metered:
    """A language model that repeats what it is shown, in this process, and counts.

    Quality is no part of what is measured; the prompts are those of production.
    """

    model = "bench/metered"

    def __init__(self) -> None:
        self.spent = Spent()

    def taken(self) -> Spent:
        """What was spent since the last time."""
        spent, self.spent = self.spent, Spent()
        return spent

    async def complete(self, prompt: Prompt) -> Answer:
        told = "\n".join(one.text for one in prompt.messages)
        text = said(prompt.system, told)
        usage = Usage(
            prompt_tokens=estimated_tokens(prompt.system + told),
            completion_tokens=estimated_tokens(text),
        )
        self.spent.calls += 1
        self.spent.tokens += usage.total_tokens
        return Answer(parts=(Text(text),), usage=usage, finish=Finish.END, model=self.model)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece | Answer]:
        yield await self.complete(prompt)

    async def close(self) -> None: ...


def said(system: str, told: str) -> str:
    marked = MARKED.search(told)
    if marked is None:  # it is to choose a skill
        return NAMED.findall(told)[0]
    text = marked[2]
    answer: dict[str, Any] = {"queries": [text.rstrip("?？")], "exact": []}
    if '"operations"' in system:
        answer = {"operations": [{"op": "add", "text": text}]}
    return json.dumps(answer, ensure_ascii=False)


class OneModel(Models):
    """No other is ever asked."""

    def __init__(self, model: Metered) -> None:
        super().__init__(ModelsChoice())
        self._one = model

    @property
    def default(self) -> str:
        return self._one.model

    def get(self, handle: str | None = None) -> Metered:
        return self._one


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What a setting costs for a thousand texts."""

    encoding: Encoding
    llm_selection: bool
    waiting: Spent
    """While whoever saves waits."""
    later: Spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What a setting costs for a thousand questions."""

    refine: Refine
    llm_selection: bool
    waiting: Spent


@dataclass(slots=True)
class Took:
    """Medians."""

    skills: int = 0
    """Active ones, among which the controller chooses."""
    controller_us: float = 0.0
    search_ms: float = 0.0
    query_memory_ms: float = 0.0
    added_ms: float = 0.0
    """Of the differences: a question's `query_memory` less its search right beside it."""
    ratio: float = 0.0


@dataclass(slots=True)
class Measured:
    texts: int
    questions: int
    saving: list[Saving] = field(default_factory=list[Saving])
    looking_up: list[Looking] = field(default_factory=list[Looking])
    took: Took = field(default_factory=Took)


@click.command("skills", cls=Command)
@click.pass_obj
def bench_skills(asked: Asked) -> None:
    """What memory skills cost, by setting: a model's calls and tokens for 1,000 messages, and the
    time that choosing a skill adds to a search.

    The messages are those of `yiku demo`; the model is one of our own that repeats what it is
    shown.
    """
    told = story()
    texts = [str(one["text"]) for one in told.turns]
    questions = [one.question for one in told.questions]
    with Bar("measuring", asked, unit="passages") as bar:
        measured = asyncio.run(measure(asked, texts, questions, bar))
    show(asked, measured)


async def measure(
    asked: Asked, texts: Sequence[str], questions: Sequence[str], bar: Bar
) -> Measured:
    measured = Measured(len(texts), len(questions))
    settings = list(product(ENCODINGS, (False, True)))
    total = len(settings) * len(texts)
    for n, (encoding, selects) in enumerate(settings):
        with tempfile.TemporaryDirectory(prefix="yiku-bench-") as folder:
            database = f"sqlite:///{Path(folder).as_posix()}/skills.db"
            async with build(load(**home_of(asked), database_url=database)) as app:
                model = Metered()
                skills = skills_with(app, model, encoding, selects)
                measured.saving.append(await saving(skills, model, texts))
                bar.update((n + 1) * len(texts), total)
                if encoding == "background":
                    looked = [await looking(skills, model, questions, one) for one in REFINES]
                    measured.looking_up += looked
                    if not selects:
                        measured.took = await timed(skills, texts, questions)
                await skills.close()
    return measured


def skills_with(app: App, model: Metered, encoding: Encoding, selects: bool) -> Skills:
    policy = replace(
        app.skills.policy, encoding=encoding, choose_with_model=selects, secrets="mask"
    )
    return replace(app.skills, models=OneModel(model), policy=policy)


async def saving(skills: Skills, model: Metered, texts: Sequence[str]) -> Saving:
    """Each text is saved, and encoded as the worker would."""
    waiting, later = Spent(), Spent()
    for text in texts:
        saved = await encode.save(skills, LOCAL_ACTOR, HERE, text)
        add(waiting, model.taken())
        if saved.encoding is not None:
            await encode.run(skills, LOCAL_ACTOR, saved.encoding.id)
            add(later, model.taken())
    return Saving(
        encoding=skills.policy.encoding,
        llm_selection=skills.policy.choose_with_model,
        waiting=waiting.of_thousand(len(texts)),
        later=later.of_thousand(len(texts)),
    )


def add(to: Spent, spent: Spent) -> None:
    to.calls += spent.calls
    to.tokens += spent.tokens


async def looking(
    skills: Skills, model: Metered, questions: Sequence[str], refine: Refine
) -> Looking:
    for question in questions:
        found = await query.query_memory(skills, LOCAL_ACTOR, [HERE], question, refine=refine)
        await found.lookup
    return Looking(
        refine=refine,
        llm_selection=skills.policy.choose_with_model,
        waiting=model.taken().of_thousand(len(questions)),
    )


async def timed(skills: Skills, texts: Sequence[str], questions: Sequence[str]) -> Took:
    """Each question is searched for and looked up in turn, first the one, then the other; all of
    them have been embedded before, so that it isn't the embedding that is timed."""
    searches: list[float] = []
    lookups: list[float] = []
    for n, question in product(range(ROUNDS), questions):
        for looks in (False, True) if n % 2 else (True, False):
            started = time.perf_counter()
            if looks:
                found = await query.query_memory(
                    skills, LOCAL_ACTOR, [HERE], question, refine="never"
                )
                lookups.append(1000 * (time.perf_counter() - started))
                await found.lookup
            else:
                await search.search(skills.memory, LOCAL_ACTOR, [HERE], question)
                searches.append(1000 * (time.perf_counter() - started))
    active = await registry.active(skills, LOCAL_ACTOR)
    controller = skills.controllers.of(active)
    choices: list[float] = []
    for _, text in product(range(CHOICES), (*texts, *questions)):
        started = time.perf_counter()
        controller.by_keywords(SkillType.ENCODING, text)
        choices.append(1_000_000 * (time.perf_counter() - started))
    searched, looked = median(searches), median(lookups)
    return Took(
        skills=len(active),
        controller_us=round(median(choices), 1),
        search_ms=round(searched, 2),
        query_memory_ms=round(looked, 2),
        added_ms=round(median(b - a for a, b in zip(searches, lookups, strict=True)), 2),
        ratio=round(looked / searched, 2),
    )


def show(asked: Asked, measured: Measured) -> None:
    if asked.as_json:
        output.print_json({**asdict(measured), "per": THOUSAND})
        return
    rows = [
        [
            "save",
            f"YIKU_SKILL_ENCODING={one.encoding}",
            onoff(one.llm_selection),
            *cells(one.waiting),
            *cells(one.later),
        ]
        for one in measured.saving
    ]
    rows += [
        ["look up", f"refine={one.refine}", onoff(one.llm_selection), *cells(one.waiting), "", ""]
        for one in measured.looking_up
    ]
    output.print_table(
        ["", "setting", "model chooses", "calls", "tokens", "later: calls", "tokens"], rows
    )
    took = measured.took
    output.note(
        f"for {THOUSAND:,} messages each, by {measured.texts} texts and {measured.questions}"
        f" questions; among {took.skills} skills, one is chosen by keywords in"
        f" {took.controller_us:.0f} µs; search {took.search_ms:.2f} ms, query_memory"
        f" {took.query_memory_ms:.2f} ms: × {took.ratio:.2f}, {took.added_ms:+.2f} ms (medians)"
    )


def onoff(value: bool) -> str:
    return "yes" if value else "no"


def cells(spent: Spent) -> list[str]:
    return [f"{spent.calls:,}", f"{spent.tokens:,}"]
