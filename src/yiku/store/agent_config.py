"""An agent's configuration as JSON: what of it has no column, and no rows."""

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

APART = frozenset({*COLUMNS, "kind", "tags", "identity_ids"})
BARE = AgentConfig(name="")
WITHIN = {one.name: getattr(BARE, one.name) for one in fields(AgentConfig) if one.name not in APART}
"""The other fields, and what each is by default. Where that is nothing (None, empty, False), it
isn't written: most agents have little, and lists of them are read often."""

MAPPINGS = {"model_settings", "response_format", "secrets", "metadata"}
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
    values: dict[str, Any] = {}
    for name, default in WITHIN.items():
        value: Any = getattr(config, name)
        if default or value != default:
            values[name] = value
    for name in MAPPINGS & values.keys():
        values[name] = dict(values[name])
    if config.tool_rules:
        values["tool_rules"] = [rule_to_json(rule) for rule in config.tool_rules]
    if config.compaction is not None:
        values["compaction"] = asdict(config.compaction)
    return values


def of_json(
    values: Mapping[str, Any],
    columns: Mapping[str, Any],
    tags: tuple[str, ...] = (),
    identity_ids: tuple[str, ...] = (),
) -> AgentConfig:
    """The opposite of `to_json`; `columns` are those of the agent's row, tags and identities have
    rows of their own."""
    known = dict(values)
    if "tool_rules" in known:
        known["tool_rules"] = tuple([rule_of_json(one) for one in values["tool_rules"]])
    if "compaction" in known:
        known["compaction"] = Compaction(**values["compaction"])
    known["kind"] = KINDS[columns["kind"]]
    for name in COLUMNS:
        known[name] = columns[name]
    return AgentConfig(tags=tags, identity_ids=identity_ids, **known)


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
