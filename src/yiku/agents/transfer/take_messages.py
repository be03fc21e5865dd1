"""The messages of an import, in batches, each with how far it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from yiku.agents.shared import Agents
from yiku.agents.transfer.carried import CarriedMessage, CarriedSummary
from yiku.agents.transfer.going import MESSAGES, Import, batches, threaded
from yiku.core.ids import AgentId, MessageId, new_id, new_ids
from yiku.core.message import Message, MessageRole, Summary
from yiku.core.tenant import Actor
from yiku.store import imports, messages
from yiku.store.database import Tx


@dataclass(slots=True)
class Ends:
    """Where in each thread the messages are that its summary begins and ends with, from 0; the
    thread's own instructions are the first."""

    places: dict[tuple[int, int, str], int] = field(default_factory=dict[tuple[int, int, str], int])
    counts: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])

    def see(self, agent: int, thread: int, one: CarriedMessage, wanted: set[str]) -> bool:
        """Whether the message is to be stored: compiled instructions are made anew."""
        at = (agent, thread)
        if at not in self.counts:
            self.counts[at] = 1
            if one.role is MessageRole.SYSTEM:
                return False
        if one.key in wanted:
            self.places[(agent, thread, one.key)] = self.counts[at]
        self.counts[at] += 1
        return True


async def take_messages(agents: Agents, actor: Actor, going: Import, seen: int) -> Ends:
    """Store those that come after the first `seen`."""
    ends = Ends()
    if not any(thread.count for one in going.carried.agents for thread in one.threads):
        return ends
    wanted = {key for one in going.carried.agents for thread in one.threads
              if (s := thread.summary) for key in (s.first_key, s.last_key)}  # fmt: skip
    found = batches(going.source.messages())
    position = 0
    while batch := await threaded(found):
        new = [each for each in batch if ends.see(*each, wanted)]
        before, position = position, position + len(batch)
        if position <= seen:
            continue
        skipped = {id(each) for each in batch[: max(seen - before, 0)]}
        fresh = [each for each in new if id(each) not in skipped and is_there(going, each)]
        start, end = max(before, seen), position
        await agents.database.write(
            actor, lambda tx, f=fresh, s=start, e=end: store_messages(tx, going, f, s, e)
        )
        going.tell(end - start)
    return ends


def is_there(going: Import, each: tuple[int, int, CarriedMessage]) -> bool:
    """A conversation that was deleted since an earlier run made it stays deleted."""
    return each[1] == 0 or each[:2] in going.conversations


def store_messages(
    tx: Tx, going: Import, fresh: Sequence[tuple[int, int, CarriedMessage]], seen: int, end: int
) -> None:
    imports.move(tx, going.mark, MESSAGES, seen, end)
    ids = new_ids("message", len(fresh))
    new = [
        message_of(tx, going, each, MessageId(own)) for each, own in zip(fresh, ids, strict=True)
    ]
    for agent_id in dict.fromkeys(one.agent_id for one in new):
        new = with_free_otids(tx, agent_id, new)
    messages.add(tx, new)


def message_of(
    tx: Tx, going: Import, each: tuple[int, int, CarriedMessage], id: MessageId
) -> Message:
    agent, thread, one = each
    carried = going.carried.agents[agent]
    shown = carried.threads[thread].in_context
    return Message(
        id=id,
        organization_id=tx.actor.organization_id,
        agent_id=going.begun.agent_ids[carried.key],
        conversation_id=going.conversation_of(agent, thread),
        role=one.role,
        parts=one.parts,
        created_at=one.created_at or tx.now,
        created_by=tx.actor.user_id,
        model=one.model,
        name=one.name,
        otid=one.otid,
        sender_id=one.sender_id,
        group_id=one.group_id,
        is_archived=shown is not None and one.key not in shown,
    )


def with_free_otids(tx: Tx, agent_id: AgentId, new: Sequence[Message]) -> list[Message]:
    """An agent has an otid once: of messages with the same one the first keeps it."""
    given = [one.otid for one in new if one.agent_id == agent_id and one.otid is not None]
    taken = {one.otid for one in messages.with_otids(tx, agent_id, given)}
    kept: list[Message] = []
    for one in new:
        if one.agent_id == agent_id and one.otid is not None:
            if one.otid in taken:
                one = replace(one, otid=None)
            else:
                taken.add(one.otid)
        kept.append(one)
    return kept


def add_summaries(tx: Tx, going: Import, ends: Ends) -> None:
    """What is told in place of old messages."""
    for place, one in enumerate(going.carried.agents):
        for n, thread in enumerate(one.threads):
            if thread.summary is not None:
                add_summary(tx, going, (place, n), thread.summary, ends)


def add_summary(
    tx: Tx, going: Import, at: tuple[int, int], said: CarriedSummary, ends: Ends
) -> None:
    agent_id = going.begun.agent_ids[going.carried.agents[at[0]].key]
    if at[1] and at not in going.conversations:
        return
    conversation_id = going.conversation_of(*at)
    places = [ends.places.get((*at, key)) for key in (said.first_key, said.last_key)]
    seqs = [None if place is None else messages.seq_at(tx, agent_id, conversation_id, place)
            for place in places]  # fmt: skip
    if None in seqs:
        return
    messages.add_summary(
        tx,
        Summary(
            id=new_id("summary"),
            agent_id=agent_id,
            conversation_id=conversation_id,
            text=said.text,
            first_seq=seqs[0] or 0,
            last_seq=seqs[1] or 0,
            count=said.count,
            created_at=said.created_at,
            model=said.model,
        ),
    )
