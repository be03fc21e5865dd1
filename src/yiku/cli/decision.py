"""How decisions about roles are shown: who was chosen, and on request why."""

from __future__ import annotations

from collections.abc import Sequence

import click

from yiku.cli import output
from yiku.cli.options import Asked
from yiku.server.wire_roles import DecisionOut, RoleScoreOut

BAR = 20
"""Columns of a score of 1."""
NOBODY = {
    "route": "general memory: no role reaches its threshold",
    "gate": "nobody speaks: no role reaches its threshold",
}


def show(asked: Asked, made: DecisionOut, *, explain: bool) -> None:
    if asked.as_json:
        output.print_model(made)
        return
    print_chosen(made)
    if explain:
        click.echo()
        print_reasons(made)


def print_chosen(made: DecisionOut) -> None:
    """The chosen roles with their scores; where there are none, how near the best one came."""
    chosen = [one for one in made.scores if one.chosen]
    width = max((output.width_of(one.role_id) for one in chosen), default=0)
    for one in chosen:
        space = " " * (width - output.width_of(one.role_id))
        name = click.style(output.visible(one.role_id), bold=True)
        click.echo(f"{name}{space}  {bar_of(one)}  {output.visible(one.role_name)}")
    if not chosen:
        click.secho(NOBODY[made.kind], fg="yellow")
        for best in made.scores[:1]:
            near = f"{best.score:.2f}, threshold {best.threshold:.2f}"
            output.note(f"{output.INDENT}nearest: {best.role_id}, {near}")


def bar_of(one: RoleScoreOut) -> str:
    """`████████▌· 0.84`"""
    filled = round(min(max(one.score, 0.0), 1.0) * BAR)
    return f"{click.style('█' * filled, fg='cyan')}{'·' * (BAR - filled)} {one.score:.2f}"


def print_reasons(made: DecisionOut) -> None:
    """Every role in figures; then each in words."""
    parts = list(dict.fromkeys(name for one in made.scores for name in one.parts))
    output.print_table(
        ["role", "score", "raw", "threshold", "chosen", *parts],
        (row_of(one, parts) for one in made.scores),
        whole=("role",),
    )
    click.echo()
    for one in made.scores:
        click.echo(f"{click.style(output.visible(one.role_id), bold=True)}  {one.reason}")
        if one.nearest:
            click.secho(f"{output.INDENT}{nearest(one.nearest)}", dim=True)
    if made.roles > len(made.scores):
        output.note(f"the best {len(made.scores)} of {made.roles:,} roles")


def nearest(phrase: str) -> str:
    """A phrase of the role's, on one line; or a memory that it learned from, by its id."""
    if phrase.startswith("passage-"):
        return f"nearest: its memory {phrase}"
    width = max(output.terminal_width() - len(output.INDENT), 2 * BAR)
    return output.one_line(f"nearest: {phrase}", width)


def row_of(one: RoleScoreOut, parts: Sequence[str]) -> list[str]:
    return [
        one.role_id,
        f"{one.score:.2f}",
        f"{one.raw:+.2f}",
        f"{one.threshold:.2f}",
        "yes" if one.chosen else "",
        *(f"{one.parts[name]:+.2f}" if name in one.parts else "" for name in parts),
    ]


def print_facts(made: DecisionOut) -> None:
    """Of a decision that was kept: when, about what, by which means."""
    about = made.passage_id or made.conversation
    facts = [made.kind, output.moment(made.at), made.routing, made.model]
    facts += [output.visible(about)] if about else []
    click.secho("  ".join(facts), dim=True)
