"""`yiku block list | show | history | undo`: core memory; versions on the database itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.running import is_remote, with_database, with_memory
from yiku.core.block import EDITABLE, Block, BlockFilter, BlockPage, BlockVersion
from yiku.core.ids import BlockId
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import blocks
from yiku.server.v1.wire import BlockOut

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
    if is_remote(asked):
        sent = with_memory(
            asked, lambda memory: memory.blocks.list(label=label, limit=limit, after=after)
        )
        found = [sent_out(one) for one in sent]
    else:
        part = BlockPage(limit=limit, after=BlockId(after) if after else None)
        wanted = BlockFilter(label=label)
        here = with_database(asked, lambda db: blocks.listed(db, LOCAL_ACTOR, wanted, part))
        found = [public(one) for one in here]
    if asked.as_json:
        output.print_json({"blocks": found})
        return
    output.print_table(
        ["label", "characters", "value", "id"],
        (
            [one["label"], size_of(one), output.one_line(one["value"], WIDTH), one["id"]]
            for one in found
        ),
    )


@block.command()
@click.argument("block_id")
@click.pass_obj
def show(asked: Asked, block_id: str) -> None:
    """Show the block of this id."""
    if is_remote(asked):
        tell(asked, sent_out(with_memory(asked, lambda memory: memory.blocks.get(block_id))))
        return
    found = with_database(asked, lambda db: blocks.get(db, LOCAL_ACTOR, BlockId(block_id)))
    tell(asked, public(found))


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
    undone = with_database(
        asked, lambda db: blocks.undo(db, LOCAL_ACTOR, BlockId(block_id), reason=reason)
    )
    tell(asked, public(undone))


def tell(asked: Asked, found: Mapping[str, Any]) -> None:
    if asked.as_json:
        output.print_json(found)
        return
    head = f"{output.visible(found['label'])}  {size_of(found)} characters"
    click.secho(head + ("  read-only" if found["read_only"] else ""), bold=True)
    click.echo(output.visible(found["value"]))
    facts: list[str] = []
    if "version" in found:  # a server doesn't say
        changed = datetime.fromisoformat(found["updated_at"])
        facts = [output.moment(changed), f"version {found['version']}"]
    facts += [found["id"], *(f"#{output.visible(tag)}" for tag in found["tags"])]
    click.secho("  ".join(facts), dim=True)


def size_of(found: Mapping[str, Any]) -> str:
    return f"{len(found['value']):,} of {found['limit']:,}"


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


def sent_out(one: BlockOut) -> dict[str, Any]:
    """As `public` says it, but for what a server doesn't say."""
    return {"id": one.id, **one.model_dump(mode="json", include=set(EDITABLE))}


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
