"""The Python API of role memory, on both databases, with the real embedding model."""

import asyncio
import inspect
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import yiku.roles
from yiku.app import App
from yiku.core import errors
from yiku.core.memory import Draft, Outcome
from yiku.core.role import DecisionKind, Retention, Routing, Why
from yiku.core.tenant import LOCAL_ORGANIZATION, LOCAL_USER, Actor, Scope
from yiku.memory import blocks as core_memory
from yiku.memory import erase, ingest
from yiku.memory.archival import Place
from yiku.roles import (
    EmbeddingMoEMemory,
    EmbeddingRoleConfig,
    RoleType,
    create_embedding_moe_memory_async,
    get_role_template,
    get_role_template_set,
)
from yiku.store import tenants

# The specification's own block, with the import line it leaves out.
SPECIFIED = """
from yiku.roles import *

EmbeddingRoleConfig(
    role_id="data_scientist", role_type=RoleType.TECHNICAL, role_name="数据科学家",
    role_description="专注于数据分析、机器学习、统计建模和数据可视化的专业角色",
    keywords=["数据", "分析", "机器学习", "统计", "模型"],
    activation_threshold=0.4,              # this role's own bar for being gated in
    max_memory_size=100,                   # memories it keeps
    memory_retention_strategy="semantic",  # what goes when it is full
)
EmbeddingMoEMemory(embedding_config=..., routing_threshold=0.3, max_active_roles=3)
  .route_memory_to_role_async(memory_content, context, actor) -> list[role_id]
  .moe_gate_for_context_async(context, actor, max_roles=3)    -> list[role_id]
  .smart_add_memory_async(...)          # route, then store in every chosen role
  .search_role_memories_async(...)      # semantic search in one, some or all roles
  .compile()                            # the active roles' memory, rendered for the prompt
EmbeddingRoleMemoryRepository           # one role: its embedding, core memory blocks, archival passages
  .search_memories_async(query, embedding_config, actor, top_k=5)
EmbeddingMoEAgent
  .step()                               # an agent step with gating before and routing after
  .search_memories_by_context_async()
  .get_memory_summary()                 # counts per role, active roles, thresholds
create_embedding_moe_memory_async(persona, human, agent_type, embedding_config, actor)
create_embedding_moe_agent_async(agent_state, role_template="professional_assistant", user)
get_role_template(name) -> EmbeddingRoleConfig
get_role_template_set(name) -> list[EmbeddingRoleConfig]   # e.g. "professional_assistant_set"
"""  # noqa: E501 - as it stands there
SCIENTIST = EmbeddingRoleConfig(
    role_id="data_scientist",
    role_type=RoleType.TECHNICAL,
    role_name="数据科学家",
    role_description="专注于数据分析、机器学习、统计建模和数据可视化的专业角色",
    keywords=["数据", "分析", "机器学习", "统计", "模型"],
)
GARDENER = EmbeddingRoleConfig(
    role_id="gardener",
    role_description="Plants, vegetable beds, sowing, pruning and watering in the garden",
    keywords=["tomatoes", "compost", "roses", "greenhouse"],
    examples=["The tomatoes need water twice a day in July.", "Prune the roses before March."],
)
REGRESSION = "用逻辑回归模型分析用户流失数据，交叉验证的准确率是百分之八十七"
TOMATOES = "The tomatoes in the greenhouse need compost before they flower"
NOTHING = "The ferry to Hven is painted blue"


@pytest.fixture
def memory(app: App) -> EmbeddingMoEMemory:
    return EmbeddingMoEMemory(app=app, roles=[SCIENTIST, GARDENER])


async def test_the_specified_constructors_run_as_they_stand() -> None:
    names: dict[str, Any] = {}
    kept = [line for line in SPECIFIED.splitlines() if not line.startswith("  .")]
    code = "\n".join(kept).partition("EmbeddingRoleMemoryRepository  ")[0]
    exec(code, names)
    config = eval(code[code.index("EmbeddingRoleConfig(") : code.index("EmbeddingMoEM")], names)
    assert (config.activation_threshold, config.max_memory_size) == (0.4, 100)
    assert config.memory_retention_strategy is Retention.SEMANTIC


