"""The chat from its beginning to its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from yiku.agents.kinds import instructions
from yiku.cli.agent.named import find_agent
from yiku.cli.agent.show import waits
from yiku.cli.chat import keyboard
from yiku.cli.chat.screen import JsonLines, Screen, Terminal
from yiku.cli.chat.session import Session
from yiku.cli.chat.words import Words, words
from yiku.client.blocking import BlockingAgents, BlockingMemory
from yiku.core.agent import AgentKind
from yiku.core.errors import YikuError
from yiku.core.language import language_spoken
from yiku.server.v1.wire_agents import AgentOut

INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What `yiku chat` was called with."""

    name: str
    message: str | None
    words: Words
    as_json: bool
    model: str | None
    reasoning: bool
    max_steps: int | None

    @property
    def how(self) -> dict[str, Any]:
        """As v1 names it."""
        named = {"override_model": self.model, "max_steps": self.max_steps}
        return {name: value for name, value in named.items() if value is not None}


def talk(memory: BlockingMemory, asking: Asking) -> int:
    """Returns the exit code."""
    agents = memory.agents
    screen: Screen = (
        JsonLines() if asking.as_json else Terminal(asking.words, reasoning=asking.reasoning)
    )
    agent, made = agent_for(agents, asking)
    introduce(agent, made, asking, screen)
    person = sys.stdin.isatty() and not asking.as_json
    session = Session(
        agents,
        agent,
        screen,
        asking.words,
        ask=keyboard.ask if person else None,
        how=asking.how,
        before_first=partial(fit_language, agents, agent, asking.words) if made else None,
    )
    if asking.message is not None:
        return said(session, iter([asking.message]))
    if not sys.stdin.isatty():
        return said(session, keyboard.piped_lines())
    converse(session, screen, asking.words)
    return 0


def agent_for(agents: BlockingAgents, asking: Asking) -> tuple[AgentOut, bool]:
    """The agent that is meant, and whether it was made for this."""
    found = agents.run(find_agent(agents.client, asking.name))
    if found is not None:
        return found, False
    blocks = {"human": "", "persona": asking.words.persona}
    return agents.create(asking.name, model=asking.model, blocks=blocks), True


def fit_language(agents: BlockingAgents, agent: AgentOut, made: Words, text: str) -> None:
    """Who is spoken to in Chinese first is made for that, though the locale didn't say so."""
    if made.language == "zh" or language_spoken([text]) != "zh":
        return
    chinese = words("zh")
    kind = AgentKind(agent.agent_type)
    if agent.system == instructions(kind, [made.persona]):
        agents.update(agent.id, system=instructions(kind, [chinese.persona]))
    agents.edit_block(agent.id, "persona", value=chinese.persona)


def introduce(agent: AgentOut, made: bool, asking: Asking, screen: Screen) -> None:
    model = asking.model or agent.model
    if isinstance(screen, JsonLines):
        screen.put(event="agent", id=agent.id, name=agent.name, model=model, made=made)
        return
    if made:
        screen.note(asking.words.made.format(agent.name))
    if sys.stdin.isatty() and asking.message is None:
        screen.note("  ".join((agent.name, model, agent.id)))
        screen.note(asking.words.hint)
        if waits(agent):
            screen.note(asking.words.still_waits)


def said(session: Session, lines: Iterator[str]) -> int:
    """Nobody is there to correct what goes wrong: the first error ends it."""
    for line in lines:
        if not session.line(line):
            break
        if session.interrupted:
            return INTERRUPTED
    return int(session.failed)


def converse(session: Session, screen: Screen, words: Words) -> None:
    """With a person, who leaves by Ctrl-D, /quit or Ctrl-C twice."""
    leaving = False
    while True:
        try:
            if leaving:
                screen.note(words.again_to_end)  # here, since who reads it may be quick
            line = keyboard.typed_line()
        except EOFError:
            click.echo(err=True)
            return
        except KeyboardInterrupt:
            click.echo(err=True)
            if leaving:
                return
            leaving = True
            continue
        leaving = False
        if not line.strip():
            continue
        try:
            if not session.line(line):
                return
        except YikuError as error:
            screen.error(type(error).__name__, error.message)
        except (EOFError, KeyboardInterrupt):  # while it was asked something
            click.echo(err=True)
