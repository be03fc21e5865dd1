"""/v1/agents, spoken to with the real client."""

from typing import Any

import httpx
import letta_client
import pytest
from fastapi import FastAPI

from tests.fixtures.letta import Driver, driver
from yiku.app import App
from yiku.client.transport import InProcessTransport
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_USER, Scope
from yiku.server.http import build_asgi
from yiku.server.v1 import wire, wire_agents, wire_models
from yiku.store import tenants
from yiku.store.database import Tx

NOBODY = "agent-00000000-0000-4000-8000-000000000000"
RULES: list[dict[str, Any]] = [
    {"type": "run_first", "tool_name": "memory_insert", "args": {"label": "human"}},
    {
        "type": "constrain_child_tools",
        "tool_name": "memory_insert",
        "children": ["memory_replace", "run_code"],
        "child_arg_nodes": [{"name": "memory_replace", "args": {"label": "x"}}],
    },
    {"type": "parent_last_tool", "tool_name": "run_code", "children": ["memory_replace"]},
    {
        "type": "conditional",
        "tool_name": "run_code",
        "child_output_mapping": {"ok": "memory_insert"},
        "default_child": "memory_replace",
        "require_output_mapping": True,
    },
    {"type": "continue_loop", "tool_name": "memory_insert"},
    {"type": "exit_loop", "tool_name": "memory_replace", "prompt_template": "{{ tool_name }} 结束"},
    {"type": "max_count_per_step", "tool_name": "run_code", "max_count_limit": 3},
    {"type": "required_before_exit", "tool_name": "memory_replace"},
    {"type": "requires_approval", "tool_name": "run_code"},
]
SAID: dict[str, Any] = {
    "name": "小忆",
    "description": "A companion",
    "system": "你是小忆。",
    "model": "kimi/moonshot-v1-32k",
    "embedding": "openai/text-embedding-3-small",
    "tags": ["日常", "work"],
    "metadata": {"source": "test", "nested": {"list": [1, 2.5, None]}},
    "timezone": "Asia/Shanghai",
    "message_buffer_autoclear": True,
    "enable_sleeptime": True,
    "max_files_open": 3,
    "per_file_view_window_char_limit": 1000,
    "hidden": True,
    "project_id": "project-1",
    "template_id": "template-1",
    "base_template_id": "template-0",
}


def read(agent: Any, names: Any) -> dict[str, Any]:
    return {name: getattr(agent, name) for name in names}


async def test_an_answer_has_every_field_of_its_form(asgi: FastAPI) -> None:
    """What is told unchecked is as complete as the API's description says."""
    async with httpx.AsyncClient(
        transport=InProcessTransport(asgi), base_url="http://localhost"
    ) as http:
        block = {"label": "human", "value": "likes tea"}
        body = {"memory_blocks": [block], "tools": ["run_code"], "secrets": {"KEY": "x"}}
        made = (await http.post("/v1/agents/", json=body)).json()
        one = (await http.get(f"/v1/agents/{made['id']}")).json()
        (listed,) = (await http.get("/v1/agents/")).json()
    for told in (made, one, listed):
        wire_agents.AgentOut.model_validate(told)
        assert told.keys() == wire_agents.AgentOut.model_fields.keys()
        assert told["blocks"][0].keys() == wire.BlockOut.model_fields.keys()
        assert told["llm_config"].keys() == wire_models.LlmConfigOut.model_fields.keys()
        assert told["embedding_config"].keys() == wire_models.EmbeddingConfigOut.model_fields.keys()


