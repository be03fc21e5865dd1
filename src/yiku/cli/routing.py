"""`yiku route`, `yiku gate`."""

from __future__ import annotations

from typing import Any

import click

from yiku.cli import decision, direct
from yiku.cli.options import Asked, Command, combined, place_options, text_of
from yiku.cli.running import is_remote, with_memory
from yiku.core.role import Routing

MANY = 2_000

how_options = combined(
    click.option(
        "--routing",
        type=click.Choice([one.value for one in Routing]),
        default=Routing.EXPERTS.value,
        show_default=True,
        help="How text and roles are compared; cosine is the baseline.",
    ),
    click.option("--explain", is_flag=True, help="Show every role: its score, and why."),
)


@click.command(cls=Command)
@click.argument("text", required=False)
@place_options
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Score from which a role is chosen.",
)
@how_options
@click.pass_obj
def route(asked: Asked, text: str | None, explain: bool, **how: Any) -> None:
    """Show which roles a TEXT would go to; nothing is stored."""
    words = text_of(text, None)
    if is_remote(asked):
        made = with_memory(asked, lambda memory: memory.route(words, **how))
    else:
        made = direct.route(asked, {"text": words, **how})
    decision.show(asked, made, explain=explain)


@click.command(cls=Command)
@click.argument("context", required=False)
@place_options
@click.option(
    "--max-roles",
    type=click.IntRange(1, MANY),
    default=3,
    show_default=True,
    help="Roles that may speak at most.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Score from which a role speaks; default: each role's own.",
)
@click.option("--conversation", help="The conversation it is about.")
@how_options
@click.pass_obj
def gate(asked: Asked, context: str | None, explain: bool, **how: Any) -> None:
    """Show which roles speak in a CONTEXT; the decision is kept for `yiku role log`."""
    words = text_of(context, None)
    if is_remote(asked):
        made = with_memory(asked, lambda memory: memory.gate(words, **how))
    else:
        made = direct.gate(asked, {"context": words, **how})
    decision.show(asked, made, explain=explain)
