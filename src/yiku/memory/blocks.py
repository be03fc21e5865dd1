"""Core memory: blocks come, are edited, and go; every content one had is kept while it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any
from unicodedata import category

from yiku.core.block import MAX_LIMIT, Block, BlockContent, BlockFilter, BlockPage, BlockVersion
from yiku.core.errors import Invalid, NothingToUndo, checked
from yiku.core.ids import BlockId
from yiku.core.tenant import Actor
from yiku.memory.draft import MAX_TAGS, check_characters, check_metadata, check_name
from yiku.store import blocks
from yiku.store.database import Database, Tx

MAX_LABEL = 200
MAX_DESCRIPTION = 10_000
BREAKING = ("Cc", "Zl", "Zp")
"""Unicode's control characters, and separators of lines and paragraphs."""
NAMED = (
    "template_name",
    "template_id",
    "base_template_id",
    "deployment_id",
    "entity_id",
    "project_id",
)
"""Fields that name something elsewhere; kept as they came."""

Edit = Callable[[Block], str]
"""What a block's value becomes; pure, as those of `block_edits`."""


def check(content: BlockContent) -> None:
    """Raises: Invalid and InvalidText, naming the field."""
    checked("label", lambda: check_label(content.label))
    checked("value", lambda: check_characters("The value", content.value))
    description = content.description or ""
    if len(description) > MAX_DESCRIPTION:
        raise Invalid(
            f"The description is {len(description):,} characters long; {MAX_DESCRIPTION:,} are"
            " allowed.",
            field="description",
        )
    checked("description", lambda: check_characters("The description", description))
    if not 1 <= content.limit <= MAX_LIMIT:
        raise Invalid(
            f"`limit` is a number of characters from 1 to {MAX_LIMIT:,}, not {content.limit}.",
            field="limit",
        )
    if len(content.tags) > MAX_TAGS:
        raise Invalid(
            f"A block has at most {MAX_TAGS} tags, not {len(content.tags)}.", field="tags"
        )
    for tag in content.tags:
        checked("tags", lambda tag=tag: check_name("A tag", tag))
    checked("metadata", lambda: check_metadata(content.metadata))
    for name in NAMED:
        checked(name, lambda name=name: check_name(f"`{name}`", getattr(content, name)))


def check_label(label: str) -> None:
    """Models name a block by its label, and the prompt shows it in one line. Raises: Invalid."""
    check_name("The label", label, MAX_LABEL)
    strange = next((one for one in label if category(one) in BREAKING), None)
    if strange is not None:
        raise Invalid(
            f"The label has a line break or another control character (U+{ord(strange):04X}) at"
            f" position {label.index(strange)}; it is one line of letters and signs."
        )


async def create(
    database: Database, actor: Actor, content: BlockContent, *, reason: str | None = None
) -> Block:
    """Raises: Invalid, InvalidText, NotAllowed, StoreError."""
    check(content)
    return await database.write(actor, lambda tx: blocks.add(tx, content, reason))


async def get(database: Database, actor: Actor, block_id: BlockId) -> Block:
    """Raises: BlockNotFound."""
    return await database.read(actor, lambda tx: blocks.get(tx, block_id))


async def listed(
    database: Database, actor: Actor, wanted: BlockFilter, part: BlockPage
) -> list[Block]:
    """Raises: BlockNotFound where a block that bounds the page isn't there, InvalidText."""
    texts = (getattr(wanted, one.name) for one in fields(wanted))
    for text in (*texts, *wanted.tags):
        check_characters("The filter", text if isinstance(text, str) else "")
    return await database.read(actor, lambda tx: blocks.page(tx, wanted, part))


async def update(
    database: Database,
    actor: Actor,
    block_id: BlockId,
    changes: Mapping[str, Any],
    *,
    seen_version: int | None = None,
    reason: str | None = None,
) -> Block:
    """Change fields of a block, a read-only one too: that flag binds agents.

    With `seen_version` only if nobody has changed it since. What changes nothing leaves no version.

    Raises: BlockNotFound, BlockTooLong, Invalid, InvalidText, StaleBlock, NotAllowed, StoreError.
    """

    def unit(tx: Tx) -> Block:
        found = seen(tx, block_id, seen_version)
        content = found.content.changed(changes)
        check(content)
        if content == found.content:
            return found
        return blocks.change(tx, found, content, reason=reason)

    return await database.write(actor, unit)


async def edit(
    database: Database,
    actor: Actor,
    shown: Block,
    new_value: Edit,
    *,
    step_id: str | None = None,
    reason: str | None = None,
) -> Block:
    """An agent's edit of the block it was shown: refused if the block is another by now.

    Raises: EditRefused, BlockReadOnly, BlockTooLong, InvalidText, StaleBlock, BlockNotFound.
    """
    return await database.write(
        actor, lambda tx: edit_in(tx, shown, new_value, step_id=step_id, reason=reason)
    )


def edit_in(
    tx: Tx,
    shown: Block,
    new_value: Edit,
    *,
    step_id: str | None = None,
    reason: str | None = None,
) -> Block:
    """`edit`, in a transaction that is open already. Nothing is written where it raises."""
    found = seen(tx, shown.id, shown.version)
    content = found.content.changed({"value": new_value(found)})
    check(content)
    if content == found.content:
        return found
    return blocks.change(tx, found, content, reason=reason, step_id=step_id)


def seen(tx: Tx, block_id: BlockId, version: int | None) -> Block:
    """Raises: BlockNotFound, StaleBlock."""
    found = blocks.get_to_change(tx, block_id)
    if version is not None and version != found.version:
        raise blocks.stale(found, version)
    return found


async def delete(database: Database, actor: Actor, block_id: BlockId) -> None:
    """Erase a block and its history for good. Raises: BlockNotFound, NotAllowed, StoreError."""
    await database.write(actor, lambda tx: blocks.remove(tx, block_id))
    await database.scrub()


async def history(
    database: Database, actor: Actor, block_id: BlockId
) -> tuple[Block, list[BlockVersion]]:
    """The block, and every version it had, the newest first. Raises: BlockNotFound."""

    def unit(tx: Tx) -> tuple[Block, list[BlockVersion]]:
        found = blocks.get(tx, block_id)
        return found, blocks.history(tx, found)

    return await database.read(actor, unit)


async def undo(
    database: Database,
    actor: Actor,
    block_id: BlockId,
    *,
    seen_version: int | None = None,
    reason: str | None = None,
) -> Block:
    """Take back the last change; again: the one before it. The history keeps both.

    A new version gets the content of the one before the change. Undone changes are skipped: of
    versions 1, 2, 3 the first undo brings 2 back, the second 1.

    Raises: BlockNotFound, NothingToUndo, StaleBlock, NotAllowed, StoreError.
    """

    def unit(tx: Tx) -> Block:
        found = seen(tx, block_id, seen_version)
        now = blocks.version(tx, found, found.version)
        before = None if now is None else blocks.version(tx, found, now.origin - 1)
        if before is None:
            raise NothingToUndo(
                f"Block {found.label!r} is as it was made; there is no change to take back.",
                block_id=block_id,
            )
        return blocks.change(tx, found, before.content, reason=reason, restores=before.origin)

    return await database.write(actor, unit)