async def test_an_agent_is_created_read_changed_and_deleted(letta: Driver) -> None:
    human = {"label": "human", "value": "用户喜欢编程和AI技术", "limit": 500}
    made = await letta(
        lambda c: c.agents.create(
            **SAID, memory_blocks=[human, {"label": "persona", "value": "calm"}], tools=["run_code"]
        )
    )
    assert made.id.startswith("agent-")
    assert made.agent_type == "letta_v1_agent"
    assert read(made, SAID) == SAID
    assert [(one.label, one.value) for one in made.blocks] == [
        ("human", "用户喜欢编程和AI技术"),
        ("persona", "calm"),
    ]
    assert made.memory.blocks == made.blocks
    assert "run_code" in [one.name for one in made.tools]
    assert "memory_insert" in [one.name for one in made.tools]
    assert all(one.json_schema["name"] == one.name for one in made.tools)
    assert made.created_by_id == made.last_updated_by_id == LOCAL_USER
    assert made.llm_config.handle == "kimi/moonshot-v1-32k"
    assert made.llm_config.api_model_endpoint_type == "moonshot"
    assert made.embedding_config.embedding_dim == 384
    assert made.sources == []
    assert len(made.message_ids) == 1  # its compiled instructions
    assert await letta(lambda c: c.agents.retrieve(made.id)) == made

    changed = await letta(
        lambda c: c.agents.update(made.id, name="大忆", tags=["new"], system="另一个", hidden=False)
    )
    new = {"name": "大忆", "tags": ["new"], "system": "另一个", "hidden": False}
    assert read(changed, SAID) == {**SAID, **new}
    assert changed.blocks == made.blocks
    assert changed.tools == made.tools
    assert changed.updated_at > made.updated_at
    assert await letta(lambda c: c.agents.retrieve(made.id)) == changed
    assert await letta(lambda c: c.agents.update(made.id, name="大忆", tags=None)) == changed

    assert await letta(lambda c: c.agents.delete(made.id)) is None
    for method in (
        lambda c: c.agents.retrieve(made.id),
        lambda c: c.agents.update(made.id, name="x"),
        lambda c: c.agents.delete(made.id),
        lambda c: c.blocks.retrieve(made.blocks[0].id),  # made with it, so it went with it
    ):
        await letta.fails(letta_client.NotFoundError, method)


async def test_what_is_not_given_has_defaults(letta: Driver) -> None:
    made = await letta(lambda c: c.agents.create())
    assert made.name
    assert "archival_memory_search" in made.system
    assert made.model == "yiku/offline"
    assert made.embedding == "local/all-minilm-l6-v2"
    assert made.llm_config.context_window == 32_000
    assert made.timezone == "UTC"
    assert made.blocks == made.tags == made.tool_rules == made.secrets == []
    assert made.metadata == {}
    assert made.message_buffer_autoclear is made.enable_sleeptime is False
    assert [one.name for one in made.tools] != []
    bare = await letta(lambda c: c.agents.create(include_base_tools=False))
    assert bare.tools == []
    assert bare.name != made.name
    messenger = await letta(lambda c: c.agents.create(agent_type="memgpt_v2_agent"))
    assert [one.type for one in messenger.tool_rules] == ["exit_loop"]
    no_rules = await letta(
        lambda c: c.agents.create(agent_type="memgpt_v2_agent", include_base_tool_rules=False)
    )
    assert no_rules.tool_rules == []
    chinese = await letta(
        lambda c: c.agents.create(memory_blocks=[{"label": "human", "value": "用户喜欢编程"}])
    )
    assert "记忆" in chinese.system