def test_every_specified_method_is_there_with_its_parameters_in_order() -> None:
    owner: Any = None
    seen: list[str] = []
    for line in SPECIFIED.splitlines()[9:]:
        found = re.match(r"( *\.)?(\w+)(\(.*?\))?", line)
        if not found or not found[2][0].isalpha() or line.startswith("    "):
            continue
        if not found[1]:
            owner = getattr(yiku.roles, found[2])
        target = getattr(owner, found[2]) if found[1] else owner
        seen.append(found[2])
        given = parameters(found[3] or "()")
        if "..." in given or not found[3]:
            continue
        there = [one for one in inspect.signature(target).parameters if one != "self"]
        assert there[: len(given)] == given, found[2]
        if found[2] not in ("EmbeddingMoEMemory", "get_role_template", "get_role_template_set"):
            assert inspect.iscoroutinefunction(target), found[2]
    assert len(seen) == 16


def parameters(listed: str) -> list[str]:
    """Names in a parameter list of the specification; `embedding_config=...` too."""
    if listed == "(...)":
        return ["..."]
    return [part.partition("=")[0].strip() for part in listed.strip("()").split(",") if part]


async def test_a_memory_goes_to_the_roles_that_claim_it(memory: EmbeddingMoEMemory) -> None:
    assert await memory.route_memory_to_role_async(REGRESSION) == ["data_scientist"]
    assert await memory.route_memory_to_role_async(NOTHING) == []

    added = await memory.smart_add_memory_async(
        TOMATOES, tags=["garden"], metadata={"importance": 0.9}, at="2026-05-07T08:00:00"
    )

    assert (added.outcome, added.roles) == (Outcome.ADDED, ("gardener",))
    assert (added.passage.tags, added.passage.metadata) == (("garden",), {"importance": 0.9})
    assert added.passage.at.isoformat() == "2026-05-07T08:00:00+00:00"
    general = await memory.smart_add_memory_async(NOTHING)
    assert general.roles == ()
    assert (await memory.smart_add_memory_async(TOMATOES)).outcome is Outcome.DUPLICATE
    named = await memory.smart_add_memory_async("Oslo is far", role_ids="gardener")
    assert named.roles == ("gardener",)
    none = await memory.smart_add_memory_async("Compost the tomatoes and roses", role_ids=[])
    assert none.roles == ()


async def test_a_memory_of_few_words_is_read_with_its_context(memory: EmbeddingMoEMemory) -> None:
    context = "Shall we put compost on the tomatoes, or wait until the roses are pruned?"
    assert await memory.route_memory_to_role_async("Yes, wait.") == []
    assert await memory.route_memory_to_role_async("Yes, wait.", context) == ["gardener"]
    added = await memory.smart_add_memory_async("Yes, wait.", context)
    assert (added.passage.text, added.roles) == ("Yes, wait.", ("gardener",))
    assert added.decision is not None
    told = await memory.explain_async(added.decision)
    assert (told.kind, told.passage_id) == (DecisionKind.ROUTE, added.passage.id)
    long_enough = "The ferry to Hven is painted blue and yellow"
    assert await memory.route_memory_to_role_async(long_enough, context) == []


async def test_a_context_gates_roles_and_what_they_know_is_compiled(
    memory: EmbeddingMoEMemory,
) -> None:
    await memory.smart_add_memories_async([TOMATOES, REGRESSION, NOTHING])
    assert str(await memory.compile()) == ""

    active = await memory.moe_gate_for_context_async("What do my tomatoes need this week?")

    assert active == ["gardener"] == list(memory.active_roles)
    compiled = await memory.compile()
    assert TOMATOES in compiled.text
    assert REGRESSION not in compiled.text
    assert compiled == await memory.compile()
    assert REGRESSION in (await memory.compile("churn", ["data_scientist"])).text
    assert memory.gating is not None
    assert (await memory.explain_async(memory.gating.id)).chosen == ("gardener",)
    summary = await memory.get_memory_summary()
    assert {role: stats.memories for role, stats in summary.roles.items()} == {
        "data_scientist": 1,
        "gardener": 1,
    }
    assert (summary.memories, summary.general, summary.active_roles) == (3, 1, ("gardener",))
    assert (summary.routing_threshold, summary.max_active_roles) == (0.3, 3)
    await memory.remove_role_async("gardener")
    assert str(await memory.compile()) == ""
    with pytest.raises(errors.RoleNotFound):
        await memory.compile(role_ids=["gardener"])


