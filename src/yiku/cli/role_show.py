"""How roles, their templates and their figures are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import click

from yiku.cli import output
from yiku.server.wire_roles import (
    RoleConfigOut,
    RoleOut,
    RoleStatsOut,
    RoleSummaryOut,
    RoleTemplatesOut,
    RoleVersionOut,
)


@dataclass(frozen=True, slots=True)
class Whole:
    """A role with all that is known of it."""

    role: RoleOut
    versions: Sequence[RoleVersionOut]
    """The newest first."""
    stats: RoleStatsOut

    def as_json(self) -> dict[str, Any]:
        return {
            **self.role.model_dump(mode="json"),
            "versions": [one.model_dump(mode="json") for one in self.versions],
            "stats": self.stats.model_dump(mode="json"),
        }


def memories(n: int) -> str:
    return f"{n:,} memory" if n == 1 else f"{n:,} memories"


def print_made(done: str, made: Sequence[RoleOut]) -> None:
    for one in made:
        name = output.visible(one.role_name)
        click.echo(f"{click.style(done, fg='green')}  {output.visible(one.role_id)}  {name}")


def print_roles(found: Sequence[RoleOut]) -> None:
    output.print_table(
        ["role", "name", "type", "threshold", "keeps", "when full", "about"],
        (
            [
                one.role_id,
                one.role_name,
                one.role_type,
                f"{one.activation_threshold:.2f}",
                f"{one.max_memory_size:,}",
                one.memory_retention_strategy,
                output.one_line(one.role_description, 24),
            ]
            for one in found
        ),
        whole=("role",),
    )


def print_config(one: RoleConfigOut) -> None:
    title = click.style(output.visible(one.role_id), bold=True)
    click.echo(f"{title}  {output.visible(one.role_name)}  ({one.role_type})")
    for line in output.visible(one.role_description).splitlines():
        click.echo(f"{output.INDENT}{line}")
    if one.keywords:
        click.secho("keywords", dim=True)
        click.echo(f"{output.INDENT}{output.visible(', '.join(one.keywords))}")
    if one.examples:
        click.secho("examples", dim=True)
    for line in one.examples:
        click.echo(f"{output.INDENT}- {output.visible(line)}")
    click.secho(
        f"speaks from {one.activation_threshold:.2f}; keeps {memories(one.max_memory_size)},"
        f" when full by {one.memory_retention_strategy}",
        dim=True,
    )


def print_whole(whole: Whole) -> None:
    print_config(whole.role)
    one = whole.stats
    click.echo()
    for name, value in (
        ("memories", f"{one.memories:,} of {one.max_memory_size:,}"),
        ("last came", moment(one.last_routed)),
        ("mean margin", margin(one.mean_margin)),
        ("gated", f"{one.gated:,} of {one.considered:,}"),
        ("last gated", moment(one.last_gated)),
        ("learned from", memories(one.learned_from)),
        ("drift", f"{one.drift:.3f}"),
    ):
        click.echo(f"{name:>12}  {value}")
    click.echo()
    output.print_table(
        ["version", "when", "changed", "why"],
        (
            [str(one.version), output.moment(one.at), changed, one.reason or ""]
            for one, changed in with_changes(whole.versions)
        ),
    )


def with_changes(versions: Sequence[RoleVersionOut]) -> list[tuple[RoleVersionOut, str]]:
    """Each version, the newest first, with the names of the fields it changed."""
    names = list(RoleConfigOut.model_fields)
    changes = [
        ", ".join(n for n in names if getattr(new.config, n) != getattr(old.config, n))
        for new, old in pairwise(versions)
    ]
    return list(zip(versions, [*changes, ""], strict=True))


def texts_of(one: RoleConfigOut) -> tuple[object, ...]:
    """What decides which memories are the role's."""
    return one.role_description, one.keywords, one.examples


def moment(at: datetime | None) -> str:
    return "never" if at is None else output.moment(at)


def margin(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def print_stats(found: RoleSummaryOut) -> None:
    output.print_table(
        ["role", "memories", "last came", "margin", "gated", "last gated", "learned from", "drift"],
        (
            [
                one.role_id,
                f"{one.memories:,} of {one.max_memory_size:,}",
                moment(one.last_routed),
                margin(one.mean_margin),
                f"{one.gated:,} of {one.considered:,}",
                moment(one.last_gated),
                f"{one.learned_from:,}",
                f"{one.drift:.3f}",
            ]
            for one in found.roles
        ),
        whole=("role",),
    )
    click.echo(
        f"\n{memories(found.memories)} in all, {found.general:,} of them in no role (the general"
        f" memory); routed from {found.routing_threshold:.2f}"
    )


def print_templates(found: RoleTemplatesOut) -> None:
    click.secho("templates", bold=True)
    for name in found.templates:
        click.echo(f"{output.INDENT}{output.visible(name)}")
    click.secho("sets", bold=True)
    width = max(map(output.width_of, found.sets), default=0)
    for name, members in found.sets.items():
        space = " " * (width - output.width_of(name))
        click.echo(f"{output.INDENT}{output.visible(name)}{space}  {', '.join(members)}")
