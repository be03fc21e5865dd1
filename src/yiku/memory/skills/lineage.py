"""Where a memory comes from: which version of a skill made it, of which text, of which message."""

from __future__ import annotations

from dataclasses import dataclass

from yiku.core.ids import PassageId
from yiku.core.skill import Encoding, MemorySkill
from yiku.store import encodings, skills
from yiku.store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """An encoding's share in a memory."""

    op: str
    """What it did to it: `raw` (stored it as it came), `add` or `supersede` (wrote it),
    `superseded` (put what it wrote in its place) or `delete` (forgot it)."""
    encoding: Encoding
    """With the original text, the message it was said in, and the model that made of it what."""
    skill: MemorySkill
    """The version that did it, or is to, where it is pending."""


def of_passage(tx: Tx, passage_id: PassageId) -> list[Origin]:
    """The oldest first; empty where no skill had a hand in it. An encoding is gone once one of the
    memories it touched has been deleted for good."""
    found = encodings.of_passage(tx, passage_id)
    versions = skills.by_id(tx, {one.skill_id for one, _ in found})
    return [Origin(op=op, encoding=one, skill=versions[one.skill_id]) for one, op in found]
