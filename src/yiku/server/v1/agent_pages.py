"""Pages of agents, as they are sent: an agent that is as it was isn't told anew."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response

from yiku.app import App
from yiku.core.agent import AgentState
from yiku.core.tenant import Actor
from yiku.server.v1.about import view_of, with_whose
from yiku.server.v1.translate_agents import View, agent_out
from yiku.store import agent_marks, agents, groups
from yiku.store.agent_marks import id_of, seq_of
from yiku.store.database import Tx

KEPT_BYTES = 16_000_000
"""Some 2,500 agents with two blocks each."""


class Kept:
    """Bytes that were made, by what they were made of; those asked for longest ago go first."""

    def __init__(self, max_bytes: int = KEPT_BYTES) -> None:
        self._max = max_bytes
        self._size = 0
        self._bodies: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = Lock()  # pages are made by the database's readers

    def get(self, keys: Sequence[Hashable]) -> list[bytes | None]:
        with self._lock:
            found = [self._bodies.get(key) for key in keys]
            for key, body in zip(keys, found, strict=True):
                if body is not None:
                    self._bodies.move_to_end(key)
        return found

    def put(self, key: Hashable, body: bytes) -> None:
        with self._lock:
            if key in self._bodies or len(body) > self._max:
                return
            self._bodies[key] = body
            self._size += len(body)
            while self._size > self._max:
                self._size -= len(self._bodies.popitem(last=False)[1])

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size


def kept_of(request: Request) -> Kept:
    return request.app.state.agent_answers


Answers = Annotated[Kept, Depends(kept_of)]


async def agent_page(
    app: App,
    actor: Actor,
    kept: Kept,
    seqs_of: Callable[[Tx], Sequence[int]],
    relations: frozenset[str] | None,
) -> Response:
    """The agents that `seqs_of` finds. Raises: what it raises."""
    view = view_of(app.agents, actor, relations)
    form = (view.model, view.embedding, view.dimension, relations)

    def unit(tx: Tx) -> bytes:
        marks = agent_marks.of_seqs(tx, seqs_of(tx), tools=view.tells("tools"))
        managers = managing(tx, view, marks)
        bodies = dict(zip(marks, kept.get([(form, one) for one in marks]), strict=True))
        missing = [one for one, body in bodies.items() if body is None or id_of(one) in managers]
        states = agents.states_at(tx, [seq_of(one) for one in missing])
        whole = with_whose(tx, view, states)
        for mark, state in zip(missing, states, strict=True):
            bodies[mark] = body = agent_out(state, whole).model_dump_json().encode()
            if alone(state, whole):
                kept.put((form, mark), body)
        return b",".join([body for body in bodies.values() if body is not None])

    body = await app.database.read(actor, unit)
    return Response(b"[" + body + b"]", media_type="application/json")


def managing(tx: Tx, view: View, marks: Sequence[agent_marks.Mark]) -> set[Any]:
    """Those of a page who manage a group now: it is told of with them."""
    if not view.tells("managed_group"):
        return set()
    return set(groups.managed_by(tx, [id_of(one) for one in marks]))


def alone(state: AgentState, view: View) -> bool:
    """Whether what is told of an agent is its own: nothing of it changes without its mark, and no
    secret stays in memory."""
    config = state.agent.config
    others = (config.secrets, config.identity_ids, state.folders, state.agent.id in view.groups)
    return not any(others)
