"""The kinds of agents: a table. The loop is one; what differs between kinds is here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from yiku.core.agent import AgentConfig, AgentKind
from yiku.core.language import Language, language_of
from yiku.core.model import Sampling
from yiku.core.rule import AnyRule, ChildRule, InitRule, TerminalRule

PROMPTS = resources.files("yiku.agents") / "prompts"

SEARCH = ("conversation_search", "archival_memory_insert", "archival_memory_search")
EDIT = ("memory_insert", "memory_replace")
SPEAK = "send_message"
SPEAK_ENDS = (TerminalRule(tool=SPEAK),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What an agent of a kind has unless it was made otherwise, and how its runs go."""

    prompt: str
    """Which of our system prompts it has where none was given."""
    tools: tuple[str, ...] = ()
    """Our own tools it has unless none are wanted; in the order models are told of them."""
    rules: tuple[AnyRule, ...] = ()
    """Those about its own tools."""
    needs_call: bool = False
    """Each answer must call a tool; else one that calls none is a run's last."""
    numbered_blocks: bool = True
    """Blocks are shown with line numbers."""
    keeps_messages: bool = True
    """A run sees the messages of those before it."""
    sampling: Sampling = field(default_factory=Sampling)
    """How its model answers where the agent's own settings don't say."""


STANDARD = Kind(prompt="standard", tools=(*SEARCH, *EDIT))
MEMGPT = Kind(
    prompt="messenger",
    tools=(SPEAK, *SEARCH, "core_memory_append", "core_memory_replace"),
    rules=SPEAK_ENDS,
    needs_call=True,
)

KINDS: Mapping[AgentKind, Kind] = {
    AgentKind.STANDARD: STANDARD,
    AgentKind.MEMGPT: MEMGPT,
    AgentKind.SPLIT_THREAD: MEMGPT,
    AgentKind.V2: Kind(
        prompt="messenger",
        tools=(SPEAK, *SEARCH, *EDIT),
        rules=SPEAK_ENDS,
        needs_call=True,
    ),
    AgentKind.REACT: Kind(prompt="react", numbered_blocks=False),
    AgentKind.WORKFLOW: Kind(prompt="workflow", numbered_blocks=False, keeps_messages=False),
    AgentKind.SLEEPTIME: Kind(
        prompt="sleeptime",
        tools=("memory_replace", "memory_insert", "memory_rethink", "memory_finish_edits"),
        rules=(TerminalRule(tool="memory_finish_edits"),),
        needs_call=True,
    ),
    AgentKind.VOICE: Kind(
        prompt="voice",
        tools=("search_memory",),
        sampling=Sampling(reasoning_effort="none"),  # a listener waits for the first word
    ),
    AgentKind.VOICE_SLEEPTIME: Kind(
        prompt="voice_sleeptime",
        tools=("store_memories", "rethink_user_memory", "finish_rethinking_memory"),
        rules=(
            InitRule(tool="store_memories"),
            ChildRule(tool="store_memories", children=("rethink_user_memory",)),
            ChildRule(
                tool="rethink_user_memory",
                children=("rethink_user_memory", "finish_rethinking_memory"),
            ),
            TerminalRule(tool="finish_rethinking_memory"),
        ),
        needs_call=True,
    ),
    AgentKind.EPHEMERAL: Kind(prompt="ephemeral", keeps_messages=False),
    AgentKind.BATCH: Kind(prompt="batch", tools=(*SEARCH, *EDIT)),
}


def keeps_messages(config: AgentConfig) -> bool:
    """Whether a run of such an agent sees the messages of those before it."""
    return KINDS[config.kind].keeps_messages and not config.message_buffer_autoclear


def instructions(kind: AgentKind, texts: Iterable[str] = ()) -> str:
    """Our system prompt for an agent of this kind, in the language of what is known of it.

    `texts`: its own, such as description, blocks and first message.
    """
    return prompt_text(KINDS[kind].prompt, language_of(texts))


@cache
def prompt_text(name: str, language: Language) -> str:
    """One of our system prompts."""
    return (PROMPTS / f"{name}.{language}.md").read_text("utf-8").strip()
