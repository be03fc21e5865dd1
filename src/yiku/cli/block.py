"""`yiku block list | show | history | undo`: core memory, on the database of this machine."""

from __future__ import annotations

from typing import Any

import click

from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.running import with_database
from yiku.core.block import Block, BlockFilter, BlockPage, BlockVersion
from yiku.core.ids import BlockId
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import blocks

WIDTH = 60


@click.group(cls=Group)
def block() -> None:
    """List and show core memory's blocks; undo their changes."""


@block.command("list")
@click.option("--label", help="Only blocks of this label.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--after", help="Only blocks made after the one of this id.")
@click.pass_obj
def list_blocks(asked: Asked, label: str | None, limit: int, after: str | None) -> None:
    """Show the blocks there are, the oldest first."""
    part = BlockPage(limit=limit, after=BlockId(after) if after else None)
    found = with_database(
        asked, lambda db: blocks.listed(db, LOCAL_ACTOR, BlockFilter(label=label), part)
    )
    if asked.as_json:
        output.print_json({"blocks": [public(one) for one in found]})
        return
    output.print_table(
        ["label", "characters", "value", "id"],
        ([one.label, size_of(one), output.one_line(one.value, WIDTH), one.id] for one in found),
    )


@block.command()
@click.argument("block_id")
@click.pass_obj
def show(asked: Asked, block_id: str) -> None:
    """Show the block of this id."""
    tell(asked, with_database(asked, lambda db: blocks.get(db, LOCAL_ACTOR, BlockId(block_id))))


@block.command()
@click.argument("block_id")
@click.pass_obj
def history(asked: Asked, block_id: str) -> None:
    """Show every version the block had, the newest first."""
    found, versions = with_database(
        asked, lambda db: blocks.history(db, LOCAL_ACTOR, BlockId(block_id))
    )
    if asked.as_json:
        listed = [public_version(one) for one in versions]
        output.print_json({"block": public(found), "versions": listed})
        return
    output.print_table(
        ["version", "at", "by", "step", "why", "value"],
        (
            [
                str(one.version),
                output.moment(one.at),
                one.by,
                one.step_id or "",
                why(one),
                output.one_line(one.content.value, WIDTH),
            ]
            for one in versions
        ),
        whole=("by",),
    )


@block.command()
@click.argument("block_id")
@click.option("--reason", help="Why; the history keeps it.")
@click.pass_obj
def undo(asked: Asked, block_id: str, reason: str | None) -> None:
    """Take back the block's last change; again: the one before it."""
    tell(
        asked,
        with_database(
            asked, lambda db: blocks.undo(db, LOCAL_ACTOR, BlockId(block_id), reason=reason)
        ),
    )


def tell(asked: Asked, found: Block) -> None:
    if asked.as_json:
        output.print_json(public(found))
        return
    head = f"{output.visible(found.label)}  {size_of(found)} characters"
    click.secho(head + ("  read-only" if found.content.read_only else ""), bold=True)
    click.echo(output.visible(found.value))
    facts = [output.moment(found.updated_at), f"version {found.version}", found.id]
    facts += [f"#{output.visible(tag)}" for tag in found.content.tags]
    click.secho("  ".join(facts), dim=True)


def size_of(found: Block) -> str:
    return f"{len(found.value):,} of {found.content.limit:,}"


def why(one: BlockVersion) -> str:
    undone = f"undo, back to {one.restores}" if one.restores else ""
    return ": ".join(part for part in (undone, output.visible(one.reason or "")) if part)


def public(one: Block) -> dict[str, Any]:
    return {
        "id": one.id,
        "version": one.version,
        **one.content.as_json(),
        "created_at": one.created_at.isoformat(),
        "created_by": one.created_by,
        "updated_at": one.updated_at.isoformat(),
        "updated_by": one.updated_by,
    }


def public_version(one: BlockVersion) -> dict[str, Any]:
    return {
        "version": one.version,
        **one.content.as_json(),
        "at": one.at.isoformat(),
        "by": one.by,
        "reason": one.reason,
        "step_id": one.step_id,
        "restores": one.restores,
    }
