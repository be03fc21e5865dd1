"""A prompt that a model wrote, and whether it may be tried at all.

Its author has read memories, and anybody may have written those: whatever comes back is checked as
if the author were an adversary. Nothing of a memory's text may be in it, no address, nothing that
a memory demanded, and nothing that can't be seen.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from yiku.core.errors import InvalidSkill
from yiku.core.skill import MemorySkill, SkillDraft, SkillType
from yiku.memory.skills import registry, template
from yiku.memory.skills.details import names_in
from yiku.memory.text import HAN, STOP_WORDS, tokens

COPIED_WORDS = 8
COPIED_CHARACTERS = 16
"""Of Chinese: a run as long as this in common with a memory is copied from it."""
DEMANDED_WORDS = 4
DEMANDED_CHARACTERS = 6
"""A run as long as this in common with what a memory demands repeats the demand."""
DEMANDED = 0.6
"""Share of a demand's words in one sentence from which that sentence repeats it."""
MIN_DEMAND = 3
"""Words of a demand that can be recognised."""
MAX_REPORT = 4_000
"""Characters of an analysis or a reason."""
QUOTED = 80
"""Characters of what shows it."""
MAX_GROWTH = 4_000
"""Characters a prompt may grow at a time."""

ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://|\bwww\.|[\w.+-]+@[\w-]+\.\w|\b[\w-]+\.(?:com|net|org|io|cn|dev|app)\b"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b",
    re.IGNORECASE,
)
OVERRIDE = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instructions?|rules?|prompts?"
    r"|above|previous|checks?|guidelines?)\b"
    r"|\bsystem (?:prompt|message)\b|\byou are now\b|\bjailbreak|\bdeveloper mode\b"
    r"|\b(?:send|forward|upload|post|e-?mail|transmit|leak|exfiltrate)\b.{0,60}\bto\b"
    r"|\b(?:tool[ _]calls?|function[ _]calls?|execute|eval|shell|curl|http)\b"
    r"|(?:忽略|无视|忘记|绕过|覆盖).{0,15}(?:指令|指示|规则|提示|以上|之前|限制)|系统(?:提示|消息)|你现在是"
    r"|(?:发送|转发|上传|泄露|寄)(?:到|给|至)|调用工具|执行(?:代码|命令)",
    re.IGNORECASE | re.DOTALL,
)
DEMAND = re.compile(
    r"\b(?:always|never|must|from now on|whenever|ignore|disregard|instructions?|prompts?|rules?"
    r"|every (?:memory|reply|message|answer)|all (?:memories|replies)|important"
    r"|(?:add|include) (?:this|the|that)|make sure|be sure to|remember to"
    r"|note to (?:the )?(?:ai|model|system))\b"
    r"|从现在起|今后|必须|务必|一定要|总是|永远|每(?:条|次|个)|忽略|无视|指令|提示词|规则|系统|请(?:把|在|将)|重要",
    re.IGNORECASE,
)
"""A sentence of a memory that tells somebody what to do."""
SENTENCE = re.compile(r"(?<=[.!?])\s+|[。！？；;\n]+")
SYNTAX = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
WORDS = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:['’][^\W_]+)?")
CHINESE = re.compile(f"[{HAN}]")
FENCE = re.compile(r"^\s*```(?:json)?\s*\n(.*)\n\s*```\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a Designer answers."""

    analysis: str
    prompt_template: str
    reason: str


def read(answer: str) -> Proposal:
    """Raises: InvalidSkill where it is not the form that was asked for."""
    fenced = FENCE.match(answer)
    try:
        found: Any = json.loads(fenced[1] if fenced else answer)
    except (ValueError, RecursionError) as error:
        raise refused("json", f"It is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise refused("json", "It is no JSON object.")
    values: dict[str, str] = {}
    for name in ("analysis", "prompt_template", "reason"):
        value: Any = found.get(name)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # any JSON
        if not isinstance(value, str) or not value.strip():
            raise refused("json", f"`{name}` must be a text.")
        values[name] = value.strip()
    for name in ("analysis", "reason"):
        values[name] = values[name][:MAX_REPORT]
    return Proposal(**values)


def check(old: MemorySkill, proposed: Proposal, inputs: Iterable[str]) -> SkillDraft:
    """The skill as it would be. `inputs`: every text its author was shown.

    Raises: InvalidSkill, which names the rule.
    """
    new = proposed.prompt_template
    draft = replace(registry.draft_of(old), prompt_template=new)
    if same(new, old.prompt_template):
        raise refused("changed", "It is the prompt there is.")
    if len(new) > len(old.prompt_template) + MAX_GROWTH:
        raise refused("size", f"It is more than {MAX_GROWTH:,} characters longer than before.")
    template.check(draft)
    check_variables(old, new)
    check_visible(new)
    check_free_of_commands(old.prompt_template, new)
    check_free_of_memories(old.prompt_template, new, list(inputs))
    return draft


def check_variables(old: MemorySkill, new: str) -> None:
    """Raises: InvalidSkill where a variable that the old prompt shows isn't shown any longer, in
    either language."""
    for language in ("en", "zh"):
        values = probes(old.skill_type, language)
        before, after = (template.render(one, values) for one in (old.prompt_template, new))
        for name, mark in PROBES.items():
            if mark in before and mark not in after:
                raise refused("variables", f"`{name}` is no longer shown (language {language}).")


PROBES = {"content": "⟦content⟧", "query": "⟦query⟧", "known": "⟦known⟧", "now": "⟦now⟧"}


def probes(kind: SkillType, language: str) -> dict[str, Any]:
    values: dict[str, Any] = {**PROBES, "language": language}
    values["known"] = [{"id": "passage-1", "text": PROBES["known"], "at": "2026-01-01"}]
    return {name: values[name] for name in template.ALLOWED[kind]}


def check_visible(new: str) -> None:
    """Raises: InvalidSkill where something can't be seen."""
    for char in new:
        if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs", "Cn"):
            name = f"U+{ord(char):04X}"
            raise refused("visible", f"It has a character that can't be seen, {name}.")
    if "{#" in new or "<!--" in new:
        raise refused("visible", "It has a comment.")


def check_free_of_commands(old: str, new: str) -> None:
    """Raises: InvalidSkill where it names an address or commands what no prompt of ours does."""
    for rule, pattern, what in (
        ("address", ADDRESS, "an address"),
        ("instruction", OVERRIDE, "an instruction that no skill gives"),
    ):
        there = {normal(found[0]) for found in pattern.finditer(old)}
        for found in pattern.finditer(new):
            if normal(found[0]) not in there:
                raise refused(rule, f"It has {what}.", found[0])


def check_free_of_memories(old: str, new: str, inputs: Sequence[str]) -> None:
    """Raises: InvalidSkill where something in it comes from a memory."""
    before, after = words_of(old), words_of(new)
    known = runs(before)
    found = runs(after) - known
    figures = {term for term in tokens(SYNTAX.sub(" ", new)) if telling(term)} - set(tokens(old))
    for one in inputs:
        copied = runs(words_of(one)) & found
        if copied:
            raise refused("copied", "It copies a memory's text.", " ".join(min(copied)))
        values = figures & set(tokens(one))
        if values:
            raise refused("copied", "It has a value of a memory.", min(values))
    check_free_of_demands(old, new, inputs)


def check_free_of_demands(old: str, new: str, inputs: Sequence[str]) -> None:
    """Raises: InvalidSkill where a sentence says what a memory demands."""
    usual = set(tokens(SYNTAX.sub(" ", old)))
    sizes = (DEMANDED_WORDS, DEMANDED_CHARACTERS)
    repeated = runs(words_of(new), *sizes) - runs(words_of(old), *sizes)
    sentences = [set(tokens(part)) for part in SENTENCE.split(SYNTAX.sub(" ", new)) if part.strip()]
    for one in inputs:
        for part in SENTENCE.split(one):
            if not DEMAND.search(part):
                continue
            demand = {term for term in tokens(part) if tells(term)} - usual
            close = len(demand) >= MIN_DEMAND and any(
                len(demand & said) >= DEMANDED * len(demand) for said in sentences
            )
            if close or runs(words_of(part), *sizes) & repeated:
                raise refused("instruction", "It does what a memory demands.", part.strip())


def tells(term: str) -> bool:
    """Whether a term of a demand tells it from others: pairs of Chinese, and words."""
    return len(term) > 1


def telling(term: str) -> bool:
    """Whether a term is a value: a number of three figures and more, an address, an id."""
    return "@" in term or sum(char.isdigit() for char in term) >= 3


def words_of(text: str) -> list[str]:
    return [
        word.lower() for word in WORDS.findall(unicodedata.normalize("NFKC", SYNTAX.sub(" ", text)))
    ]


def runs(
    words: Sequence[str], length: int = COPIED_WORDS, characters: int = COPIED_CHARACTERS
) -> set[tuple[str, ...]]:
    """Runs of `length` words, and of `characters` where some are Chinese."""
    return {
        run for run in windows(words, length) if not any(CHINESE.match(word) for word in run)
    } | {run for run in windows(words, characters) if any(CHINESE.match(word) for word in run)}


def windows(words: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[i : i + length]) for i in range(len(words) - length + 1))


def unquoted(old: str, text: str, inputs: Sequence[str]) -> str:
    """A model's words about its prompt, for people to read; without those lines that quote a
    memory, be it by a name."""
    usual = words_of(old)
    there = {word for one in inputs for name in names_in(one) for word in words_of(name)}
    names = {word for word in there - set(usual) - STOP_WORDS if len(word) > 1}
    sizes = (DEMANDED_WORDS, DEMANDED_CHARACTERS)
    known = {run for one in inputs for run in runs(words_of(one), *sizes)} - runs(usual, *sizes)
    values = {term for one in inputs for term in tokens(one) if telling(term)}
    lines: list[str] = []
    for line in text.splitlines():
        words = words_of(line)
        quotes = runs(words, *sizes) & known or names & set(words) or values & set(tokens(line))
        lines.append(LEFT_OUT if quotes else line)
    return "\n".join(one for n, one in enumerate(lines) if n == 0 or one != lines[n - 1])


LEFT_OUT = "[…]"


def same(one: str, other: str) -> bool:
    return " ".join(one.split()) == " ".join(other.split())


def normal(text: str) -> str:
    return " ".join(text.lower().split())


def refused(rule: str, why: str, quoted: str = "") -> InvalidSkill:
    """`quoted`: what shows it. A person is told; the Designer isn't shown it again (`plain`)."""
    plain = f"The proposed prompt can't be used. {why}"
    shown = f"{plain.rstrip('.')}: {quoted[:QUOTED]!r}." if quoted else plain
    return InvalidSkill(shown, rule=rule, plain=plain)
