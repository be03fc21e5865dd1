"""GET /v1/health/."""

from __future__ import annotations

from importlib.metadata import version

from starlette.responses import Response

from yiku.server.memory import Here, answer, probe
from yiku.server.v1 import wire
from yiku.server.v1.routing import Routes

router = Routes("health")
VERSION = version("yiku")  # looked for in files, which takes longer than the rest of an answer


@router.get("/v1/health/", response_model=wire.HealthOut)
async def health(app: Here) -> Response:
    """Whether the server works: it reads its database."""
    await probe(app)
    return answer(wire.HealthOut(version=VERSION, status="ok"))
