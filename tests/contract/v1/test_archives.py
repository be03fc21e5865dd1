"""/v1/archives, archival memory and /v1/passages, spoken to with the real client."""

from datetime import UTC, datetime
from typing import Any

import letta_client

from tests.fixtures.letta import Driver

TEA = "小明喜欢喝乌龙茶"
TEXTS = (TEA, "The deploy key of staging was rotated in May", "用户住在上海")


async def test_an_archive_is_created_read_changed_and_deleted(letta: Driver) -> None:
    made = await letta(lambda c: c.archives.create(name="team", description="什么都可以"))
    assert made.id.startswith("archive-")
    assert (made.name, made.description) == ("team", "什么都可以")
    assert made.embedding_config.embedding_dim == 384
    assert await letta(lambda c: c.archives.retrieve(made.id)) == made
    changed = await letta(lambda c: c.archives.update(made.id, name="group"))
    assert (changed.name, changed.description) == ("group", "什么都可以")
    changed = await letta(lambda c: c.archives.update(made.id, description="x"))
    assert (changed.name, changed.description) == ("group", "x")
    error = await letta.fails(letta_client.ConflictError, lambda c: c.archives.create(name="group"))
    assert error.body["error"] == "ArchiveExists"
    assert await letta(lambda c: c.archives.delete(made.id)) is None
    for method in (
        lambda c: c.archives.retrieve(made.id),
        lambda c: c.archives.update(made.id, name="x"),
        lambda c: c.archives.delete(made.id),
        lambda c: c.archives.list(after=made.id),
        lambda c: c.archives.passages.create(made.id, text="x"),
        lambda c: c.archives.passages.create_many(made.id, passages=[]),
        lambda c: c.archives.retrieve("archive-\0"),
    ):
        await letta.fails(letta_client.NotFoundError, method)


async def test_archives_are_listed_by_name_and_agent(letta: Driver) -> None:
    ids = [(await letta(lambda c, n=n: c.archives.create(name=n))).id for n in "abc"]
    agent = await letta(lambda c: c.agents.create(include_base_tools=False))

    async def listed(**params: Any) -> list[str]:
        return [one.id for one in await letta.all(lambda c: c.archives.list(**params))]

    assert await listed() == ids[::-1]
    assert await listed(limit=1) == ids[::-1]
    assert await listed(order="asc", limit=2) == ids
    assert await listed(order="asc", after=ids[1]) == ids[2:]
    assert await listed(name="b") == ids[1:2]
    assert await listed(agent_id=agent.id) == []
    for archive_id in ids[:2]:
        await letta(lambda c, a=archive_id: c.agents.archives.attach(a, agent_id=agent.id))
    assert await listed(agent_id=agent.id, order="asc") == ids[:2]
    await letta(lambda c: c.agents.archives.detach(ids[0], agent_id=agent.id))
    assert await listed(agent_id=agent.id) == ids[1:2]
    for method in (
        lambda c: c.agents.archives.detach(ids[0], agent_id=agent.id),
        lambda c: c.agents.archives.attach("archive-x", agent_id=agent.id),
        lambda c: c.archives.list(agent_id="agent-x"),
    ):
        await letta.fails(letta_client.NotFoundError, method)


async def test_what_an_agent_remembers_is_listed_searched_and_deleted(letta: Driver) -> None:
    agent = await letta(lambda c: c.agents.create(include_base_tools=False))
    assert await letta(lambda c: c.agents.passages.list(agent.id)) == []
    assert (await letta(lambda c: c.agents.passages.search(agent.id, query="茶"))).count == 0
    said = datetime(2026, 5, 7, 12, tzinfo=UTC)
    tags = (["茶", "taste"], ["ops"], ["home"])
    ids: list[str] = []
    for text, own in zip(TEXTS, tags, strict=True):
        [made] = await letta(
            lambda c, t=text, o=own: c.agents.passages.create(
                agent.id, text=t, tags=o, created_at=said
            )
        )
        assert (made.text, made.tags, made.created_at) == (text, own, said)
        assert made.id.startswith("passage-")
        assert made.embedding is None
        ids.append(made.id)
    [archive] = (await letta(lambda c: c.archives.list(agent_id=agent.id))).items

    async def listed(**params: Any) -> list[str]:
        found = await letta(lambda c: c.agents.passages.list(agent.id, **params))
        return [one.id for one in found]

    assert await listed() == ids
    assert await listed(ascending=False, limit=2) == [ids[2], ids[1]]
    assert await listed(after=ids[0]) == ids[1:]
    assert await listed(before=ids[1]) == ids[:1]
    assert await listed(search="DEPLOY") == ids[1:2]

    async def recalled(query: str, **params: Any) -> list[str]:
        found = await letta(lambda c: c.agents.passages.search(agent.id, query=query, **params))
        assert found.count == len(found.results)
        return [one.content for one in found.results]

    assert (await recalled("喝什么茶"))[0] == TEA
    assert await recalled("what", tags=["ops", "home"], top_k=5, tag_match_mode="all") == []
    assert set(await recalled("what", tags=["ops", "home"])) == set(TEXTS[1:])
    assert await recalled("茶", end_datetime=said) == []
    assert len(await recalled("茶", start_datetime=said, top_k=2)) == 2

    found = await letta(lambda c: c.passages.search(query="乌龙茶", agent_id=agent.id, limit=1))
    assert [one.passage.text for one in found] == [TEA]
    assert found[0].score > 0
    newest = await letta(lambda c: c.passages.search(archive_id=archive.id, tags=["ops", "茶"]))
    assert [one.passage.id for one in newest] == [ids[1], ids[0]]
    assert len(await letta(lambda c: c.passages.search())) == 3

    assert await letta(lambda c: c.agents.passages.delete(ids[0], agent_id=agent.id)) is None
    assert await listed() == ids[1:]
    other = await letta(lambda c: c.archives.create(name="other"))
    elsewhere = await letta(lambda c: c.archives.passages.create(other.id, text="x"))
    for method in (
        lambda c: c.agents.passages.delete(ids[0], agent_id=agent.id),
        lambda c: c.agents.passages.delete(elsewhere.id, agent_id=agent.id),
        lambda c: c.agents.passages.list(agent.id, after=ids[0]),
        lambda c: c.agents.passages.create("agent-x", text="x"),
        lambda c: c.passages.search(archive_id="archive-x"),
    ):
        await letta.fails(letta_client.NotFoundError, method)
    await letta(lambda c: c.agents.delete(agent.id))
    await letta.fails(letta_client.NotFoundError, lambda c: c.archives.retrieve(archive.id))
    assert [one.passage.id for one in await letta(lambda c: c.passages.search())] == [elsewhere.id]


