"""A run's events on the terminal, or as JSON.

What the agent says goes to stdout, all else to stderr: so a pipe gets the answer alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, cast

import click

from yiku.cli import output
from yiku.cli.chat.diff import changes
from yiku.cli.chat.words import Words
from yiku.client import events
from yiku.client.events import Began, Call, Compacted, Edited, Ended, Event, Failed, Returned

SHOWN_LINES = 8
"""Of an edit."""
INDENT = "  "
MESSAGE_TOOL = "send_message"
QUIET = frozenset({"end_turn", "tool_rule", "requires_approval", "no_tool_call"})
"""Reasons to stop that need no word."""


class Screen(Protocol):
    def show(self, event: Event) -> None: ...

    def note(self, text: str) -> None: ...

    def error(self, kind: str, text: str) -> None: ...

    def blocks(self, found: Sequence[Any]) -> None: ...


class Terminal:
    """For people."""

    def __init__(self, words: Words, *, reasoning: bool) -> None:
        self._words = words
        self._reasoning = reasoning
        self._open: Literal["text", "thought"] | None = None
        """Which of them has begun a line that isn't ended yet."""

    def show(self, event: Event) -> None:
        match event:
            case events.Text(text):
                self._piece("text", text)
            case events.Thought(text):
                if self._reasoning:
                    self._piece("thought", text)
            case events.Called(call):
                self._dim(f"· {brief(call, output.terminal_width() - 2)}")
            case Returned():
                self._returned(event)
            case Edited():
                self._edited(event)
            case events.Waits(calls):
                for call in calls:
                    self._ask(call)
            case _:
                self._about_run(event)

    def _about_run(self, event: Began | Compacted | Failed | Ended) -> None:
        match event:
            case Began():
                pass
            case Compacted():
                before, after = event.messages_before, event.messages_after
                self._dim(self._words.compacted.format(before or "?", after or "?"))
            case Failed(kind, message):
                self.error(kind, self._words.failed.format(message))
            case Ended():
                self._ended(event)

    def note(self, text: str) -> None:
        self._dim(text)

    def error(self, kind: str, text: str) -> None:
        self._break()
        click.secho(output.visible(text), fg="red", err=True)

    def blocks(self, found: Sequence[Any]) -> None:
        for one in found:
            size = f"{len(one.value):,} / {one.limit:,}"
            click.echo(f"{click.style(output.visible(one.label), bold=True)}  {size}")
            body = output.visible(one.value).rstrip() or self._words.empty
            click.echo(INDENT + body.replace("\n", f"\n{INDENT}"))

    def _piece(self, kind: Literal["text", "thought"], text: str) -> None:
        if self._open not in (kind, None):
            self._break()
        self._open = kind
        thought = kind == "thought"
        click.secho(output.visible(text), nl=False, dim=thought, err=thought)

    def _break(self) -> None:
        if self._open is not None:
            click.echo(err=self._open == "thought")
        self._open = None

    def _dim(self, text: str) -> None:
        self._break()
        click.secho(output.visible(text), dim=True, err=True)

    def _returned(self, event: Returned) -> None:
        if event.name == MESSAGE_TOOL and event.ok:
            return  # what it said was shown
        arrow = "→" if event.ok else "✗"
        self._dim(f"{INDENT}{arrow} {output.one_line(event.text, output.terminal_width() - 4)}")

    def _edited(self, event: Edited) -> None:
        self._break()
        words = self._words
        what = words.new_block if event.before is None else ""
        what = words.gone_block if event.after is None else what
        head = click.style(f"✎ {output.visible(event.label)}", fg="cyan", bold=True)
        click.echo(f"{head}  {what}".rstrip(), err=True)
        width = output.terminal_width() - 4
        told = changes(event.before or "", event.after or "", width)
        found = [change for change in told if change.line.strip()]  # blank lines tell nothing
        for sign, line in found[:SHOWN_LINES]:
            colour = "green" if sign == "+" else "red"
            click.secho(f"{INDENT}{sign} {line}", fg=colour, err=True)
        if len(found) > SHOWN_LINES:
            self._dim(INDENT + words.more_lines.format(len(found) - SHOWN_LINES))

    def _ask(self, call: Call) -> None:
        self._break()
        name = click.style(output.visible(call.name), bold=True)
        click.secho(f"? {self._words.asks.format(name)}", fg="yellow", err=True)
        lines = output.visible(pretty(call.arguments)).splitlines()
        click.echo("\n".join(f"{INDENT}{line}" for line in lines), err=True)

    def _ended(self, event: Ended) -> None:
        self._break()
        words = self._words
        match event.stop_reason:
            case "cancelled":
                self._dim(words.cancelled)
            case "max_steps":
                self._dim(words.max_steps.format(event.steps))
            case "max_tokens_exceeded":
                self._dim(words.cut_off)
            case "error" | "llm_api_error":
                pass  # told by the event that came before
            case reason if reason not in QUIET:
                self._dim(words.stopped.format(reason))
            case _:
                pass


class JsonLines:
    """For programs: an object a line, `event` says of what kind. The last of an answer has its
    whole text, so that a program that wants nothing else needs no other line."""

    def __init__(self, echo: Callable[[str], None] = click.echo) -> None:
        self._echo = echo
        self._said: dict[str, str] = {}
        """The answer's texts so far, by message."""

    def show(self, event: Event) -> None:
        match event:
            case Began():
                self._said.clear()
            case events.Text(text, message_id):
                self._said[message_id] = self._said.get(message_id, "") + text
            case _:
                pass
        whole = {"text": "\n".join(self._said.values())} if isinstance(event, Ended) else {}
        self.put(**events.as_json(event), **whole)

    def note(self, text: str) -> None:
        output.note(text)

    def error(self, kind: str, text: str) -> None:
        self.put(event="failed", kind=kind, message=text)

    def blocks(self, found: Sequence[Any]) -> None:
        self.put(event="blocks", blocks=[one.model_dump(mode="json") for one in found])

    def put(self, **fields: Any) -> None:
        self._echo(json.dumps(fields, ensure_ascii=False))


def brief(call: Call, width: int) -> str:
    """`name(argument="value")` on one line."""
    try:
        found: Any = json.loads(call.arguments or "{}")
    except ValueError:
        return output.one_line(f"{call.name}({call.arguments})", width)
    if not isinstance(found, dict):
        return output.one_line(f"{call.name}({call.arguments})", width)
    pairs = cast("dict[str, Any]", found).items()
    told = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in pairs)
    return output.one_line(f"{call.name}({told})", width)


def pretty(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments or "{}"), ensure_ascii=False, indent=2)
    except ValueError:
        return arguments
