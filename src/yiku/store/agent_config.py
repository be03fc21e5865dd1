"""An agent's configuration as JSON: what of it has no column, and is no tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from yiku.core.agent import AgentConfig, AgentKind, Compaction
from yiku.core.rule import (
    AnyRule,
    ApprovalRule,
    ChildArguments,
    ChildRule,
    ConditionalRule,
    ContinueRule,
    InitRule,
    MaxCountRule,
    ParentRule,
    RequiredBeforeExitRule,
    TerminalRule,
)

COLUMNS = ("name", "project_id", "template_id", "base_template_id")
"""Fields that the agent's row has a column for, besides its kind."""

APART = frozenset({*COLUMNS, "kind", "tags"})
WITHIN = tuple(one.name for one in fields(AgentConfig) if one.name not in APART)

KINDS = {kind.value: kind for kind in AgentKind}

RULES: Mapping[str, type[AnyRule]] = {
    "init": InitRule,
    "child": ChildRule,
    "parent": ParentRule,
    "conditional": ConditionalRule,
    "continue": ContinueRule,
    "terminal": TerminalRule,
    "max_count": MaxCountRule,
    "required_before_exit": RequiredBeforeExitRule,
    "approval": ApprovalRule,
}
TYPES = {rule: name for name, rule in RULES.items()}


def to_json(config: AgentConfig) -> dict[str, Any]:
    values = {name: getattr(config, name) for name in WITHIN}
    values["tool_rules"] = [rule_to_json(rule) for rule in config.tool_rules]
    values["compaction"] = None if config.compaction is None else asdict(config.compaction)
    for name in ("model_settings", "secrets", "metadata"):
        values[name] = dict(values[name])
    if config.response_format is not None:
        values["response_format"] = dict(config.response_format)
    values["identity_ids"] = list(config.identity_ids)
    return values


def of_json(
    values: Mapping[str, Any], columns: Mapping[str, Any], tags: tuple[str, ...]
) -> AgentConfig:
    """The opposite of `to_json`; `columns` are those of the agent's row."""
    known = dict(values)
    known["tool_rules"] = tuple([rule_of_json(one) for one in values["tool_rules"]])
    if values["compaction"] is not None:
        known["compaction"] = Compaction(**values["compaction"])
    known["identity_ids"] = tuple(values["identity_ids"])
    known["kind"] = KINDS[columns["kind"]]
    for name in COLUMNS:
        known[name] = columns[name]
    return AgentConfig(tags=tags, **known)


def rule_to_json(rule: AnyRule) -> dict[str, Any]:
    return {"type": TYPES[type(rule)], **asdict(rule)}


def rule_of_json(value: Mapping[str, Any]) -> AnyRule:
    given = {name: one for name, one in value.items() if name != "type"}
    if "children" in given:
        given["children"] = tuple(given["children"])
    if "child_arguments" in given:
        given["child_arguments"] = tuple(
            [ChildArguments(**one) for one in given["child_arguments"]]
        )
    return RULES[value["type"]](**given)
