"""Tools', blocks' and MCP servers' part of the Python API, over the v1 wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, RootModel

from yiku.client.calls import Calls, asked_for, part
from yiku.core.errors import McpServerNotFound, ToolNotFound
from yiku.server.v1 import wire, wire_mcp, wire_tools
from yiku.server.v1.wire_mcp import ServerOut
from yiku.server.v1.wire_tools import ToolOut

TOOLS = "/v1/tools/"
BLOCKS = "/v1/blocks/"
SERVERS = "/v1/mcp-servers/"
TOOL_ID = "tool-"
"""What tools' ids begin with."""

Tools = list[ToolOut]
Blocks = list[wire.BlockOut]
Servers = list[ServerOut]


class AnyServer(RootModel[Annotated[ServerOut, Field(discriminator="mcp_server_type")]]):
    pass


class ToolClient(Calls):
    """The tools that agents may be given.

    Every method raises the errors of `yiku.core.errors`.
    """

    async def create(self, source_code: str, *, replace: bool = False, **fields: Any) -> ToolOut:
        """Make a tool of the last public function; `replace`: in the place of the one of its name.
        `fields` are v1's: `tags`, `pip_requirements` …"""
        body = {"source_code": source_code, **fields}
        return await self._call(ToolOut, "PUT" if replace else "POST", TOOLS, json=body)

    async def get(self, name: str) -> ToolOut:
        """The tool of this name, or id. Raises: ToolNotFound."""
        found = await self._list(ToolOut, TOOLS, name=name, limit=1)
        if not found and name.startswith(TOOL_ID):
            return await self._call(ToolOut, "GET", f"{TOOLS}{part(name)}")
        if not found:
            raise ToolNotFound(f"There is no tool {name!r}; `yiku tool list` shows them.")
        return found[0]

    async def list(self, *, search: str | None = None, limit: int = 100) -> Tools:
        """The oldest first; `search`: part of the name."""
        return await self._list(ToolOut, TOOLS, search=search, limit=limit, order="asc")

    async def delete(self, tool_id: str) -> None:
        """Agents that have it lose it."""
        await self._done("DELETE", f"{TOOLS}{part(tool_id)}")

    async def run_code(
        self,
        tool: ToolOut,
        arguments: Mapping[str, Any],
        variables: Mapping[str, str] | None = None,
    ) -> wire_tools.ToolReturnOut:
        """Call a custom tool's code in the server's sandbox, without an agent."""
        body = {
            "source_code": tool.source_code or "",
            "source_type": tool.source_type,
            "name": tool.name,
            "args": dict(arguments),
            "env_vars": dict(variables or {}),
            "json_schema": tool.json_schema,
            "args_json_schema": tool.args_json_schema,
            "pip_requirements": tool.pip_requirements,
            "npm_requirements": tool.npm_requirements,
        }
        path = f"{TOOLS}run"
        return await self._call(wire_tools.ToolReturnOut, "POST", path, json=asked_for(body))


class BlockClient(Calls):
    """Core memory's blocks, of all agents and of none.

    Every method raises the errors of `yiku.core.errors`.
    """

    async def get(self, block_id: str) -> wire.BlockOut:
        """Raises: BlockNotFound."""
        return await self._call(wire.BlockOut, "GET", f"{BLOCKS}{part(block_id)}")

    async def list(
        self, *, label: str | None = None, limit: int = 50, after: str | None = None
    ) -> Blocks:
        """The oldest first."""
        query = {"label": label, "limit": limit, "after": after, "order": "asc"}
        return await self._list(wire.BlockOut, BLOCKS, **query)


class McpClient(Calls):
    """Servers that lend tools to agents.

    Every method raises the errors of `yiku.core.errors`.
    """

    async def create(self, name: str, config: Mapping[str, Any]) -> ServerOut:
        """`config` is v1's. One that can't be reached is made, with the `problem`."""
        body = {"server_name": name, "config": dict(config)}
        return (await self._call(AnyServer, "POST", SERVERS, json=body)).root

    async def get(self, name: str) -> ServerOut:
        """The server of this name, or id. Raises: McpServerNotFound."""
        for one in await self.list():
            if name in (one.server_name, one.id):
                return one
        raise McpServerNotFound(f"There is no MCP server {name}.")

    async def list(self) -> Servers:
        """The oldest first."""
        return [one.root for one in await self._list(AnyServer, SERVERS)]

    async def update(
        self, server_id: str, config: Mapping[str, Any], *, name: str | None = None
    ) -> ServerOut:
        """Change what is given of it, and read its tools again."""
        body = asked_for({"server_name": name, "config": dict(config)})
        return (await self._call(AnyServer, "PATCH", path_of(server_id), json=body)).root

    async def delete(self, server_id: str) -> None:
        """With its tools; agents lose them."""
        await self._done("DELETE", path_of(server_id))

    async def refresh(self, server_id: str) -> wire_mcp.RefreshOut:
        """Read its tools again."""
        return await self._call(wire_mcp.RefreshOut, "PATCH", f"{path_of(server_id)}/refresh")

    async def tools(self, server_id: str) -> Tools:
        """As they were last read."""
        return await self._list(ToolOut, f"{path_of(server_id)}/tools")

    async def call(
        self, server_id: str, tool_id: str, arguments: Mapping[str, Any]
    ) -> wire_tools.ResultOut:
        """Call one of its tools, without an agent."""
        path = f"{path_of(server_id)}/tools/{part(tool_id)}/run"
        body = {"args": dict(arguments)}
        return await self._call(wire_tools.ResultOut, "POST", path, json=body)


def path_of(server_id: str) -> str:
    return f"{SERVERS}{part(server_id)}"
