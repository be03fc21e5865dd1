"""An MCP server with tools that behave, and tools that don't; a program of its own.

    python tests/servers/mcp_tools.py stdio
    python tests/servers/mcp_tools.py http 8931        (or sse)

Its list is that of the file MCP_TOOLS where that is set: a JSON array of tools.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import Server
from mcp.server.sse import SseServerTransport
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp_types import CallToolResult, ImageContent, ListToolsResult, TextContent, Tool
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NOTHING = {"type": "object", "properties": {}}
COUNT = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
TOOLS: list[dict[str, Any]] = [
    {"name": "echo", "description": "Say it again.", "inputSchema": TEXT},
    {"name": "variable", "description": "Of the environment.", "inputSchema": TEXT},
    {"name": "header", "description": "Of the request.", "inputSchema": TEXT},
    {"name": "pid", "description": "Of this process.", "inputSchema": NOTHING},
    {"name": "hang", "description": "For ever.", "inputSchema": NOTHING},
    {"name": "die", "description": "At once.", "inputSchema": NOTHING},
    {"name": "big", "description": "So many characters.", "inputSchema": COUNT},
    {"name": "fail", "description": "In the tool's own way.", "inputSchema": NOTHING},
    {"name": "picture", "description": "No text at all.", "inputSchema": NOTHING},
]


BUS = InMemorySubscriptionBus()
listings: list[str] = []
"""One entry for each time that the tools were asked for."""


async def list_tools(context: Any, params: Any) -> ListToolsResult:
    listings.append("asked")
    file = os.environ.get("MCP_TOOLS")
    there = json.loads(Path(file).read_text()) if file else TOOLS
    return ListToolsResult(tools=[Tool.model_validate(one) for one in there])


async def call_tool(context: Any, params: Any) -> CallToolResult:
    given = params.arguments or {}
    match params.name:
        case "echo":
            return said(given["text"])
        case "variable":
            return said(os.environ.get(given["text"], "none"))
        case "header":
            return said(context.request.headers.get(given["text"], "none"))
        case "pid":
            return said(str(os.getpid()))
        case "hang":
            await asyncio.Event().wait()
        case "die":
            print("memory is full of 茶", file=sys.stderr, flush=True)
            os._exit(3)
        case "tell":  # that the list has changed, by the old protocol and by the new one
            await context.session.send_tool_list_changed()
            await BUS.publish(ToolsListChanged())
            return said("told")
        case "big":
            return said("x" * given["count"])
        case "picture":
            image = ImageContent(type="image", data="aGVsbG8=", mime_type="image/png")
            return CallToolResult(content=[image])
    return CallToolResult(content=[TextContent(type="text", text="no such luck")], is_error=True)


def said(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)])


SERVER = Server(
    "tools",
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    on_subscriptions_listen=ListenHandler(BUS),
)


async def over_stdio() -> None:
    print("this is no message")  # as careless servers print
    sys.stdout.flush()
    async with stdio_server() as (incoming, outgoing):
        await SERVER.run(incoming, outgoing, SERVER.create_initialization_options())


def over_sse() -> Starlette:
    transport = SseServerTransport("/messages/")

    async def listen(request: Any) -> Response:
        sending = request._send
        async with transport.connect_sse(request.scope, request.receive, sending) as streams:
            await SERVER.run(*streams, SERVER.create_initialization_options())
        return Response()

    listening = Route("/sse", endpoint=listen)
    return Starlette(routes=[listening, Mount("/messages/", app=transport.handle_post_message)])


def asgi(kind: str) -> Starlette:
    return over_sse() if kind == "sse" else SERVER.streamable_http_app()


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        asyncio.run(over_stdio())
    else:
        uvicorn.run(asgi(sys.argv[1]), port=int(sys.argv[2]), log_level="warning")
