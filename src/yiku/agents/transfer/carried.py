"""What a file carries from one server to another, read and not stored yet.

What is long, messages and passages, isn't in it: a `Source` tells of those one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from yiku.core.block import BlockContent
from yiku.core.conversation import ConversationSettings
from yiku.core.file import FolderContent, Stretch
from yiku.core.group import GroupDraft
from yiku.core.mcp import Found, Transport
from yiku.core.memory import Draft
from yiku.core.message import MessageRole, Part
from yiku.core.role import EmbeddingRoleConfig
from yiku.core.skill import SkillDraft
from yiku.core.tool import ToolDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedMessage:
    """A message as the file has it; `key` is its id there."""

    key: str
    role: MessageRole
    parts: tuple[Part, ...]
    created_at: datetime | None = None
    """None: the file doesn't say when."""
    model: str | None = None
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    group_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedSummary:
    """What the model is told in place of messages that are out of its context."""

    text: str
    first_key: str
    last_key: str
    count: int
    created_at: datetime
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedThread:
    """A conversation: which messages are in it is the source's to tell."""

    in_context: frozenset[str] | None
    """Keys of the messages that the model sees; None: of all."""
    count: int
    """How many messages the file has of it."""
    summary: CarriedSummary | None = None
    beside: CarriedConversation | None = None
    """None: it is the agent's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedConversation:
    """What a file says of a conversation beside the agent's own, but what is said in it."""

    key: str
    settings: ConversationSettings
    forked_from: str | None = None
    """The key of another one of the agent's, or the agent's: its own."""
    created_at: datetime | None = None
    archived_at: datetime | None = None
    last_message_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedAgent:
    """An agent, and by their keys what it has."""

    key: str
    given: Mapping[str, Any]
    """Fields of AgentConfig."""
    block_keys: tuple[str, ...] = ()
    tool_keys: tuple[str, ...] = ()
    archive_keys: tuple[str, ...] = ()
    folder_keys: tuple[str, ...] = ()
    threads: tuple[CarriedThread, ...] = ()
    """Its own conversation first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedTool:
    """A tool that somebody wrote, or the name of one that servers bring."""

    name: str
    draft: ToolDraft | None = None
    """None: the server is to have it."""
    lent: CarriedLent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedLent:
    """What a tool of an MCP server is there."""

    server: str
    """Its name."""
    found: Found


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedServer:
    """An MCP server, without its secrets."""

    name: str
    transport: Transport
    config: Mapping[str, Any]
    """As `McpServer.config`."""
    where: str
    """For people: its address, or its program with the arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedArchive:
    name: str
    description: str = ""
    roles: tuple[EmbeddingRoleConfig, ...] = ()
    count: int = 0
    """How many passages the file has of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedFile:
    """A file of a folder; its text is the source's to tell."""

    key: str
    folder_key: str
    name: str
    original_name: str
    media_type: str
    size: int
    """In bytes, as it was where it came from."""
    hash: str
    """SHA-256 of it as it was there; where the file doesn't say, of its text."""
    count: int = 0
    """How many stretches of text the file has of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedGroup:
    """A group of agents; the ids in its draft are keys of the file."""

    key: str
    draft: GroupDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """All of a file but what is long."""

    agents: tuple[CarriedAgent, ...]
    blocks: Mapping[str, BlockContent] = field(default_factory=dict[str, BlockContent])
    tools: Mapping[str, CarriedTool] = field(default_factory=dict[str, CarriedTool])
    archives: Mapping[str, CarriedArchive] = field(default_factory=dict[str, CarriedArchive])
    groups: tuple[CarriedGroup, ...] = ()
    servers: Mapping[str, CarriedServer] = field(default_factory=dict[str, CarriedServer])
    """MCP servers, by their names."""
    folders: Mapping[str, FolderContent] = field(default_factory=dict[str, FolderContent])
    files: tuple[CarriedFile, ...] = ()
    skills: tuple[SkillDraft, ...] = ()
    """Memory skills that didn't come with the server."""
    notes: tuple[str, ...] = ()
    """What of the file has no place here, in sentences."""

    @property
    def conversations(self) -> int:
        """Beside the agents' own."""
        return sum(max(len(one.threads) - 1, 0) for one in self.agents)

    @property
    def messages(self) -> int:
        return sum(thread.count for one in self.agents for thread in one.threads)

    @property
    def passages(self) -> int:
        return sum(one.count for one in self.archives.values())


class Source(Protocol):
    """A file that can be read more than once. Its methods read it from its beginning, on the
    caller's thread; the iterators hold little in memory, however long the file is."""

    mark: str
    """The same for the same content; 40 characters at most."""

    def whole(self) -> Carried:
        """Read and check all of it. Raises: InvalidImport, naming the place and what is wrong."""
        ...

    def messages(self) -> Iterator[tuple[int, int, CarriedMessage]]:
        """Each with the numbers, from 0, of its agent and of its thread; in the order of `Carried`,
        and of the conversation."""
        ...

    def passages(self) -> Iterator[tuple[str, Draft]]:
        """Each with its archive's key, archive by archive."""
        ...

    def stretches(self) -> Iterator[tuple[int, Stretch]]:
        """The texts of files, each with its file's number, from 0; file by file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the importer wants to be other than in the file."""

    name: str | None = None
    suffix: str = ""
    """Stands behind the names of the file's agents."""
    model: str | None = None
    embedding: str | None = None
    project_id: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Put beside the file's, in place of those of the same name."""
    without_messages: bool = False
    replace_tools: bool = True
    """A custom tool of the same name gets the file's source; else it stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an import did, or would do."""

    agent_ids: tuple[str, ...]
    """Empty where nothing was to be stored."""
    agents: tuple[str, ...]
    """Names."""
    blocks: int
    tools: int
    archives: int
    skills: int
    groups: int
    """In the file; notes tell of those that aren't made."""
    servers: int
    """MCP servers."""
    folders: int
    files: int
    """Of those folders, with a text."""
    conversations: int
    """Beside the agents' own."""
    messages: int
    passages: int
    skipped: int = 0
    """Messages and passages that an earlier run had stored."""
    repeated: bool = False
    """The whole file was imported before."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedChat:
    """A conversation that somebody had elsewhere: the branch that was shown last."""

    key: str
    title: str | None
    created_at: datetime | None
    messages: tuple[CarriedMessage, ...]


class Chats(Protocol):
    """Another program's export, that can be read more than once; held in memory one conversation at
    a time. Both raise InvalidImport, naming the place and what is wrong."""

    def chats(self) -> Iterator[CarriedChat]: ...

    def memories(self) -> Iterator[tuple[str, Draft]]:
        """Each with its id there."""
        ...

    @property
    def left_out(self) -> Mapping[str, int]:
        """What the last reading has left out, and how often."""
        ...
