"""Between v1's tool rules and ours; pure."""

from __future__ import annotations

from typing import Any

from yiku.core import rule
from yiku.server.v1 import wire_rules as wire


def rule_of(form: wire.AnyRule) -> rule.AnyRule:
    said: dict[str, Any] = {"tool": form.tool_name, "prompt_template": form.prompt_template}
    match form:
        case wire.InitRule():
            return rule.InitRule(**said, arguments=form.args)
        case wire.ChildRule():
            nodes = form.child_arg_nodes or ()
            return rule.ChildRule(
                **said,
                children=tuple(form.children),
                child_arguments=tuple(
                    rule.ChildArguments(name=node.name, arguments=node.args or {}) for node in nodes
                ),
            )
        case wire.ParentRule():
            return rule.ParentRule(**said, children=tuple(form.children))
        case wire.ConditionalRule():
            return rule.ConditionalRule(
                **said,
                child_output_mapping=form.child_output_mapping,
                default_child=form.default_child,
                require_output_mapping=form.require_output_mapping,
            )
        case wire.ContinueRule():
            return rule.ContinueRule(**said)
        case wire.TerminalRule():
            return rule.TerminalRule(**said)
        case wire.MaxCountRule():
            return rule.MaxCountRule(**said, max_count=form.max_count_limit)
        case wire.RequiredBeforeExitRule():
            return rule.RequiredBeforeExitRule(**said)
        case wire.ApprovalRule():
            return rule.ApprovalRule(**said)


def rule_out(one: rule.AnyRule) -> wire.AnyRule:
    said: dict[str, Any] = {"tool_name": one.tool, "prompt_template": one.prompt_template}
    match one:
        case rule.InitRule():
            args = None if one.arguments is None else dict(one.arguments)
            return wire.InitRule.model_construct(**said, type="run_first", args=args)
        case rule.ChildRule():
            nodes = [
                wire.ChildArguments.model_construct(name=node.name, args=dict(node.arguments))
                for node in one.child_arguments
            ]
            return wire.ChildRule.model_construct(
                **said,
                type="constrain_child_tools",
                children=list(one.children),
                child_arg_nodes=nodes or None,
            )
        case rule.ParentRule():
            return wire.ParentRule.model_construct(
                **said, type="parent_last_tool", children=list(one.children)
            )
        case rule.ConditionalRule():
            return wire.ConditionalRule.model_construct(
                **said,
                type="conditional",
                child_output_mapping=dict(one.child_output_mapping),
                default_child=one.default_child,
                require_output_mapping=one.require_output_mapping,
            )
        case rule.ContinueRule():
            return wire.ContinueRule.model_construct(**said, type="continue_loop")
        case rule.TerminalRule():
            return wire.TerminalRule.model_construct(**said, type="exit_loop")
        case rule.MaxCountRule():
            return wire.MaxCountRule.model_construct(
                **said, type="max_count_per_step", max_count_limit=one.max_count
            )
        case rule.RequiredBeforeExitRule():
            return wire.RequiredBeforeExitRule.model_construct(**said, type="required_before_exit")
        case rule.ApprovalRule():
            return wire.ApprovalRule.model_construct(**said, type="requires_approval")
