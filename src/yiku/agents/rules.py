"""Which tool may be called next, and whether a run may end; pure.

Everything is judged from the rules, the run's progress so far and the names of the tools the agent
has. A rule about a tool it hasn't does nothing, and a child it hasn't is no child.

Where rules meet:
- What must come next (init at first, child and conditional rules after the tool they are about)
  beats a parent rule that would keep it for later. Two such rules about one tool hold together.
- A call that failed leaves the run where it was: the tool may be tried again. It counts towards the
  tool's maximum, since it ran.
- A continue rule about a tool that a terminal rule is about wins: somebody wrote it on purpose.
- A tool that is required before the end, and can't be called any more, is required no longer; nor
  is one that failed `ENOUGH` times. Rules that lead from child to child in a circle, with no end
  to it, say what may be called, and not that something must. So there is always a way out: from
  each state of a run some calls, or none, lead to one where it may end.

Several calls in one answer are judged in their order, each as though those before it had succeeded
(`judge`). What a tool returns isn't known then, so after one with a conditional rule no other call
of the same answer is allowed. Calls beside a terminal one are carried out; then the run ends.

Models are best shown all tools at every step and judged by what they call: a list of tools that
changes would spoil the provider's prompt cache.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from yiku.agents.rule_outputs import mapped
from yiku.agents.rule_words import WORDS, now_words, one_of, ready
from yiku.core.language import Language
from yiku.core.memory import Json
from yiku.core.message import MessageRole, Utterance
from yiku.core.rule import (
    AnyRule,
    ApprovalRule,
    ChildRule,
    ConditionalRule,
    ContinueRule,
    InitRule,
    MaxCountRule,
    ParentRule,
    RequiredBeforeExitRule,
    TerminalRule,
    ToolRule,
)
from yiku.core.tool import Tool

ENOUGH = 3
"""Failures after which a required tool is required no longer; and answers without any call after
which a run ends, though rules want one."""

Rules = Sequence[AnyRule]
Names = Collection[str]
R = TypeVar("R", bound=ToolRule)


@dataclass(frozen=True, slots=True)
class Called:
    """A call that was carried out."""

    name: str
    output: str | None = None
    """What it returned; None: it isn't known yet."""
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """The calls of a run so far; refused ones aren't among them."""

    calls: tuple[Called, ...] = ()

    def with_calls(self, *calls: Called) -> Progress:
        return Progress((*self.calls, *calls))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a call."""

    refused: str | None
    """The error that tells the model what it may do instead; None: the call is allowed."""
    prefill: Mapping[str, Json]
    """Arguments that win over the model's."""


def progress_of(rules: Rules, names: Names, messages: Iterable[Utterance]) -> Progress:
    """A run's progress, read from its messages; calls that the rules refused then are left out.

    Where a run answers calls that waited for an approval, the messages of the run that made them
    belong to it too.
    """
    progress = Progress()
    ran: dict[str, str] = {}
    for message in messages:
        if message.role is MessageRole.ASSISTANT:
            called = message.calls
            verdicts = judge(rules, progress, names, [call.name for call in called])
            ran = {
                call.id: call.name
                for call, verdict in zip(called, verdicts, strict=True)
                if verdict.refused is None
            }
        for one in message.returns:
            if (name := ran.pop(one.call_id, None)) is not None:
                progress = progress.with_calls(Called(name, one.text, one.ok))
    return progress


def allowed(rules: Rules, progress: Progress, names: Names) -> frozenset[str]:
    """The tools that may be called next. Where there is none, the run may end."""
    return open_after(rules, last_done(rules, progress), names) - spent(rules, progress, names)


def must_call(rules: Rules, progress: Progress, names: Names) -> bool:
    """Whether a rule wants a tool called next, whatever the model would rather do."""
    due = due_after(rules, last_done(rules, progress), names)
    if due is None or not due - spent(rules, progress, names):
        return False
    return has_end(rules, progress, names)


def tool_choice(
    rules: Rules, progress: Progress, names: Names, *, required: bool = False
) -> Literal["auto", "required", "none"] | str:
    """`Prompt.tool_choice`: the one tool that must be called, by name, if there is one.

    `required`: the agent's kind never ends without a call.
    """
    there = allowed(rules, progress, names)
    if not there:
        return "none"
    if not (required or must_call(rules, progress, names)):
        return "auto"
    return "required" if len(there) > 1 else next(iter(there))


