"""The MCP servers there are: added, changed, asked for their tools, called."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from yiku.core.audit import Act
from yiku.core.errors import (
    InvalidMcpServer,
    McpUnavailable,
    NotAllowed,
    SecretUnreadable,
    YikuError,
    checked,
)
from yiku.core.ids import McpServerId, ToolId, new_id
from yiku.core.mcp import (
    Answered,
    Connection,
    Found,
    Lent,
    McpServer,
    Remote,
    Secrets,
    Stdio,
    Synced,
    Transport,
    filled,
    lacking,
    put_together,
    taken_apart,
)
from yiku.core.tenant import LOCAL_ACTOR, Actor, Scope
from yiku.core.tool import Tool
from yiku.store import audit
from yiku.store import mcp_servers as store
from yiku.store.database import Database, Tx, demand
from yiku.store.vault import Vault
from yiku.tools.arguments import read
from yiku.tools.mcp import ask
from yiku.tools.mcp.check import check
from yiku.tools.mcp.pool import Pool
from yiku.tools.mcp.sync import sync

logger = logging.getLogger(__name__)

NO_VARIABLES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class McpServers:
    """An organization's MCP servers, and the sessions of this process with them."""

    database: Database
    vault: Vault
    pool: Pool
    stdio: bool = False
    """Whether programs are started on this machine."""

    def __post_init__(self) -> None:
        self.pool.changes.look = self._follow

    async def create(self, actor: Actor, name: str, connection: Connection) -> McpServer:
        """Store it, and read its tools. Where that fails it is stored all the same, with the
        problem.

        Raises: InvalidMcpServer, McpServerExists, NotAllowed, SettingInvalid.
        """
        check(name, connection)
        self._demand(actor, connection)

        def unit(tx: Tx) -> McpServer:
            made = McpServer(
                id=McpServerId(new_id("mcp_server")),
                organization_id=tx.actor.organization_id,
                name=name,
                created_at=tx.now,
                created_by=tx.actor.user_id,
                updated_at=tx.now,
                updated_by=tx.actor.user_id,
                **self._kept(tx.actor, connection),
            )
            store.add(tx, made)
            audit.note(tx, Act.MCP_SERVER_ADD, made.id, name=name, transport=made.transport)
            return made

        return await self._read_in(actor, await self.database.write(actor, unit))

    async def update(
        self,
        actor: Actor,
        server_id: McpServerId,
        name: str | None,
        transport: Transport,
        given: Mapping[str, Any],
    ) -> McpServer:
        """Change its name and what is `given` of its connection; then read its tools, as `create`.

        What isn't given stays, secrets too, where the transport does.
        Raises: as `create`, and McpServerNotFound.
        """
        demand(actor, Scope.WRITE)
        there = await self.get(actor, server_id)
        connection = changed(self._readable(there), transport, given)
        check(name or there.name, connection)
        demand_admin(actor, there.transport)
        self._demand(actor, connection)

        def unit(tx: Tx) -> McpServer:
            seen = store.get(tx, server_id, to_change=True)
            one = replace(
                seen,
                name=name or seen.name,
                updated_at=tx.now,
                updated_by=tx.actor.user_id,
                **self._kept(tx.actor, connection),
            )
            store.put(tx, seen, one)
            audit.note(tx, Act.MCP_SERVER_UPDATE, one.id, name=one.name, transport=one.transport)
            return one

        put = await self.database.write(actor, unit)
        self.pool.drop(server_id)
        return await self._read_in(actor, put)

    async def get(self, actor: Actor, server_id: McpServerId) -> McpServer:
        """Raises: McpServerNotFound."""
        return await self.database.read(actor, lambda tx: store.get(tx, server_id))

    async def named(self, actor: Actor, name: str) -> McpServer:
        """The server of this name, or id. Raises: McpServerNotFound."""
        return await self.database.read(
            actor, lambda tx: store.find(tx, name) or store.get(tx, McpServerId(name))
        )

    async def listed(self, actor: Actor) -> list[McpServer]:
        return await self.database.read(actor, store.listed)

    async def delete(self, actor: Actor, server_id: McpServerId) -> McpServer:
        """With its tools; agents that have them lose them. Raises: McpServerNotFound."""

        def unit(tx: Tx) -> McpServer:
            demand_admin(tx.actor, store.get(tx, server_id).transport)
            gone = store.remove(tx, server_id)
            audit.note(tx, Act.MCP_SERVER_DELETE, gone.id, name=gone.name)
            return gone

        gone = await self.database.write(actor, unit)
        self.pool.drop(server_id)
        return gone

    async def refresh(
        self, actor: Actor, server_id: McpServerId, variables: Mapping[str, str] = NO_VARIABLES
    ) -> Synced:
        """Read its tools again. `variables`: an agent's secrets, for `{{ NAME }}`.

        Raises: McpServerNotFound, McpUnavailable, NotAllowed, SecretUnreadable.
        """
        demand(actor, Scope.WRITE)
        server = await self.get(actor, server_id)
        try:
            found = await self.listing(actor, server, variables)
        except (McpUnavailable, NotAllowed, SecretUnreadable) as error:
            problem = error.message
            await self.database.write(actor, lambda tx: note(tx, server_id, problem))
            raise
        return await self.database.write(actor, lambda tx: sync(tx, server, found))

    async def _follow(self, server_id: McpServerId, connection: Connection) -> None:
        """Read the tools again of a server that says they have changed, for who has set it."""
        server = await self.database.read(LOCAL_ACTOR, lambda tx: store.anyones(tx, server_id))
        if server is None:
            return
        actor = Actor(organization_id=server.organization_id, user_id=server.updated_by)
        try:
            found = await ask.tools(self.pool, server_id, connection)
            synced = await self.database.write(actor, lambda tx: sync(tx, server, found))
        except YikuError as error:  # they stay as they were; the next call, or refresh, tells
            logger.warning("tools were not read again", extra={"why": type(error).__name__})
            return
        counts = {name: len(getattr(synced, name)) for name in ("added", "updated", "deleted")}
        logger.info("an MCP server's tools changed", extra={"server": server_id, **counts})

    async def listing(
        self, actor: Actor, server: McpServer, variables: Mapping[str, str] = NO_VARIABLES
    ) -> list[Found]:
        """The tools it has now; nothing is stored.

        Raises: McpUnavailable, NotAllowed, SecretUnreadable.
        """
        demand(actor, Scope.WRITE)
        connection = filled(self._to_connect(server), variables)
        try:
            return await ask.tools(self.pool, server.id, connection)
        except McpUnavailable as error:
            raise ask.unreachable(server.name, error.message) from error

    async def tools(self, actor: Actor, server_id: McpServerId) -> list[Lent]:
        """Its tools as they were last read. Raises: McpServerNotFound."""
        return await self.database.read(actor, lambda tx: store.tools_of(tx, server_id))

    async def tool(self, actor: Actor, server_id: McpServerId, tool_id: ToolId) -> Lent:
        """Raises: McpServerNotFound, ToolNotFound."""
        return await self.database.read(actor, lambda tx: store.tool_of(tx, server_id, tool_id))

    async def run(
        self, actor: Actor, server_id: McpServerId, tool_id: ToolId, arguments: Mapping[str, Any]
    ) -> Answered:
        """Call one of its tools, without an agent.

        Raises: as `tool` and `call`, and InvalidTool where the arguments don't fit.
        """
        demand(actor, Scope.WRITE)
        one = (await self.tool(actor, server_id, tool_id)).tool
        written = json.dumps(dict(arguments))
        given = checked("args", lambda: read(one.name, written, one.json_schema["parameters"]))
        return await self.call(actor, one, given)

    async def call(
        self,
        actor: Actor,
        tool: Tool,
        arguments: Mapping[str, Any],
        variables: Mapping[str, str] = NO_VARIABLES,
    ) -> Answered:
        """Call a tool of ours that is a server's; no transaction is open meanwhile.

        Raises: ToolNotFound, McpUnavailable, NotAllowed, SecretUnreadable.
        """
        of, server = await self.database.read(actor, lambda tx: store.server_of(tx, tool.id))
        connection = filled(self._to_connect(server), variables)
        title = (server.id, server.name)
        return await ask.call(self.pool, title, connection, of.remote_name, arguments)

    def shown(self, actor: Actor, server: McpServer) -> Connection:
        """With its secrets for keys that could set them, where they can be read; else with empty
        ones."""
        needed = Scope.ADMIN if server.transport is Transport.STDIO else Scope.WRITE
        hidden = put_together(server.transport, server.config, None)
        if not actor.may(needed):
            return hidden
        try:
            return self.opened(server)
        except SecretUnreadable:
            return hidden

    def _to_connect(self, server: McpServer) -> Connection:
        """Raises: SecretUnreadable; McpUnavailable where something of it is still to be set;
        NotAllowed where it is a program, and none may be started."""
        if server.transport is Transport.STDIO:
            self._demand_stdio()
        secrets = self._secrets(server)
        if missing := lacking(server.config, secrets):
            raise ask.unset(server.name, missing)
        return put_together(server.transport, server.config, secrets)

    def opened(self, server: McpServer) -> Connection:
        """With its secrets. Raises: SecretUnreadable."""
        return put_together(server.transport, server.config, self._secrets(server))

    def _secrets(self, server: McpServer) -> Secrets:
        """Raises: SecretUnreadable."""
        if server.secrets is None:
            return {}
        return json.loads(self.vault.open(server.secrets, server.organization_id))

    def _readable(self, server: McpServer) -> Connection:
        """As far as it can be read: what can't is to be set again."""
        try:
            return self.opened(server)
        except SecretUnreadable:
            return put_together(server.transport, server.config, {})

    def _kept(self, actor: Actor, connection: Connection) -> dict[str, Any]:
        """The fields of a `McpServer` that its connection is kept in."""
        transport, config, secrets = taken_apart(connection)
        sealed = None
        if secrets:
            sealed = self.vault.seal(json.dumps(secrets).encode(), actor.organization_id)
        return {"transport": transport, "config": config, "secrets": sealed}

    def _demand(self, actor: Actor, connection: Connection) -> None:
        """Raises: NotAllowed."""
        demand(actor, Scope.WRITE)
        if isinstance(connection, Stdio):
            demand_admin(actor, Transport.STDIO)
            self._demand_stdio()

    def _demand_stdio(self) -> None:
        """Raises: NotAllowed."""
        if not self.stdio:
            raise NotAllowed(
                "This MCP server is a program, and this Yiku starts none: set YIKU_MCP_STDIO=true"
                " where Yiku runs and start it again, or run the program elsewhere and add it by"
                " its address.",
                zh="这个 MCP 服务器是一个本机程序，而此 Yiku 不允许启动程序："
                "请由管理员设置 YIKU_MCP_STDIO=true 后重启 Yiku，"
                "或让该程序在别处运行并按地址添加。",
            )

    async def _read_in(self, actor: Actor, server: McpServer) -> McpServer:
        try:
            await self.refresh(actor, server.id)
        except (McpUnavailable, NotAllowed, SecretUnreadable):
            # It is noted as the server's problem; a server may be added before it runs.
            return await self.get(actor, server.id)
        return await self.get(actor, server.id)


