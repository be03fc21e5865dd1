"""Core blocks and role memory together, as a prompt has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yiku.core.errors import Invalid
from yiku.core.tokens import estimated_tokens
from yiku.memory.roles.compile import Compiled
from yiku.roles.blocks import Block, rendered


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
    return replace(made, text=text, tokens=estimated_tokens(text))
