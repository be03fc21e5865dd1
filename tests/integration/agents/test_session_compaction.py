"""Beyond so many messages all but the last five give way to a summary, in the background."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fixtures.agents import message
from tests.fixtures.gates import Meets
from tests.fixtures.running import Opener, Talk, first_piece, returned, summarises
from tests.servers.scripted_chat import Answer, Call, Fails, Says
from yiku.agents import make, session
from yiku.agents import talk as conversations
from yiku.agents.afterwards import COMPACT
from yiku.core.agent import AgentState, Compaction
from yiku.core.errors import ProviderError
from yiku.core.message import Message, Summary, Text
from yiku.core.run import RunFilter, RunPage
from yiku.core.skill import Job
from yiku.core.tenant import LOCAL_ACTOR
from yiku.store import messages, outbox, quotas, runs
from yiku.store.database import Tx
from yiku.worker import work as workers
from yiku.worker.work import Worker

EN = "Ann spoke of her garden; the assistant listened."
ZH = "用户谈到了她的花园，助理答应周五之前寄出种子。"
REPLY = {"en": "I see, that is good to know.", "zh": "我知道了，谢谢你告诉我。"}


class Model:
    """Answers, or summarises where it is asked for that."""

    def __init__(self, *summaries: Answer, answer: Answer = REPLY["en"]) -> None:
        self.summaries = list(summaries)
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        """For summaries."""

    def __call__(self, request: dict[str, Any]) -> Answer:
        if not summarises(request):
            return self.answer
        self.asked.append(request)
        return self.summaries.pop(0) if len(self.summaries) > 1 else self.summaries[0]

    @property
    def prompts(self) -> list[str]:
        return [str(one["messages"]) for one in self.asked]


@pytest.fixture
async def worker(talk: Talk) -> AsyncIterator[Worker]:
    async with workers.working(talk.app) as made:
        yield made


async def say(talk: Talk, agent: AgentState, turns: int, *, text: str = "It is spring") -> None:
    for n in range(turns):
        run = await talk.send(agent, f"{text}, turn {n}.")
        assert run.status == "completed"


async def told(talk: Talk, agent: AgentState, texts: list[str]) -> None:
    """As if so much had been said before, by turns."""

    def unit(tx: Tx) -> None:
        roles = ("user", "assistant")
        messages.add(
            tx, [message(agent.agent.id, roles[n % 2], Text(one)) for n, one in enumerate(texts)]
        )

    await talk.write(unit)


async def jobs(talk: Talk) -> list[Job]:
    return await talk.read(outbox.waiting)


async def until_done(talk: Talk) -> None:
    async with asyncio.timeout(60):
        while await jobs(talk):  # noqa: ASYNC110 - rows ring no bell
            await asyncio.sleep(0.02)


async def until_asked(model: Model) -> None:
    """For a summary."""
    async with asyncio.timeout(60):
        while not model.asked:  # noqa: ASYNC110 - the model is another thread
            await asyncio.sleep(0.01)


async def summaries(talk: Talk, agent: AgentState) -> list[str]:
    def unit(tx: Tx) -> list[str]:
        query = "SELECT text FROM session_summary ORDER BY seq"
        return [row[0] for row in tx.connection.exec_driver_sql(query)]

    return await talk.read(unit)


async def summary_of(talk: Talk, agent: AgentState) -> Summary | None:
    return await talk.read(messages.summary, agent.agent.id, None)


async def compact(talk: Talk, agent: AgentState) -> list[Summary]:
    return await session.compact(talk.app.agents, LOCAL_ACTOR, agent.agent.id)


def texts(said: list[Message]) -> list[str]:
    return [one.text for one in said[1:]]


async def test_the_last_five_stay_and_the_rest_is_summarised_in_the_background(
    talk: Talk, worker: Worker
) -> None:
    model = talk.model.respond = Model(EN)
    agent = await talk.agent()
    await say(talk, agent, 10)
    assert await jobs(talk) == []
    assert len(await talk.context(agent)) == 21, "twenty messages aren't more than twenty"

    await say(talk, agent, 1, text="At last")
    await until_done(talk)
    left = await talk.context(agent)
    assert len(left) == 6
    assert texts(left)[-2:] == ["At last, turn 0.", REPLY["en"]]
    said = await talk.said(agent)
    assert len(said) == 23, "none of them is lost"
    assert sum(one.is_archived for one in said) == 17
    summary = await summary_of(talk, agent)
    assert summary is not None
    assert (summary.text, summary.count) == (EN, 17)
    assert (summary.first_seq, summary.last_seq) == (said[1].seq, said[17].seq)
    assert summary.model == talk.app.settings.model
    assert len(model.asked) == 1
    _, counted = await talk.read(quotas.today)
    by_steps = sum(
        one.usage.total_tokens for one in await talk.read(runs.page, RunFilter(), RunPage())
    )
    assert counted > by_steps, "what a summary takes is counted, too"

    await say(talk, agent, 1, text="And then")
    prompt = str(talk.model.prompt(len(talk.model.asked) - 1))
    assert f"[PREVIOUS SUMMARY]\\n{EN}" in prompt
    assert "turn 3." not in prompt
    assert "At last, turn 0." in prompt


async def test_the_job_is_part_of_the_transaction_that_closes_the_run(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await talk.agent()
    written = 0
    original = type(talk.app.database).write

    async def counting(self: Any, *given: Any) -> Any:
        nonlocal written
        written += 1
        return await original(self, *given)

    monkeypatch.setattr(type(talk.app.database), "write", counting)
    counts: list[int] = []
    for _ in range(12):
        before = written
        await say(talk, agent, 1)
        counts.append(written - before)
    assert set(counts[1:]) == {counts[1]}, "a run that asks for compaction writes as often"
    [job] = await jobs(talk)
    assert (job.kind, job.turn) == (COMPACT, 2)
    assert job.payload["agent_id"] == agent.agent.id


async def test_each_summary_tells_of_the_one_before(talk: Talk, worker: Worker) -> None:
    model = talk.model.respond = Model("Ann has a dog.", "Ann has a dog and a cat.")
    agent = await talk.agent()
    await say(talk, agent, 11)
    await until_done(talk)
    await say(talk, agent, 8)
    await until_done(talk)
    assert len(model.asked) == 2
    assert "Ann has a dog." in model.prompts[1]
    summary = await summary_of(talk, agent)
    assert summary is not None
    said = await talk.said(agent)
    assert summary.text == "Ann has a dog and a cat."
    assert summary.count == sum(one.is_archived for one in said) == 17 + 16
    assert len(await talk.context(agent)) == 6


async def test_a_failing_model_loses_nothing_and_is_asked_again_later(
    talk: Talk, worker: Worker, goes_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "FIRST_PAUSE_S", 0.05)
    refuses = Fails(status=400, message="I won't.")
    model = talk.model.respond = Model(refuses, Says(text=EN, goes_on=goes_on))
    agent = await talk.agent()
    await say(talk, agent, 11)
    async with asyncio.timeout(60):
        problems: list[str] = []
        while not problems:
            problems = [one.problem for one in await jobs(talk) if one.problem]
            await asyncio.sleep(0.02)
    assert problems[0].startswith("Provider")
    assert len(await talk.context(agent)) == 23
    assert await summary_of(talk, agent) is None

    goes_on.set()
    await until_done(talk)
    assert len(model.asked) == 2
    assert len(await talk.context(agent)) == 6
    assert await summaries(talk, agent) == [EN]


@pytest.mark.parametrize("apart", [False, True])
async def test_of_two_at_once_one_writes_the_summary(talk: Talk, apart: bool) -> None:
    """Past the outbox, which lets one at a time try: two that do are told apart by the rows."""
    model = talk.model.respond = Model(Says(text=EN, goes_on=Meets(2)))
    agent = await talk.agent()
    await told(talk, agent, [f"It is spring, turn {n}." for n in range(30)])
    first = asyncio.create_task(compact(talk, agent))
    if apart:
        await until_asked(model)
    made = await asyncio.gather(first, compact(talk, agent))
    assert sorted(map(len, made)) == [0, 1]
    assert await summaries(talk, agent) == [EN]
    assert len(model.asked) == 2
    assert sum(one.is_archived for one in await talk.said(agent)) == 25


async def test_two_workers_write_one_summary(talk: Talk, open_talk: Opener) -> None:
    other = await open_talk()
    model = talk.model.respond = Model(Says(text=EN, wait_s=0.3))
    agent = await talk.agent()
    async with workers.working(talk.app), workers.working(other.app):
        await say(talk, agent, 11)
        await until_done(talk)
    assert await summaries(talk, agent) == [EN]
    assert len(model.asked) == 1


async def test_a_run_that_goes_on_keeps_what_it_was_shown(
    talk: Talk, worker: Worker, goes_on: threading.Event
) -> None:
    """Its messages stay, and the conversation needn't fall silent to be compacted."""
    talk.model.respond = Model(EN)
    agent = await talk.agent()
    await told(talk, agent, [f"It is spring, turn {n}." for n in range(30)])
    talk.model.respond = Model(EN, answer=Says(text="At length.", piece=3, goes_on=goes_on))
    run = await talk.start(agent, "Think about it.")
    await first_piece(run)
    made = await compact(talk, agent)
    assert len(made) == 1
    assert not run.ended
    goes_on.set()
    assert (await run.wait()).status == "completed"
    left = texts(await talk.context(agent))
    assert left[-2:] == ["Think about it.", "At length."]
    assert len(left) == 6
    assert "turn 3." in str(talk.model.prompt(0)), "it was shown what was there when it began"
    assert await summaries(talk, agent) == [EN]


