"""An agent with role memory, driven in this process: gating before the model is asked, routing
after."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from yiku.agents.role_memory import NOTHING, Kept, Opened
from yiku.app import App
from yiku.core import errors
from yiku.core.agent import AgentState
from yiku.core.errors import Invalid, ProviderRefused, RunFailed, SettingInvalid
from yiku.core.ids import ConversationId, MessageId, PassageId, new_id
from yiku.core.memory import Added, Hit
from yiku.core.message import Incoming, Message, MessageRole, Text
from yiku.core.model import Prompt
from yiku.core.ports import LanguageModel
from yiku.core.role import Decision, RoleUse
from yiku.core.run import Failure, RunRequest, Stored
from yiku.core.tenant import Actor
from yiku.memory.recall_text import said_in
from yiku.memory.roles.compile import BUDGET, Compiled
from yiku.roles import halves
from yiku.roles.embedding import text_given
from yiku.roles.inhabitant import Wanted, the_agent, the_conversation
from yiku.roles.memory import EmbeddingMoEMemory
from yiku.roles.said import whole
from yiku.roles.summary import MemorySummary

LONGEST_NAME = 64
"""Characters of a conversation's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a message is answered with."""

    active_roles: tuple[str, ...]
    """Best first."""
    decision: Decision | None
    """Why these; None where there are no roles."""
    compiled: Compiled
    """What the roles remember for it; the core blocks are in the prompt."""
    prompt: Prompt
    """What the model is shown."""

    @property
    def shown(self) -> tuple[PassageId, ...]:
        """The memories in it."""
        return self.compiled.shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What a step did."""

    reply: str
    active_roles: tuple[str, ...]
    decision: Decision | None
    """Of the gating; `explain_async` of each stored memory's own `decision` tells its routing."""
    compiled: Compiled
    """What the roles remembered for it; the core blocks are in the prompt, too."""
    stored: tuple[Added, Added]
    """What became of the message and of the reply, and in which roles each is."""

    @property
    def shown(self) -> tuple[PassageId, ...]:
        """The memories the model was shown."""
        return self.compiled.shown


