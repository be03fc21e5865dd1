"""What models were shown and said is kept, where it is wanted, and no more than is wanted."""

from pathlib import Path
from typing import Any

import httpx

from tests.fixtures.talking import MODEL
from tests.servers.scripted_chat import Call, Says, Script, ScriptedChat
from yiku.app import build
from yiku.client.transport import InProcessTransport
from yiku.server.http import build_asgi
from yiku.settings import load

APPEND = Call("core_memory_append", {"label": "human", "content": "住在上海"})
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}


async def test_traces_are_kept_after_the_step(
    database_url: str, yiku_home: Path, model: ScriptedChat
) -> None:
    model.respond = Script(Says(calls=(APPEND,)), "Noted.", "One.", "Two.")
    settings = load(
        home=yiku_home,
        database_url=database_url,
        model=MODEL,
        model_base_url=model.url,
        model_api_key="sk-secret",
        step_traces="on",
        step_traces_keep=3,
    )
    async with build(settings) as app:
        transport = InProcessTransport(build_asgi(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:

            async def post(path: str, **body: Any) -> Any:
                answer = await http.post(path, json=body)
                assert answer.is_success, answer.text
                return answer.json()

            async def traces(*step_ids: str) -> list[Any]:
                return [(await http.get(f"/v1/steps/{one}/trace")).json() for one in step_ids]

            agent = await post(
                "/v1/agents/",
                tools=["core_memory_append"],
                memory_blocks=[{"label": "human", "value": ""}],
                secrets={"TOKEN": "tool-secret"},
            )
            where = f"/v1/agents/{agent['id']}/messages"
            said = await post(where, input=[{"type": "text", "text": "我住在上海"}, PICTURE])
            first, second = dict.fromkeys(one["step_id"] for one in said["messages"])
            assert app.agents.traces is not None
            await app.agents.traces.flush()
            one, two = found = await traces(first, second)
            assert (one["step_id"], one["agent_id"]) == (first, agent["id"])
            assert one["run_id"] == said["messages"][0]["run_id"]
            asked = one["request_json"]
            assert asked["model"] == MODEL
            assert "我住在上海" in str(asked["messages"][-1])
            assert "QUJD" not in str(asked)
            assert "core_memory_append" in [tool["name"] for tool in asked["tools"]]
            assert "core_memory_append" in str(one["response_json"]["parts"])
            assert "住在上海" in two["request_json"]["system"]
            assert two["response_json"]["finish"] == "end"
            for secret in ("sk-secret", "tool-secret", "Authorization"):
                assert secret not in str(found)

            later = [(await post(where, input="x"))["messages"][-1]["step_id"] for _ in range(2)]
            await app.agents.traces.flush()
            assert None not in await traces(*later)
            assert await traces(first) == [None]
            assert None not in await traces(second)
            assert (await http.get("/v1/steps/step-x/trace")).status_code == 404
