"""A chat: lines in, answers and the work of its commands out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from yiku.cli.agent.context import print_context
from yiku.cli.chat.answering import Answering, Interrupted, on_interrupt
from yiku.cli.chat.screen import Screen
from yiku.cli.chat.words import Words
from yiku.client.blocking import BlockingAgents
from yiku.client.events import Began, Call, Edited, Event, Failed, Waits
from yiku.client.sent import Decision, Sent
from yiku.core.errors import NothingToApprove, NothingToUndo, StaleBlock
from yiku.server.v1.wire_agents import AgentOut

COMMAND = re.compile(r"/([a-z]+)(?:\s+(.*))?", re.DOTALL)
WORD = re.compile(r"/[a-z]+\s*")
"""What is likely meant as a command, whether there is one or not."""

Ask = Callable[[str, str], str]
"""Asks a person, with what is answered by Enter alone; raises EOFError where they leave."""


class Session:
    """One agent, spoken to line by line."""

    def __init__(
        self,
        agents: BlockingAgents,
        agent: AgentOut,
        screen: Screen,
        words: Words,
        *,
        ask: Ask | None,
        how: Mapping[str, Any],
        before_first: Callable[[str], None] | None = None,
    ) -> None:
        """`before_first`: is shown the first thing that is said, before it is sent."""
        self._agents = agents
        self._agent = agent
        self._screen = screen
        self._words = words
        self._ask = ask
        self._how = how
        self._before_first = before_first
        self._edits: list[Edited] = []
        self._run_id: str | None = None
        self._waiting: tuple[Call, ...] = ()
        self.interrupted = False
        """The last answer was, by Ctrl-C."""
        self.failed = False
        """An answer has failed, or waits for an approval that nobody here can be asked for; or one
        was given that nothing waits for."""

    def line(self, line: str) -> bool:
        """Do what a line says; False: it says to end."""
        commands: dict[str, Callable[[str], None]] = {
            "help": lambda _: self._screen.note(self._words.help),
            "memory": self._memory,
            "undo": lambda _: self._undo(),
            "context": lambda _: self._context(),
            "approve": lambda _: self.decide(True, None),
            "deny": lambda reason: self.decide(False, reason or None),
        }
        found = COMMAND.fullmatch(line.rstrip())
        if found and found[1] in ("quit", "exit"):
            return False
        if found and found[1] in commands:
            commands[found[1]](found[2] or "")
        elif WORD.fullmatch(line):
            self._screen.note(self._words.unknown.format(line.strip()))
        else:
            self.say(line)
        return True

    def say(self, sent: Sent) -> None:
        """Send it, show the answer, and ask for what it waits for until nothing does."""
        if self._before_first is not None and isinstance(sent, str):
            self._before_first(sent)
            self._before_first = None
        waiting = self._answer(sent)
        while waiting:
            if self._ask is None:
                name = self._agent.name
                told = ", ".join(call.name for call in waiting)
                self._screen.note(self._words.waits.format(told, name))
                self.failed = True
                return
            decisions = self._decisions(waiting, self._ask)
            waiting = self._answer(decisions)

    def decide(self, approve: bool, reason: str | None) -> None:
        """One answer to all calls that wait."""
        answer = {"type": "approval", "approve": approve, "reason": reason}
        try:
            self.say([{name: value for name, value in answer.items() if value is not None}])
        except NothingToApprove as error:
            self._screen.error(type(error).__name__, self._words.nothing_waits)
            self.failed = True

    def _answer(self, sent: Sent) -> tuple[Call, ...]:
        """Shows an answer to its end; returns the calls that wait then."""
        stream = self._agents.client.stream(self._agent.id, sent, **self._how)
        answering = Answering(self._agents, stream)
        self.interrupted, self._run_id, self._waiting = False, None, ()
        try:
            with on_interrupt(answering.interrupt):
                for event in answering:
                    if isinstance(event, Interrupted):
                        self._interrupt(answering)
                    else:
                        self._screen.show(event)
                        self._note(event)
        finally:
            answering.leave()
        return () if self.interrupted else self._waiting

    def _note(self, event: Event) -> None:
        match event:
            case Began(run_id):
                self._run_id = run_id
            case Edited():
                self._edits.append(event)
            case Waits(calls):
                self._waiting = calls
            case Failed():
                self.failed = True
            case _:
                pass

    def _interrupt(self, answering: Answering) -> None:
        """The first asks the run to end, the second doesn't wait for that."""
        if self.interrupted:
            self._screen.note(self._words.left)
            answering.leave()
            return
        self.interrupted = True
        self._screen.note(self._words.cancelling)
        self._agents.cancel(self._agent.id, *([self._run_id] if self._run_id else []))

    def _decisions(self, calls: tuple[Call, ...], ask: Ask) -> list[Decision]:
        """A person's answer to each call."""
        made: list[Decision] = []
        for number, call in enumerate(calls):
            answer = ask(self._choice(call, calls), "").strip().lower()
            match answer[:1]:
                case "y":
                    made.append(Decision(call_id=call.id, approve=True))
                case "a":
                    rest = calls[number:]
                    return [*made, *(Decision(call_id=one.id, approve=True) for one in rest)]
                case "e":
                    given = self._edited_arguments(call, ask)
                    made.append(Decision(call_id=call.id, approve=True, arguments=given))
                case _:  # what isn't clearly allowed isn't
                    reason = ask(self._words.why_not, "").strip() or None
                    made.append(Decision(call_id=call.id, approve=False, reason=reason))
        return made

    def _choice(self, call: Call, calls: tuple[Call, ...]) -> str:
        return f"{call.name}: {self._words.choices}" if len(calls) > 1 else self._words.choices

    def _edited_arguments(self, call: Call, ask: Ask) -> dict[str, Any]:
        text = call.arguments
        while True:
            text = ask(self._words.arguments, text)
            try:
                found: Any = json.loads(text)
            except ValueError:
                found = None
            if isinstance(found, dict):
                return found  # pyright: ignore[reportUnknownVariableType] # JSON's names are texts
            self._screen.note(self._words.no_object)

    def _memory(self, label: str) -> None:
        found = (
            [self._agents.block(self._agent.id, label)]
            if label
            else self._agents.blocks(self._agent.id)
        )
        if not found:
            self._screen.note(self._words.no_blocks)
        self._screen.blocks(found)

    def _undo(self) -> None:
        if not self._edits:
            self._screen.note(self._words.nothing_to_undo)
            return
        edit = self._edits.pop()
        try:
            self._agents.undo_edit(edit)
        except StaleBlock:
            self._screen.note(self._words.stale.format(edit.label))
        except NothingToUndo as error:
            self._screen.note(error.message)
        else:
            back = Edited(
                label=edit.label, block_id=edit.block_id, before=edit.after, after=edit.before
            )
            self._screen.show(back)
            self._screen.note(self._words.undone.format(edit.label))

    def _context(self) -> None:
        print_context(self._agents.context(self._agent.id), self._words.language)