async def test_a_search_is_in_one_some_or_all_roles(memory: EmbeddingMoEMemory) -> None:
    await memory.smart_add_memories_async([TOMATOES, REGRESSION, NOTHING])
    await memory.set_block_async("human", "Ann has a greenhouse with tomatoes")

    async def found(role_ids: Any) -> set[str]:
        hits = await memory.search_role_memories_async("tomatoes", role_ids)
        return {hit.passage.text for hit in hits}

    assert await found(None) == {TOMATOES, REGRESSION, NOTHING}
    assert await found("gardener") == await found(["gardener"]) == {TOMATOES}
    assert await found(["gardener", "data_scientist"]) == {TOMATOES, REGRESSION}
    assert await found([]) == {NOTHING}
    await memory.moe_gate_for_context_async("the roses and the tomatoes")
    assert await found("active") == {TOMATOES}
    assert len(await memory.search_role_memories_async("tomatoes", top_k=1)) == 1
    for top_k in (0, 1000, True):
        with pytest.raises(errors.Invalid, match="top_k"):
            await memory.search_role_memories_async("tomatoes", top_k=top_k)
    with pytest.raises(errors.RoleNotFound, match="nobody"):
        await memory.search_role_memories_async("tomatoes", ["nobody"])


async def test_a_memory_without_roles_keeps_everything_in_the_general_memory(app: App) -> None:
    memory = EmbeddingMoEMemory(app=app, archive="new")
    assert await memory.route_memory_to_role_async(TOMATOES) == []
    assert await memory.moe_gate_for_context_async(TOMATOES) == []
    assert await memory.search_role_memories_async("tomatoes") == []
    assert (await memory.get_memory_summary()).memories == 0
    assert await memory.list_roles_async() == []
    assert str(await memory.compile()) == ""
    assert (await memory.smart_add_memory_async(TOMATOES)).roles == ()
    assert [h.passage.text for h in await memory.search_role_memories_async("?")] == [TOMATOES]
    assert (await memory.get_memory_summary()).general == 1


async def test_two_objects_on_one_database_see_the_same_roles(
    database_url: str, yiku_home: Path, memory: EmbeddingMoEMemory
) -> None:
    async with EmbeddingMoEMemory(url=database_url, home=yiku_home) as other:
        await memory.smart_add_memory_async(TOMATOES)
        assert [one.role_id for one in await other.list_roles_async()] == [
            "data_scientist",
            "gardener",
        ]
        assert await other.route_memory_to_role_async(REGRESSION) == ["data_scientist"]
        assert await other.role("gardener").count_async() == 1
        await other.edit_role_async("gardener", max_memory_size=7, reason="small garden")
        config = await memory.role("gardener").config_async()
        assert config.max_memory_size == 7
        assert (await memory.role("gardener").history_async())[0].reason == "small garden"


async def test_roles_come_claim_what_is_there_and_give_it_back(memory: EmbeddingMoEMemory) -> None:
    baker = EmbeddingRoleConfig(
        role_id="baker",
        role_description="Bread, sourdough, ovens and baking",
        keywords=["bread", "flour", "sourdough", "dough"],
        examples=["The sourdough rises overnight.", "Bake the bread at 230 degrees."],
    )
    bread = (await memory.smart_add_memory_async("Sourdough bread needs strong flour")).passage
    await memory.set_block_async("persona", "I bake sourdough bread and know all about flour")
    assert [one.role_id for one in await memory.add_role_async(baker)] == ["baker"]

    told: list[tuple[int, int]] = []
    done = await memory.reroute_async(lambda at, of: told.append((at, of)))

    assert (done.looked_at, done.joined, done.left) == (1, 1, 0)
    assert told == [(1, 1)]
    role = memory.role("baker")
    assert [one.id for one in await role.list_memories_async()] == [bread.id]
    assert await memory.undo_reroute_async(done.job.id) == 1
    assert await role.count_async() == 0
    [membership] = await memory.correct_memory_async(bread.id, to="baker")
    assert (membership.role_id, membership.why) == ("baker", Why.CORRECTED)
    assert await memory.correct_memory_async(bread.id, out_of="baker") == []
    assert await memory.remove_role_async("baker") == 0


