"""A model at work for a skill, and what is believed of its answer.

Each operation is looked at for itself: what is wrong with one is told, and the others hold. Where
nothing is left, the text stays as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from yiku.core.errors import InvalidText
from yiku.core.ids import PassageId
from yiku.core.language import Language
from yiku.core.model import Usage
from yiku.core.ports import LanguageModel
from yiku.core.skill import MemorySkill, Op, Operation, SkillType
from yiku.memory.draft import check_text
from yiku.memory.skills.faithful import keeps_language
from yiku.memory.skills.prompts import KnownMemory, alias, mark_of, prompt_for
from yiku.memory.skills.secrets import secrets_in
from yiku.memory.text import tokens

MAX_OPERATIONS = 20
MAX_TARGETS = 5
"""Known memories that one text can change; more looks like an order to forget everything."""
MAX_MEMORY = 2_000
"""Characters of a memory."""
SLACK = 200
"""Characters by which a memory may be longer than twice its text: names and dates are filled in."""
MAX_QUERIES = 3
MAX_QUERY = 400
MAX_BRACES = 50
"""Places where an answer's JSON is looked for."""
THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What a model made of a text, and is believed."""

    operations: tuple[Operation, ...]
    """Empty: there is nothing that could be carried out; `problems` say why."""
    problems: tuple[str, ...]
    """Why operations were refused; they quote no memory."""
    usage: Usage
    model: str
    """The handle that answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """What a model made of a query, and is believed."""

    queries: tuple[str, ...]
    exact: tuple[str, ...]
    """What must be found letter by letter; each stands in the query."""
    problems: tuple[str, ...]
    usage: Usage
    model: str


async def encode(
    model: LanguageModel,
    skill: MemorySkill,
    content: str,
    *,
    known: Sequence[KnownMemory],
    language: Language,
    now: datetime,
) -> Encoded:
    """`now`: when it was said. Raises: ProviderError, InvalidSkill."""
    prompt = prompt_for(
        SkillType.ENCODING, skill.prompt_template, content, known=known, language=language, now=now
    )
    answer = await model.complete(prompt)
    operations, problems = operations_in(answer.text, content, known)
    return Encoded(operations=operations, problems=problems, usage=answer.usage, model=answer.model)


async def refine(
    model: LanguageModel, skill: MemorySkill, query: str, *, language: Language, now: datetime
) -> Refined:
    """Raises: ProviderError, InvalidSkill."""
    prompt = prompt_for(
        SkillType.RETRIEVAL, skill.prompt_template, query, language=language, now=now
    )
    answer = await model.complete(prompt)
    queries, exact, problems = queries_in(answer.text, query)
    return Refined(
        queries=queries, exact=exact, problems=problems, usage=answer.usage, model=answer.model
    )


class Rejected(Exception):
    """One operation, or one query, and why."""


def operations_in(
    answer: str, content: str, known: Sequence[KnownMemory]
) -> tuple[tuple[Operation, ...], tuple[str, ...]]:
    """The operations that may be carried out, in the answer's order, and why others may not."""
    found = json_in(answer, "operations")
    if found is None:
        return (), ("The answer is no JSON of the form asked for.",)
    if not found:
        return (Operation(op=Op.NOTHING),), ()
    targets = {alias(place): one for place, one in enumerate(known)}
    named: set[PassageId] = set()
    kept: list[Operation] = []
    problems: list[str] = []
    for n, one in enumerate(found[:MAX_OPERATIONS], 1):
        try:
            made = operation_of(one, content, targets, named)
        except Rejected as why:
            problems.append(f"Operation {n}: {why}")
            continue
        if made.target is not None:
            named.add(made.target)
        kept.append(made)
    if len(found) > MAX_OPERATIONS:
        problems.append(f"There are {len(found)} operations; {MAX_OPERATIONS} were looked at.")
    changed = [one for one in kept if one.op in (Op.SUPERSEDE, Op.DELETE)]
    if len(changed) > MAX_TARGETS:
        problems.append(f"They change {len(changed)} known memories; one text may {MAX_TARGETS}.")
        kept = [one for one in kept if one not in changed]
    does = [one for one in kept if one.op is not Op.NOTHING]
    return tuple(does or kept[:1]), tuple(problems)


