"""All of v1's routes, for `server/http.py`."""

from __future__ import annotations

from collections.abc import Sequence

from yiku.server.v1 import blocks, health
from yiku.server.v1.routing import Routes


def build() -> Sequence[Routes]:
    return (health.router, blocks.router)
