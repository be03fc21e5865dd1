"""Core memory of an archive with roles: blocks like any other, found by the archive and the label.

A block's id follows from both. So it is found without a table in between, and of two who make it at
the same moment one fails on the key, and finds it when the database runs its unit again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

from sqlalchemy import select

from yiku.core.block import Block, BlockContent
from yiku.core.ids import ArchiveId, BlockId
from yiku.store import blocks
from yiku.store.database import Tx
from yiku.store.role_tables import role

PERSONA = "persona"
"""Who the assistant is."""
HUMAN = "human"
"""Whom it speaks with."""
ROLE = "role:"
"""And its `role_id`: what a role notes for itself."""
LONGEST = 20_000
ABOUT: Mapping[str, str] = {
    PERSONA: "Who you are and how you speak.",
    HUMAN: "What matters about the person you speak with.",
}
NAMESPACE = UUID("6f0c3f9e-52d1-4a86-9d0a-0f6b0c6f3a51")


def block_id(archive_id: ArchiveId, label: str) -> BlockId:
    return BlockId(f"block-{uuid5(NAMESPACE, f'{archive_id} {label}')}")


def find(tx: Tx, archive_id: ArchiveId, labels: Sequence[str]) -> list[Block]:
    """Those of these that there are, in order; an emptied one isn't."""
    ids = [block_id(archive_id, label) for label in labels]
    there = blocks.by_id(tx, ids)
    return [there[one] for one in ids if one in there and there[one].value.strip()]


def put(tx: Tx, archive_id: ArchiveId, label: str, content: BlockContent) -> Block:
    """Give a block this content; each earlier one stays in its history."""
    known = block_id(archive_id, label)
    if known not in blocks.by_id(tx, [known]):
        return blocks.add(tx, content, id=known)
    seen = blocks.get_to_change(tx, known)
    changed = seen.content.changed({"value": content.value})
    return seen if changed == seen.content else blocks.change(tx, seen, changed)


def content_of(archive_id: ArchiveId, label: str, text: str) -> BlockContent:
    """Raises: BlockTooLong."""
    return BlockContent(
        label=label,
        value=text,
        limit=LONGEST,
        description=ABOUT.get(label),
        metadata={"archive_id": archive_id},
    )


def erase(tx: Tx, archive_id: ArchiveId, labels: Sequence[str]) -> None:
    """With their history."""
    for one in blocks.by_id(tx, [block_id(archive_id, label) for label in labels]):
        blocks.remove(tx, one)


def labels_of(tx: Tx, archive_id: ArchiveId) -> list[str]:
    """Of all the blocks that the archive may have now."""
    known = tx.connection.execute(select(role.c.role_id).where(role.c.archive_id == archive_id))
    return [PERSONA, HUMAN, *(ROLE + row[0] for row in known)]


def erase_of_archive(tx: Tx, archive_id: ArchiveId) -> None:
    """The archive goes, and its roles are there still."""
    erase(tx, archive_id, labels_of(tx, archive_id))
