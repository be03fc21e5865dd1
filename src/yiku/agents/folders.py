"""Agents get folders, lose them, and have files of theirs open."""

from __future__ import annotations

from collections.abc import Sequence

from yiku.agents import own
from yiku.agents.shared import Agents
from yiku.core.agent import Agent, AgentState
from yiku.core.errors import Conflict
from yiku.core.file import AgentFile, FileStatus, FolderContent
from yiku.core.ids import AgentId, ArchiveId, FolderId
from yiku.core.tenant import Actor
from yiku.memory import erase
from yiku.store import agent_files, attachments, folders
from yiku.store import agents as store
from yiku.store.attachments import FOLDER, TOOL
from yiku.store.database import Tx

TOOLS = ("open_files", "grep_files", "semantic_search_files")
"""An agent has them while it has a folder."""


async def attach(agents: Agents, actor: Actor, agent_id: AgentId, folder_id: str) -> AgentState:
    """Give an agent a folder, with the tools to read it; its files are opened, as many as may be.

    Raises: AgentNotFound, FolderNotFound.
    """

    def unit(tx: Tx) -> AgentState:
        take(tx, store.get_to_change(tx, agent_id), [FolderId(folder_id)])
        return store.state(tx, agent_id)

    return await agents.database.write(actor, unit)


async def detach(agents: Agents, actor: Actor, agent_id: AgentId, folder_id: str) -> AgentState:
    """Take a folder from an agent; the folder stays.

    Raises: AgentNotFound; FolderNotFound where the agent hasn't got it.
    """

    def unit(tx: Tx) -> AgentState:
        leave(tx, agent_id, FolderId(folder_id))
        return store.state(tx, agent_id)

    return await agents.database.write(actor, unit)


def take(tx: Tx, one: Agent, folder_ids: Sequence[FolderId]) -> None:
    """The agent is held, or was made just now. Raises: FolderNotFound."""
    if not attachments.link(tx, FOLDER, one.id, folder_ids):
        return
    for folder_id in folder_ids:
        agent_files.take_folder(tx, one, folder_id)
    tools = own.named(tx, TOOLS)
    attachments.link(tx, TOOL, one.id, [tools[name].id for name in TOOLS])
    attachments.touch(tx, one.id)


def take_new(tx: Tx, one: Agent) -> None:
    """A folder of the agent's own, as v1 makes it. Raises: FolderExists."""
    content = FolderContent(name=f"{one.name} External Data Source".replace("/", "-"))
    take(tx, one, [folders.add(tx, content).id])


def leave(tx: Tx, agent_id: AgentId, folder_id: FolderId) -> None:
    """Raises: AgentNotFound; FolderNotFound where the agent hasn't got it."""
    attachments.detach(tx, FOLDER, agent_id, folder_id)
    agent_files.leave_folder(tx, agent_id, folder_id)
    drop_tools(tx, agent_id)


def drop_tools(tx: Tx, agent_id: AgentId) -> None:
    """Without a folder there is nothing to read."""
    state = store.state(tx, agent_id)
    if state.folders:
        return
    for name in TOOLS:
        tool = state.tool(name)
        if tool is not None:
            attachments.detach(tx, TOOL, agent_id, tool.id)


def have(tx: Tx, one: Agent, wanted: Sequence[FolderId]) -> None:
    """The agent, which is held, has these folders and no others. Raises: FolderNotFound."""
    there = [each.folder.id for each in store.folders_of(tx, one)]
    for folder_id in there:
        if folder_id not in wanted:
            leave(tx, one.id, folder_id)
    take(tx, one, [each for each in wanted if each not in there])


async def delete(agents: Agents, actor: Actor, folder_id: str) -> None:
    """Erase a folder for good, with its files and their chunks. Raises: FolderNotFound."""

    def unit(tx: Tx) -> ArchiveId:
        for agent_id in folders.holders(tx, folders.get(tx, folder_id, lock=True).id):
            leave(tx, agent_id, FolderId(folder_id))
        return folders.remove(tx, folder_id)

    gone = await agents.database.write(actor, unit)
    await erase.forget_archives(agents.memory, [gone])


async def open_file(
    agents: Agents, actor: Actor, agent_id: AgentId, file_id: str
) -> list[AgentFile]:
    """Show an agent a file from its beginning; returns those that were closed for it.

    Raises: AgentNotFound, FileNotFound, Conflict.
    """

    def unit(tx: Tx) -> list[AgentFile]:
        one = store.get_to_change(tx, agent_id)
        held = agent_files.get(tx, agent_id, file_id)
        if not one.config.files_open:
            raise Conflict("The agent may have no file open: its `max_files_open` is 0.")
        if held.file.status is FileStatus.ERROR:
            raise Conflict(f"{held.path} couldn't be read: {held.file.problem}")
        return agent_files.open_at(tx, one, held.file.id, None, None)

    return await agents.database.write(actor, unit)


async def close_file(agents: Agents, actor: Actor, agent_id: AgentId, file_id: str) -> None:
    """Raises: AgentNotFound, FileNotFound."""

    def unit(tx: Tx) -> None:
        attachments.hold(tx, agent_id)
        held = agent_files.get(tx, agent_id, file_id)
        agent_files.close(tx, agent_id, [held.file.id])

    await agents.database.write(actor, unit)


async def close_all(agents: Agents, actor: Actor, agent_id: AgentId) -> list[AgentFile]:
    """Returns those that were open. Raises: AgentNotFound."""

    def unit(tx: Tx) -> list[AgentFile]:
        attachments.hold(tx, agent_id)
        found = agent_files.opened(tx, agent_id)
        agent_files.close(tx, agent_id, [one.file.id for one in found])
        return found

    return await agents.database.write(actor, unit)
