"""How memory skills, their figures and their changes are shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from yiku.cli import output
from yiku.core.errors import SkillNotFound
from yiku.core.language import Language
from yiku.core.skill import SkillDraft, SkillType
from yiku.server.wire_skills import (
    EvolutionOut,
    SkillChangeOut,
    SkillCountsOut,
    SkillJobOut,
    SkillOut,
    SkillPairOut,
    SkillPreviewOut,
    SkillShownOut,
)

FEW = 5
"""Pairs of a trial that are shown, of each kind."""
STATUS = {"active": "green", "canary": "yellow", "deprecated": "bright_black"}
DECISION = {"canary": "yellow", "approved": "green", "rejected": "red"}


def draft_of(one: SkillOut) -> SkillDraft:
    description: Any = one.description
    return SkillDraft(
        name=one.name,
        skill_type=SkillType(one.skill_type),
        description=description,
        intent_keywords=tuple(one.intent_keywords),
        prompt_template=one.prompt_template,
    )


def version_of(found: SkillShownOut, name: str, version: int | None) -> SkillOut:
    """The one that is named by its number or its id; else the active one, or the newest.

    Raises: SkillNotFound.
    """
    by_number = {one.version: one for one in found.versions}
    if version is not None:
        if version not in by_number:
            raise SkillNotFound(
                f"The memory skill {found.name!r} has no version {version}; it has"
                f" {', '.join(map(str, sorted(by_number)))}."
            )
        return by_number[version]
    named = next((one for one in found.versions if one.id == name), None)
    return named or found.active or found.versions[0]


def about(one: SkillOut, language: Language) -> str:
    """In this language, where it is there."""
    texts = one.description
    return texts.get(language) or next(iter(texts.values()), "")


def judged(one: SkillOut) -> str:
    n = one.positive_count + one.negative_count
    return f"judged {n:,} times, {one.negative_rate:.0%} negative" if n else "not judged yet"


def print_done(done: str, one: SkillOut) -> None:
    name = output.visible(one.name)
    click.echo(f"{click.style(done, fg='green')}  {name}  version {one.version}  {one.id}")


def print_skills(found: Sequence[SkillOut], language: Language) -> None:
    output.print_table(
        ["skill", "version", "type", "status", "good", "bad", "about"],
        (
            [
                one.name,
                str(one.version),
                one.skill_type,
                one.status,
                f"{one.positive_count:,}",
                f"{one.negative_count:,}",
                output.one_line(about(one, language), 48),
            ]
            for one in found
        ),
        whole=("skill",),
    )


def print_problems(problems: Sequence[str]) -> None:
    for one in problems:
        click.secho(f"not used: {output.visible(one)}", fg="yellow", err=True)


def print_skill(one: SkillOut, language: Language) -> None:
    title = click.style(output.visible(one.name), bold=True)
    status = click.style(one.status, fg=STATUS[one.status])
    click.echo(f"{title}  version {one.version}  {one.skill_type}  {status}")
    click.secho(f"{output.INDENT}{one.id}", dim=True)
    click.echo(f"{output.INDENT}{output.visible(about(one, language))}")
    origin = "from a file" if one.is_base else "by the Designer, or over the API"
    click.secho(f"{output.INDENT}{judged(one)}; {origin}", dim=True)
    if one.intent_keywords:
        click.secho("keywords", dim=True)
        click.echo(f"{output.INDENT}{output.visible(', '.join(one.intent_keywords))}")
    click.secho("prompt", dim=True)
    for line in output.visible(one.prompt_template).splitlines():
        click.echo(f"{output.INDENT}{line}".rstrip())


def print_versions(found: SkillShownOut) -> None:
    click.echo()
    output.print_table(
        ["version", "status", "good", "bad", "made", "id"],
        (
            [
                str(one.version),
                one.status,
                f"{one.positive_count:,}",
                f"{one.negative_count:,}",
                output.moment(one.created_at),
                one.id,
            ]
            for one in found.versions
        ),
    )
    if found.waiting is not None:
        output.note(
            f"{found.waiting.id} waits for a decision: `yiku skill canary show {found.name}`"
        )


def print_stats(found: Sequence[SkillCountsOut]) -> None:
    output.print_table(
        ["skill", "version", "status", "judged", "negative", "judgements", "texts"],
        (
            [
                one.skill.name,
                str(one.skill.version),
                one.skill.status,
                f"{one.skill.positive_count + one.skill.negative_count:,}",
                f"{one.skill.negative_rate:.0%}",
                counts(one.feedback),
                counts(one.encodings),
            ]
            for one in found
        ),
        whole=("skill",),
    )


def counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in found.items() if number)


def print_jobs(jobs: Sequence[SkillJobOut]) -> None:
    if jobs:
        waiting = counts(Counter(one.kind for one in jobs))
        output.note(f"waits to be done: {waiting}")
    for one in jobs:
        if one.problem is not None:
            words = f"{one.kind} of {one.key.rstrip('/')} failed {one.tries} times: {one.problem}"
            click.secho(output.visible(words), fg="yellow", err=True)


def print_changes(found: Sequence[SkillChangeOut]) -> None:
    if not found:
        output.note("no skill was changed yet")
    for one in found:
        status = click.style(one.status, fg=DECISION[one.status])
        name = click.style(output.visible(one.name), bold=True)
        click.echo(f"{name}  {status}  {output.moment(one.created_at)}  {one.id}")
        for line in output.visible(one.reason).splitlines():
            click.echo(f"{output.INDENT}{line}".rstrip())


def print_diff(diff: str) -> None:
    for line in output.visible(diff).splitlines():
        heading = line.startswith(("+++", "---", "@@"))
        colour = "green" if line.startswith("+") else "red" if line.startswith("-") else None
        click.secho(line, fg="cyan" if heading else colour)


def print_preview(found: SkillPreviewOut) -> None:
    change, new = found.change, found.new
    print_changes([change])
    if change.report:
        print_report(change.report)
    print_diff(change.diff)
    if found.old is not None:
        output.note(f"active now: version {found.old.version}, {judged(found.old)}")
    output.note(f"proposed: version {new.version}  {new.id}")


def print_report(report: Mapping[str, Any]) -> None:
    """The figures of a canary's trial, as far as it has them."""
    told = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in report.items()
        if isinstance(value, str | int | float)
    ]
    click.secho("trial", dim=True)
    click.echo(f"{output.INDENT}{output.visible(', '.join(told))}")
    held_out: Mapping[str, Any] | None = report.get("held_out")
    if held_out:
        click.echo(f"{output.INDENT}of pairs that the Designer had not seen: {figures(held_out)}")


