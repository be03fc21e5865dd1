"""The blocking face of the client: the same methods, run on an event loop in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from yiku.client.admin import AdminClient
from yiku.client.agents import AgentClient
from yiku.client.calls import Calls
from yiku.client.conversations import ConversationClient
from yiku.client.folders import FolderClient
from yiku.client.memory import MemoryClient
from yiku.client.schedules import ScheduleClient
from yiku.client.skills import SkillClient
from yiku.client.tools import BlockClient, McpClient, ToolClient
from yiku.client.transfer import TransferClient

C = TypeVar("C", bound=Calls)
P = ParamSpec("P")
T = TypeVar("T")


class Face(Protocol[C]):
    """What the methods of a blocking face need of it."""

    client: C

    def run(self, work: Awaitable[T]) -> T: ...


def blocking(
    method: Callable[Concatenate[C, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Face[C], P], T]:
    """The method, waited for."""

    def call(self: Face[C], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(method(self.client, *args, **kwargs))

    call.__name__ = method.__name__
    call.__doc__ = method.__doc__
    return call


def iterated(
    method: Callable[Concatenate[C, P], AsyncIterator[T]],
) -> Callable[Concatenate[Face[C], P], Iterator[T]]:
    """The method's items, one at a time."""

    def call(self: Face[C], *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        items = method(self.client, *args, **kwargs)

        async def following() -> tuple[bool, T | None]:
            try:
                return True, await anext(items)
            except StopAsyncIteration:
                return False, None

        while (found := self.run(following()))[0]:
            yield found[1]  # pyright: ignore[reportReturnType] # an item, where the first is True

    call.__name__ = method.__name__
    call.__doc__ = method.__doc__
    return call


class Part(Generic[C]):
    """What a memory has, for programs without an event loop."""

    def __init__(self, client: C, memory: BlockingMemory) -> None:
        self.client = client
        self._memory = memory

    def start(self, work: Awaitable[T]) -> Future[T]:
        return self._memory.start(work)

    def run(self, work: Awaitable[T]) -> T:
        return self._memory.run(work)


class BlockingAgents(Part[AgentClient]):
    """The agents of a memory, for programs without an event loop."""

    create = blocking(AgentClient.create)
    get = blocking(AgentClient.get)
    list = blocking(AgentClient.list)
    update = blocking(AgentClient.update)
    delete = blocking(AgentClient.delete)
    send = blocking(AgentClient.send)
    stream = iterated(AgentClient.stream)
    approve = blocking(AgentClient.approve)
    deny = blocking(AgentClient.deny)
    messages = blocking(AgentClient.messages)
    get_history_with_summary = blocking(AgentClient.get_history_with_summary)
    reset = blocking(AgentClient.reset)
    context = blocking(AgentClient.context)
    blocks = blocking(AgentClient.blocks)
    block = blocking(AgentClient.block)
    edit_block = blocking(AgentClient.edit_block)
    undo_edit = blocking(AgentClient.undo_edit)
    add_block = blocking(AgentClient.add_block)
    add_tool = blocking(AgentClient.add_tool)
    remove_tool = blocking(AgentClient.remove_tool)
    ask_before = blocking(AgentClient.ask_before)
    cancel = blocking(AgentClient.cancel)
    runs = blocking(AgentClient.runs)
    get_run = blocking(AgentClient.get_run)
    steps = blocking(AgentClient.steps)


class BlockingConversations(Part[ConversationClient]):
    """Agents' conversations beside their own, for programs without an event loop."""

    create = blocking(ConversationClient.create)
    get = blocking(ConversationClient.get)
    list = blocking(ConversationClient.list)
    update = blocking(ConversationClient.update)
    delete = blocking(ConversationClient.delete)
    fork = blocking(ConversationClient.fork)
    send = blocking(ConversationClient.send)
    messages = blocking(ConversationClient.messages)
    compact = blocking(ConversationClient.compact)
    cancel = blocking(ConversationClient.cancel)


class BlockingFolders(Part[FolderClient]):
    """The folders of a memory, for programs without an event loop."""

    create = blocking(FolderClient.create)
    get = blocking(FolderClient.get)
    list = blocking(FolderClient.list)
    update = blocking(FolderClient.update)
    delete = blocking(FolderClient.delete)
    upload = blocking(FolderClient.upload)
    wait = blocking(FolderClient.wait)
    files = blocking(FolderClient.files)
    file = blocking(FolderClient.file)
    delete_file = blocking(FolderClient.delete_file)
    attach = blocking(FolderClient.attach)
    detach = blocking(FolderClient.detach)
    open = blocking(FolderClient.open)
    close = blocking(FolderClient.close)


class BlockingSchedules(Part[ScheduleClient]):
    """What agents are sent later, for programs without an event loop."""

    create = blocking(ScheduleClient.create)
    get = blocking(ScheduleClient.get)
    list = blocking(ScheduleClient.list)
    delete = blocking(ScheduleClient.delete)


class BlockingTools(Part[ToolClient]):
    """Agents' tools, for programs without an event loop."""

    create = blocking(ToolClient.create)
    get = blocking(ToolClient.get)
    list = blocking(ToolClient.list)
    delete = blocking(ToolClient.delete)
    run_code = blocking(ToolClient.run_code)


class BlockingMcp(Part[McpClient]):
    """MCP servers, for programs without an event loop."""

    create = blocking(McpClient.create)
    get = blocking(McpClient.get)
    list = blocking(McpClient.list)
    update = blocking(McpClient.update)
    delete = blocking(McpClient.delete)
    refresh = blocking(McpClient.refresh)
    tools = blocking(McpClient.tools)
    call = blocking(McpClient.call)


class BlockingBlocks(Part[BlockClient]):
    """Core memory's blocks, for programs without an event loop."""

    get = blocking(BlockClient.get)
    list = blocking(BlockClient.list)


class BlockingSkills(Part[SkillClient]):
    """The memory skills of a memory, for programs without an event loop."""

    list = blocking(SkillClient.list)
    get = blocking(SkillClient.get)
    add = blocking(SkillClient.add)
    edit = blocking(SkillClient.edit)
    stats = blocking(SkillClient.stats)
    feedback = blocking(SkillClient.feedback)
    changelog = blocking(SkillClient.changelog)
    change = blocking(SkillClient.change)
    preview = blocking(SkillClient.preview)
    approve = blocking(SkillClient.approve)
    reject = blocking(SkillClient.reject)
    rollback = blocking(SkillClient.rollback)
    revert_version = blocking(SkillClient.revert_version)
    undo_revert = blocking(SkillClient.undo_revert)
    evolve = blocking(SkillClient.evolve)
    evolve_later = blocking(SkillClient.evolve_later)
    encode_pending = blocking(SkillClient.encode_pending)
    save = blocking(SkillClient.save)
    query = blocking(SkillClient.query)
    forget = blocking(SkillClient.forget)
    events = iterated(SkillClient.events)


class BlockingAdmin(Part[AdminClient]):
    """Administration, for programs without an event loop."""

    add_organization = blocking(AdminClient.add_organization)
    organizations = blocking(AdminClient.organizations)
    organization = blocking(AdminClient.organization)
    rename_organization = blocking(AdminClient.rename_organization)
    add_user = blocking(AdminClient.add_user)
    users = blocking(AdminClient.users)
    user = blocking(AdminClient.user)
    change_user = blocking(AdminClient.change_user)
    add_key = blocking(AdminClient.add_key)
    keys = blocking(AdminClient.keys)
    key = blocking(AdminClient.key)
    revoke_key = blocking(AdminClient.revoke_key)
    add_project = blocking(AdminClient.add_project)
    projects = blocking(AdminClient.projects)
    project = blocking(AdminClient.project)
    change_project = blocking(AdminClient.change_project)
    delete_project = blocking(AdminClient.delete_project)
    quotas = blocking(AdminClient.quotas)
    set_quota = blocking(AdminClient.set_quota)
    clear_quota = blocking(AdminClient.clear_quota)
    audit = blocking(AdminClient.audit)


class BlockingTransfer(Part[TransferClient]):
    """Agents and memories as files, for programs without an event loop."""

    export_agent = iterated(TransferClient.export_agent)
    import_agents = blocking(TransferClient.import_agents)
    import_into = blocking(TransferClient.import_into)


class BlockingMemory:
    """A memory for programs without an event loop. Use it from any thread."""

    def __init__(
        self,
        enter: Callable[[], Awaitable[MemoryClient]],
        leave: Callable[[], Awaitable[None]],
    ) -> None:
        self._leave = leave
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="yiku-client", daemon=True
        )
        self._thread.start()
        try:
            self.client = self.run(enter())
        except BaseException:
            self._stop()
            raise

    @property
    def agents(self) -> BlockingAgents:
        """The agents that live there."""
        return BlockingAgents(self.client.agents, self)

    @property
    def conversations(self) -> BlockingConversations:
        """Agents' conversations beside their own."""
        return BlockingConversations(self.client.conversations, self)

    @property
    def folders(self) -> BlockingFolders:
        """Folders, and the files in them that agents read."""
        return BlockingFolders(self.client.folders, self)

    @property
    def schedules(self) -> BlockingSchedules:
        """What its agents are sent later."""
        return BlockingSchedules(self.client.schedules, self)

    @property
    def tools(self) -> BlockingTools:
        """The tools that agents may be given."""
        return BlockingTools(self.client.tools, self)

    @property
    def mcp_servers(self) -> BlockingMcp:
        """Servers that lend tools to agents."""
        return BlockingMcp(self.client.mcp_servers, self)

    @property
    def blocks(self) -> BlockingBlocks:
        """Core memory's blocks, of all agents and of none."""
        return BlockingBlocks(self.client.blocks, self)

    @property
    def admin(self) -> BlockingAdmin:
        """Organizations, users, keys, projects, limits, and who did what."""
        return BlockingAdmin(self.client.admin, self)

    @property
    def skills(self) -> BlockingSkills:
        """The memory skills: how memories are written and looked up."""
        return BlockingSkills(self.client.skills, self)

    @property
    def transfer(self) -> BlockingTransfer:
        """Agents and memories as files, in and out."""
        return BlockingTransfer(self.client.transfer, self)

    def start(self, work: Awaitable[T]) -> Future[T]:
        """Begin it; the caller goes on meanwhile."""

        async def awaited() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop)

    def run(self, work: Awaitable[T]) -> T:
        return self.start(work).result()

    def close(self) -> None:
        try:
            self.run(self._leave())
        finally:
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    add = blocking(MemoryClient.add)
    add_many = blocking(MemoryClient.add_many)
    job_position = blocking(MemoryClient.job_position)
    search = blocking(MemoryClient.search)
    get = blocking(MemoryClient.get)
    history = blocking(MemoryClient.history)
    edit = blocking(MemoryClient.edit)
    supersede = blocking(MemoryClient.supersede)
    forget = blocking(MemoryClient.forget)
    undo = blocking(MemoryClient.undo)
    delete = blocking(MemoryClient.delete)
    passages = blocking(MemoryClient.passages)
    export = iterated(MemoryClient.export)
    archives = blocking(MemoryClient.archives)
    create_archive = blocking(MemoryClient.create_archive)
    rename_archive = blocking(MemoryClient.rename_archive)
    delete_archive = blocking(MemoryClient.delete_archive)
    health = blocking(MemoryClient.health)

    roles = blocking(MemoryClient.roles)
    add_roles = blocking(MemoryClient.add_roles)
    role = blocking(MemoryClient.role)
    edit_role = blocking(MemoryClient.edit_role)
    restore_role = blocking(MemoryClient.restore_role)
    remove_role = blocking(MemoryClient.remove_role)
    role_history = blocking(MemoryClient.role_history)
    role_stats = blocking(MemoryClient.role_stats)
    role_templates = blocking(MemoryClient.role_templates)
    role_template = blocking(MemoryClient.role_template)
    route = blocking(MemoryClient.route)
    gate = blocking(MemoryClient.gate)
    decision = blocking(MemoryClient.decision)
    decisions = blocking(MemoryClient.decisions)
    reroute = blocking(MemoryClient.reroute)
    undo_reroute = blocking(MemoryClient.undo_reroute)
    passage_roles = blocking(MemoryClient.passage_roles)
    correct = blocking(MemoryClient.correct)
    compile_roles = blocking(MemoryClient.compile_roles)
