"""When a context is too full, older messages give way to a summary; none of them is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from yiku.agents.instructions import view_of
from yiku.agents.lease import hold
from yiku.agents.shared import Agents
from yiku.agents.work import Work
from yiku.context import budget
from yiku.context.compact import Split, language_in, shortened, split, summary_text
from yiku.context.compile import Asking, prompt, zone_of
from yiku.context.summary import excerpt, portions, self_prompt, summary_prompt
from yiku.core.agent import AgentState, Compaction
from yiku.core.errors import AgentBusy, Conflict, PromptTooLong, ProviderError
from yiku.core.ids import MessageId, new_id
from yiku.core.language import Language
from yiku.core.message import Message, Summary
from yiku.core.model import Prompt, Usage
from yiku.core.ports import LanguageModel
from yiku.core.run import Compacted, Run
from yiku.core.tenant import Actor
from yiku.memory.counted import CountedModel
from yiku.providers.offline import HANDLE as OFFLINE
from yiku.store import messages, runs
from yiku.store.database import Tx

logger = logging.getLogger(__name__)

Trigger = Literal["window", "overflow", "asked"]
SUMMARY_TOKENS = 1_000
"""Kept free for the summary."""
DOUBT = 1.25
"""Our count of a prompt may be so much too high; up to there the provider decides."""
LARGE = 50_000
"""Characters; sentences of more are chosen in a thread: these take 10 ms."""
SMALLEST = 500
"""Characters that a tool's return keeps, however full the window is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A conversation that is to become shorter."""

    state: AgentState
    messages: Sequence[Message]
    summary: Summary | None
    handle: str
    """The agent's model."""

    @property
    def settings(self) -> Compaction:
        return self.state.agent.config.compaction or Compaction()

    @property
    def tokens(self) -> int:
        return budget.messages_tokens(self.messages)


def is_needed(work: Work, made: Prompt, estimated: int) -> bool:
    """Whether a prompt, of so many tokens as we estimate, has outgrown its room in the window."""
    config = work.state.agent.config
    counted = work.agents.calibration(work.handle).tokens(estimated)
    return budget.must_compact(counted, config.context_window, made.sampling.max_tokens)


def demand_fit(work: Work, estimated: int) -> None:
    """Raises: PromptTooLong where nothing more can go and the window is still far too small."""
    window = work.state.agent.config.context_window
    counted = work.agents.calibration(work.handle).tokens(estimated)
    if counted > window * DOUBT:
        raise PromptTooLong(
            f"The message and what must be shown with it take about {counted:,} tokens; the agent's"
            f" context window is {window:,}. Send it in parts, keep it as archival memory, or give"
            " the agent a larger context_window.",
            zh=f"这条消息连同必须一起显示的内容约有 {counted:,} 个词元，而智能体的上下文窗口是"
            f" {window:,}。请分几次发送，或存入归档记忆，或调大 context_window。",
            model=work.handle,
        )


def demand_room(work: Work, made: Prompt) -> None:
    """Raises: PromptTooLong where what must be in the context leaves no room for any message."""
    window = work.state.agent.config.context_window
    system = replace(made, messages=(), tools=())
    count = work.agents.calibration(work.handle).tokens
    own, all_of_it = map(count, map(budget.prompt_tokens, (system, replace(made, messages=()))))
    if all_of_it < window:
        return
    raise PromptTooLong(
        f"The agent's instructions and blocks take about {own:,} tokens and its tools"
        f" {all_of_it - own:,}: no message fits into its context window of {window:,}. Shorten its"
        " blocks or instructions, detach tools, or give it a larger context_window.",
        zh=f"智能体的指令和记忆块约占 {own:,} 个词元，工具占 {all_of_it - own:,}，上下文窗口"
        f" {window:,} 装不下任何消息。请缩短记忆块或指令，去掉一些工具，或调大 context_window。",
        model=work.handle,
    )


