"""Memory skills through the client, over HTTP and in this process, on both databases."""

import asyncio
import inspect
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

import yiku
from tests.fixtures.judging import Skilled
from tests.fixtures.skilled import draft
from tests.servers.careless import FACTS, FIGURES, GOOD, PLAIN, Careless
from tests.servers.scripted_chat import Script, ScriptedChat
from yiku.client.blocking import BlockingSkills, Part
from yiku.client.skills import SkillClient
from yiku.client.transport import InProcessTransport
from yiku.core import errors
from yiku.memory.skills import files
from yiku.server import skill_events

KNOWN = FACTS[:2]


@pytest.fixture
def skills(reached: httpx.AsyncClient) -> SkillClient:
    return SkillClient(reached)


async def test_a_skill_is_added_changed_and_rolled_back(skills: SkillClient) -> None:
    first = await skills.add(
        "trips",
        skill_type="encoding",
        description="Keeps trips.",
        intent_keywords=["flight", "机票"],
        prompt_template="Trips: {{ content }}",
    )
    assert (first.version, first.status, first.is_base) == (1, "active", False)
    assert first.description == {"en": "Keeps trips."}
    second = await skills.edit("trips", prompt_template="Journeys: {{ content }}", reason="clearer")
    shown = await skills.get(first.id)
    assert shown == await skills.get("trips")
    assert [(one.version, one.status) for one in shown.versions] == [
        (2, "active"),
        (1, "deprecated"),
    ]

    back = await skills.rollback("trips", reason="worse")

    assert back.active is not None
    assert (back.active.id, back.other.id) == (first.id, second.id)
    newest, *_ = (await skills.changelog("trips")).changes
    assert newest == back.change
    assert (newest.reason, newest.new_prompt) == ("worse", "Trips: {{ content }}")
    whole = await skills.change(newest.id)
    assert "-Journeys: {{ content }}\n+Trips: {{ content }}" in whole.diff
    with pytest.raises(errors.NothingToRollBack):
        await skills.rollback("trips")
    listed = await skills.list(skill_type="encoding", status=["deprecated"])
    assert ([one.id for one in listed.skills], listed.problems) == ([second.id], [])


async def test_a_skills_file_is_taken_as_it_is(skills: SkillClient) -> None:
    made = await skills.add(file=files.write(draft()))
    assert files.write(draft()).endswith(f"{made.prompt_template}\n")
    changed = await skills.edit("mine", file=files.write(draft(template="New. {{ content }}")))
    assert (changed.version, changed.intent_keywords) == (2, ["mine", "我的"])
    same = await skills.edit("mine", file=files.write(draft(template="New. {{ content }}")))
    assert same == changed


async def test_what_cannot_be_done_says_why(skills: SkillClient) -> None:
    with pytest.raises(errors.InvalidSkill, match=r"line 11.*unknown-variable"):
        await skills.add(file=files.write(draft(template="{{ contents }}")))
    with pytest.raises(errors.InvalidSkill, match="needs `prompt_template`"):
        await skills.add("x", skill_type="encoding", description="X")
    with pytest.raises(errors.SkillExists):
        await skills.add(file=files.write(draft("exact_match")))
    with pytest.raises(errors.InvalidSkill, match="of the skill 'mine'"):
        await skills.edit("exact_match", file=files.write(draft()))
    with pytest.raises(errors.Invalid, match="leave out `name`"):
        await skills.add("x", file=files.write(draft()))
    with pytest.raises(errors.SkillNotFound):
        await skills.get("nobody")
    with pytest.raises(errors.ChangelogNotFound):
        await skills.approve("changelog-none")
    with pytest.raises(errors.NotACanary, match="nothing waits"):
        await skills.preview("exact_match")
    with pytest.raises(errors.Invalid, match="`before`"):
        await skills.changelog(before="yesterday")


async def test_the_changelog_comes_in_pages(skills: SkillClient) -> None:
    for name in ("a", "b", "c"):
        await skills.add(file=files.write(draft(name)))

    first = await skills.changelog(limit=2)
    second = await skills.changelog(limit=2, before=first.next)

    assert [one.name for one in (*first.changes, *second.changes)] == ["c", "b", "a"]
    assert second.next is None


async def test_a_text_is_saved_found_and_forgotten_and_that_can_be_audited(
    skills: SkillClient,
) -> None:
    text = "我的邮箱是 test@example.com"
    saved = await skills.save(text, user="ann", idempotency_key="k", tags=["contact"])
    again = await skills.save(text, user="ann", idempotency_key="k", tags=["contact"])
    assert again.passage.id == saved.passage.id
    assert saved.encoding is not None
    assert (saved.outcome, saved.encoding.status) == ("added", "pending")
    assert [one.kind for one in (await skills.stats()).jobs] == ["encode"]
    masked = await skills.save("My password is hunter2xyz!", user="ann")
    assert masked.masked == ["password"]
    assert "hunter2xyz" not in masked.passage.text

    found = await skills.query("test@example.com", user="ann", refine="never")
    assert (found.skill, found.why, found.literals) == (
        "exact_match",
        "keywords",
        ["test@example.com"],
    )
    assert found.hits[0].passage.text == text
    async with asyncio.timeout(60):
        while True:  # the lookup is noted after the answer
            gone = await skills.forget(text, user="ann", reason="I have a new one")
            told = await skills.feedback("exact_match")
            if told.feedback:
                break
            await asyncio.sleep(0.05)
    assert gone.forgotten_at is not None
    [judged] = told.feedback
    assert (judged.kind, judged.positive, judged.query) == ("forgotten", False, "test@example.com")
    assert (judged.memory, judged.evidence["reason"]) == (text, "I have a new one")
    [figures] = (await skills.stats("exact_match")).versions
    assert (figures.skill.negative_rate, figures.feedback) == (1.0, {"forgotten": 1})
    none = await skills.feedback("exact_match", kinds=["used", "cited"])
    assert (none.feedback, none.skill) == ([], told.skill)


