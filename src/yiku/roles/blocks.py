"""Core memory of role memory: short texts that are always in the prompt.

They are blocks as agents have them (`/v1/blocks`), with a history and `undo`; agents of the memory
share them. Which are an archive's, `store/role_blocks.py` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from yiku.core import block as core
from yiku.core.errors import Invalid
from yiku.core.memory import Passage
from yiku.core.tenant import Actor
from yiku.memory import blocks as core_memory
from yiku.memory import erase
from yiku.memory.archival import ArchivalMemory, Place
from yiku.store import archives, passages, role_blocks
from yiku.store.database import Tx
from yiku.store.role_blocks import HUMAN as HUMAN
from yiku.store.role_blocks import LONGEST
from yiku.store.role_blocks import PERSONA as PERSONA
from yiku.store.role_blocks import ROLE as ROLE

CORE = "core:"
"""What passages that an earlier version took for blocks are tagged with, before the label."""


@dataclass(frozen=True, slots=True)
class Block:
    """A labelled text that is always shown."""

    label: str
    """`persona`, `human`, or `role:<role_id>`."""
    text: str
    block: core.Block
    """Which holds it: its history is the text's."""


def of(block: core.Block) -> Block:
    return Block(block.label, block.value, block)


async def find(
    memory: ArchivalMemory, actor: Actor, place: Place, labels: Sequence[str]
) -> list[Block]:
    """Those of these blocks that there are, in order."""

    def unit(tx: Tx) -> list[Block]:
        archive = archives.find(tx, place.owner, place.name)
        return [] if archive is None else [of(b) for b in role_blocks.find(tx, archive.id, labels)]

    return await memory.database.read(actor, unit)


async def put(
    memory: ArchivalMemory, actor: Actor, place: Place, label: str, text: str
) -> Block | None:
    """Give a block this text; an empty one hides it. Each earlier text stays in its history.

    Raises: Invalid, InvalidText, StoreError.
    """
    if len(text) > LONGEST:
        raise Invalid(
            f"Block {label!r} would be {len(text):,} characters long; {LONGEST:,} are allowed.",
            field=label,
        )
    if not text.strip() and not await find(memory, actor, place, [label]):
        return None

    def unit(tx: Tx) -> core.Block:
        archive = archives.ensure(tx, place.owner, place.name)
        content = role_blocks.content_of(archive.id, label, text)
        core_memory.check(content)
        return role_blocks.put(tx, archive.id, label, content)

    made = await memory.database.write(actor, unit)
    return of(made) if made.value.strip() else None


async def take_over(memory: ArchivalMemory, actor: Actor, place: Place) -> None:
    """Make blocks of what an earlier version kept as passages tagged `core:<label>`.

    A block that is there already stays as it is. The passages are erased once their texts are
    blocks: a process that dies in between leaves them to the next.
    """
    found = await memory.database.read(actor, lambda tx: earlier(tx, place))
    for label, one in found:
        if not await find(memory, actor, place, [label]):
            await put(memory, actor, place, label, one.text)
    if found:
        await erase.delete(memory, actor, [one.id for _, one in found])


def earlier(tx: Tx, place: Place) -> list[tuple[str, Passage]]:
    """The passages that were blocks, with their labels."""
    archive = archives.find(tx, place.owner, place.name)
    if archive is None:
        return []
    names = [CORE + label for label in role_blocks.labels_of(tx, archive.id)]
    found = passages.in_conversations(tx, archive.id, names)
    tagged = [(one.conversation or "", one) for one in found]
    return [(name.removeprefix(CORE), one) for name, one in tagged if name in one.tags]


def rendered(blocks: Sequence[Block]) -> str:
    """Empty where there are none."""
    if not blocks:
        return ""
    lines = ["<core_memory>"]
    for one in blocks:
        lines += [f"<block label={quoteattr(one.label)}>", escape(one.text.strip()), "</block>"]
    return "\n".join([*lines, "</core_memory>"])
