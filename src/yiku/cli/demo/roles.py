"""The demo's part on role memory: what happens, and how it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import click

from yiku.app import build
from yiku.cli.demo.play import USER
from yiku.cli.demo.story import Placed, Story
from yiku.cli.options import Asked
from yiku.cli.running import local_settings
from yiku.roles import EmbeddingMoEMemory

ARCHIVE = "roles"
GENERAL = "general memory 通用记忆"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A text, where it was expected, and the roles it came to or opened."""

    text: str
    expected: str | None
    roles: Sequence[str]

    @property
    def right(self) -> bool:
        """The expected role is the best; or there is none, as expected."""
        return (self.roles[0] if self.roles else None) == self.expected


@dataclass(slots=True)
class Routed:
    """What role memory did."""

    memories: list[Chosen] = field(default_factory=list[Chosen])
    contexts: list[Chosen] = field(default_factory=list[Chosen])
    found: list[str] = field(default_factory=list[str])
    """By context, the first memory of its roles."""
    adding_ms: list[float] = field(default_factory=list[float])
    gating_ms: list[float] = field(default_factory=list[float])


def play_roles(place: Asked, story: Story, **settings: Any) -> Routed:
    """In an archive of its own, beside the conversation's."""

    async def play() -> Routed:
        routed = Routed()
        async with build(local_settings(place, **settings)) as app:
            memory = EmbeddingMoEMemory(app=app, user=USER, archive=ARCHIVE, roles=["all"])
            await memory.list_roles_async()
            for one in story.memories:
                await remember(memory, one, routed)
            for one in story.contexts:
                await gate(memory, one, routed)
        return routed

    return asyncio.run(play())


async def remember(memory: EmbeddingMoEMemory, one: Placed, routed: Routed) -> None:
    started = time.perf_counter()
    added = await memory.smart_add_memory_async(one.text)
    routed.adding_ms.append(1000 * (time.perf_counter() - started))
    decision = await memory.explain_async(added.decision) if added.decision else None
    routed.memories.append(Chosen(one.text, one.role, decision.chosen if decision else ()))


async def gate(memory: EmbeddingMoEMemory, one: Placed, routed: Routed) -> None:
    started = time.perf_counter()
    active = await memory.moe_gate_for_context_async(one.text)
    routed.gating_ms.append(1000 * (time.perf_counter() - started))
    hits = await memory.search_role_memories_async(one.text, "active", top_k=1)
    routed.contexts.append(Chosen(one.text, one.role, active))
    routed.found.append(hits[0].passage.text if hits else "")


def print_routed(routed: Routed) -> None:
    click.secho("Memories find their roles · 记忆自己找到角色", bold=True)
    for one in routed.memories:
        click.echo(f"    {one.text}")
        click.echo(f"      {mark(one)} {', '.join(one.roles) or GENERAL}")
    click.echo()
    click.secho("A context decides who speaks · 语境决定谁发言", bold=True)
    for one, found in zip(routed.contexts, routed.found, strict=True):
        click.echo(f"    {click.style(one.text, fg='cyan')}")
        click.echo(f"      {mark(one)} {', '.join(one.roles) or GENERAL}: {found}")
    right = sum(one.right for one in (*routed.memories, *routed.contexts))
    click.secho(
        f"    {right} of {len(routed.memories) + len(routed.contexts)} as expected; a memory is"
        f" stored with its roles in {median(routed.adding_ms):.1f} ms, a context gated in"
        f" {median(routed.gating_ms):.1f} ms (medians)\n",
        dim=True,
    )


def mark(one: Chosen) -> str:
    sign, colour = ("✓", "green") if one.right else ("✗", "red")
    return click.style(sign, fg=colour)


def roles_json(routed: Routed) -> dict[str, Any]:
    def told(some: Sequence[Chosen]) -> list[dict[str, Any]]:
        return [
            {"text": one.text, "expected": one.expected, "roles": list(one.roles)} for one in some
        ]

    return {
        "routed": told(routed.memories),
        "gated": told(routed.contexts),
        "routed_right": sum(one.right for one in routed.memories),
        "gated_right": sum(one.right for one in routed.contexts),
        "add_ms": round(median(routed.adding_ms), 2),
        "gate_ms": round(median(routed.gating_ms), 2),
    }
