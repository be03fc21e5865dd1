"""MCP servers and what they lend, as the command line tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from yiku.cli import output
from yiku.cli.options import Asked
from yiku.core.mcp import split_url
from yiku.server.v1.wire_mcp import ServerOut, StdioOut
from yiku.server.v1.wire_tools import ToolOut

WIDTH = 70


def tell(asked: Asked, deed: str, one: ServerOut, found: Sequence[ToolOut]) -> int:
    """Returns the exit code."""
    if asked.as_json:
        output.print_json({**public(one), "tools": [each.name for each in found]})
    else:
        click.echo(f"{click.style(deed, fg='green')}  {one.server_name}  {one.id}")
        tell_tools(found)
    if one.problem is not None and not asked.as_json:
        click.secho(f"its tools can't be read: {one.problem}", fg="yellow", err=True)
    return 0 if one.problem is None else 1


def given_of(one: ServerOut) -> dict[str, str]:
    """What a server is given beside its address or program: variables, or headers."""
    given = one.env if isinstance(one, StdioOut) else one.custom_headers
    return dict(given or {})


def where(one: ServerOut) -> str:
    """The command or address, without secrets."""
    if isinstance(one, StdioOut):
        return " ".join([one.command, *one.args])
    return split_url(one.server_url)[0]


def public(one: ServerOut) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.server_name,
        "transport": one.mcp_server_type,
        "where": where(one),
        "problem": one.problem,
        "synced_at": None if one.synced_at is None else one.synced_at.isoformat(),
    }


def told(one: ToolOut) -> dict[str, Any]:
    facts = facts_of(one)
    return {
        "id": one.id,
        "name": one.name,
        "server_name": facts.get("tool_name"),
        "description": one.description,
        "parameters": one.json_schema["parameters"],
        "problems": facts.get("schema_problems", []),
    }


def facts_of(one: ToolOut) -> dict[str, Any]:
    """What its MCP server has said of it."""
    return one.metadata_.get("mcp", {})


def tell_tools(found: Sequence[ToolOut]) -> None:
    for one in found:
        click.echo(f"  {one.name}  {output.one_line(one.description, WIDTH)}")