def demand_admin(actor: Actor, transport: Transport) -> None:
    """Whoever names a program has it run on this machine. Raises: NotAllowed."""
    if transport is Transport.STDIO and not actor.may(Scope.ADMIN):
        raise NotAllowed(
            f"An MCP server that is a program of this machine takes a key of the scope"
            f" {Scope.ADMIN}; this one may {actor.scope}.",
            scope=actor.scope,
            needed=Scope.ADMIN,
        )


def changed(seen: Connection, transport: Transport, given: Mapping[str, Any]) -> Connection:
    """What isn't given stays. Raises: InvalidMcpServer where the transport is another, and what it
    takes isn't given."""
    if transport is Transport.STDIO:
        if isinstance(seen, Stdio):
            return replace(seen, **given)
        if "command" not in given:
            raise InvalidMcpServer("`command` is the program to start.", field="command")
        return Stdio(**given)
    if isinstance(seen, Remote):
        return replace(seen, transport=transport, **given)
    if "url" not in given:
        raise InvalidMcpServer("`server_url` is the server's address.", field="server_url")
    return Remote(transport=transport, **given)


def note(tx: Tx, server_id: McpServerId, problem: str) -> None:
    seen = store.get(tx, server_id, to_change=True)
    store.put(tx, seen, replace(seen, problem=problem))