def learn(work: Work, estimated: int, usage: Usage) -> None:
    """What the provider counted sets our counting right."""
    if usage.prompt_tokens and work.handle != OFFLINE:  # it estimates, too
        before = work.agents.calibration(work.handle)
        work.agents.calibrations[work.handle] = before.learned(estimated, usage.prompt_tokens)


async def compact(work: Work, made: Prompt, trigger: Trigger) -> bool:
    """Make the conversation short enough for the window; False: there is nothing left to shorten.

    Raises: Cancelled, AgentBusy, StoreError.
    """
    window = window_of(work)
    goal = goal_of(work, made, trigger)
    there = split(window.messages, window.settings, goal)
    if there is not None:
        async with work.cancellable():
            new, spent = await summarised(work.agents, work.actor, window, there)
        run = replace(work.run, usage=work.run.usage + spent)
        try:
            work.run = await work.agents.database.write(
                work.actor, lambda tx: keep(tx, work, there, new, run)
            )
        except AgentBusy:
            raise
        except Conflict:
            work.run = run  # it was paid for
            await catch_up(work)
            return budget.messages_tokens(work.messages) <= goal or await compact(
                work, made, trigger
            )
        work.messages, work.summary = list(there.kept), new
        work.active.tell(told(window, there, new, trigger))
    return shorten(work, goal) or there is not None


async def catch_up(work: Work) -> None:
    """Go on from what somebody else's compaction has left in the context."""

    def unit(tx: Tx) -> tuple[Summary | None, set[MessageId]]:
        agent_id, conversation_id = work.run.agent_id, work.run.conversation_id
        found = messages.in_context(tx, agent_id, conversation_id)
        return messages.summary(tx, agent_id, conversation_id), {one.id for one in found}

    work.summary, left = await work.agents.database.read(work.actor, unit)
    work.messages = [one for one in work.messages if one.id in left]


def window_of(work: Work) -> Window:
    return Window(
        state=work.state, messages=work.messages, summary=work.summary, handle=work.handle
    )


def goal_of(work: Work, made: Prompt, trigger: Trigger) -> int:
    """Tokens the messages may take afterwards, as we estimate."""
    if trigger == "overflow":  # our count was wrong: half of what didn't fit
        return budget.messages_tokens(work.messages) // 2
    window = work.state.agent.config.context_window
    room = budget.room(window, made.sampling.max_tokens)
    ratio = work.agents.calibration(work.handle).ratio
    others = budget.prompt_tokens(made) - budget.messages_tokens(made.messages)
    return max(0, int(room / ratio) - others - SUMMARY_TOKENS)


def shorten(work: Work, goal: int) -> bool:
    """Cut the returns of tools, where single ones still fill the window; only in the prompt."""
    changed, limit = False, max(SMALLEST, goal * 2)
    while budget.messages_tokens(work.messages) > goal and limit >= SMALLEST:
        cut = [shortened(one, limit) for one in work.messages]
        changed = changed or cut != work.messages
        work.messages = cut
        limit //= 2
    return changed


def keep(tx: Tx, work: Work, there: Split, new: Summary, run: Run) -> Run:
    """The summary, and the run with what it cost: who pays for a run is told all of it. No step's
    usage has it, since that tells what a prompt took of the window.

    Raises: AgentBusy; Conflict where somebody else has compacted meanwhile.
    """
    hold(tx, work)
    store(tx, there, new)
    return runs.update(tx, run)


def store(tx: Tx, there: Split, new: Summary) -> None:
    """The messages leave the context, and the summary is there, in one transaction.

    Raises: Conflict where one of them had left it already, or was erased: what a summary tells of
    is told by no other one, and no message is left out between two.
    """
    first = there.gone[0].seq - 1
    gone = messages.archive(tx, new.agent_id, new.conversation_id, new.last_seq, after_seq=first)
    if gone != len(there.gone):
        raise meanwhile()
    messages.add_summary(tx, new)