async def test_rules_settings_and_secrets_come_back_as_they_were_sent(letta: Driver) -> None:
    owner = await identity(letta, "owner")
    settings = {"provider_type": "moonshot", "temperature": 0.3, "max_output_tokens": 2048}
    compaction = {"mode": "all", "prompt": "总结", "clip_chars": 500, "model": "kimi/kimi-k2"}
    made = await letta(
        lambda c: c.agents.create(
            tools=["run_code"],
            tool_rules=RULES,
            model="kimi/moonshot-v1-8k",
            model_settings=settings,
            compaction_settings={**compaction, "model_settings": settings},
            response_format={"type": "json_schema", "json_schema": {"name": "x"}},
            context_window_limit=8000,
            secrets={"API_KEY": "s3cret"},
            identity_ids=[owner],
        )
    )
    for one, rule in zip(made.tool_rules, RULES, strict=True):
        assert one.model_dump(include=rule.keys()) == rule
    assert made.api_model_settings.model_dump(exclude_unset=True) == settings
    assert (made.llm_config.temperature, made.llm_config.max_tokens) == (0.3, 2048)
    assert made.llm_config.context_window == 8000
    told = made.compaction_settings
    assert read(told, compaction) == compaction
    assert told.api_model_settings.model_dump(exclude_unset=True) == settings
    assert made.response_format.json_schema == {"name": "x"}
    assert [(one.key, one.value, one.agent_id) for one in made.secrets] == [
        ("API_KEY", "s3cret", made.id)
    ]
    assert made.tool_exec_environment_variables == made.secrets
    assert made.identity_ids == [owner]
    assert [one.identifier_key for one in made.identities] == ["owner"]

    changed = await letta(
        lambda c: c.agents.update(made.id, secrets={"B": "2"}, tool_rules=RULES[:1], max_tokens=99)
    )
    assert [(one.key, one.value) for one in changed.secrets] == [("B", "2")]
    assert [one.type for one in changed.tool_rules] == ["run_first"]
    assert changed.llm_config.max_tokens == 99
    assert changed.llm_config.temperature == 0.3


async def test_older_ways_to_name_a_model_are_understood(letta: Driver) -> None:
    config = {
        "model": "glm-4-plus",
        "model_endpoint_type": "zai",
        "model_endpoint": "https://somewhere.example/v4",
        "context_window": 16_000,
        "temperature": 0.5,
        "max_tokens": 1000,
        "enable_reasoner": False,
    }
    made = await letta(
        lambda c: c.agents.create(
            llm_config=config,
            embedding_config={
                "embedding_model": "text-embedding-3-small",
                "embedding_endpoint_type": "openai",
                "embedding_dim": 1536,
            },
            parallel_tool_calls=True,
            tool_exec_environment_variables={"A": "1"},
        )
    )
    assert made.model == "zhipu/glm-4-plus"
    assert made.embedding == "openai/text-embedding-3-small"
    told = made.llm_config
    assert (told.model, told.api_model_endpoint_type, told.context_window) == (
        "glm-4-plus",
        "zai",
        16_000,
    )
    assert (told.temperature, told.max_tokens, told.parallel_tool_calls) == (0.5, 1000, True)
    assert told.reasoning_effort == "none"
    assert told.api_model_endpoint is None
    assert [one.key for one in made.secrets] == ["A"]
    # What was read can be sent back.
    again = await letta(
        lambda c: c.agents.update(made.id, llm_config=told.model_dump(by_alias=True))
    )
    assert again.llm_config == told


async def test_blocks_and_tools_are_attached_by_id_and_lists_of_ids_are_whole(
    letta: Driver,
) -> None:
    shared = await letta(lambda c: c.blocks.create(label="team", value="shared"))
    other = await letta(lambda c: c.blocks.create(label="plan", value="other"))
    tool = await letta(lambda c: c.tools.create(source_code=ADD))
    made = await letta(
        lambda c: c.agents.create(
            block_ids=[shared.id], tool_ids=[tool.id], include_base_tools=False
        )
    )
    assert [one.id for one in made.blocks] == [shared.id]
    assert [one.id for one in made.tools] == [tool.id]
    swapped = await letta(lambda c: c.agents.update(made.id, block_ids=[other.id], tool_ids=[]))
    assert [one.id for one in swapped.blocks] == [other.id]
    assert swapped.tools == []
    both = await letta(lambda c: c.agents.update(made.id, block_ids=[shared.id, other.id]))
    assert {one.id for one in both.blocks} == {shared.id, other.id}
    await letta(lambda c: c.agents.delete(made.id))
    assert (await letta(lambda c: c.blocks.retrieve(shared.id))).value == "shared"


ADD = '''
def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Args:
        a: One of them.
        b: The other one.
    """
    print("adding")
    return a + b
'''


