"""`yiku demo`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from yiku.cli import output
from yiku.cli.demo.play import (
    NEAR,
    NEEDED,
    Answer,
    Changed,
    Forgotten,
    Played,
    ask,
    change,
    forget,
    place_of,
    remember,
)
from yiku.cli.demo.roles import Routed, play_roles, print_routed, roles_json
from yiku.cli.demo.story import Story, story
from yiku.cli.options import Asked, Command
from yiku.cli.progress import Bar
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient
from yiku.server.wire import HitOut, PassageOut

ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}
REASONS = 3
NEXT = (
    ('yiku add "我对花生过敏" --user ann', "remember something of your own"),
    ('yiku search "能吃什么零食?" --user ann --explain', "find it, and see why"),
    ("yiku import notes.md --user ann", "remember a file"),
    ("yiku serve", "the same over HTTP, for your agents"),
)


@click.command(cls=Command)
@click.pass_obj
def demo(asked: Asked) -> None:
    """Remember a conversation of six weeks, in English and Chinese, and ask about it.

    Then four roles share memories among themselves. It plays in a new database that is deleted at
    the end. Exit code 1 where the evidence is among the first three passages for fewer than 10 of
    the 14 questions.
    """
    told = story()

    async def play(memory: MemoryClient) -> tuple[Played, Changed, Forgotten]:
        played = Played()
        await opening(memory, asked, told, played)
        for number, question in enumerate(told.questions, 1):
            answer = await ask(memory, question, played)
            if not asked.as_json:
                print_answer(number, answer)
        return played, await change(memory, told, played), await forget(memory, told, played)

    with tempfile.TemporaryDirectory(prefix="yiku-demo-") as folder:
        # The data directory is the usual one: the model's files are there.
        place = Asked(asked.home, f"yiku://{Path(folder).as_posix()}/demo.db", None, asked.as_json)
        settings = {"embedding_cache": 0}
        played, changed, forgotten = with_memory(place, play, **settings)
        routed = play_roles(place, told, **settings)
    if asked.as_json:
        output.print_json(as_json(played, changed, forgotten, routed))
    else:
        print_changed(told, changed)
        print_forgotten(told, forgotten)
        print_routed(routed)
        print_end(played)
    if played.good < NEEDED or not (changed.right and forgotten.right):
        click.get_current_context().exit(1)


async def opening(memory: MemoryClient, asked: Asked, told: Story, played: Played) -> None:
    if not asked.as_json:
        days = len({turn["conversation"] for turn in told.turns})
        heading(f"Ann talks with Yiku: {len(told.turns)} turns on {days} days · 安和忆库聊天")
    with Bar("remembering 记住", asked, unit="passages") as bar:
        await remember(memory, told, played, bar.update)
    if not asked.as_json:
        click.echo(f"remembered {len(told.turns)} turns, {played.add_ms:.1f} ms each (median)\n")
        heading(f"{len(told.questions)} questions · 问题")


def heading(words: str) -> None:
    click.secho(words, bold=True)


def print_answer(number: int, answer: Answer) -> None:
    state = place_told(answer.place)
    click.echo(f"{number:>2}  {click.style(answer.question.question, fg='cyan')}  {state}")
    if answer.hits:
        print_hit(answer.hits[0])
    if answer.place != 1 and answer.place is not None:
        click.echo("      looked for:")
        print_hit(answer.hits[answer.place - 1])
    if not answer.good:
        click.secho(f"      why it is hard: {answer.question.note}", dim=True)
    click.echo()


def place_told(place: int | None) -> str:
    mark, colour = ("✓", "green") if place is not None and place <= NEAR else ("✗", "red")
    words = "not found" if place is None else ORDINALS.get(place, f"{place}th")
    return click.style(f"{mark} {words}", fg=colour)


def print_hit(hit: HitOut) -> None:
    print_quote(hit.passage)
    click.secho(f"      score {hit.score:.2f}: {reasons(hit)}", dim=True)


def print_quote(passage: PassageOut) -> None:
    lead = f"    {output.day(passage.at)}  {passage.speaker}: "
    click.echo(lead + output.one_line(passage.text, output.terminal_width() - len(lead)))


def reasons(hit: HitOut) -> str:
    """The parts that added most; `#n` is the place in that signal's own list."""
    best = sorted(hit.parts.items(), key=lambda part: -part[1])[:REASONS]
    return " · ".join(
        f"{name} +{value:.2f}{f' (#{hit.ranks[name]})' if name in hit.ranks else ''}"
        for name, value in best
        if value > 0
    )


def print_changed(told: Story, changed: Changed) -> None:
    heading("A fact changes · 事实变了")
    print_quote(changed.old)
    click.echo("    → superseded by 被取代")
    print_quote(changed.new)
    for words, hits, right in (
        ("now 现在", changed.now, changed.new.id),
        (f"as of {told.as_of} 当时", changed.then, changed.old.id),
    ):
        place = place_of(hits, {right})
        click.echo(f"    {click.style(told.where, fg='cyan')}  {words}  {place_told(place)}")
        if place is not None:
            print_hit(hits[place - 1])
    click.echo()


def print_forgotten(told: Story, forgotten: Forgotten) -> None:
    heading("Something is forgotten · 忘掉一件事")
    print_quote(forgotten.passage)
    for words, right in (
        ("before: found 找得到", forgotten.place is not None),
        ("forgotten: not found 找不到了", not forgotten.found_while_hidden),
        ("undone: found again 又找到了", forgotten.found_again),
    ):
        mark = click.style("✓" if right else "✗", fg="green" if right else "red")
        click.echo(f"    {click.style(told.secret_question, fg='cyan')}  {words}  {mark}")
    click.echo()


def print_end(played: Played) -> None:
    first = sum(answer.place == 1 for answer in played.answers)
    of = len(played.answers)
    good = played.good >= NEEDED
    heading("In short · 小结")
    tally = f"{first} of {of} first, {played.good} of {of} among the first {NEAR}"
    click.secho(
        f"    {tally}{'' if good else f': {NEEDED} are needed'}", fg="green" if good else "red"
    )
    click.echo(
        f"    a turn is remembered in {played.add_ms:.1f} ms, a question answered in"
        f" {played.search_ms:.1f} ms (medians)\n"
    )
    heading("Next · 接下来")
    program = called_by()
    commands = [(command.replace("yiku", program, 1), why) for command, why in NEXT]
    width = max(output.width_of(command) for command, _ in commands)
    for command, why in commands:
        gap = " " * (width - output.width_of(command))
        click.echo(f"    {click.style(command, fg='cyan')}{gap}  {why}")


def called_by() -> str:
    """How a shell calls this program: `make demo` runs it out of .venv, where no shell looks."""
    if shutil.which("yiku"):
        return "yiku"
    if Path(sys.argv[0]).name == "__main__.py":
        return f"{os.path.relpath(sys.executable)} -m yiku"
    return os.path.relpath(sys.argv[0])


def as_json(
    played: Played, changed: Changed, forgotten: Forgotten, routed: Routed
) -> dict[str, Any]:
    return {
        "turns": len(played.ids),
        "questions": [
            {
                "question": answer.question.question,
                "place": answer.place,
                "first": answer.hits[0].passage.text if answer.hits else None,
                "score": round(answer.hits[0].score, 4) if answer.hits else None,
            }
            for answer in played.answers
        ],
        "first": sum(answer.place == 1 for answer in played.answers),
        "among_first_three": played.good,
        "changed_fact_right": changed.right,
        "forgotten_right": forgotten.right,
        "add_ms": played.add_ms,
        "search_ms": played.search_ms,
        "roles": roles_json(routed),
    }