async def test_the_window_is_compacted_by_a_run_though_somebody_else_has_done_it(
    talk: Talk, goes_on: threading.Event
) -> None:
    """The run had begun before: it goes on from the other's summary, and nothing is left out."""
    filler = "The tram goes along the river and stops at the old market. " * 12
    agent = await talk.agent(system="You help.", context_window=4_000, blocks=())
    await told(talk, agent, [f"No. {n}: {filler}" for n in range(34)])
    slow = Says(text="It was about trams, says the run.", goes_on=goes_on)
    model = talk.model.respond = Model(slow, "It was about trams, says the worker.")
    run = await talk.start(agent, "And now?")
    await until_asked(model)
    assert len(await compact(talk, agent)) == 1
    goes_on.set()
    assert (await run.wait()).status == "completed"

    summary = await summary_of(talk, agent)
    assert summary is not None
    archived = [one for one in await talk.said(agent) if one.is_archived]
    assert summary.count == len(archived)
    assert summary.last_seq == archived[-1].seq
    assert "says the run" not in str(await summaries(talk, agent))
    assert "says the worker" in str(talk.model.prompt(len(talk.model.asked) - 1))


async def test_what_was_erased_meanwhile_comes_back_in_no_summary(
    talk: Talk, goes_on: threading.Event
) -> None:
    model = talk.model.respond = Model(Says(text="Ann's secret is out.", goes_on=goes_on))
    agent = await talk.agent()
    await told(talk, agent, [f"It is spring, turn {n}." for n in range(30)])
    going_on = asyncio.create_task(compact(talk, agent))
    await until_asked(model)
    await conversations.reset(talk.app.agents, LOCAL_ACTOR, agent.agent.id)
    goes_on.set()
    assert await going_on == []
    assert await summaries(talk, agent) == []