async def test_pages_follow_each_other_in_both_orders(letta: Driver) -> None:
    ids = [
        (await letta(lambda c, n=n: c.agents.create(name=f"a{n}", include_base_tools=False))).id
        for n in range(5)
    ]

    async def listed(**params: Any) -> list[str]:
        return [one.id for one in await letta.all(lambda c: c.agents.list(**params))]

    async def first(**params: Any) -> list[str]:
        return [one.id for one in (await letta(lambda c: c.agents.list(**params))).items]

    assert await listed() == ids[::-1]
    assert await listed(limit=2, order="asc") == ids
    assert await listed(limit=2) == ids[::-1]
    assert await listed(ascending=True) == ids
    assert await first(limit=2, after=ids[3]) == [ids[2], ids[1]]
    assert await first(limit=2, before=ids[1], order="asc") == ids[:1]
    assert await first(limit=2, before=ids[0]) == [ids[2], ids[1]]
    await letta(lambda c: c.agents.update(ids[1], description="newer"))
    assert (await first(order_by="updated_at"))[0] == ids[1]
    assert set(await first(sort_by="last_run_completion")) == set(ids)
    assert await first(after=NOBODY) == await first()


async def identity(letta: Driver, key: str) -> str:
    """Its id; this version of the client has no method for it."""
    body = {"identifier_key": key, "name": "Bo", "identity_type": "user"}
    made: Any = await letta(lambda c: c.post("/v1/identities/", body=body, cast_to=object))
    return made["id"]


async def test_filters_say_which_agents_are_listed(letta: Driver) -> None:
    made: dict[str, str] = {}
    owner = await identity(letta, "k")
    for name, more in {
        "a": {"name": "Alpha", "tags": ["x", "y"], "identity_ids": [owner]},
        "b": {"name": "alphabet", "tags": ["x"], "project_id": "p1"},
        "c": {"name": "gamma", "template_id": "t1", "base_template_id": "t0"},
    }.items():
        made[name] = (await letta(lambda c, more=more: c.agents.create(**more))).id

    async def listed(**params: Any) -> str:
        found = await letta.all(lambda c: c.agents.list(order="asc", **params))
        return "".join(name for one in found for name, id_ in made.items() if id_ == one.id)

    assert await listed() == "abc"
    assert await listed(name="Alpha") == "a"
    assert await listed(query_text="ALPHA") == "ab"
    assert await listed(tags=["x"]) == "ab"
    assert await listed(tags=["x", "y"], match_all_tags=True) == "a"
    assert await listed(project_id="p1") == "b"
    assert await listed(template_id="t1") == "c"
    assert await listed(base_template_id="t0") == "c"
    assert await listed(identity_id=owner) == "a"
    assert await listed(identity_id="identity-1") == ""
    assert await listed(identifier_keys=["k", "l"]) == "a"
    assert await listed(identifier_keys=["l"]) == ""
    assert await listed(created_by_id=LOCAL_USER) == "abc"
    assert await listed(created_by_id="user-x") == ""
    assert await listed(last_stop_reason="end_turn") == ""
    assert [one async for one in tags_of(letta)] == ["x", "y"]
    assert [one async for one in tags_of(letta, name="Y")] == ["y"]
    assert [one async for one in tags_of(letta, order="desc", limit=1)] == ["y"]
    assert [one async for one in tags_of(letta, after="x")] == ["y"]


async def tags_of(letta: Driver, **params: Any) -> Any:
    for tag in await letta(lambda c: c.tags.list(**params)):
        yield tag


async def test_include_says_which_relations_are_told(letta: Driver) -> None:
    made = await letta(
        lambda c: c.agents.create(
            memory_blocks=[{"label": "human", "value": ""}], tags=["x"], secrets={"A": "1"}
        )
    )

    def told(agent: Any) -> dict[str, bool]:
        names = ("blocks", "tools", "tags", "secrets")
        return {name: bool(getattr(agent, name)) for name in names}

    every = dict.fromkeys(("blocks", "tools", "tags", "secrets"), True)
    none = dict.fromkeys(every, False)
    assert told(await letta(lambda c: c.agents.retrieve(made.id))) == every
    assert told(
        await letta(lambda c: c.agents.retrieve(made.id, include=["agent.blocks", "agent.tags"]))
    ) == {**none, "blocks": True, "tags": True}
    assert told(
        await letta(lambda c: c.agents.retrieve(made.id, include_relationships=["memory", "tools"]))
    ) == {**none, "blocks": True, "tools": True}
    [listed] = (await letta(lambda c: c.agents.list(include=["agent.secrets"]))).items
    assert told(listed) == {**none, "secrets": True}
    assert listed.memory.blocks == []
    [listed] = (await letta(lambda c: c.agents.list())).items
    assert told(listed) == every


