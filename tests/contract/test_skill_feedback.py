"""What became of memories is counted for the skills behind them, once, and with what shows it."""

import json
from typing import Any

import pytest

from tests.fixtures.judging import Skilled
from tests.servers.scripted_chat import Answer, Script, ScriptedChat
from yiku.core.ids import AgentId, RunId
from yiku.core.message import ToolCall
from yiku.core.run import RunStatus
from yiku.core.skill import Encoding, FeedbackKind, Job, Op
from yiku.core.tenant import LOCAL_ACTOR, Actor
from yiku.memory.skills import feedback, query
from yiku.store import outbox
from yiku.store.database import Tx


async def counts(skilled: Skilled, name: str) -> tuple[int, int]:
    skill = await skilled.active(name)
    return skill.positive_count, skill.negative_count


async def test_a_use_counts_for_who_wrote_it_and_for_who_found_it(skilled: Skilled) -> None:
    _, [mia] = await skilled.told("My sister Mia lives in Oslo", "User's sister Mia lives in Oslo")
    await skilled.told("I like tea", "User likes tea")

    done = await skilled.judged("Where does my sister live?", "Your sister Mia lives in Oslo.")

    assert (done.lookups, done.used, done.missed) == (1, 2, 0)
    assert await counts(skilled, "fact_extraction") == (1, 0)
    assert await counts(skilled, "semantic_search") == (1, 0)
    [wrote] = await skilled.judgements(await skilled.active("fact_extraction"))
    assert wrote.kind is FeedbackKind.USED
    assert wrote.passage_id == mia.id
    assert wrote.query == "Where does my sister live?"
    assert wrote.evidence["words"] == ["mia", "oslo"]
    assert float(str(wrote.evidence["overlap"])) >= float(str(wrote.evidence["threshold"]))
    assert "Oslo" in str(wrote.evidence["reply"])


async def test_it_is_judged_in_chinese(skilled: Skilled) -> None:
    await skilled.told("我妹妹小梅住在奥斯陆", "用户的妹妹小梅住在奥斯陆")
    used = await skilled.judged("我妹妹住在哪儿？", "你妹妹小梅住在奥斯陆。")
    await skilled.told("我的车位是B层212号", "用户有车位")
    missed = await skilled.judged("我的车位在哪儿？", "抱歉，我不知道你的车位在哪儿。")
    assert (used.used, missed.missed) == (2, 1)
    assert await counts(skilled, "fact_extraction") == (1, 1)


async def test_judging_again_counts_nothing_again(skilled: Skilled) -> None:
    await skilled.told("My sister Mia lives in Oslo", "User's sister Mia lives in Oslo")
    run_id, _ = await skilled.asked("Where's my sister?", "Your sister Mia lives in Oslo.")
    first = await feedback.judge(skilled.skills, LOCAL_ACTOR, run_id)
    again = await feedback.judge(skilled.skills, LOCAL_ACTOR, run_id)
    assert (first.used, again.used, again.lookups) == (2, 0, 0)
    assert await counts(skilled, "fact_extraction") == (1, 0)


@pytest.mark.parametrize(
    "reply",
    ["You'd like to know where your sister lives.", "Oslo is the capital of Norway?", "Hm."],
)
async def test_what_is_shown_and_not_used_counts_nothing(skilled: Skilled, reply: str) -> None:
    await skilled.told("I like tea", "User likes tea")
    await skilled.judged("Where does my sister live?", reply)
    assert await counts(skilled, "fact_extraction") == (0, 0)
    assert await counts(skilled, "semantic_search") == (0, 0)


async def test_what_was_said_before_in_the_conversation_shows_nothing(skilled: Skilled) -> None:
    await skilled.told("My sister Mia lives in Oslo", "User's sister Mia lives in Oslo")
    first = await skilled.judged("My sister Mia lives in Oslo.", "Nice!", shown=[])
    again = await skilled.judged("Where does my sister live?", "Your sister Mia lives in Oslo.")
    assert (first.used, again.used) == (0, 0)


async def test_a_tool_call_that_acts_on_it_is_a_use(skilled: Skilled) -> None:
    await skilled.told("I wear shoes in size 43", "User's shoe size is 43")
    order = ToolCall(id="c2", name="order", arguments=json.dumps({"item": "Pegasus", "size": 43}))
    done = await skilled.judged("Order the running shoes for me.", "", calls=(order,))
    assert done.used == 2


async def test_saving_it_again_is_no_use(skilled: Skilled) -> None:
    await skilled.told("I wear shoes in size 43", "User's shoe size is 43")
    saved = ToolCall(
        id="c2", name="save_insight", arguments=json.dumps({"content": "User's shoe size is 43"})
    )
    done = await skilled.judged("Order the running shoes for me.", "", calls=(saved,))
    assert done.used == 0


async def test_a_reply_that_names_the_memory_cites_it(skilled: Skilled) -> None:
    _, [tea] = await skilled.told("I like tea", "User likes tea")
    await skilled.judged("What now?", f"See {tea.id}.")
    [wrote] = await skilled.judgements(await skilled.active("fact_extraction"))
    assert wrote.kind is FeedbackKind.CITED


async def test_what_stands_as_it_came_is_nobodys_merit(skilled: Skilled) -> None:
    await skilled.kept("User's sister Mia lives in Oslo")
    await skilled.judged("Where does my sister live?", "Your sister Mia lives in Oslo.")
    assert await counts(skilled, "fact_extraction") == (0, 0)
    assert await counts(skilled, "semantic_search") == (1, 0)