class EmbeddingMoEAgent:
    """An agent whose memory is a mixture of experts.

    It is an agent like all others, in the database, with `role_memory`: `/v1/agents` lists it, the
    core blocks are its blocks, and a step is a run of it, with its tools, its history and all that
    runs have. Any model behind the port answers: `model`, or the agent's own, or what the settings
    name (YIKU_MODEL). Without one, `step` says so, and everything else works.
    """

    def __init__(
        self,
        memory: EmbeddingMoEMemory,
        *,
        model: LanguageModel | None = None,
        agent_id: str | None = None,
        name: str = "assistant",
        system: str = "",
        conversation: str | None = None,
        budget: int = BUDGET,
    ) -> None:
        """`agent_id`: an agent that is there, or a name by which this memory finds it again; None:
        a new one. `name` is the speaker of its replies; whom it speaks with is the memory's `user`.
        `system`: its instructions; empty: those all agents have. `conversation`: an id or a
        name to go on with; None: the agent's own. `budget`: tokens for what it remembers.

        Raises: Invalid.
        """
        self.memory = memory
        self.id = agent_id or new_id("agent")
        """As given; once it has been opened, that in the database."""
        self.name = text_given("name", name)
        self.system = text_given("system", system)
        self.budget = whole("budget", budget)
        if conversation is not None and not 0 < len(conversation) <= LONGEST_NAME:
            raise Invalid(
                f"`conversation` has 1 to {LONGEST_NAME} characters, not {len(conversation)}.",
                field="conversation",
            )
        self._named = conversation
        self._conversation: ConversationId | None = None
        self._wanted = Wanted(self.id, self.name, self.system)
        self._model = model
        self._turn = asyncio.Lock()

    @property
    def conversation(self) -> str:
        """By which memories know what was said in it; as `id`, once it has been opened."""
        return self._conversation or self._named or self.id

    async def step(self, message: str, actor: Actor | None = None) -> Stepped:
        """Answer a message: gate, compile, ask the model, store and route both texts.

        Where the model fails, no memory is stored; what was asked is kept with the next step. A
        reply that only repeats what it was shown is linked to that memory, not stored again. Steps
        of one agent wait for each other.

        Raises: SettingInvalid where there is no model; RunFailed where the run ends without a
        reply; AgentBusy, Invalid, ProviderError, StoreError.
        """
        text = text_given("message", message)
        async with self._turn:
            app = await self.memory.app_async(actor)
            state = await self.state_async(actor)
            if (self._model or app.model or state.agent.config.model) is None:
                raise SettingInvalid(
                    "The agent has no language model: set YIKU_MODEL, or give it a `model`."
                    " Gating, routing and searching work without one."
                )
            handle = None if self._model is None else app.models.lend(self._model)
            try:
                return await self._run(app, state, text, handle, actor)
            finally:
                if handle is not None:
                    app.models.give_back(handle)

    async def _run(
        self, app: App, state: AgentState, text: str, handle: str | None, actor: Actor | None
    ) -> Stepped:
        request = RunRequest(model=handle, roles=self._use)
        asked = Incoming(
            role=MessageRole.USER, parts=(Text(text),), name=self.memory.place.owner or None
        )
        by = self.memory.asking(actor)
        active = await app.runner.start(by, state.agent.id, [asked], request, self._conversation)
        spoken = [event.message async for _, event in active.events() if isinstance(event, Stored)]
        opened = self._gated(active.opened)
        if active.run.failure is not None:
            raise error_of(active.run.failure)
        reply = next((one for one in reversed(spoken) if answers(one)), None)
        if reply is None:
            raise ProviderRefused(
                f"{state.agent.config.model or app.models.default} answered without a text"
                f" ({active.run.stop_reason}).",
            )
        return Stepped(
            reply=(said_in(reply) or "").strip(),
            active_roles=opened.gating.chosen if opened else (),
            decision=opened.gating if opened else None,
            compiled=opened.compiled if opened else NOTHING,
            stored=stored_of(active.kept, reply.id),
        )

    async def prepare_async(self, message: str, actor: Actor | None = None) -> Prepared:
        """The first half of a step: gate and compile, for a loop of your own."""
        app = await self.memory.app_async(actor)
        state = await self.state_async(actor)
        place = halves.Here(app, self.memory.asking(actor), state, self._conversation, self._use)
        said = halves.Said(text_given("message", message), self.memory.place.owner)
        opened, prompt = await halves.prepare(place, said)
        self._gated(opened)
        return Prepared(
            active_roles=opened.gating.chosen if opened else (),
            decision=opened.gating if opened else None,
            compiled=opened.compiled if opened else NOTHING,
            prompt=prompt,
        )

    async def remember_async(
        self, message: str, reply: str, actor: Actor | None = None
    ) -> tuple[Added, Added]:
        """The second half: store what was said and answered, each in the roles it belongs to."""
        app = await self.memory.app_async(actor)
        state = await self.state_async(actor)
        place = halves.Here(app, self.memory.asking(actor), state, self._conversation, self._use)
        said = halves.Said(text_given("message", message), self.memory.place.owner)
        kept, last = await halves.remember(place, said, text_given("reply", reply))
        return stored_of(kept, last)

    async def state_async(self, actor: Actor | None = None) -> AgentState:
        """The agent as it is in the database, made where there is none."""
        app = await self.memory.app_async(actor)
        by = self.memory.asking(actor)
        state = await the_agent(app, by, self.memory.place, self._wanted)
        self.id = str(state.agent.id)
        if self._named is not None:
            opened = await the_conversation(app, by, state.agent.id, self._named)
            self._conversation = opened
        return state

    async def search_memories_by_context_async(
        self, context: str, actor: Actor | None = None, top_k: int = 5
    ) -> list[Hit]:
        """The `top_k` memories that matter to a context, of the roles it activates; of all, where
        it activates none that has any."""
        active = await self.memory.moe_gate_for_context_async(context, actor)
        search = self.memory.search_role_memories_async
        hits = await search(context, active, actor, top_k) if active else []
        return hits or await search(context, None, actor, top_k)

    async def get_memory_summary(self, actor: Actor | None = None) -> MemorySummary:
        """Counts per role, the active roles, thresholds."""
        return await self.memory.get_memory_summary(actor)

    async def close(self) -> None:
        """Close what its memory opened. A `model` that was given stays open."""
        await self.memory.close()

    @property
    def _use(self) -> RoleUse:
        return RoleUse(
            max_active=self.memory.max_active_roles,
            budget=self.budget,
            threshold=self.memory.routing_threshold,
            routing=self.memory.routing,
        )

    def _gated(self, opened: Opened | None) -> Opened | None:
        """What a message opened are the memory's active roles now."""
        self.memory.gating = None if opened is None else opened.gating
        return opened


def answers(one: Message) -> bool:
    return one.role is MessageRole.ASSISTANT and bool((said_in(one) or "").strip())


def stored_of(kept: Sequence[Kept], reply: MessageId) -> tuple[Added, Added]:
    """What became of a reply, and of the message it answers. Raises: RunFailed."""
    at = next((n for n, one in enumerate(kept) if one.message.id == reply), 0)
    asked = [one for one in kept[:at] if one.message.role is MessageRole.USER]
    if not asked:
        raise RunFailed(
            "The answer was given and is in the conversation, but it didn't reach the roles'"
            " memory; the log says why. The next step keeps it."
        )
    return asked[-1].added, kept[at].added


def error_of(failure: Failure) -> errors.YikuError:
    """What ended a run, to be raised here as if it had happened here."""
    kind = getattr(errors, failure.kind, RunFailed)
    return kind(failure.message)
