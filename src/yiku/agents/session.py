"""Session compaction: beyond so many messages, all but the last ones of a conversation give way to
a summary, in the background, and stay to be found.

Nothing holds the conversation meanwhile. The summary is stored, and the messages leave the context,
in one transaction, and only where all of them were still there: of two at once one wins, and a run
that goes on keeps what it was shown. Where the model fails, or the process dies, nothing has
happened yet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from yiku.agents.compaction import Window, demand_unchanged, store, summary_of
from yiku.agents.conversations import state_in
from yiku.agents.kinds import keeps_messages
from yiku.agents.shared import Agents
from yiku.context.compact import RAW, Split, language_in, parted, split_session
from yiku.context.compile import zone_of
from yiku.context.summary import (
    asked_again,
    excerpt,
    in_language,
    portions,
    summary_prompt,
    with_unsaid,
)
from yiku.core.agent import Compaction
from yiku.core.errors import AgentNotFound, Conflict, ConversationNotFound
from yiku.core.ids import AgentId, ConversationId, RunId
from yiku.core.language import Language
from yiku.core.message import Message, Summary
from yiku.core.ports import LanguageModel
from yiku.core.run import RunStatus
from yiku.core.tenant import Actor
from yiku.memory.counted import CountedModel
from yiku.providers.offline import HANDLE as OFFLINE
from yiku.store import attachments, messages, runs
from yiku.store.database import Tx

PORTIONS = 8
"""Of a very long history, as many are summarised before what was done so far is stored."""
ATTEMPTS = 3
"""How often it begins anew where somebody else has compacted meanwhile."""


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation some of whose messages are to give way."""

    window: Window
    there: Split
    end: int
    """Row number of the last message that is to go, by this step or a later one."""


async def compact(
    agents: Agents,
    actor: Actor,
    agent_id: AgentId,
    conversation_id: ConversationId | None = None,
) -> list[Summary]:
    """Let a conversation that has become too long give way to a summary, but for its last messages.

    What was written: none where it isn't too long, several for a very long history, each of which
    tells of those before it, too. Raises: ProviderError, Conflict, StoreError; what was stored
    until then stays.
    """
    made: list[Summary] = []
    end: int | None = None
    lost = 0
    while True:
        session = await look(agents, actor, agent_id, conversation_id, end)
        if session is None:
            return made
        new = await summarised(agents, actor, session)
        try:
            await keep(agents, actor, session, new)
        except AgentNotFound:
            return made
        except Conflict:
            lost += 1
            if lost == ATTEMPTS:
                raise
            continue
        made.append(new)
        end = session.end


async def look(
    agents: Agents,
    actor: Actor,
    agent_id: AgentId,
    conversation_id: ConversationId | None,
    end: int | None,
) -> Session | None:
    """What is to go now; `end`: where an earlier step wanted to come to. None: nothing, or the
    agent or conversation isn't there any more."""

    def unit(tx: Tx) -> Session | None:
        state = state_in(tx, agent_id, conversation_id)
        if not keeps_messages(state.agent.config):
            return None
        found = messages.in_context(tx, agent_id, conversation_id)
        going_on = {
            run_id
            for run_id, status in runs.going_on(tx, agent_id, conversation_id)
            if status is RunStatus.RUNNING
        }
        there = to_go(found, agents.compact_threshold, going_on, end)
        if there is None:
            return None
        window = Window(
            state=state,
            messages=found,
            summary=messages.summary(tx, agent_id, conversation_id),
            handle=state.agent.config.model or agents.default_model,
        )
        first = next_portions(agents, window, there)
        return Session(window, first, there.gone[-1].seq)

    try:
        return await agents.database.read(actor, unit)
    except (AgentNotFound, ConversationNotFound):
        return None