async def flawed(skills: SkillClient, skilled: Skilled, model: ScriptedChat) -> str:
    """A skill that loses figures, was at work, and was judged by what became of it."""
    model.respond = Script(then=Careless())
    made = await skills.add(
        "notes", skill_type="encoding", description="Notes", prompt_template=PLAIN
    )
    for content, *_ in (*FIGURES, *KNOWN):
        await skilled.remember(content, "notes")
    for _, question in FIGURES:
        await skilled.judged(question, "I don't know that, sorry.")
    for _, question, reply in KNOWN:
        await skilled.judged(question, reply)
    return made.id


async def test_from_failures_to_a_better_prompt_and_back(
    skills: SkillClient, skilled: Skilled, model: ScriptedChat
) -> None:
    old_id = await flawed(skills, skilled, model)
    audited = await skills.feedback(old_id)
    missed = [one for one in audited.feedback if one.kind == "missed"]
    assert {one.original for one in missed} == {content for content, _ in FIGURES}

    made = await skills.evolve("notes")

    assert (made.problem, [one.verdict for one in made.tries]) == (None, ["better"])
    found = await skills.preview("notes")
    assert (found.obstacle, found.change.id) == (None, made.change and made.change.id)
    assert found.change.report["verdict"] == "better"
    assert {one.original for one in found.change.pairs} == {
        content for content, *_ in (*FIGURES, *KNOWN)
    }
    assert "+Write the facts of the text down, briefly. Copy every number and date." in (
        found.change.diff
    )
    assert (await skills.get("notes")).waiting == made.change

    done = await skills.approve("notes", reason="convincing")

    assert done.active is not None
    assert (done.active.prompt_template, done.other.id) == (GOOD, old_id)
    assert done.change.status == "approved"
    with pytest.raises(errors.NotACanary):
        await skills.reject(done.change.id)

    taken = await skills.revert_version(old_id)
    assert (taken.done, taken.left) == (len(FIGURES) + len(KNOWN), [])
    brought = await skills.undo_revert(old_id)
    assert (brought.done, brought.left) == (taken.done, [])
    asked = await skills.evolve_later("notes")
    jobs = [(one.kind, one.key) for one in (await skills.stats()).jobs]
    assert (asked.kind, asked.key) == ("evolve", "notes")
    assert ("evolve", "notes") in jobs


async def test_what_waits_for_a_model_is_encoded_when_asked(
    skills: SkillClient, skilled: Skilled, model: ScriptedChat
) -> None:
    model.respond = Script(then=Careless())
    for content, *_ in KNOWN:
        await skills.save(content)

    done = await skills.encode_pending()

    assert (done.encoded, done.failed, done.left) == (2, 0, 0)


async def test_events_are_told_while_they_happen_and_from_where_one_was(
    skills: SkillClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skill_events, "LOOK_S", 0.02)
    await skills.list()
    async with aclosing(skills.events(0)) as events:
        base = [await anext(events) for _ in range(4)]
        assert {one.event for one in base} == {"skill.added"}
        made = await skills.add(file=files.write(draft()))
        now = await asyncio.wait_for(anext(events), 60)
    assert (now.event, now.facts["skill_id"]) == ("skill.added", made.id)
    monkeypatch.setattr(skill_events, "LASTS_S", 0.0)
    assert [one.id async for one in skills.events(base[-1].id)] == [now.id]
    assert [one async for one in skills.events()] == []  # from now on


async def test_a_browser_that_comes_back_goes_on_where_it_was(
    talking_asgi: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skill_events, "LASTS_S", 0.0)
    transport = InProcessTransport(talking_asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        await http.get("/memory/skills")
        answer = await http.get("/memory/skills/events", headers={"Last-Event-ID": "3"})
        assert answer.headers["content-type"].startswith("text/event-stream")
        blocks = [one for one in answer.text.split("\n\n") if one.startswith("id: ")]
        assert [one.splitlines()[:2] for one in blocks] == [["id: 4", "event: skill.added"]]
        refused = await http.get("/memory/skills/events", headers={"Last-Event-ID": "x"})
        assert (refused.status_code, refused.json()["error"]) == (422, "Invalid")


def test_the_blocking_face_has_the_same_methods(yiku_home: Path, tmp_path: Path) -> None:
    names = {n for n, _ in inspect.getmembers(SkillClient, callable) if not n.startswith("_")}
    blocking = {n for n, _ in inspect.getmembers(BlockingSkills, callable) if n[0] != "_"}
    assert blocking - set(dir(Part)) == names
    url = f"sqlite:///{tmp_path / 'yiku.db'}"
    with yiku.connect("yiku://", home=yiku_home, database_url=url) as memory:
        assert "exact_match" in {one.name for one in memory.skills.list().skills}
        assert next(memory.skills.events(0)).event == "skill.added"
