"""All of v1's routes, for `server/http.py`."""

from __future__ import annotations

from collections.abc import Sequence

from yiku.server.v1 import (
    agent_blocks,
    agent_messages,
    agent_tools,
    agents,
    archives,
    blocks,
    conversation_messages,
    conversations,
    groups,
    health,
    identities,
    mcp_servers,
    messages,
    models,
    passages,
    runs,
    schedules,
    steps,
    tools,
    transfer,
)
from yiku.server.v1.routing import Routes


def build() -> Sequence[Routes]:
    return (
        health.router,
        transfer.router,
        agents.router,
        agent_blocks.router,
        agent_tools.router,
        agent_messages.router,
        messages.router,
        conversations.router,
        conversation_messages.router,
        schedules.router,
        runs.router,
        steps.router,
        blocks.router,
        identities.router,
        groups.router,
        tools.router,
        mcp_servers.router,
        archives.router,
        passages.router,
        models.router,
    )