async def test_a_refusal_counts_against_the_skill_that_lost_what_was_told(
    skilled: Skilled,
) -> None:
    encoding, _ = await skilled.told(
        "My sister Mia's birthday is on June 3", "User has a sister with a birthday"
    )
    done = await skilled.judged(
        "When is the birthday of my sister Mia?", "I don't know when it is, sorry."
    )
    assert done.missed == 1
    assert await counts(skilled, "fact_extraction") == (0, 1)
    assert await counts(skilled, "semantic_search") == (0, 0)
    [miss] = await skilled.judgements(await skilled.active("fact_extraction"))
    assert miss.kind is FeedbackKind.MISSED
    assert miss.evidence["cause"] == "storage"
    assert miss.encoding_id == encoding.id


async def test_a_refusal_counts_against_the_skill_that_did_not_find_it(skilled: Skilled) -> None:
    await skilled.told(
        "My sister Mia's birthday is on June 3", "User's sister Mia has her birthday on June 3"
    )
    done = await skilled.judged(
        "When is the birthday of my sister Mia?", "I don't know when it is, sorry.", shown=[]
    )
    assert done.missed == 1
    assert await counts(skilled, "fact_extraction") == (0, 0)
    assert await counts(skilled, "semantic_search") == (0, 1)


@pytest.mark.parametrize(
    "question", ["What's my blood type?", "When is the birthday of my brother Tom?"]
)
async def test_a_refusal_of_what_was_never_told_counts_nothing(
    skilled: Skilled, question: str
) -> None:
    await skilled.told("My sister Mia's birthday is on June 3", "User has a sister, Mia")
    done = await skilled.judged(question, "I don't know that, sorry.")
    assert done.missed == 0


async def test_a_refusal_with_the_memory_in_view_is_not_the_skills_fault(skilled: Skilled) -> None:
    await skilled.told(
        "My sister Mia's birthday is on June 3", "User's sister Mia has her birthday on June 3"
    )
    done = await skilled.judged(
        "When is the birthday of my sister Mia?", "I don't know when it is, sorry."
    )
    assert (done.missed, done.used) == (0, 0)


async def test_what_was_forgotten_counts_against_both_skills_once(skilled: Skilled) -> None:
    _, [tea] = await skilled.told("I like tea", "User likes tea")
    await skilled.asked("What do I drink?", "Water?")
    for _ in range(2):
        await query.forget_memory(
            skilled.skills, LOCAL_ACTOR, [skilled.archive_id], tea.id, agent_id=skilled.agent_id
        )
    assert await counts(skilled, "fact_extraction") == (0, 1)
    assert await counts(skilled, "semantic_search") == (0, 1)


async def corrected(skilled: Skilled, encoding: Encoding) -> int:
    return await skilled.database.write(
        LOCAL_ACTOR, lambda tx: feedback.count_corrections(tx, encoding)
    )


async def test_a_correction_counts_and_a_change_does_not(skilled: Skilled) -> None:
    _, [home] = await skilled.told("I live in Beijing", "User lives in Beijing")
    moved = await skilled.changed("I moved to Shanghai.", home, "User lives in Shanghai")
    assert await corrected(skilled, moved) == 0

    _, [day] = await skilled.told("Mia was born June 3", "Mia was born June 8")
    right = await skilled.changed("No, it's June 3, not June 8.", day, "Mia was born June 3")
    assert await corrected(skilled, right) == 1
    assert await corrected(skilled, right) == 0
    [one] = await skilled.judgements(await skilled.active("fact_extraction"))
    assert one.kind is FeedbackKind.CORRECTED
    assert one.passage_id == day.id
    assert "June 3" in str(one.evidence["correction"])


async def test_a_correction_that_is_encoded_counts_at_once(
    skilled: Skilled, model: ScriptedChat
) -> None:
    await skilled.told("Mia was born June 3", "Mia was born June 8")

    def corrects(request: dict[str, Any]) -> Answer:
        told = {"op": "supersede", "target": "k1", "text": "Mia was born June 3"}
        return json.dumps({"operations": [told]})

    model.respond = Script(then=corrects)
    done = await skilled.remember("No, Mia was born June 3, not June 8.")
    assert done.operations[0].op is Op.SUPERSEDE
    assert await counts(skilled, "fact_extraction") == (0, 1)


async def test_another_agents_correction_counts_nothing(skilled: Skilled) -> None:
    _, [day] = await skilled.told("Mia was born June 3", "Mia was born June 8")
    other = await skilled.changed(
        "No, it's June 3.", day, "Mia was born June 3", agent_id=AgentId("agent-other")
    )
    assert await corrected(skilled, other) == 0


async def test_a_run_that_goes_on_is_judged_later(skilled: Skilled) -> None:
    await skilled.told("I like tea", "User likes tea")
    run_id, _ = await skilled.asked("Drinks?", "Tea.", status=RunStatus.RUNNING)
    done = await feedback.judge(skilled.skills, LOCAL_ACTOR, run_id)
    assert done.waits

    def waiting(tx: Tx) -> list[Job]:
        return outbox.waiting(tx)

    [job] = await skilled.database.read(LOCAL_ACTOR, waiting)
    assert (job.kind, job.key) == ("judge", run_id)


async def test_nothing_is_seen_of_another_organization(skilled: Skilled, stranger: Actor) -> None:
    await skilled.told("My sister Mia lives in Oslo", "User's sister Mia lives in Oslo")
    run_id, _ = await skilled.asked("Where's my sister?", "Your sister Mia lives in Oslo.")
    done = await feedback.judge(skilled.skills, stranger, run_id)
    assert done == feedback.Judged()
    assert await feedback.judge(skilled.skills, LOCAL_ACTOR, RunId("run-0")) == feedback.Judged()
