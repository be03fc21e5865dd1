"""What v1 has and we don't yet: said so, where a plain 404 would look like a wrong address."""

from __future__ import annotations

import re
from collections.abc import Mapping

LATER: Mapping[str, str] = {
    r"agents/[^/]+/identities": "identities of agents",
    r"agents/[^/]+/groups?": "groups of agents",
    r"tools/mcp": "older clients' addresses of MCP servers (theirs are /v1/mcp-servers)",
    r"groups": "groups of agents",
    r"identities": "identities",
    r"jobs": "jobs",
    r"providers": "providers over the API (they are set up in the environment and providers.toml)",
    r"sandbox-config": "sandboxes over the API (they are set up in the environment)",
}
"""Paths after `/v1/`, and what they are for."""
NEVER: Mapping[str, str] = {
    r"client-side-access-tokens": "access tokens for browsers",
    r"environments": "environments",
    r"projects": "projects",
}
"""Of Letta's own cloud."""


def answer_to(path: str) -> str | None:
    """A sentence on the feature that the path is of; None: v1 has no such path, or we have it."""
    asked = path.removeprefix("/v1/").strip("/")
    if feature := named(asked, LATER):
        return f"Yiku doesn't have {feature} yet; docs/reference/letta-compat.md says what works."
    if feature := named(asked, NEVER):
        return f"Yiku has no {feature}: they are of Letta's own cloud."
    return None


def named(asked: str, features: Mapping[str, str]) -> str | None:
    return next(
        (words for form, words in features.items() if re.match(rf"(?:{form})(?:/|$)", asked)), None
    )