async def test_archives_take_passages_one_by_one_and_together(letta: Driver) -> None:
    archive = await letta(lambda c: c.archives.create(name="team"))
    one = await letta(
        lambda c: c.archives.passages.create(
            archive.id, text=TEA, metadata={"k": [1]}, created_at="2026-05-07T12:00:00"
        )
    )
    assert (one.archive_id, one.metadata) == (archive.id, {"k": [1]})
    assert one.created_at == datetime(2026, 5, 7, 12, tzinfo=UTC)
    many = await letta(
        lambda c: c.archives.passages.create_many(
            archive.id, passages=[{"text": text, "tags": ["x"]} for text in TEXTS[1:]]
        )
    )
    assert [each.text for each in many] == list(TEXTS[1:])
    agent = await letta(lambda c: c.agents.create(include_base_tools=False))
    await letta(lambda c: c.agents.archives.attach(archive.id, agent_id=agent.id))
    assert len(await letta(lambda c: c.agents.passages.list(agent.id))) == 3
    [added] = await letta(lambda c: c.agents.passages.create(agent.id, text="第四条"))
    assert added.archive_id == archive.id
    assert await letta(lambda c: c.archives.passages.delete(one.id, archive_id=archive.id)) is None
    await letta.fails(
        letta_client.NotFoundError,
        lambda c: c.archives.passages.delete(one.id, archive_id=archive.id),
    )
    other = await letta(lambda c: c.archives.create(name="other"))
    await letta.fails(
        letta_client.NotFoundError,
        lambda c: c.archives.passages.delete(added.id, archive_id=other.id),
    )
    await letta(lambda c: c.agents.delete(agent.id))  # the archive wasn't made for it
    assert await letta(lambda c: c.archives.retrieve(archive.id))


async def test_what_is_wrong_is_refused(letta: Driver) -> None:
    archive = await letta(lambda c: c.archives.create(name="team"))
    agent = await letta(lambda c: c.agents.create(include_base_tools=False))
    wrong: list[Any] = [
        lambda c: c.archives.create(name=" "),
        lambda c: c.archives.create(name="a\0b"),
        lambda c: c.archives.update(archive.id, name="x" * 600),
        lambda c: c.archives.list(name="\0"),
        lambda c: c.archives.passages.create(archive.id, text=" "),
        lambda c: c.archives.passages.create(archive.id, text="x", tags=[""]),
        lambda c: c.archives.passages.create(archive.id, text="x", created_at="yesterday"),
        lambda c: c.archives.passages.create_many(archive.id, passages=[{"text": "a"}, {}]),
        lambda c: c.agents.passages.create(agent.id, text="\0"),
        lambda c: c.agents.passages.search(agent.id, query=" "),
        lambda c: c.agents.passages.search(agent.id, query="x", top_k=0),
        lambda c: c.agents.passages.list(agent.id, search="\0"),
        lambda c: c.agents.passages.list(agent.id, limit=0),
        lambda c: c.passages.search(query="x", tags=["\0"]),
        lambda c: c.passages.search(tags=["\0"]),
        lambda c: c.passages.search(query="x", limit=1000),
        lambda c: c.passages.search(start_date="2026-01-02", end_date="2026-01-01"),
        lambda c: c.passages.search(query="x", start_date="2026-01-02", end_date="2026-01-01"),
    ]
    for method in wrong:
        await letta.fails(letta_client.UnprocessableEntityError, method)