def to_go(
    found: Sequence[Message], threshold: int, going_on: Collection[RunId], end: int | None
) -> Split | None:
    """All but the last ones, and but what a run that goes on has said: it may be taken over."""
    _, rest = parted(found)
    if end is not None:  # it was long enough when it began
        return split_session(found, 0, sum(one.seq > end for one in rest))
    began = next((n for n, one in enumerate(rest) if one.run_id in going_on), len(rest))
    return split_session(found, threshold, max(RAW, len(rest) - began))


def next_portions(agents: Agents, window: Window, there: Split) -> Split:
    """As much of what is to go as is summarised at a time."""
    parts = portions(there.gone, language_in(there.gone), portion_size(agents, window))
    if len(parts) <= PORTIONS:
        return there
    count = sum(len(part) for part in parts[:PORTIONS])
    _, rest = parted(window.messages)
    return split_session(window.messages, 0, len(rest) - count) or there


def portion_size(agents: Agents, window: Window) -> int:
    """Tokens of messages that the summariser is shown at a time."""
    known = agents.window_of(window.settings.model or window.handle)
    return max(1_000, min(known, window.state.agent.config.context_window) // 2)


async def summarised(agents: Agents, actor: Actor, session: Session) -> Summary:
    """Raises: ProviderError, StoreError."""
    window, there = session.window, session.there
    language = language_in(there.gone)
    handle = window.settings.model or window.handle
    zone = zone_of(window.state.agent.config.timezone)
    previous = None if window.summary is None else window.summary.text
    if handle == OFFLINE:
        text = excerpt(there.gone, language, previous=previous, zone=zone)
        return summary_of(window, there, text, None)
    model = CountedModel(agents.models.get(handle), agents.database, actor)
    by: str | None = handle
    for part in portions(there.gone, language, portion_size(agents, window)):
        said = await written(model, window, part, language, previous)
        if said is None:
            said, by = excerpt(part, language, previous=previous, zone=zone), None
        previous = said
    return summary_of(window, there, previous or "", by)


async def written(
    model: LanguageModel,
    window: Window,
    part: tuple[Message, ...],
    language: Language,
    previous: str | None,
) -> str | None:
    """What the model makes of a portion and of the summary before; what it left out of names, dates
    and numbers stands under it. None: it twice wrote nothing, or in another language.

    Raises: ProviderError.
    """
    settings = window.settings
    zone = zone_of(window.state.agent.config.timezone)
    asked = summary_prompt(part, settings, language, previous=previous, zone=zone)
    for _ in range(2):
        said = (await model.complete(asked)).text.strip()
        if said and may_be(said, settings, language):
            return with_unsaid(said, part, language, zone)
        asked = asked_again(asked, said, language)
    return None


def may_be(said: str, settings: Compaction, language: Language) -> bool:
    """Whoever has a prompt of his own says what language a summary is in."""
    return settings.prompt is not None or in_language(said, language)


async def keep(agents: Agents, actor: Actor, session: Session, new: Summary) -> None:
    """Raises: AgentNotFound, Conflict, StoreError."""

    def unit(tx: Tx) -> None:
        attachments.hold(tx, new.agent_id)  # of two at once, the other sees this one's summary
        demand_unchanged(tx, session.window, session.there)
        store(tx, session.there, new)

    await agents.database.write(actor, unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A conversation as a model is shown it: a summary, and the messages since."""

    summary: Summary | None
    messages: tuple[Message, ...]
    """Those that aren't archived, the oldest first; without the compiled instructions."""


async def history_with_summary(
    agents: Agents,
    actor: Actor,
    agent_id: AgentId,
    conversation_id: ConversationId | None = None,
) -> History:
    """Raises: AgentNotFound, StoreError."""

    def unit(tx: Tx) -> History:
        attachments.demand(tx, agent_id)
        _, rest = parted(messages.in_context(tx, agent_id, conversation_id))
        return History(
            summary=messages.summary(tx, agent_id, conversation_id), messages=tuple(rest)
        )

    return await agents.database.read(actor, unit)
