"""Memory skills as agent files have them; pure. Other servers' files have none."""

from __future__ import annotations

from typing import Any

from yiku.core.errors import InvalidImport, InvalidSkill
from yiku.core.skill import MemorySkill, SkillDraft, SkillType
from yiku.memory.skills import files, template
from yiku.server.v1.portable.reading import Json, as_object


def skill_to_file(one: MemorySkill) -> Json:
    return {
        "name": one.name,
        "kind": one.skill_type.value,
        "version": one.version,
        "description": dict(one.description),
        "intent_keywords": list(one.intent_keywords),
        "prompt_template": one.prompt_template,
    }


def skill_of(value: Any, place: str) -> SkillDraft:
    """Raises: InvalidImport."""
    said = as_object(value, place)
    kinds = [kind.value for kind in SkillType]
    if said.get("kind") not in kinds:
        words = f"a memory skill is of a kind, {' or '.join(kinds)}"
        raise InvalidImport(f"{place}.kind: {words}", place=f"{place}.kind")
    prompt = said.get("prompt_template")
    if not isinstance(prompt, str):
        words = "a memory skill needs its prompt, a text"
        raise InvalidImport(f"{place}.prompt_template: {words}", place=f"{place}.prompt_template")
    values = {name: said.get(name) for name in ("name", "description", "intent_keywords")}
    try:
        told = files.checked(values, dict.fromkeys(files.FIELDS, 1), "")
        made = SkillDraft(**told, skill_type=SkillType(said["kind"]), prompt_template=prompt)
        template.check(made)
    except InvalidSkill as error:
        raise InvalidImport(f"{place}: {error.message}", place=place) from error
    return made


def skills_of(values: list[Any]) -> tuple[SkillDraft, ...]:
    """Raises: InvalidImport."""
    found = [skill_of(one, f"memory_skills[{n}]") for n, one in enumerate(values)]
    names: set[str] = set()
    for n, one in enumerate(found):
        if one.name in names:
            raise InvalidImport(f"memory_skills[{n}]: {one.name!r} is there twice")
        names.add(one.name)
    return tuple(found)
