"""Whatever the model's provider does, the user's message is kept and the agent works afterwards."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from tests.fixtures.running import Opener, Talk, append, events, spoken, summarises
from tests.servers.scripted_chat import Fails, Says, Script
from yiku.core.errors import Invalid
from yiku.core.message import MessageRole
from yiku.core.run import RunStatus, Said, StepStatus, StopReason
from yiku.store import agents

TOO_LONG = Fails(
    status=400,
    message="This model's maximum context length is 128000 tokens.",
    code="context_length_exceeded",
)
NONSENSE = Fails(status=200, body=b"<html>It works!</html>")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Fails(status=401, message="Wrong key."), "ProviderRefused", "API_KEY"),
        (Fails(status=403, message="Not you."), "ProviderRefused", "Not you."),
        (Fails(status=429, message="Slow down."), "ProviderUnavailable", "too many requests"),
        (Fails(status=500, message="Oh no."), "ProviderUnavailable", "Oh no."),
        (Fails(status=404, message="No such model."), "ModelNotFound", "No such model."),
        (NONSENSE, "ProviderUnavailable", "not what the API promises"),
    ],
    ids=["401", "403", "429", "500", "404", "nonsense"],
)
async def test_a_provider_that_refuses_ends_the_run_and_not_the_agent(
    talk: Talk, answer: Fails, kind: str, words: str
) -> None:
    talk.model.respond = Script(then=answer)
    agent = await talk.agent()
    run = await talk.send(agent, "Are you there?")
    assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.LLM_API_ERROR)
    assert run.failure is not None
    assert (run.failure.kind, words in run.failure.message) == (kind, True), run.failure
    [step] = await talk.steps(run)
    assert (step.status, step.failure) == (StepStatus.FAILED, run.failure)
    assert (await talk.state(agent)).agent.last_stop_reason is StopReason.LLM_API_ERROR

    talk.model.respond = Script("Here I am.")
    run = await talk.send(agent, "And now?")
    assert run.status is RunStatus.COMPLETED
    assert spoken(await talk.said(agent), "user") == ["Are you there?", "And now?"]
    shown = talk.texts(len(talk.model.asked) - 1)
    assert [text for _, text in shown][-2:] == ["Are you there?", "And now?"]


async def test_a_provider_that_fails_for_a_moment_is_asked_again(talk: Talk) -> None:
    late = Fails(status=429, headers={"Retry-After": "0"})
    talk.model.respond = Script(late, Fails(status=503), "Here I am.")
    agent = await talk.agent()
    run = await talk.send(agent, "x")
    assert run.status is RunStatus.COMPLETED
    assert spoken(await talk.said(agent)) == ["Here I am."]


async def test_a_provider_that_does_not_answer_in_time(open_talk: Opener) -> None:
    talk = await open_talk(model_timeout_s=0.2)
    talk.model.respond = Script(then=Says(text="Late.", wait_s=2))
    agent = await talk.agent()
    run = await talk.send(agent, "x")
    assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.LLM_API_ERROR)
    assert run.failure is not None
    assert "did not answer in time" in run.failure.message
    talk.model.respond = Script("Here I am.")
    assert (await talk.send(agent, "y")).status is RunStatus.COMPLETED


async def test_a_stream_that_is_cut_leaves_what_was_said(talk: Talk) -> None:
    talk.model.respond = Script(Says(text="Once upon a time", piece=5, cut_after=3), "Yes.")
    agent = await talk.agent()
    active = await talk.start(agent, "Tell me a story.")
    told = await events(active)
    run = active.run
    assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.LLM_API_ERROR)
    pieces = "".join(one.piece.text for one in told if isinstance(one, Said))
    assert (await talk.said(agent))[-1].text == pieces == "Once upon "
    assert (await talk.send(agent, "And?")).status is RunStatus.COMPLETED


async def test_a_failure_in_a_later_step_leaves_the_steps_before(talk: Talk) -> None:
    talk.model.respond = Script(Says(calls=(append("住在上海"),)), Fails(status=400, message="No."))
    agent = await talk.agent("core_memory_append")
    run = await talk.send(agent, "我住在上海")
    assert (run.status, run.step_count) == (RunStatus.FAILED, 1)
    assert run.usage.prompt_tokens == 100
    assert "上海" in (await talk.block(agent)).value
    assert [one.status for one in await talk.steps(run)] == [StepStatus.SUCCESS, StepStatus.FAILED]
    assert (await talk.send(agent, "y")).status is RunStatus.COMPLETED


async def test_a_prompt_too_long_for_the_provider_is_compacted_and_sent_again(talk: Talk) -> None:
    agent = await talk.agent()
    for n in range(8):
        await talk.send(agent, f"This is message number {n}. " + "It says very little. " * 20)

    def respond(request: dict[str, Any]) -> Any:
        if summarises(request):
            return "They counted to seven."
        return TOO_LONG if len(request["messages"]) > 12 else "Fine."

    talk.model.respond = respond
    run = await talk.send(agent, "Still there?")
    assert run.status is RunStatus.COMPLETED
    assert spoken(await talk.said(agent))[-1] == "Fine."
    shown = str(talk.texts(len(talk.model.asked) - 1))
    assert "They counted to seven." in shown
    assert "Still there?" in shown


async def test_a_prompt_that_stays_too_long_fails_and_the_next_may_do(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    talk.model.respond = Script(then=TOO_LONG)
    agent = await talk.agent()
    run = await talk.send(agent, "x")
    assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.CONTEXT_OVERFLOW)
    assert run.failure is not None
    assert run.failure.kind == "PromptTooLong"
    talk.model.respond = Script("Fine.")
    assert (await talk.send(agent, "y")).status is RunStatus.COMPLETED


async def test_a_provider_that_is_gone_is_an_error_of_the_run(talk: Talk) -> None:
    """It was there when the agent was made: the table in providers.toml was taken out since."""
    agent = await talk.agent()
    gone = replace(agent.agent.config, model="nobody/nothing")
    await talk.write(agents.change, agent.agent, gone)
    run = await talk.send(agent, "x")
    assert run.status is RunStatus.FAILED
    assert run.failure is not None
    assert "nobody" in run.failure.message
    assert (await talk.send(agent, "y", model="yiku/offline")).status is RunStatus.COMPLETED
    with pytest.raises(Invalid, match="`nobody`"):
        await talk.send(agent, "z", model="nobody/nothing")


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_message_that_the_provider_refuses_does_not_poison_the_agent(
    talk: Talk, status: int
) -> None:
    """It stays in the history, and leaves the context; 413 is too long a prompt, so what
    was said before is summarised first."""

    def respond(request: dict[str, Any]) -> Any:
        refused = any("forbidden" in str(one["content"]) for one in request["messages"])
        return Fails(status=status, message="Not this.") if refused else "Fine."

    talk.model.respond = respond
    agent = await talk.agent()
    await talk.send(agent, "Hello.")
    run = await talk.send(agent, "Something forbidden.")
    assert run.status is RunStatus.FAILED
    run = await talk.send(agent, "And now?")
    assert run.status is RunStatus.COMPLETED
    told = [text for _, text in talk.texts(len(talk.model.asked) - 1)]
    assert told[-1] == "And now?"
    assert not any("forbidden" in text for text in told)
    assert any("Fine." in text for text in told)
    users = ["Hello.", "Something forbidden.", "And now?"]
    assert spoken(await talk.said(agent), "user") == users


async def test_a_refusal_after_the_model_has_acted_takes_nothing_from_the_context(
    talk: Talk,
) -> None:
    talk.model.respond = Script(Says(calls=(append("住在上海"),)), Fails(status=400), "Fine.")
    agent = await talk.agent("core_memory_append")
    await talk.send(agent, "我住在上海")
    await talk.send(agent, "y")
    assert [text for role, text in talk.texts(2) if role == "user"][-2:] == ["我住在上海", "y"]


ON_AND_ON = "la " * 40_000


@pytest.mark.parametrize(
    "answer",
    [
        Says(text=ON_AND_ON, piece=500),
        Says(reasoning=ON_AND_ON, piece=500),
        Says(text="Well:", calls=(append(ON_AND_ON),), piece=500),
    ],
    ids=["words", "thoughts", "a call"],
)
async def test_an_answer_without_an_end_is_cut_off(talk: Talk, answer: Says) -> None:
    """As of a local server that sets no limit, and a model that repeats itself."""
    talk.model.respond = Script(answer, then="Here I am.")
    agent = await talk.agent("core_memory_append", context_window=8_000)
    run = await talk.send(agent, "Sing.")
    assert (run.status, run.stop_reason) == (RunStatus.COMPLETED, StopReason.MAX_TOKENS_EXCEEDED)
    [said] = [one for one in await talk.said(agent, run) if one.role is MessageRole.ASSISTANT]
    assert not said.calls
    assert len(said.text) <= 4 * 8_000
    assert answer.text.startswith(said.text)
    assert spoken(await talk.said(agent, await talk.send(agent, "And now?"))) == ["Here I am."]
