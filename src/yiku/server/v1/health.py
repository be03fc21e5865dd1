"""GET /v1/health/."""

from __future__ import annotations

from importlib.metadata import version

from starlette.responses import Response

from yiku.server.memory import answer
from yiku.server.v1 import wire
from yiku.server.v1.routing import Routes

router = Routes("health")
VERSION = version("yiku")  # looked for in files, which takes longer than the rest of an answer


@router.get("/v1/health/", response_model=wire.HealthOut)
async def health() -> Response:
    """Whether the server is alive. Whether it can do its work: /ready."""
    return answer(wire.HealthOut(version=VERSION, status="ok"))
