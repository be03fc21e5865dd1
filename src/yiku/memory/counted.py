"""A language model that works beside the conversation, for summaries and memory skills: what its
answers take counts against the day of who it works for, as the steps of agents do."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from yiku.core.model import Answer, Piece, Prompt
from yiku.core.ports import LanguageModel
from yiku.core.tenant import Actor
from yiku.store import quotas
from yiku.store.database import Database


class CountedModel:
    """Before another one. Each answer is counted when it is there, whatever is made of it: refused
    and useless ones were paid for, too. That takes a transaction, beside a call that takes seconds;
    a process that dies between the two leaves an answer uncounted.
    """

    def __init__(self, inner: LanguageModel, database: Database, actor: Actor) -> None:
        self._inner = inner
        self._database = database
        self._actor = actor.bookkeeper

    @property
    def model(self) -> str:
        return self._inner.model

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece | Answer]:
        """As a whole, when it is there: nobody watches."""
        yield await self.complete(prompt)

    async def complete(self, prompt: Prompt) -> Answer:
        """Raises: as the model does, and StoreError."""
        answer = await self._inner.complete(prompt)
        taken = answer.usage.total_tokens
        if taken:
            await self._database.write(self._actor, lambda tx: quotas.count_tokens(tx, taken))
        return answer

    async def close(self) -> None:
        """The other one is whoever's who made it."""