async def test_a_role_shows_its_embedding_blocks_and_memories(memory: EmbeddingMoEMemory) -> None:
    role = memory.role("gardener")
    added = await role.add_memory_async("Mulch goes on in May", tags=["bed"])
    assert added.roles == ("gardener",)
    await memory.smart_add_memory_async(REGRESSION)
    hits = await role.search_memories_async("when does mulch go on?", None, None, top_k=3)
    assert [hit.passage.text for hit in hits] == ["Mulch goes on in May"]
    same = await role.search_memories_async("when does mulch go on?", "local/all-minilm-l6-v2")
    assert [hit.passage.id for hit in same] == [hit.passage.id for hit in hits]
    with pytest.raises(errors.EmbeddingModelMismatch, match="local/bge-m3"):
        await role.search_memories_async("mulch", "local/bge-m3")
    vector = await role.embedding_async()
    assert vector.shape == (384,)
    assert np.isclose(np.linalg.norm(vector), 1, atol=1e-3)
    assert (await role.config_async()).keywords == GARDENER.keywords
    page = await role.list_memories_async(limit=1)
    assert await role.list_memories_async(after=page[-1]) == []

    await role.set_block_async("role", "Answer with the month first.")
    await role.set_block_async("human", "Ann gardens on clay.")
    texts = {label: block.text for label, block in (await role.blocks_async()).items()}
    assert texts == {"human": "Ann gardens on clay.", "role": "Answer with the month first."}
    await memory.moe_gate_for_context_async("compost for the roses and tomatoes")
    compiled = (await memory.compile(budget=200)).text
    assert compiled.index("clay") < compiled.index("month first") < compiled.index("Mulch")
    nobody = memory.role("nobody")
    for asked in (nobody.count_async(), nobody.embedding_async(), nobody.role_async()):
        with pytest.raises(errors.RoleNotFound):
            await asked
    with pytest.raises(errors.RoleNotFound):
        await nobody.set_block_async("role", "text")


async def test_blocks_are_kept_edited_in_place_and_found_again(app: App) -> None:
    text = "Ann is allergic to peanuts"
    memory = EmbeddingMoEMemory(app=app, user="ann", roles=["all"])
    await memory.smart_add_memory_async(text)  # the same words elsewhere are no block
    for human in (text, text, "Ann is allergic to peanuts and sesame"):
        again = await create_embedding_moe_memory_async(
            "You are Yiku.", human, "all", app=app, user="ann"
        )
    blocks = await EmbeddingMoEMemory(app=app, user="ann").blocks_async()
    assert {label: one.text for label, one in blocks.items()} == {
        "persona": "You are Yiku.",
        "human": "Ann is allergic to peanuts and sesame",
    }
    block = blocks["human"].block
    assert await core_memory.get(app.database, memory.actor, block.id) == block
    _, versions = await core_memory.history(app.database, memory.actor, block.id)
    assert [one.content.value for one in versions][1] == text
    undone = await core_memory.undo(app.database, memory.actor, block.id)
    assert undone.value == text
    assert len(await again.list_roles_async()) == 4
    assert (await again.get_memory_summary()).memories == 1
    assert await again.set_block_async("human", "") is None
    assert set(await again.blocks_async()) == {"persona"}
    assert (await again.set_block_async("human", text)).text == text  # pyright: ignore[reportOptionalMemberAccess] # it has a text
    with pytest.raises(errors.Invalid, match="20,000"):
        await again.set_block_async("persona", "x" * 20_001)
    with pytest.raises(errors.Invalid, match="persona"):
        await again.set_block_async("mood", "x")
    with pytest.raises(errors.Invalid, match="budget"):
        await again.compile(budget=5)


async def test_blocks_that_an_earlier_version_kept_as_passages_become_blocks(app: App) -> None:
    place = Place("ann", "default")
    kept = {"persona": "I am Yiku.", "human": "Ann has a greenhouse", "role:gardener": "In May."}
    drafts = [
        Draft(text=text, tags=(name,), speaker=name, conversation=name, roles=())
        for label, text in kept.items()
        if (name := f"core:{label}")
    ]
    first = EmbeddingMoEMemory(app=app, user="ann", roles=[GARDENER])
    await first.smart_add_memory_async(TOMATOES)
    await ingest.add(app.memory, first.actor, place, drafts)

    memory = EmbeddingMoEMemory(app=app, user="ann")

    texts = {
        label: one.text for label, one in (await memory.role("gardener").blocks_async()).items()
    }
    assert texts == {"persona": "I am Yiku.", "human": "Ann has a greenhouse", "role": "In May."}
    assert (await memory.get_memory_summary()).memories == 1
    hits = await memory.search_role_memories_async("greenhouse")
    assert [hit.passage.text for hit in hits] == [TOMATOES]
    await memory.set_block_async("human", "Ann has sold it")
    again = EmbeddingMoEMemory(app=app, user="ann")
    assert (await again.blocks_async())["human"].text == "Ann has sold it"


