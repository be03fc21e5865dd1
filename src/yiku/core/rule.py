"""Tool rules: which tool may be called next, and when a run may end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from yiku.core.memory import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """What every rule says. `tool` is the name of the tool it is about."""

    tool: str
    prompt_template: str | None = None
    """Stands in the prompt in place of our own words for the rule. `{{ tool_name }}`,
    `{{ children }}` and the like are filled in; a template that needs more is left aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitRule(ToolRule):
    """A run begins with this tool (with one of them, where several are named)."""

    arguments: Mapping[str, Json] | None = None
    """Those the model doesn't choose: they win over its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildArguments:
    name: str
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRule(ToolRule):
    """After this tool only its children may be called."""

    children: tuple[str, ...]
    child_arguments: tuple[ChildArguments, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentRule(ToolRule):
    """The children may be called right after this tool, only."""

    children: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalRule(ToolRule):
    """What this tool returned decides which tool comes next."""

    child_output_mapping: Mapping[str, str]
    """What it returned, as text -> the tool that must be called next."""
    default_child: str | None = None
    """Where no entry fits; None: any tool."""
    require_output_mapping: bool = False
    """An output without an entry is an error, not the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueRule(ToolRule):
    """After this tool the run goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalRule(ToolRule):
    """This tool ends the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxCountRule(ToolRule):
    """At most so many calls of this tool in one run."""

    max_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredBeforeExitRule(ToolRule):
    """A run doesn't end before this tool was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule(ToolRule):
    """A person allows each call of this tool."""


AnyRule = (
    InitRule
    | ChildRule
    | ParentRule
    | ConditionalRule
    | ContinueRule
    | TerminalRule
    | MaxCountRule
    | RequiredBeforeExitRule
    | ApprovalRule
)