async def test_an_agent_that_was_deleted_has_no_jobs_left(talk: Talk, worker: Worker) -> None:
    talk.model.respond = Model(Says(text=EN, wait_s=0.4))
    agent = await talk.agent()
    await say(talk, agent, 11)
    await make.delete(talk.app.agents, LOCAL_ACTOR, agent.agent.id)
    await until_done(talk)
    assert await summaries(talk, agent) == []


async def test_calls_and_their_returns_stay_together(talk: Talk, worker: Worker) -> None:
    """Where a call would be parted from its return, more than five stay."""
    agent = await talk.agent("conversation_search")
    model = talk.model.respond = Model(EN)
    await say(talk, agent, 8)
    calls = tuple(Call("conversation_search", {"query": f"spring {n}"}) for n in range(2))
    model.answer = Says(calls=calls)
    await talk.send(agent, "Search.", max_steps=3)
    await until_done(talk)
    left = await talk.context(agent)
    asked = [call.id for one in left for call in one.calls]
    assert sorted(asked) == sorted(one.call_id for one_of in left for one in one_of.returns)
    assert 5 <= len(left) - 1 <= 7
    assert await summaries(talk, agent)


async def test_archived_messages_are_found(talk: Talk, worker: Worker) -> None:
    agent = await talk.agent("conversation_search")
    model = talk.model.respond = Model("They talked.")
    await talk.send(agent, "My sister's name is Ursula, and she is a glassblower.")
    await say(talk, agent, 10)
    await until_done(talk)
    assert (await talk.said(agent))[1].is_archived
    model.answer = Says(calls=(Call("conversation_search", {"query": "sister glassblower"}),))
    await talk.send(agent, "What does my sister do?", max_steps=1)
    [(_, ok, text)] = returned(await talk.said(agent))
    assert (ok, "Ursula" in text) == (True, True)


