"""An agent on its way out: what is small at once, what is long page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from yiku.agents.shared import Agents
from yiku.core.agent import AgentState
from yiku.core.audit import Act
from yiku.core.conversation import Conversation
from yiku.core.errors import ConversationNotFound
from yiku.core.file import File, Folder, Stretch
from yiku.core.group import GroupState
from yiku.core.ids import AgentId, ArchiveId, ConversationId, FileId, FolderId, MessageId
from yiku.core.mcp import McpServer
from yiku.core.memory import Archive, Passage
from yiku.core.message import Message, Summary
from yiku.core.role import Role
from yiku.core.skill import MemorySkill
from yiku.core.tenant import Actor
from yiku.memory.skills import files as skill_files
from yiku.memory.skills import registry
from yiku.store import agents as store
from yiku.store import (
    archives,
    audit,
    conversations,
    file_text,
    files,
    groups,
    mcp_servers,
    memberships,
    messages,
    passages,
    roles,
    skills,
)
from yiku.store.database import Tx
from yiku.tools import own_skills

PAGE = 200
FEW = 50
"""Conversations, files and stretches of text that are looked up at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A conversation of an agent, as it is at one moment."""

    agent_id: AgentId
    conversation: Conversation | None
    """None: the agent's own."""
    shown: frozenset[MessageId]
    """What its model sees of it."""
    summary: Summary | None
    last_seq: int
    """Messages that come after this one are of a later moment."""

    @property
    def conversation_id(self) -> ConversationId | None:
        return None if self.conversation is None else self.conversation.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """An agent and all that is small of what it has, at one moment."""

    state: AgentState
    thread: Thread
    """What stands as its own conversation."""
    last_conversation: int
    """The row number of its newest conversation that is given beside; 0: none is."""
    archives: Sequence[Archive]
    roles: Mapping[ArchiveId, Sequence[Role]]
    groups: Sequence[GroupState] = ()
    """Those that it is in or manages, and nobody else."""
    servers: Sequence[McpServer] = ()
    """MCP servers that its tools are of."""
    folders: Sequence[Folder] = ()
    skills: Sequence[MemorySkill] = ()
    """Active ones that an agent with its tools relies on, but for those that come with Yiku."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A passage, and the names of the roles it belongs to."""

    passage: Passage
    roles: tuple[str, ...]


async def outline(
    agents: Agents, actor: Actor, agent_id: AgentId, conversation_id: ConversationId | None = None
) -> Outline:
    """What begins an export, which is on record. `conversation_id`: only this one of its
    conversations, in the place of its own.

    Raises: AgentNotFound, ConversationNotFound, StoreError.
    """

    def unit(tx: Tx) -> Outline:
        state = store.state(tx, agent_id)
        homes = [archives.get(tx, one) for one in state.archives]
        alone = conversation_id is not None
        return Outline(
            state=state,
            thread=thread_in(tx, agent_id, conversation_id),
            last_conversation=0 if alone else conversations.last_seq(tx, agent_id),
            archives=homes,
            roles={one.id: roles.list_all(tx, one.id) for one in homes},
            groups=[one for one in groups.around(tx, agent_id) if is_lone(one, agent_id)],
            servers=mcp_servers.of_tools(tx, [one.id for one in state.tools]),
            folders=[one.folder for one in state.folders],
            skills=own_skills_of(tx, state),
        )

    found = await agents.database.read(actor, unit)  # at one moment, as no writing sees it
    name = found.state.agent.config.name
    await agents.database.write(
        actor.bookkeeper, lambda tx: audit.note(tx, Act.AGENT_EXPORT, agent_id, name=name)
    )
    return found


def is_lone(one: GroupState, agent_id: AgentId) -> bool:
    return {*one.agents, one.group.manager.agent_id} <= {agent_id, None}


def own_skills_of(tx: Tx, state: AgentState) -> list[MemorySkill]:
    if not {tool.name for tool in state.tools} & {one.name for one in own_skills.TOOLS}:
        return []
    base = skill_files.base()
    return [one for one in skills.all(tx) if registry.draft_of(one) not in base]


def thread_in(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> Thread:
    """Raises: ConversationNotFound."""
    there = None
    if conversation_id is not None:
        there = conversations.demand(tx, agent_id, conversation_id)
    return Thread(
        agent_id=agent_id,
        conversation=there,
        shown=frozenset(messages.ids_in_context(tx, agent_id, conversation_id)),
        summary=messages.summary(tx, agent_id, conversation_id),
        last_seq=messages.last_seq(tx, agent_id),
    )


async def threads(
    agents: Agents, actor: Actor, of: Outline
) -> AsyncIterator[tuple[Conversation, Thread]]:
    """The conversations beside the agent's own, the oldest first, each as it is when its turn has
    come; those that are gone by then are missing."""
    agent_id, seen = of.state.agent.id, 0
    while found := await agents.database.read(
        actor,
        lambda tx, seq=seen: conversations.ids_after(
            tx, agent_id, (seq, of.last_conversation), FEW
        ),
    ):
        for _, one in found:
            try:
                thread = await agents.database.read(
                    actor, lambda tx, id=one: thread_in(tx, agent_id, id)
                )
            except ConversationNotFound:
                continue
            if thread.conversation is not None:
                yield thread.conversation, thread
        seen = found[-1][0]


async def message_pages(
    agents: Agents, actor: Actor, of: Thread
) -> AsyncIterator[Sequence[Message]]:
    """The conversation's messages, the oldest first; those that are gone meanwhile are missing."""
    seen, more = 0, True
    while more:
        found = await agents.database.read(
            actor,
            lambda tx, seq=seen: messages.between(
                tx, of.agent_id, of.conversation_id, (seq, of.last_seq), PAGE
            ),
        )
        if found:
            yield found
            seen = found[-1].seq
        more = len(found) == PAGE


async def file_pages(
    agents: Agents, actor: Actor, folder_id: FolderId
) -> AsyncIterator[Sequence[File]]:
    """A folder's files, in the order they were made."""
    seen = 0
    while found := await agents.database.read(
        actor, lambda tx, seq=seen: files.after(tx, folder_id, seq, FEW)
    ):
        yield found
        seen = found[-1].seq


async def text_pages(
    agents: Agents, actor: Actor, file_id: FileId
) -> AsyncIterator[Sequence[Stretch]]:
    """What a file says."""
    seen = -1
    while found := await agents.database.read(
        actor, lambda tx, n=seen: file_text.page(tx, file_id, after=n, limit=FEW)
    ):
        yield found
        seen = found[-1].n


async def passage_pages(
    agents: Agents, actor: Actor, archive_id: ArchiveId
) -> AsyncIterator[Sequence[Kept]]:
    """An archive's passages in the order they were stored, but for forgotten ones."""

    def unit(tx: Tx, seq: int) -> list[Kept]:
        found = passages.page(tx, archive_id, after=seq, limit=PAGE)
        held = memberships.of_passages(tx, [one.seq for one in found])
        return [
            Kept(passage=one, roles=tuple(each.role_id for each in held.get(one.seq, ())))
            for one in found
        ]

    seen = 0
    while found := await agents.database.read(actor, lambda tx, seq=seen: unit(tx, seq)):
        yield found
        seen = found[-1].passage.seq