async def test_what_is_wrong_is_said_with_the_field(letta: Driver) -> None:
    made = await letta(lambda c: c.agents.create(name="x", include_base_tools=False))
    block = {"label": "human", "value": ""}
    wrong: list[tuple[str, str, Any]] = [
        ("name", "empty", lambda c: c.agents.create(name=" ")),
        ("name", "200", lambda c: c.agents.update(made.id, name="x" * 201)),
        ("model", "<provider>/<model>", lambda c: c.agents.create(model="gpt-4o")),
        ("embedding", "<provider>/<model>", lambda c: c.agents.create(embedding="x")),
        ("timezone", "Asia/Shanghai", lambda c: c.agents.create(timezone="Mars/Olympus")),
        ("tools", "run_code", lambda c: c.agents.create(tools=["no_such_tool"])),
        ("tool_rules", "no_such_tool", lambda c: c.agents.update(
            made.id, tool_rules=[{"type": "exit_loop", "tool_name": "no_such_tool"}])),
        ("memory_blocks", "label", lambda c: c.agents.create(memory_blocks=[block, block])),
        ("label", "empty", lambda c: c.agents.create(
            memory_blocks=[{**block, "label": ""}])),
        ("value", "limit", lambda c: c.agents.create(
            memory_blocks=[{**block, "value": "xx", "limit": 1}])),
        ("context_window_limit", "512", lambda c: c.agents.create(context_window_limit=10)),
        ("secrets", "variable", lambda c: c.agents.create(secrets={"a=b": "x"})),
        ("tags", "empty", lambda c: c.agents.update(made.id, tags=[""])),
        ("metadata", "NUL", lambda c: c.agents.update(made.id, metadata={"a": "\0"})),
        ("system", "NUL", lambda c: c.agents.create(system="\0")),
        ("colour", "not permitted", lambda c: c.agents.create(extra_body={"colour": "red"})),
        ("agent_type", "letta_v1_agent", lambda c: c.agents.create(agent_type="robot")),
        ("temperature", "less", lambda c: c.agents.create(
            model_settings={"provider_type": "openai", "temperature": 9})),
        ("message_ids", "context", lambda c: c.agents.update(made.id, message_ids=["message-1"])),
        ("last_stop_reason", "end_turn", lambda c: c.agents.list(last_stop_reason="x")),
    ]  # fmt: skip
    for field, words, method in wrong:
        error = await letta.fails(letta_client.UnprocessableEntityError, method)
        [problem] = error.body["detail"]
        assert problem["loc"][-1] == field
        assert words in problem["msg"]
    assert await letta(lambda c: c.agents.retrieve(made.id)) == made
    missing: list[Any] = [
        lambda c: c.agents.create(block_ids=["block-x"]),
        lambda c: c.agents.create(tool_ids=["tool-x"]),
        lambda c: c.agents.create(tool_ids=["tool-\0"]),
        lambda c: c.agents.create(folder_ids=["source-x"]),
        lambda c: c.agents.create(from_template="x"),
        lambda c: c.agents.update(made.id, block_ids=["block-\0"]),
        lambda c: c.agents.update(made.id, tool_ids=["tool-\0"]),
        lambda c: c.agents.retrieve("agent-\0"),
    ]
    for method in missing:
        await letta.fails(letta_client.NotFoundError, method)
    assert [one.id for one in await letta.all(lambda c: c.agents.list())] == [made.id]


