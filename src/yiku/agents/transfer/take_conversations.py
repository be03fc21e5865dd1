"""The conversations of an import beside the agents' own: made before what was said in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from yiku.agents.instructions import stored_instructions, system_of
from yiku.agents.shared import Agents
from yiku.agents.transfer.carried import CarriedConversation
from yiku.agents.transfer.going import CONVERSATION, Import, batches
from yiku.core.conversation import Conversation
from yiku.core.ids import AgentId, ConversationId, new_id
from yiku.core.tenant import Actor
from yiku.store import agents as store
from yiku.store import attachments, conversations, imports
from yiku.store.database import Tx
from yiku.store.imports import Made

Wanted = tuple[int, int, CarriedConversation]
"""With the numbers of its agent and of its thread."""


def wanted_of(going: Import) -> Iterator[Wanted]:
    for n, one in enumerate(going.carried.agents):
        for t, thread in enumerate(one.threads):
            if thread.beside is not None:
                yield n, t, thread.beside


def key_of(agent: int, thread: int) -> str:
    return f"{CONVERSATION}:{agent}:{thread}"


async def take_conversations(
    agents: Agents, actor: Actor, going: Import, there: Mapping[str, Made]
) -> None:
    """Make those that an earlier run hasn't made; `there`: what it has."""
    made = [each for each in wanted_of(going) if key_of(*each[:2]) in there]
    if made:
        await agents.database.read(actor, lambda tx: find(tx, going, made, there))
    places = {(n, one.key): t for n, t, one in wanted_of(going)}
    missing = (each for each in wanted_of(going) if key_of(*each[:2]) not in there)
    for batch in batches(missing):
        going.conversations.update(
            await agents.database.write(
                actor, lambda tx, new=batch: store_all(tx, going, new, places)
            )
        )


def find(tx: Tx, going: Import, made: Sequence[Wanted], there: Mapping[str, Made]) -> None:
    """Those that somebody has deleted meanwhile stay deleted."""
    for n, t, _ in made:
        one = there[key_of(n, t)].target_id
        if imports.has_conversation(tx, one):
            going.conversations[n, t] = ConversationId(one)


def store_all(
    tx: Tx, going: Import, wanted: Sequence[Wanted], places: Mapping[tuple[int, str], int]
) -> dict[tuple[int, int], ConversationId]:
    """Each with the agent's instructions as its first message; `places`: the numbers of threads, by
    their agent's number and their keys. Raises: JobConflict.
    """
    ids = {n: going.begun.agent_ids[going.carried.agents[n].key] for n, _, _ in wanted}
    for agent_id in sorted(ids.values()):
        attachments.hold(tx, agent_id)
    imports.demand_new(tx, going.mark, [key_of(*each[:2]) for each in wanted])
    states = {n: store.state(tx, agent_id) for n, agent_id in ids.items()}
    told = {n: system_of(state) for n, state in states.items()}
    made: dict[tuple[int, int], ConversationId] = {}
    for n, t, carried in wanted:
        source: str | None = None
        if carried.forked_from == going.carried.agents[n].key:
            source = ids[n]
        elif carried.forked_from is not None:
            at = (n, places.get((n, carried.forked_from), 0))
            source = made.get(at) or going.conversations.get(at)
        one = conversations.add(tx, conversation_of(tx, ids[n], carried, source))
        stored_instructions(tx, states[n], told[n], one.id)
        made[n, t] = one.id
    kept = [(key_of(*at), Made(kind=CONVERSATION, target_id=one)) for at, one in made.items()]
    imports.put(tx, going.mark, kept)
    return made


def conversation_of(
    tx: Tx, agent_id: AgentId, carried: CarriedConversation, source: str | None
) -> Conversation:
    return Conversation(
        id=ConversationId(new_id("conv")),
        organization_id=tx.actor.organization_id,
        agent_id=agent_id,
        settings=carried.settings,
        forked_from=source,
        archived_at=carried.archived_at,
        last_message_at=carried.last_message_at,
        created_at=carried.created_at or tx.now,
        created_by=tx.actor.user_id,
        updated_at=tx.now,
        updated_by=tx.actor.user_id,
    )
