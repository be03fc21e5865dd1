"""`yiku search`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from yiku.cli import direct, output
from yiku.cli.options import Asked, Command, Pair, When, given, user_option
from yiku.cli.running import is_remote, with_memory
from yiku.server.wire import HitOut, SearchOut


@click.command(cls=Command)
@click.argument("query")
@user_option
@click.option("--archive", "archives", multiple=True, help="An archive's name; may be repeated.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 200))
@click.option("--tag", "tags", multiple=True, help="With this tag; repeated: with all of them.")
@click.option("--speaker", "speakers", multiple=True, help="Said by; repeated: any of them.")
@click.option("--conversation", "conversations", multiple=True, help="Said in; repeatable.")
@click.option("--meta", "metadata", multiple=True, type=Pair(), help="With this metadata.")
@click.option("--role", "roles", multiple=True, help="In this role; repeated: any of them.")
@click.option("--general", is_flag=True, help="In no role: only the general memory.")
@click.option("--since", type=When(), help="Said then or later.")
@click.option("--until", type=When(), help="Said before then.")
@click.option("--as-of", type=When(), help="What was true then; default: now.")
@click.option("--superseded", is_flag=True, help="Also what is no longer true.")
@click.option("--explain", is_flag=True, help="Show why: what each signal added, and its rank.")
@click.pass_obj
def search(
    asked: Asked, query: str, limit: int, explain: bool, general: bool, **fields: Any
) -> None:
    """Find memories that answer QUERY, best first."""
    if general and fields["roles"]:
        raise click.UsageError("Give --role or --general, not both", click.get_current_context())
    wanted = given({"limit": limit, **fields})
    if general:
        wanted["roles"] = []
    if is_remote(asked):
        hits = with_memory(asked, lambda memory: memory.search(query, **wanted))
    else:
        hits = direct.search(asked, {"query": query, **wanted})
    if asked.as_json:
        output.print_model(SearchOut(hits=hits))
        return
    if not hits:
        output.note("nothing found")
    for place, hit in enumerate(hits, 1):
        lead = click.style(f"{place:>2} ", fg="cyan")
        output.print_passage(hit.passage, f"{lead} ")
    if explain and hits:
        print_reasons(hits)


def print_reasons(hits: Sequence[HitOut]) -> None:
    """What each signal added to the score; `#n` is the place in its own list."""
    names = list(dict.fromkeys(name for hit in hits for name in (*hit.parts, *hit.ranks)))
    output.print_table(
        ["", "score", *names, "text"],
        (
            [
                str(place),
                f"{hit.score:.3f}",
                *(part_of(hit, name) for name in names),
                output.one_line(hit.passage.text, 32),
            ]
            for place, hit in enumerate(hits, 1)
        ),
    )


def part_of(hit: HitOut, name: str) -> str:
    part = f"{hit.parts[name]:+.3f}" if hit.parts.get(name) else ""
    rank = f"#{hit.ranks[name]}" if name in hit.ranks else ""
    return f"{part} {rank}".strip()