async def test_a_change_of_what_has_changed_since_is_a_conflict(letta: Driver) -> None:
    raw = await letta(lambda c: c.agents.with_raw_response.create(name="x"))
    made = raw.parse()
    if hasattr(made, "__await__"):
        made = await made
    seen = {"If-Match": raw.headers["etag"]}
    await letta(lambda c: c.agents.update(made.id, name="y", extra_headers=seen))
    error = await letta.fails(
        letta_client.ConflictError,
        lambda c: c.agents.update(made.id, name="z", extra_headers=seen),
    )
    assert error.body["error"] == "StaleAgent"
    two = [(await letta(lambda c: c.blocks.create(label="same", value=""))).id for _ in range(2)]
    error = await letta.fails(
        letta_client.ConflictError, lambda c: c.agents.update(made.id, block_ids=two)
    )
    assert error.body["error"] == "LabelTaken"
    assert error.response.headers["x-should-retry"] == "false"


async def test_others_agents_are_not_there_and_secrets_are_for_those_who_may_set_them(
    app: App, free_port: int
) -> None:
    def keys(tx: Tx) -> list[str]:
        found: list[str] = []
        for name in ("first", "second"):
            user = tenants.add_user(tx, tenants.add_organization(tx, name).id, name)
            found += [
                tenants.add_key(tx, user, f"{name} {scope}", scope, None)[1]
                for scope in (Scope.WRITE, Scope.READ)
            ]
        return found

    writer, reader, other, _ = await app.database.write(LOCAL_ACTOR, keys)
    asgi = build_asgi(app)
    block = {"label": "human", "value": ""}
    async with driver("async over HTTP", asgi, free_port, writer) as letta:
        made = await letta(
            lambda c: c.agents.create(secrets={"A": "1"}, memory_blocks=[block], tags=["mine"])
        )
        await letta(lambda c: c.agents.passages.create(made.id, text="茶"))
        [archive] = (await letta(lambda c: c.archives.list(agent_id=made.id))).items
    async with driver("async over HTTP", asgi, free_port, reader) as letta:
        seen = await letta(lambda c: c.agents.retrieve(made.id))
        assert [(one.key, one.value) for one in seen.secrets] == [("A", "")]
        for method in (
            lambda c: c.agents.create(),
            lambda c: c.agents.update(made.id, name="x"),
            lambda c: c.agents.delete(made.id),
            lambda c: c.agents.tools.run("memory_insert", agent_id=made.id, args={}),
            lambda c: c.archives.create(name="x"),
        ):
            await letta.fails(letta_client.PermissionDeniedError, method)
        assert await letta.all(lambda c: c.tools.list())
    async with driver("async over HTTP", asgi, free_port, other) as letta:
        assert await letta.all(lambda c: c.agents.list()) == []
        assert await letta(lambda c: c.tags.list()) == []
        assert await letta.all(lambda c: c.archives.list()) == []
        mine = await letta(lambda c: c.agents.create())
        for method in foreign(made, archive.id, mine):
            await letta.fails(letta_client.NotFoundError, method)
    async with driver("async over HTTP", asgi, free_port, "yk_wrong") as letta:
        await letta.fails(letta_client.AuthenticationError, lambda c: c.agents.list())


