"""An agent's compiled instructions: its system prompt, with its blocks and rules."""

from __future__ import annotations

from yiku.agents.kinds import KINDS
from yiku.agents.rule_words import texts
from yiku.context.compile import WindowView, language_for, system_prompt
from yiku.core.agent import AgentState


def view_of(state: AgentState) -> WindowView:
    """Nothing that changes with every message is told, so that the prompt's beginning stays."""
    bare = WindowView(numbered=KINDS[state.agent.kind].numbered_blocks)
    found = state.agent.config.tool_rules
    if not found:
        return bare
    names = [tool.name for tool in state.tools]
    told = texts(found, names, language_for(state, bare))
    return WindowView(numbered=bare.numbered, rules=told)


def system_of(state: AgentState) -> str:
    return system_prompt(state, view_of(state))
