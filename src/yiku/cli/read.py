"""`yiku get`, `yiku list`, `yiku history`."""

from __future__ import annotations

import json
from typing import Any

import click

from yiku.cli import output
from yiku.cli.options import Asked, Command, place_options
from yiku.cli.running import with_memory
from yiku.server.wire import ChangeOut, HistoryOut, MoveOut, OriginOut, SightingOut


@click.command(cls=Command)
@click.argument("passage_id")
@click.pass_obj
def get(asked: Asked, passage_id: str) -> None:
    """Show one passage."""
    found = with_memory(asked, lambda memory: memory.get(passage_id))
    if asked.as_json:
        output.print_model(found)
    else:
        output.print_passage(found, output.INDENT)


@click.command("list", cls=Command)
@place_options
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--after", metavar="ID", help="Go on after this passage.")
@click.option("--forgotten", is_flag=True, help="Also what was forgotten.")
@click.pass_obj
def list_passages(asked: Asked, after: str | None, **place: Any) -> None:
    """Page through an archive, in the order it was stored."""
    page = with_memory(asked, lambda memory: memory.passages(after=after, **place))
    if asked.as_json:
        output.print_model(page)
        return
    for one in page.passages:
        output.print_passage(one, output.INDENT)
    if not page.passages:
        output.note("nothing here")
    if page.next:
        output.note(f"more: --after {page.next}")


@click.command(cls=Command)
@click.argument("passage_id")
@click.pass_obj
def history(asked: Asked, passage_id: str) -> None:
    """Show everything that happened to a passage."""
    found = with_memory(asked, lambda memory: memory.history(passage_id))
    if asked.as_json:
        output.print_model(found)
    else:
        print_history(found)


def print_history(found: HistoryOut) -> None:
    output.print_passage(found.passage, output.INDENT)
    happened = [
        *((change.at, row_of(change)) for change in found.changes),
        *((seen.at, row_of_sighting(seen)) for seen in found.sightings),
        *((move.at, row_of_move(move)) for move in found.moves),
        *((origin.created_at, row_of_origin(origin)) for origin in found.origins),
    ]
    rows = [row for _, row in sorted(happened, key=lambda one: one[0])]  # of one moment, as above
    output.print_table(["when", "what", "before", "after", "why"], rows)


def row_of(change: ChangeOut) -> list[str]:
    what = f"{change.action} (undone)" if change.undone else change.action
    before, after = fields_of(change.before), fields_of(change.after)
    return [output.moment(change.at), what, before, after, change.reason or ""]


def row_of_sighting(seen: SightingOut) -> list[str]:
    return [output.moment(seen.at), f"said again ({seen.kind})", "", seen.text, ""]


def row_of_move(move: MoveOut) -> list[str]:
    what = f"came to {move.role_id}" if move.joined else f"left {move.role_id}"
    why = f"{move.why} ({move.detail})" if move.detail else move.why
    return [output.moment(move.at), what, "", "", why]


def row_of_origin(origin: OriginOut) -> list[str]:
    """With the original text as what was before."""
    by = f"{origin.skill} {origin.skill_version}"
    what = f"saved as it came, for {by}" if origin.op == "raw" else f"{origin.op} by {by}"
    told = [origin.encoding_id, origin.status, origin.message_id, origin.problem]
    why = ", ".join(one for one in told if one)
    return [output.moment(origin.created_at), what, origin.content, "", why]


def fields_of(fields: dict[str, Any] | None) -> str:
    return "\n".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in (fields or {}).items()
    )