def foreign(theirs: Any, archive_id: str, mine: Any) -> list[Any]:
    """Every way to reach what is another organization's."""
    agent_id, block, tool = theirs.id, theirs.blocks[0], theirs.tools[0]
    return [
        lambda c: c.agents.retrieve(agent_id),
        lambda c: c.agents.update(agent_id, name="x"),
        lambda c: c.agents.delete(agent_id),
        lambda c: c.agents.blocks.list(agent_id),
        lambda c: c.agents.blocks.retrieve("human", agent_id=agent_id),
        lambda c: c.agents.blocks.update("human", agent_id=agent_id, value="x"),
        lambda c: c.agents.blocks.attach(block.id, agent_id=mine.id),
        lambda c: c.agents.blocks.detach(block.id, agent_id=agent_id),
        lambda c: c.agents.create(block_ids=[block.id]),
        lambda c: c.agents.create(tool_ids=[tool.id]),
        lambda c: c.agents.tools.list(agent_id),
        lambda c: c.agents.tools.attach(tool.id, agent_id=mine.id),
        lambda c: c.agents.tools.run(tool.name, agent_id=agent_id, args={}),
        lambda c: c.blocks.agents.list(block.id),
        lambda c: c.tools.retrieve(tool.id),
        lambda c: c.tools.update(tool.id, description="x"),
        lambda c: c.tools.delete(tool.id),
        lambda c: c.archives.retrieve(archive_id),
        lambda c: c.archives.update(archive_id, name="x"),
        lambda c: c.archives.delete(archive_id),
        lambda c: c.archives.passages.create(archive_id, text="x"),
        lambda c: c.agents.archives.attach(archive_id, agent_id=mine.id),
        lambda c: c.agents.passages.create(agent_id, text="x"),
        lambda c: c.agents.passages.list(agent_id),
        lambda c: c.agents.passages.search(agent_id, query="x"),
        lambda c: c.passages.search(query="x", agent_id=agent_id),
        lambda c: c.passages.search(query="x", archive_id=archive_id),
    ]


async def test_older_paths_and_counts(asgi: FastAPI) -> None:
    async with httpx.AsyncClient(
        transport=InProcessTransport(asgi), base_url="http://localhost"
    ) as http:
        body = {"memory_blocks": [{"label": "human", "value": "a"}], "role_memory": True}
        made = (await http.post("/v1/agents", json=body)).json()
        assert made["role_memory"] is True
        memory = (await http.get(f"/v1/agents/{made['id']}/core-memory")).json()
        assert memory == made["memory"]
        assert (await http.get("/v1/agents/count")).json() == 1
        assert (await http.get("/v1/blocks/count")).json() == 1
        assert (await http.get("/v1/tools/count")).json() >= len(made["tools"])
        custom = await http.get("/v1/tools/count?include_base_tools=false")
        assert custom.json() == 0


ODD = [
    '{"name": "\\ud800"}',
    '{"name": "\\u0000"}',
    '{"system": "\\ud800"}',
    '{"tags": ["\\ud800"]}',
    '{"secrets": {"A": "\\u0000"}}',
    '{"secrets": {"\\ud800": ""}}',
    '{"metadata": {"a": NaN}}',
    '{"metadata": {"\\ud800": 1}}',
    '{"timezone": "\\u0000"}',
    '{"timezone": "../../etc/passwd"}',
    '{"timezone": "Asia"}',
    '{"model": "a/\\u0000"}',
    '{"model": "a/\\ud800"}',
    '{"model_settings": {"provider_type": "\\ud800"}}',
    '{"response_format": {"type": "json_schema", "json_schema": {"a": "\\u0000"}}}',
    '{"response_format": {"type": "xml"}}',
    '{"tool_rules": [{"type": "exit_loop", "tool_name": "\\u0000"}]}',
    '{"tool_rules": [{"type": "exit_loop", "tool_name": ""}]}',
    '{"tool_rules": [{"tool_name": "x"}]}',
    '{"tool_rules": [{"type": "max_count_per_step", "tool_name": "run_code"}]}',
    '{"compaction_settings": {"sliding_window_percentage": 2}}',
    '{"compaction_settings": {"prompt": "\\u0000"}}',
    '{"context_window_limit": 99999999999999999999999}',
    '{"max_files_open": -1}',
    '{"project_id": "\\u0000"}',
    '{"description": 1}',
    "[]",
    "",
]


async def test_what_can_not_be_kept_is_refused_in_v1s_form(asgi: FastAPI) -> None:
    async with httpx.AsyncClient(
        transport=InProcessTransport(asgi), base_url="http://localhost"
    ) as http:
        where = f"/v1/agents/{(await http.post('/v1/agents/', json={})).json()['id']}"
        headers = {"Content-Type": "application/json"}
        for body in ODD:
            for method, path in (("POST", "/v1/agents/"), ("PATCH", where)):
                answer = await http.request(method, path, content=body.encode(), headers=headers)
                assert answer.status_code == 422, (body, answer.text)
                assert set(answer.json()) == {"detail", "error"}
        only_new = ['{"tools": ["\\u0000"]}', '{"tools": ["\\ud800"]}', '{"agent_type": null}']
        for body in (*only_new, '{"initial_message_sequence": [{"role": "tool", "content": ""}]}'):
            answer = await http.post("/v1/agents/", content=body.encode(), headers=headers)
            assert answer.status_code == 422, (body, answer.text)