def demand_unchanged(tx: Tx, window: Window, there: Split) -> None:
    """Raises: Conflict where somebody else has compacted meanwhile."""
    first = there.gone[0]
    now = messages.summary(tx, first.agent_id, first.conversation_id)
    if (now and now.id) != (window.summary and window.summary.id):
        raise meanwhile()


def meanwhile() -> Conflict:
    return Conflict("The conversation was compacted, or erased, by somebody else meanwhile.")


async def summarised(
    agents: Agents, actor: Actor, window: Window, there: Split
) -> tuple[Summary, Usage]:
    """A summary of the messages that go, and of the summary before, and what the model took for
    it. Never fails: where no model answers, it is an excerpt."""
    settings = window.settings
    language = language_in(there.gone)
    handle = settings.model or window.handle
    previous = None if window.summary is None else window.summary.text
    said, model = "", None
    spent: list[Usage] = []
    if handle != OFFLINE:
        try:
            asked = CountedModel(agents.models.get(handle), agents.database, actor)
            said, model = await written(asked, window, there, language, spent), handle
        except ProviderError as error:  # no bug: an excerpt takes its place
            about = {"model": handle, "why": type(error).__name__}
            logger.warning("no summary was written", extra=about)
    if not said.strip():
        zone = zone_of(window.state.agent.config.timezone)
        quote = partial(excerpt, there.gone, language, previous=previous, zone=zone)
        large = sum(len(one.text) for one in there.gone) > LARGE
        said, model = (await asyncio.to_thread(quote) if large else quote()), None
    return summary_of(window, there, said, model), sum(spent, Usage())


def summary_of(window: Window, there: Split, said: str, model: str | None) -> Summary:
    """What is stored of what a model said of the messages that go, or of an excerpt (None)."""
    first, last = there.gone[0], there.gone[-1]
    before = window.summary
    return Summary(
        id=new_id("summary"),
        agent_id=first.agent_id,
        conversation_id=first.conversation_id,
        text=summary_text(said, there, window.settings, language_in(there.gone)),
        first_seq=first.seq if before is None else before.first_seq,
        last_seq=last.seq,
        count=len(there.gone) + (0 if before is None else before.count),
        created_at=last.created_at,
        model=model,
    )


async def written(
    model: LanguageModel, window: Window, there: Split, language: Language, spent: list[Usage]
) -> str:
    """What a model makes of the messages: itself of the whole, or another portion by portion.

    `spent` gets what each of its answers took. Raises: ProviderError.
    """
    settings = window.settings
    zone = zone_of(window.state.agent.config.timezone)
    previous = None if window.summary is None else window.summary.text
    if settings.mode.startswith("self_"):
        view = view_of(window.state)
        made = prompt(window.state, view, there.gone, Asking(), summary=window.summary)
        answer = await model.complete(self_prompt(made, settings, language))
        spent.append(answer.usage)
        return answer.text
    size = max(1_000, window.state.agent.config.context_window // 2)
    for part in portions(there.gone, language, size):
        asked = summary_prompt(part, settings, language, previous=previous, zone=zone)
        answer = await model.complete(asked)
        spent.append(answer.usage)
        previous = answer.text
    return previous or ""


def told(window: Window, there: Split, new: Summary, trigger: Trigger) -> Compacted:
    return Compacted(
        summary_id=new.id,
        text=new.text,
        trigger=trigger,
        messages_before=len(window.messages),
        messages_after=len(there.kept),
        tokens_before=window.tokens,
        tokens_after=budget.messages_tokens(there.kept),
        context_window=window.state.agent.config.context_window,
    )


def with_settings(window: Window, settings: Compaction | None) -> Window:
    """As somebody asks for it, just now."""
    if settings is None:
        return window
    agent = window.state.agent
    config = replace(agent.config, compaction=settings)
    return replace(window, state=replace(window.state, agent=replace(agent, config=config)))