async def test_an_archive_takes_its_blocks_with_it(app: App) -> None:
    memory = EmbeddingMoEMemory(app=app, roles=[GARDENER, SCIENTIST])
    made = [
        await memory.set_block_async(label, "text")
        for label in ("persona", "human", "role:gardener", "role:data_scientist")
    ]
    ids = [one.block.id for one in made if one is not None]
    assert len(ids) == 4
    await memory.remove_role_async("data_scientist")
    with pytest.raises(errors.BlockNotFound):
        await core_memory.get(app.database, memory.actor, ids.pop())
    added = await memory.smart_add_memory_async(TOMATOES)
    await erase.delete_archive(app.memory, memory.actor, added.passage.archive_id)
    for one in ids:
        with pytest.raises(errors.BlockNotFound):
            await core_memory.get(app.database, memory.actor, one)


async def test_roles_of_another_name_are_not_made_twice_by_two_at_once(app: App) -> None:
    both = [EmbeddingMoEMemory(app=app, roles=["all"]) for _ in range(2)]
    found = await asyncio.gather(*(one.list_roles_async() for one in both))
    assert [[role.role_id for role in roles] for roles in found] == [
        [one.role_id for one in get_role_template_set("all")]
    ] * 2


async def test_each_actor_has_the_roles_of_its_organization(
    app: App, memory: EmbeddingMoEMemory
) -> None:
    local = Actor(organization_id=LOCAL_ORGANIZATION, user_id=LOCAL_USER, scope=Scope.ADMIN)

    def other_organization(tx: Any) -> Actor:
        made = tenants.add_organization(tx, "others")
        user = tenants.add_user(tx, made.id, "bo")
        return Actor(organization_id=made.id, user_id=user.id)

    other = await app.database.write(local, other_organization)
    await memory.smart_add_memory_async(TOMATOES, actor=local)
    assert [one.role_id for one in await memory.list_roles_async(other)] == [
        "data_scientist",
        "gardener",
    ]
    assert await memory.role("gardener").count_async(other) == 0
    assert await memory.search_role_memories_async("tomatoes", actor=other) == []
    reader = Actor(organization_id=LOCAL_ORGANIZATION, user_id=LOCAL_USER, scope=Scope.READ)
    assert await memory.moe_gate_for_context_async("tomatoes and roses", reader) == ["gardener"]
    with pytest.raises(errors.NotAllowed):
        await memory.smart_add_memory_async(TOMATOES, actor=reader)
    with pytest.raises(errors.Invalid, match="actor"):
        await memory.list_roles_async("ann")  # pyright: ignore[reportArgumentType] # on purpose