@pytest.mark.parametrize(
    "query",
    [
        *("name=%00", "query_text=%00", "tags=%00", "project_id=%00", "identity_id=%00"),
        *("created_by_id=%00", "template_id=%00", "limit=0", "order=up", "include=agent.x"),
        *("order_by=name", "colour=red", "base_template_id=%00"),
    ],
)
async def test_a_listing_that_can_not_be_meant_is_refused(asgi: FastAPI, query: str) -> None:
    async with httpx.AsyncClient(
        transport=InProcessTransport(asgi), base_url="http://localhost"
    ) as http:
        answer = await http.get(f"/v1/agents/?{query}")
        assert answer.status_code == 422, answer.text


async def test_a_model_of_an_unknown_provider_is_refused(letta: Driver) -> None:
    """A provider that is known and has no key yet is fine."""
    made = await letta(lambda c: c.agents.create(model="anthropic/claude-x"))
    compaction = {"model": "nosuch/model"}
    for field, method in (
        ("model", lambda c: c.agents.create(model="nosuch/model")),
        ("model", lambda c: c.agents.update(made.id, model="nosuch/model")),
        ("compaction_settings", lambda c: c.agents.create(compaction_settings=compaction)),
        ("compaction_settings", lambda c: c.agents.update(made.id, compaction_settings=compaction)),
    ):
        error = await letta.fails(letta_client.UnprocessableEntityError, method)
        [problem] = error.body["detail"]
        assert problem["loc"] == ["body", field]
        assert "`nosuch`" in problem["msg"]
        assert "anthropic" in problem["msg"]
    assert (await letta(lambda c: c.agents.retrieve(made.id))).model == "anthropic/claude-x"


async def test_what_is_listed_can_be_deleted_on_the_way(letta: Driver) -> None:
    """The client asks for the page after the last one, which is gone by then."""
    block: dict[str, Any] = {"label": "human", "value": ""}
    for n in range(5):
        await letta(lambda c, n=n: c.agents.create(name=f"a{n}", include_base_tools=False))
        await letta(lambda c: c.blocks.create(**block))
    for noun in ("agents", "blocks"):
        page = await letta(lambda c, n=noun: getattr(c, n).list(limit=2))
        seen: list[str] = []
        while page.items:
            for one in page.items:
                seen.append(one.id)
                await letta(lambda c, n=noun, i=one.id: getattr(c, n).delete(i))
            page = await letta(lambda c, n=noun, i=seen[-1]: getattr(c, n).list(limit=2, after=i))
        assert len(seen) == len(set(seen)) == 5


async def test_a_block_is_sent_as_it_was_answered(letta: Driver) -> None:
    block = await letta(lambda c: c.blocks.create(label="persona", value="calm", limit=500))
    made = await letta(lambda c: c.agents.create(memory_blocks=[block]))
    [own] = made.blocks
    assert (own.label, own.value, own.limit) == ("persona", "calm", 500)
    assert own.id != block.id


async def test_a_tool_rule_that_is_said_twice_is_one(letta: Driver) -> None:
    rule = {"type": "exit_loop", "tool_name": "send_message"}
    limits = [
        {"type": "max_count_per_step", "tool_name": "run_code", "max_count_limit": n}
        for n in (2, 2, 3)
    ]
    made = await letta(lambda c: c.agents.create(tool_rules=[rule, rule], tools=["send_message"]))
    assert len([one for one in made.tool_rules if one.tool_name == "send_message"]) == 1
    changed = await letta(lambda c: c.agents.update(made.id, tool_rules=limits))
    assert [one.max_count_limit for one in changed.tool_rules] == [2, 3]