def operation_of(
    given: Any, content: str, targets: Mapping[str, KnownMemory], named: set[PassageId]
) -> Operation:
    """Raises: Rejected."""
    if not isinstance(given, dict):
        raise Rejected("it is no object.")
    told = cast("dict[str, Any]", given)
    try:
        op = Op(str(told.get("op", "")).strip().lower())
    except ValueError:
        raise Rejected("there is no such operation.") from None
    target = target_of(op, told.get("target"), targets)
    if target in named:
        raise Rejected("its target is another operation's already.")
    if op in (Op.DELETE, Op.NOTHING):
        return Operation(op=op, target=target)
    text = told.get("text")
    if not isinstance(text, str):
        raise Rejected("it has no text.")
    text = text.strip()
    check_made(text, content)
    old = next((one.text for one in targets.values() if one.id == target), None)
    if old == text:
        raise Rejected("it supersedes a memory by itself.")
    return Operation(op=op, text=text, target=target)


def target_of(op: Op, given: Any, targets: Mapping[str, KnownMemory]) -> PassageId | None:
    """Raises: Rejected."""
    if op is Op.ADD:
        return None
    name = str(given).strip().strip("[]").lower() if given not in (None, "") else ""
    if name in targets:
        return targets[name].id
    if op is Op.NOTHING and not name:
        return None
    raise Rejected("its target is no known memory." if name else "it names no target.")


def check_made(text: str, content: str) -> None:
    """What a memory must be, beside the text it was made of. Raises: Rejected."""
    try:
        check_text(text, MAX_MEMORY * 4)
    except InvalidText as error:
        raise Rejected("it can't be stored: it is empty, or no valid text.") from error
    longest = min(MAX_MEMORY, 2 * len(content) + SLACK)
    if len(text) > longest:
        raise Rejected(f"it has {len(text)} characters; {longest} are allowed here.")
    if mark_of(content) in text:
        raise Rejected("it quotes its instructions.")
    if not keeps_language(content, text):
        raise Rejected("it isn't in the language of the text.")
    if brings_secret(text, content):
        raise Rejected("it holds a secret.")
    if not set(tokens(text)) & set(tokens(content)):
        raise Rejected("it says nothing of what was said.")


def brings_secret(text: str, content: str) -> bool:
    """One that the content hasn't: what it may keep, it has been asked already."""
    return any(text[one.start : one.end] not in content for one in secrets_in(text))


def queries_in(answer: str, query: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The queries, what is to be found letter by letter, and why others are left out."""
    found = object_in(answer)
    if found is None:
        return (), (), ("The answer is no JSON of the form asked for.",)
    problems: list[str] = []
    queries: list[str] = []
    exact: list[str] = []
    for one in texts_of(found.get("queries")):
        try:
            check_query(one, query)
        except Rejected as why:
            problems.append(f"A query was left out: {why}")
            continue
        queries.append(one)
    for one in texts_of(found.get("exact")):
        if one in query:
            exact.append(one)
        else:
            problems.append("What is to be found letter by letter doesn't stand in the question.")
    queries = [one for one in dict.fromkeys(queries) if one != query.strip()]
    return tuple(queries[:MAX_QUERIES]), tuple(dict.fromkeys(exact[:MAX_QUERIES])), tuple(problems)


def check_query(made: str, query: str) -> None:
    """Raises: Rejected."""
    try:
        check_text(made, MAX_QUERY * 4)
    except InvalidText as error:
        raise Rejected("it is no valid text.") from error
    if len(made) > MAX_QUERY:
        raise Rejected(f"it has {len(made)} characters; {MAX_QUERY} are allowed.")
    if mark_of(query) in made:
        raise Rejected("it quotes its instructions.")
    if not keeps_language(query, made):
        raise Rejected("it isn't in the language of the question.")
    if brings_secret(made, query):
        raise Rejected("it holds a secret.")


def texts_of(given: Any) -> list[str]:
    if not isinstance(given, list):
        return []
    told = cast("list[Any]", given)
    return [one.strip() for one in told if isinstance(one, str) and one.strip()]


def json_in(answer: str, name: str) -> list[Any] | None:
    """The list that is asked for as `name`; some models leave the object around it away."""
    for value in values_in(answer):
        if isinstance(value, list):
            if value and all(isinstance(one, dict) for one in value):
                return value
            continue
        if isinstance(value.get(name), list):
            return cast("list[Any]", value[name])
        if "op" in value:
            return [value]
    return None


def object_in(answer: str) -> dict[str, Any] | None:
    for value in values_in(answer):
        if isinstance(value, dict) and {"queries", "exact"} & set(value):
            return value
    return None


def values_in(answer: str) -> Iterator[dict[str, Any] | list[Any]]:
    """The objects and lists of an answer that may have words, thoughts or a fence around them."""
    text = THOUGHT.sub("", answer)
    decoder = json.JSONDecoder()
    looked = 0
    place = 0
    while looked < MAX_BRACES and (match := BRACE.search(text, place)) is not None:
        looked += 1
        try:
            value, place = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            place = match.end()
            continue
        yield value


BRACE = re.compile(r"[{\[]")
