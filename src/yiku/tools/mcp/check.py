"""Whether an MCP server can be what somebody says it is (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from yiku.core.errors import InvalidMcpServer
from yiku.core.mcp import Connection, Remote, Stdio

LONGEST_NAME = 128
LONGEST_TEXT = 8_192
MOST = 128
"""Arguments, variables or headers."""
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110, 5.6.2: a token."""


def check(name: str, connection: Connection) -> None:
    """Raises: InvalidMcpServer, naming what is wrong and no secret."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidMcpServer(
            f"An MCP server's name has 1 to {LONGEST_NAME} characters, none of them invisible;"
            f" not {name[:40]!r}.",
            field="server_name",
        )
    if isinstance(connection, Stdio):
        check_stdio(connection)
    else:
        check_remote(connection)


def check_stdio(one: Stdio) -> None:
    """Raises: InvalidMcpServer."""
    if not one.command.strip():
        raise InvalidMcpServer("`command` is the program to start; it is empty.", field="command")
    check_many("args", dict(enumerate(one.args)))
    check_many("env", one.env)
    for text in (one.command, *one.args):
        check_text("command" if text is one.command else "args", text)
    for name, value in one.env.items():
        if not VARIABLE.fullmatch(name):
            raise InvalidMcpServer(
                f"{name[:80]!r} can't be an environment variable: letters, digits and `_` can.",
                field="env",
            )
        check_text("env", value)


def check_remote(one: Remote) -> None:
    """Raises: InvalidMcpServer."""
    try:
        parts = urlsplit(one.url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not one.url.isascii() or not one.url.isprintable() or " " in one.url:
        raise InvalidMcpServer(
            "`server_url` is the server's address, like https://tools.example.com/mcp; what was"
            " given can't be one.",
            field="server_url",
        )
    check_text("server_url", one.url)
    check_many("custom_headers", one.headers)
    for name, value in one.headers.items():
        check_header("custom_headers", name, value)
    if one.auth_header is not None and one.auth_token is None:
        raise InvalidMcpServer(
            "`auth_header` names the header that `auth_token` goes in; there is no token.",
            field="auth_token",
        )
    if one.auth_token is not None:
        check_header("auth_token", one.auth_header or "Authorization", one.auth_token)


def check_header(field: str, name: str, value: str) -> None:
    """Raises: InvalidMcpServer."""
    if not HEADER.fullmatch(name):
        raise InvalidMcpServer(f"{name[:80]!r} can't be the name of a header.", field=field)
    if not value.isascii() or not value.isprintable():
        raise InvalidMcpServer(
            f"The value of the header {name[:80]} is not of printable ASCII characters alone.",
            field=field,
        )
    check_text(field, value)


def check_many(field: str, given: Mapping[int, str] | Mapping[str, str]) -> None:
    """Raises: InvalidMcpServer."""
    if len(given) > MOST:
        raise InvalidMcpServer(f"`{field}` has {len(given)} entries; {MOST} may be.", field=field)


def check_text(field: str, text: str) -> None:
    """Raises: InvalidMcpServer."""
    if len(text) > LONGEST_TEXT or "\0" in text:
        raise InvalidMcpServer(
            f"A text in `{field}` is {len(text):,} characters long, or holds a NUL;"
            f" {LONGEST_TEXT:,} may be, without.",
            field=field,
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidMcpServer(
            f"A text in `{field}` holds half a character (a lone surrogate).", field=field
        ) from error