CHINESE = [
    "我在院子里种了很多花，今年春天开得特别好。",
    "那真好，花园一定很漂亮，你平时怎么照顾它们？",
] * 12


async def test_a_chinese_conversation_is_summarised_in_chinese(talk: Talk) -> None:
    model = talk.model.respond = Model(ZH)
    agent = await talk.agent()
    await told(talk, agent, CHINESE)
    [summary] = await compact(talk, agent)
    assert summary.text == ZH
    assert "你负责为一位助理写对话摘要" in model.asked[0]["messages"][0]["content"]


async def test_a_summary_in_another_language_is_refused(talk: Talk) -> None:
    model = talk.model.respond = Model("The user talked about her garden in spring.", ZH)
    agent = await talk.agent()
    await told(talk, agent, CHINESE)
    [summary] = await compact(talk, agent)
    assert summary.text == ZH
    assert "中文" in model.asked[1]["messages"][-1]["content"]


async def test_refused_twice_it_is_an_excerpt(talk: Talk) -> None:
    model = talk.model.respond = Model("The user talked about her garden in spring.")
    agent = await talk.agent()
    await told(talk, agent, ["我叫王小明，我的花园有120平方米。", *CHINESE])
    [summary] = await compact(talk, agent)
    assert summary.model is None
    assert summary.text.startswith("（摘录")
    assert "王小明" in summary.text
    assert len(model.asked) == 2


async def test_names_dates_numbers_and_addresses_that_a_model_leaves_out_are_quoted(
    talk: Talk,
) -> None:
    talk.model.respond = Model("Ann moves to Lyon on 2026-04-12.")
    agent = await talk.agent()
    facts = [
        "I move to Lyon on 2026-04-12, the flat has 87 square metres.",
        "You will hear from me by 9:30.",
        "Write to ann@example.com, my landlord is called Ursula.",
        "Good.",
    ]
    await told(talk, agent, [*facts, *(["It is spring.", "Yes."] * 10)])
    [summary] = await compact(talk, agent)
    head, _, quoted = summary.text.partition("\n\nAlso said, word for word:\n")
    assert head == "Ann moves to Lyon on 2026-04-12."
    for fact in ("87 square metres", "by 9:30", "ann@example.com", "Ursula"):
        assert fact in quoted
    assert "spring" not in quoted