def judge(
    rules: Rules,
    progress: Progress,
    names: Names,
    calls: Sequence[str],
    language: Language = "en",
) -> tuple[Verdict, ...]:
    """A verdict on each call of one answer, in their order."""
    verdicts: list[Verdict] = []
    for name in calls:
        refused = violation(rules, progress, names, name, language)
        verdicts.append(Verdict(refused, {} if refused else prefill(rules, progress, name)))
        if refused is None:
            progress = progress.with_calls(Called(name))
    return tuple(verdicts)


def violation(
    rules: Rules, progress: Progress, names: Names, name: str, language: Language = "en"
) -> str | None:
    """Why this tool may not be called now, and which may; None: it may."""
    there = allowed(rules, progress, names)
    if name in there:
        return None
    words = WORDS[language]
    last = last_done(rules, progress)
    due = due_after(rules, last, names)
    if name not in names:
        why = words["unknown"].format(tool=name)
    elif name in spent(rules, progress, names):
        why = words["spent"].format(tool=name, count=limits(rules, names)[name])
    elif due is None:
        parents = sorted(
            one.tool for one in about(rules, ParentRule, names) if name in one.children
        )
        why = words["parent"].format(tool=name, parents=one_of(parents, language))
    elif last is None:
        why = words["init"].format(tools=one_of(sorted(due), language))
    elif last.output is None and conditional(rules, last.name, names):
        why = words["decides"].format(tool=last.name)
    else:
        why = words["after"].format(tool=last.name, tools=one_of(sorted(due), language))
    return words["violation"].format(why=why, now=now_words(there, language))


def output_refused(
    rules: Rules, names: Names, name: str, output: str, language: Language = "en"
) -> str | None:
    """Why an output won't do: a conditional rule wants one it knows, and neither it nor another
    rule for the tool knows this one. (If each had to know it, two rules could rule out every
    output, and with it the run's end.)

    The call then counts as failed, and its return is this text.
    """
    there = [rule for rule in conditional(rules, name, names) if rule.child_output_mapping]
    if not any(rule.require_output_mapping for rule in there):
        return None
    if any(mapped(rule, output) is not None for rule in there):
        return None
    keys = dict.fromkeys(key for rule in there for key in rule.child_output_mapping)
    known = ", ".join(json.dumps(key, ensure_ascii=False) for key in keys)
    shown = json.dumps(output[:200], ensure_ascii=False)
    return WORDS[language]["unmapped"].format(tool=name, output=shown, known=known)


def prefill(rules: Rules, progress: Progress, name: str) -> dict[str, Json]:
    """The arguments of this call that rules have chosen: they win over the model's own."""
    last = last_done(rules, progress)
    chosen: dict[str, Json] = {}
    for rule in rules:
        if last is None and isinstance(rule, InitRule) and rule.tool == name:
            chosen.update(rule.arguments or {})
        elif last is not None and isinstance(rule, ChildRule) and rule.tool == last.name:
            for child in rule.child_arguments:
                if child.name == name:
                    chosen.update(child.arguments)
    return chosen


def needs_approval(rules: Rules, tool: Tool) -> bool:
    """Whether a person must allow each call: a rule says so, or the tool does."""
    return bool(tool.default_requires_approval) or any(
        isinstance(rule, ApprovalRule) and rule.tool == tool.name for rule in rules
    )


def after(
    rules: Rules, progress: Progress, names: Names, calls: Sequence[Called]
) -> Literal["continue", "end"]:
    """What follows a step that made these calls, which `progress` has already.

    A tool that ends runs and failed ends none: the model must see why.
    """
    ending = terminal(rules, names)
    ended = any(call.ok and call.name in ending for call in calls)
    return "end" if ended and not missing_before_exit(rules, progress, names) else "continue"


def missing_before_exit(rules: Rules, progress: Progress, names: Names) -> tuple[str, ...]:
    """Tools without which the run may not end, and which it can still call; sorted."""
    done = {call.name for call in progress.calls if succeeded(rules, call)}
    failures = [call.name for call in progress.calls if not succeeded(rules, call)]
    missing = {
        rule.tool
        for rule in about(rules, RequiredBeforeExitRule, names)
        if rule.tool not in done and failures.count(rule.tool) < ENOUGH
    }
    return tuple(sorted(missing & reachable(rules, progress, names))) if missing else ()


def exit_refused(
    rules: Rules, progress: Progress, names: Names, language: Language = "en"
) -> str | None:
    """The note to a model that answered without a call; None: the run may end so."""
    there = allowed(rules, progress, names)
    missing = missing_before_exit(rules, progress, names)
    words = WORDS[language]
    if missing:
        why = words["missing"].format(tools=ready(missing, language))
    elif must_call(rules, progress, names):
        why = words["due"]
    else:
        return None
    return words["exit"].format(why=why, now=now_words(there, language))