async def test_the_baseline_stays_selectable(app: App) -> None:
    memory = EmbeddingMoEMemory(app=app, roles=[GARDENER], routing="cosine")
    decision = await memory.explain_route_async(TOMATOES)
    assert decision.routing is Routing.COSINE
    added = await memory.smart_add_memory_async(TOMATOES)
    assert (await memory.explain_async(added.decision or "")).routing is Routing.COSINE
    await memory.moe_gate_for_context_async(TOMATOES)
    assert memory.gating is not None
    assert memory.gating.routing is Routing.COSINE


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"routing_threshold": 1.5}, "routing_threshold"),
        ({"routing_threshold": "high"}, "routing_threshold"),
        ({"max_active_roles": 0}, "max_active_roles"),
        ({"routing": "magic"}, '"experts" or "cosine"'),
        ({"roles": ["wizard"]}, "wizard.*personal_assistant.*professional_assistant_set"),
        ({"roles": [SCIENTIST, SCIENTIST]}, "twice: data_scientist"),
        ({"roles": [42]}, "EmbeddingRoleConfig or the name of a template"),
        ({"embedding_config": "minilm"}, "<provider>/<model>"),
        ({"embedding_config": "local/nothing"}, "local/all-minilm-l6-v2"),
        ({"embedding_config": 42}, "embedding_model"),
        ({"embedding_config": {"embedding_model": 3}}, "embedding_model"),
        ({"url": "http://localhost:8283"}, r"yiku\.connect"),
        ({"user": 4}, "user"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_opened(
    given: dict[str, Any], words: str
) -> None:
    with pytest.raises((errors.Invalid, errors.NotFound, errors.ModelNotFound), match=words):
        EmbeddingMoEMemory(**given)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"activation_threshold": 1.01}, "activation_threshold"),
        ({"role_description": "  "}, "role_description"),
        ({"memory_retention_strategy": "random"}, "memory_retention_strategy"),
        ({"max_memory_size": 0}, "max_memory_size"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_refused_role_leaves_nothing_half_made(
    memory: EmbeddingMoEMemory, changed: dict[str, Any], field: str
) -> None:
    before = await memory.list_roles_async()
    with pytest.raises(errors.Invalid, match=field):
        await memory.edit_role_async("gardener", **changed)
    with pytest.raises(errors.RoleExists, match="gardener"):
        await memory.add_role_async(GARDENER)
    with pytest.raises(errors.TemplateNotFound, match="wizard"):
        await memory.add_role_async("wizard")
    assert await memory.list_roles_async() == before


async def test_a_set_of_which_one_role_is_there_makes_none(memory: EmbeddingMoEMemory) -> None:
    await memory.add_role_async("technical_expert")
    with pytest.raises(errors.RoleExists, match="technical_expert"):
        await memory.add_role_async("all")
    assert [one.role_id for one in await memory.list_roles_async()] == [
        "data_scientist",
        "gardener",
        "technical_expert",
    ]


def test_templates_are_at_hand_without_a_loop() -> None:
    assert get_role_template("professional_assistant").role_type is RoleType.PROFESSIONAL
    found = get_role_template_set("professional_assistant_set")
    assert found[0].role_id == "professional_assistant"
    with pytest.raises(errors.TemplateNotFound, match="creative_assistant"):
        get_role_template("nobody")
    with pytest.raises(errors.TemplateNotFound, match="all"):
        get_role_template_set("nobody")


async def test_an_embedding_configuration_of_another_system_is_understood(
    app: App, yiku_home: Path, database_url: str
) -> None:
    config = SimpleNamespace(
        embedding_model="all-minilm-l6-v2",
        embedding_endpoint_type="local",
        embedding_endpoint=None,
        embedding_dim=384,
        embedding_chunk_size=300,
    )
    memory = EmbeddingMoEMemory(config, app=app, roles=[GARDENER])
    assert await memory.route_memory_to_role_async(TOMATOES) == ["gardener"]
    with pytest.raises(errors.Invalid, match="384 for local/all-minilm-l6-v2"):
        EmbeddingMoEMemory({**vars(config), "embedding_dim": 1536}, app=app)
    with pytest.raises(errors.EmbeddingModelMismatch, match="openai/text-embedding-3-small"):
        EmbeddingMoEMemory("openai/text-embedding-3-small", app=app)
    with pytest.raises(errors.Invalid, match="leave `url`"):
        EmbeddingMoEMemory(app=app, home=yiku_home)
    away = {
        "handle": "openai/text-embedding-3-small",
        "embedding_model": "text-embedding-3-small",
        "embedding_endpoint_type": "openai",
        "embedding_endpoint": "http://127.0.0.1:9/v1",
        "embedding_dim": 1536,
    }
    elsewhere = EmbeddingMoEMemory(away, home=yiku_home, url=database_url)
    opened = await elsewhere.app_async()
    assert opened.memory.embedder.model == "openai/text-embedding-3-small"
    assert opened.memory.embedder.dimension == 1536
    await elsewhere.close()


async def test_objects_with_the_same_settings_share_an_app_and_the_last_closes_it(
    database_url: str, yiku_home: Path
) -> None:
    one, two = (EmbeddingMoEMemory(url=database_url, home=yiku_home) for _ in range(2))
    first, second = await asyncio.gather(one.app_async(), two.app_async())
    assert first is second
    await one.close()
    await one.close()
    assert await two.app_async() is first
    await two.smart_add_memory_async(NOTHING)
    await two.close()
    assert [h.passage.text for h in await one.search_role_memories_async("ferry")] == [NOTHING]
    assert await one.app_async() is not first
    await one.close()


def test_each_event_loop_opens_its_own_and_closes_what_was_left_open(
    sqlite_url: str, yiku_home: Path
) -> None:
    memory = EmbeddingMoEMemory(url=sqlite_url, home=yiku_home, roles=[GARDENER])
    assert asyncio.run(memory.route_memory_to_role_async(TOMATOES)) == ["gardener"]
    assert asyncio.run(memory.route_memory_to_role_async(TOMATOES)) == ["gardener"]
    added = asyncio.run(memory.smart_add_memory_async(TOMATOES))
    assert added.roles == ("gardener",)
