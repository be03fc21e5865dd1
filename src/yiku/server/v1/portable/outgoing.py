"""What is to be written of an agent, and for whom."""

from __future__ import annotations

from dataclasses import dataclass

from yiku.agents.shared import Agents
from yiku.agents.transfer.give import Outline
from yiku.core.tenant import Actor
from yiku.server.v1.translate_agents import View

AGENT = "agent-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    agents: Agents
    actor: Actor
    outline: Outline
    view: View
    with_messages: bool = True
