"""Core memory of role memory: short texts that are always in the prompt.

A block is a passage of the archive, so it has a history, `undo`, backups and exports as all
passages have. It carries the tag `core:<label>`, and is alone in a conversation and of a speaker of
that name: so it is found at once, and never taken for a repetition of something else. It belongs
to no role, and no search of this package finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from yiku.core.errors import Invalid
from yiku.core.memory import CORE, Draft, Passage
from yiku.core.tenant import Actor
from yiku.memory import changes, ingest
from yiku.memory.archival import ArchivalMemory, Place
from yiku.store import archives, passages
from yiku.store.database import Tx

PERSONA = "persona"
"""Who the assistant is."""
HUMAN = "human"
"""Whom it speaks with."""
ROLE = "role:"
"""And its `role_id`: what a role notes for itself."""
LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Block:
    """A labelled text that is always shown."""

    label: str
    """`persona`, `human`, or `role:<role_id>`."""
    text: str
    passage: Passage
    """Which holds it: its history is the block's."""


async def find(
    memory: ArchivalMemory, actor: Actor, place: Place, labels: Sequence[str]
) -> list[Block]:
    """Those of these blocks that there are, in order."""

    def unit(tx: Tx) -> list[Block]:
        archive = archives.find(tx, place.owner, place.name)
        if archive is None:
            return []
        held = ((label, passages.last_turn(tx, archive.id, CORE + label)) for label in labels)
        return [Block(label, one.text, one) for label, one in held if one is not None]

    return await memory.database.read(actor, unit)


async def put(
    memory: ArchivalMemory, actor: Actor, place: Place, label: str, text: str
) -> Block | None:
    """Give a block this text; an empty one hides it. Each earlier text stays in its history.

    Raises: Invalid, InvalidText, StalePassage, ProviderError, StoreError.
    """
    if len(text) > LONGEST:
        raise Invalid(
            f"Block {label!r} would be {len(text):,} characters long; {LONGEST:,} are allowed.",
            field=label,
        )
    there = await find(memory, actor, place, [label])
    if not there and not text.strip():
        return None
    if not there:
        name = CORE + label
        draft = Draft(text=text, tags=(name,), speaker=name, conversation=name, roles=())
        [added] = await ingest.add(memory, actor, place, [draft])
        return Block(label, added.passage.text, added.passage)
    [before] = there
    if not text.strip():
        await changes.forget(memory, actor, before.passage.id, reason="block emptied")
        return None
    fields = {"text": text}
    edited = await changes.edit(
        memory, actor, before.passage.id, fields, seen_version=before.passage.version
    )
    return Block(label, edited.text, edited)


def is_block(one: Passage) -> bool:
    return any(tag.startswith(CORE) for tag in one.tags)


def rendered(blocks: Sequence[Block]) -> str:
    """Empty where there are none."""
    if not blocks:
        return ""
    lines = ["<core_memory>"]
    for one in blocks:
        lines += [f"<block label={quoteattr(one.label)}>", escape(one.text.strip()), "</block>"]
    return "\n".join([*lines, "</core_memory>"])