def about(rules: Rules, kind: type[R], names: Names) -> list[R]:
    """The rules of one kind, about tools the agent has."""
    return [rule for rule in rules if isinstance(rule, kind) and rule.tool in names]


def terminal(rules: Rules, names: Names) -> set[str]:
    """The tools that end a run."""
    going_on = {rule.tool for rule in about(rules, ContinueRule, names)}
    return {rule.tool for rule in about(rules, TerminalRule, names)} - going_on


def conditional(rules: Rules, name: str, names: Names) -> list[ConditionalRule]:
    return [rule for rule in about(rules, ConditionalRule, names) if rule.tool == name]


def last_done(rules: Rules, progress: Progress) -> Called | None:
    """The last call that succeeded."""
    return next((call for call in reversed(progress.calls) if succeeded(rules, call)), None)


def succeeded(rules: Rules, call: Called) -> bool:
    """A call whose output a rule doesn't take failed."""
    if not call.ok or call.output is None:
        return call.ok
    return output_refused(rules, (call.name,), call.name, call.output) is None


def due_after(rules: Rules, last: Called | None, names: Names) -> frozenset[str] | None:
    """Those one of which must come next; empty: nothing may; None: no rule says anything."""
    groups: list[frozenset[str]] = []
    if last is None:
        groups.append(frozenset(rule.tool for rule in about(rules, InitRule, names)))
    else:
        children = (rule for rule in about(rules, ChildRule, names) if rule.tool == last.name)
        groups += [frozenset(rule.children).intersection(names) for rule in children]
        for rule in conditional(rules, last.name, names):
            if last.output is None:
                return frozenset()
            child = mapped(rule, last.output) or rule.default_child
            groups.append(frozenset([child] if child is not None and child in names else []))
    told = [group for group in groups if group]
    return told[0].intersection(*told[1:]) if told else None


def open_after(rules: Rules, last: Called | None, names: Names) -> frozenset[str]:
    """The tools that may come next, whatever was called how often."""
    due = due_after(rules, last, names)
    if due is not None:
        return due
    kept: set[str] = set()
    own: set[str] = set()
    for rule in about(rules, ParentRule, names):
        kept.update(rule.children)
        if last is not None and rule.tool == last.name:
            own.update(rule.children)
    return frozenset(names) - (kept - own)


def limits(rules: Rules, names: Names) -> dict[str, int]:
    """How often a tool may be called; the lowest of several limits."""
    found: dict[str, int] = {}
    for rule in about(rules, MaxCountRule, names):
        found[rule.tool] = min(rule.max_count, found.get(rule.tool, rule.max_count))
    return found


def spent(rules: Rules, progress: Progress, names: Names) -> frozenset[str]:
    """The tools that were called as often as they may be."""
    called = [call.name for call in progress.calls]
    return frozenset(
        name for name, most in limits(rules, names).items() if called.count(name) >= most
    )


def reachable(rules: Rules, progress: Progress, names: Names) -> frozenset[str]:
    """The tools that some calls from here on lead to."""
    gone, leading = spent(rules, progress, names), with_followers(rules)
    found: set[str] = set()
    new = set(allowed(rules, progress, names))
    while new:
        # After all tools that no rule says more of the same may follow: one stands for them.
        alike = [] if found - leading else sorted(new - leading)[:1]
        found |= new
        new = {
            following
            for tool in (*(new & leading), *alike)
            for output in outputs(rules, tool, names)
            for following in open_after(rules, Called(tool, output), names) - gone
        } - found
    return frozenset(found)


def has_end(rules: Rules, progress: Progress, names: Names) -> bool:
    """Whether calls lead to where a run may end: out of the rules, to the end of their circle or
    of a tool's count."""
    ahead = reachable(rules, progress, names)
    ends = {*terminal(rules, names), *limits(rules, names)}
    return bool(ahead - with_followers(rules) or ahead & ends) or any(
        not due_after(rules, Called(tool, output), names)
        for tool in ahead
        for output in outputs(rules, tool, names)
    )


def with_followers(rules: Rules) -> frozenset[str]:
    """The tools about which a rule says what may follow."""
    return frozenset(
        rule.tool for rule in rules if isinstance(rule, ChildRule | ParentRule | ConditionalRule)
    )


def outputs(rules: Rules, tool: str, names: Names) -> list[str]:
    """One output for each way the rules may take after this tool."""
    there = conditional(rules, tool, names)
    known = [key for rule in there for key in rule.child_output_mapping]
    strict = any(rule.require_output_mapping for rule in there)
    return known if strict and known else [*known, "\N{REPLACEMENT CHARACTER}"]
