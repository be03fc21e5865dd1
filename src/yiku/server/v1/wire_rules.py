"""Tool rules on the v1 wire: the same forms come and go. `type` tells them apart."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from yiku.server.v1.wire import In


class Rule(In):
    """What every rule says."""

    tool_name: str
    prompt_template: str | None = Field(
        default=None, description="Jinja2, shown to the model in place of the rule's own words."
    )


class InitRule(Rule):
    """A run begins with this tool."""

    type: Literal["run_first"]
    args: dict[str, Any] | None = None


class ChildArguments(In):
    name: str
    args: dict[str, Any] | None = None


class ChildRule(Rule):
    """After this tool only its children may be called."""

    type: Literal["constrain_child_tools"]
    children: list[str]
    child_arg_nodes: list[ChildArguments] | None = None


class ParentRule(Rule):
    """The children may be called right after this tool, only."""

    type: Literal["parent_last_tool"]
    children: list[str]


class ConditionalRule(Rule):
    """What this tool returned decides which tool comes next."""

    type: Literal["conditional"]
    child_output_mapping: dict[str, str]
    default_child: str | None = None
    require_output_mapping: bool = False


class ContinueRule(Rule):
    """After this tool the run goes on."""

    type: Literal["continue_loop"]


class TerminalRule(Rule):
    """This tool ends the run."""

    type: Literal["exit_loop"]


class MaxCountRule(Rule):
    """At most so many calls of this tool in one run."""

    type: Literal["max_count_per_step"]
    max_count_limit: int = Field(ge=0, le=1_000_000)


class RequiredBeforeExitRule(Rule):
    """A run doesn't end before this tool was called."""

    type: Literal["required_before_exit"]


class ApprovalRule(Rule):
    """A person allows each call of this tool."""

    type: Literal["requires_approval"]


AnyRule = Annotated[
    InitRule
    | ChildRule
    | ParentRule
    | ConditionalRule
    | ContinueRule
    | TerminalRule
    | MaxCountRule
    | RequiredBeforeExitRule
    | ApprovalRule,
    Field(discriminator="type"),
]