def figures(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items())


def print_pairs(pairs: Sequence[SkillPairOut], *, everything: bool) -> None:
    for title, failed in (("failures before", True), ("successes before", False)):
        found = [one for one in pairs if one.failed_before is failed]
        if not found:
            continue
        click.secho(f"{title}: {len(found)}", dim=True)
        for one in found if everything else found[:FEW]:
            print_pair(one, whole=everything)
        if not everything and len(found) > FEW:
            output.note(f"{len(found) - FEW:,} more; --all shows them")


def print_pair(one: SkillPairOut, *, whole: bool) -> None:
    change = one.new_score - one.old_score
    colour = "green" if change > 0 else "red" if change < 0 else None
    score = click.style(f"{one.old_score:.2f} -> {one.new_score:.2f}", fg=colour)
    text = one.original or "(deleted)"
    click.echo(f"{score}  {output.visible(text) if whole else output.one_line(text, 80)}")
    for name, side in (("old", one.old), ("new", one.new)):
        made = json.dumps(side, ensure_ascii=False) if whole else output.one_line(made_of(side), 96)
        click.secho(f"{output.INDENT}{name}  {output.visible(made)}", dim=True)


def made_of(side: Mapping[str, Any]) -> str:
    """What a prompt made, in short."""
    operations: Sequence[Mapping[str, Any]] = side.get("operations") or ()
    told = [f"{one['op']} {one.get('text') or one.get('target') or ''}" for one in operations]
    queries: Sequence[str] = side.get("queries") or ()
    problems: Sequence[str] = side.get("problems") or ()
    return "; ".join([*told, *queries, *problems]) or "nothing"


def print_evolution(made: EvolutionOut) -> None:
    for one in made.examined:
        state = one.why_not or click.style("is to be mended", fg="yellow")
        click.echo(f"{output.visible(one.name)}  version {one.version}  {state}")
    for n, one in enumerate(made.tries, 1):
        click.secho(f"try {n}: {output.visible(one.refused or one.verdict or 'taken')}", dim=True)
    if made.change is None:
        output.note(made.problem or "nothing was proposed")
        return
    print_changes([made.change])
    if made.change.status == "canary":
        output.note(f"to see its trial: yiku skill canary show {made.change.name}")
        output.note(f"to make it active: yiku skill approve {made.change.name}")