async def test_a_very_long_history_is_summarised_in_portions(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PORTIONS", 3)
    model = talk.model.respond = Model(*(f"Portions up to {n}." for n in range(1, 99)))
    agent = await talk.agent(context_window=4_000, system="You help.", blocks=())
    filler = "The tram goes along the river and stops at the old market. " * 8
    await told(talk, agent, [f"{filler}" for _ in range(120)])
    made = await compact(talk, agent)
    assert len(model.asked) >= 6
    assert 2 <= len(made) <= len(model.asked)
    for n, prompt in enumerate(model.prompts[1:], 1):
        assert f"Portions up to {n}." in prompt, "each tells of the one before"
    assert made[-1].text.startswith(f"Portions up to {len(model.asked)}.")
    assert made[-1].count == 115
    assert made[-1].first_seq == made[0].first_seq
    assert len(await talk.context(agent)) == 6


async def test_what_was_summarised_of_a_long_history_stays_when_the_model_fails_then(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PORTIONS", 1)
    model = talk.model.respond = Model(EN, EN, Fails(status=400, message="I won't."))
    agent = await talk.agent(context_window=4_000, system="You help.", blocks=())
    filler = "The tram goes along the river and stops at the old market. " * 8
    await told(talk, agent, [f"{filler}" for _ in range(80)])
    with pytest.raises(ProviderError):
        await compact(talk, agent)
    said = await talk.said(agent)
    summary = await summary_of(talk, agent)
    assert summary is not None
    assert 0 < summary.count == sum(one.is_archived for one in said) < 75
    model.summaries = [EN]
    await compact(talk, agent)
    assert len(await talk.context(agent)) == 6


async def test_without_a_model_it_is_an_excerpt(open_talk: Opener) -> None:
    talk = await open_talk(model=None, model_base_url=None)
    agent = await talk.agent()
    await told(talk, agent, ["My name is Ann and I was born on 3 May 1990.", "Hello."] * 13)
    [summary] = await compact(talk, agent)
    assert summary.model is None
    assert "1990" in summary.text
    assert len(await talk.context(agent)) == 6


async def test_what_an_agent_says_of_its_summaries_holds(talk: Talk) -> None:
    """Who writes them, with which prompt, how long they are; its window has its own rules."""
    model = talk.model.respond = Model("Sommaire en français, assez long pour être coupé.")
    settings = Compaction(model="openai/gpt-4.1-nano", prompt="En français.", clip_chars=20)
    agent = await talk.agent(compaction=settings)
    await told(talk, agent, CHINESE)
    [summary] = await compact(talk, agent)
    assert model.asked[0]["model"] == "gpt-4.1-nano"
    assert model.asked[0]["messages"][0]["content"] == "En français."
    assert len(summary.text) == 20


async def test_agents_that_keep_no_messages_are_left_alone(talk: Talk, worker: Worker) -> None:
    model = talk.model.respond = Model(EN)
    agent = await talk.agent(message_buffer_autoclear=True)
    await say(talk, agent, 12)
    await until_done(talk)
    assert model.asked == []
    assert await compact(talk, agent) == []


async def test_the_threshold_is_a_setting(open_talk: Opener) -> None:
    talk = await open_talk(compact_threshold=8)
    talk.model.respond = Model(EN)
    agent = await talk.agent()
    async with workers.working(talk.app):
        await say(talk, agent, 4)
        assert await jobs(talk) == []
        await say(talk, agent, 1)
        await until_done(talk)
    assert len(await talk.context(agent)) == 6


async def test_history_with_summary(talk: Talk) -> None:
    talk.model.respond = Model(EN)
    agent = await talk.agent()
    history = await session.history_with_summary(talk.app.agents, LOCAL_ACTOR, agent.agent.id)
    assert history == session.History(summary=None, messages=())
    await told(talk, agent, [f"It is spring, turn {n}." for n in range(30)])
    await compact(talk, agent)
    history = await session.history_with_summary(talk.app.agents, LOCAL_ACTOR, agent.agent.id)
    assert history.summary is not None
    assert history.summary.text == EN
    last = [f"It is spring, turn {n}." for n in range(25, 30)]
    assert [one.text for one in history.messages] == last
