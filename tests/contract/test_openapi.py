"""Requests made up from the API's own description: each is answered as it says, and none with 500.

The server is one on a port, in a thread: what is made up goes through an HTTP parser too.
"""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.config import HealthCheck
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fixtures.letta import serving
from yiku.app import build
from yiku.server import skill_events
from yiku.server.http import build_asgi, routes
from yiku.settings import load

EXAMPLES = 10
"""Of each operation; there are over a hundred."""

SCHEMA = schemathesis.openapi.from_dict(routes().openapi())
SCHEMA.config.seed = 4
SCHEMA.config.generation.update(
    deterministic=True, database="none", max_examples=EXAMPLES, no_shrink=True
)
SCHEMA.config.suppress_health_check = [HealthCheck.too_slow]  # of a busy machine
SCHEMA.config.phases.update(phases=["coverage", "fuzzing"])
SCHEMA.config.phases.coverage.generation.update(modes=["positive"])
SCHEMA.config.phases.coverage.unexpected_methods = set()

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

SOURCE = '''
def double(number: int) -> int:
    """Twice a number.

    Args:
        number: It.
    """
    return 2 * number
'''


class Server:
    """A server to ask, and the ids of things that are there."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.session = requests.Session()
        self.ids: dict[str, str] = {}
        self.given: dict[str, Any] = {}
        """These and more, by the names of fields."""
        self.fresh = False
        """Whether they are as they were made, more or less."""
        self.numbers = count(1)

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = self.session.request(method, f"{self.address}{path}", json=body)
        assert answer.ok, (method, path, answer.text)
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        return self.call("POST", path, **body)

    def seed(self) -> None:
        """An agent that has one of everything and has spoken; a role that has decided."""
        archive = self.post("/v1/archives/", name=f"notes {next(self.numbers)}")["id"]
        block = self.post("/v1/blocks/", label="human", value="用户喜欢编程和AI技术")["id"]
        tool = self.call("PUT", "/v1/tools/", source_code=SOURCE)["id"]
        agent = self.post("/v1/agents/", block_ids=[block], tool_ids=[tool], tags=["t"])["id"]
        self.call("PATCH", f"/v1/agents/{agent}/archives/attach/{archive}")
        passage = self.post(f"/v1/archives/{archive}/passages", text="我对花生过敏")["id"]
        folder_name = f"papers {next(self.numbers)}"
        folder = self.post("/v1/folders/", name=folder_name)["id"]
        url = f"{self.address}/v1/folders/{folder}/upload"
        file = self.session.post(url, files={"file": ("a.txt", b"tea")}).json()["id"]
        self.call("PATCH", f"/v1/agents/{agent}/folders/attach/{folder}")
        said = self.post(f"/v1/agents/{agent}/messages", input="你好")["messages"][-1]
        where, role = {"archive_id": archive}, f"role_{next(self.numbers)}"
        told = {"role_id": role, "role_description": "Food, and what is in it"}
        self.post("/memory/roles", roles=[told])
        self.post("/memory/roles", **where, roles=[told])
        decision = self.post("/memory/gate", **where, context="peanuts", threshold=0)["id"]
        job = self.post("/memory/reroute", **where)["job"]
        told = {"description": "Mine", "prompt_template": "{{ content }}"}
        skill = f"skill_{next(self.numbers)}"
        self.post("/memory/skills", name=skill, skill_type="encoding", **told)
        self.call("PATCH", f"/memory/skills/{skill}", prompt_template="Facts: {{ content }}")
        change = self.call("GET", "/memory/skills/changelog")["changes"][0]["id"]
        template = f"template-{next(self.numbers)}"
        self.post("/v1/templates", type="agent", agent_id=agent, name=template)
        self.ids = {
            "agent_id": agent,
            "archive_id": archive,
            "block_id": block,
            "change_id": change,
            "decision_id": decision,
            "file_id": file,
            "folder_id": folder,
            "folder_name": folder_name,
            "job_id": job,
            "label": "human",
            "message_id": said["id"],
            "passage_id": passage,
            "role_id": role,
            "run_id": said["run_id"],
            "skill": skill,
            "step_id": said["step_id"],
            "tool_id": tool,
            "template_name": template,
            "template_version": f"{template}:1",
            "tool_name": "double",
        }
        lists = {f"{name}s": [self.ids[name]] for name in ("agent_id", "archive_id", "run_id")}
        lists |= {"block_ids": [block], "tool_ids": [tool], "ids": [passage], "to": [role]}
        self.given = self.ids | lists | {"args": {"number": 2}, "query": "花生", "version": 1}
        self.given["source_code"] = SOURCE.replace("double", "twice")
        self.fresh = True


@pytest.fixture(scope="module")
def short_streams() -> Iterator[None]:
    """What would tell of events for minutes ends at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(skill_events, "LASTS_S", 0.0)
        yield


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    model_cache: Path,
    gloss_cache: Path,
    short_streams: None,
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("described")
    (folder / "models").mkdir()
    (folder / "models/cache").symlink_to(model_cache, target_is_directory=True)
    (folder / "cache").symlink_to(gloss_cache, target_is_directory=True)
    up: Future[str] = Future()
    down = threading.Event()

    async def serve() -> None:
        # Nothing made up is installed, no run is waited for long.
        given: dict[str, Any] = {"model": "yiku/offline", "tool_requirements": "off"}
        async with (
            build(load(home=folder, run_wait_s=0.2, **given)) as app,
            serving(build_asgi(app), 0) as address,
        ):
            up.set_result(address)
            await asyncio.to_thread(down.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if not up.done():
                up.set_exception(error)
            raise

    thread = threading.Thread(target=run, name="server")
    thread.start()
    try:
        yield Server(up.result(60))
    finally:
        down.set()
        thread.join()


@pytest.fixture(autouse=True)
def seeded(server: Server) -> None:
    if not server.fresh:
        server.seed()


@SCHEMA.parametrize()
def test_what_is_described_is_what_is_answered(case: schemathesis.Case, server: Server) -> None:
    # Some of what is made up is about things that are there: not by turns, as what failed is
    # repeated.
    known = ("nothing", "path", "path", "everything")[crc32(repr(case).encode()) % 4]
    if known != "nothing":
        there = server.ids | {"name": "technical_expert"}
        for name in ("If-Match", "Idempotency-Key"):  # one made up is always refused, or used
            case.headers.pop(name, None)
        case.path_parameters = with_ids(case.path_parameters, there)
    if known == "everything":
        case.query = with_ids(case.query, server.given)
        case.body = with_ids(case.body, server.given)
        if isinstance(case.body, dict) and case.body.get("messages"):
            case.body.pop("input", None)  # both aren't taken
    response = case.call(base_url=server.address, session=server.session, timeout=120)
    case.validate_response(response, checks=CHECKS)
    if response.status_code == 422 and case.path.startswith("/v1/"):
        assert [one["loc"] for one in response.json()["detail"]], response.text
    server.fresh = server.fresh and case.method not in ("DELETE", "PATCH")


def with_ids(value: Any, given: dict[str, Any]) -> Any:
    """What is there, wherever a field of its name is."""
    if isinstance(value, list):
        return [with_ids(one, given) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: given.get(name, with_ids(one, given)) for name, one in value.items()}
