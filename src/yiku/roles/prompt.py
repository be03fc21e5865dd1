"""Core blocks and role memory together, as a prompt has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yiku.core.errors import Invalid
from yiku.core.memory import Passage
from yiku.core.tenant import Actor
from yiku.core.tokens import estimated_tokens
from yiku.memory.archival import ArchivalMemory
from yiku.memory.roles.compile import Compiled
from yiku.roles.blocks import Block, rendered
from yiku.store import shown


def room_for(budget: int, core: Sequence[Block]) -> int:
    """Tokens that the blocks leave. Raises: Invalid where they leave none."""
    taken = estimated_tokens(rendered(core))
    if budget <= taken:
        raise Invalid(
            f"`budget` is {budget} tokens, and the core blocks alone take {taken}.", field="budget"
        )
    return budget - taken


def with_blocks(core: Sequence[Block], made: Compiled) -> Compiled:
    """Blocks first: they change least, and a provider's prompt cache counts from the beginning."""
    text = "\n".join(part for part in (rendered(core), made.text) if part)
    shown_blocks = tuple(one.passage.id for one in core)
    return replace(
        made, text=text, tokens=estimated_tokens(text), shown=(*shown_blocks, *made.shown)
    )


async def note_shown(
    memory: ArchivalMemory, actor: Actor, passages: Sequence[Passage], conversation: str
) -> None:
    """Tell the echo guard what goes into a conversation's context."""
    if passages:
        await memory.database.write(actor, lambda tx: shown.add(tx, passages, conversation))
