"""All of v1's routes, for `server/http.py`."""

from __future__ import annotations

from collections.abc import Sequence

from yiku.server.v1 import (
    agent_blocks,
    agent_files,
    agent_messages,
    agent_tools,
    agents,
    archives,
    batches,
    blocks,
    conversation_messages,
    conversations,
    folders,
    health,
    mcp_servers,
    messages,
    models,
    passages,
    runs,
    schedules,
    steps,
    templates,
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
        agent_files.router,
        agent_messages.router,
        batches.router,  # before `/v1/messages/{message_id}`
        messages.router,
        conversations.router,
        conversation_messages.router,
        schedules.router,
        runs.router,
        steps.router,
        blocks.router,
        tools.router,
        mcp_servers.router,
        archives.router,
        folders.router,
        passages.router,
        models.router,
        templates.router,
    )
