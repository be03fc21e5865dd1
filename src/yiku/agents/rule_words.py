"""Tool rules in words: those of the prompt, and what a model is told that broke one."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import assert_never

from yiku.core.language import Language
from yiku.core.rule import (
    AnyRule,
    ApprovalRule,
    ChildRule,
    ConditionalRule,
    ContinueRule,
    InitRule,
    MaxCountRule,
    ParentRule,
    RequiredBeforeExitRule,
    TerminalRule,
)

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "violation": "The call was not run. {why} {now}",
        "exit": "You can't end here. {why} {now}",
        "now": "You may call now: {tools}.",
        "nothing": "No tool can be called any more: answer in words.",
        "unknown": "You have no tool `{tool}`.",
        "spent": "`{tool}` may be called {count} times in one turn, and was.",
        "parent": "`{tool}` may only be called right after {parents}.",
        "init": "First you must call {tools}.",
        "decides": "What `{tool}` returns decides which tool comes next: wait for it.",
        "after": "After `{tool}` you must call {tools}.",
        "missing": "Before you end you must call {tools}.",
        "due": "You must call a tool first.",
        "unmapped": "`{tool}` returned {output}; wanted is one of {known}. Call it again.",
        "or": " or ",
        "and": ", ",
    },
    "zh": {
        "violation": "这次调用没有执行。{why}{now}",
        "exit": "现在还不能结束。{why}{now}",
        "now": "现在可以调用：{tools}。",
        "nothing": "已没有可调用的工具，请直接用文字回答。",
        "unknown": "你没有名为 `{tool}` 的工具。",
        "spent": "`{tool}` 每轮最多调用 {count} 次，次数已用完。",
        "parent": "`{tool}` 只能紧接在 {parents} 之后调用。",
        "init": "必须先调用 {tools}。",
        "decides": "下一步用哪个工具取决于 `{tool}` 的返回结果，请等它返回。",
        "after": "`{tool}` 之后必须调用 {tools}。",
        "missing": "结束之前必须调用 {tools}。",
        "due": "必须先调用一个工具。",
        "unmapped": "`{tool}` 返回了 {output}，应当是其中之一：{known}。请重新调用。",
        "or": " 或 ",
        "and": "、",
    },
}

TEXTS: Mapping[Language, Mapping[type[AnyRule], str]] = {
    "en": {
        InitRule: "Begin with `{tool_name}`.",
        ChildRule: "After `{tool_name}`, call {children} next.",
        ParentRule: "Call {children} only right after `{tool_name}`.",
        ConditionalRule: "What `{tool_name}` returns decides what you call next: {mapping}.",
        ContinueRule: "After `{tool_name}` you go on.",
        TerminalRule: "`{tool_name}` ends your turn.",
        MaxCountRule: "Call `{tool_name}` at most {max_count_limit} times in one turn.",
        RequiredBeforeExitRule: "Call `{tool_name}` before you end.",
        ApprovalRule: "A person must allow each call of `{tool_name}`.",
    },
    "zh": {
        InitRule: "首先调用 `{tool_name}`。",
        ChildRule: "调用 `{tool_name}` 之后，接着调用 {children}。",
        ParentRule: "{children} 只能紧接在 `{tool_name}` 之后调用。",
        ConditionalRule: "`{tool_name}` 的返回结果决定下一步调用什么：{mapping}。",
        ContinueRule: "调用 `{tool_name}` 之后继续工作。",
        TerminalRule: "调用 `{tool_name}` 即结束本轮。",
        MaxCountRule: "`{tool_name}` 每轮最多调用 {max_count_limit} 次。",
        RequiredBeforeExitRule: "结束之前必须调用 `{tool_name}`。",
        ApprovalRule: "每次调用 `{tool_name}` 都要先得到人的许可。",
    },
}
ELSE: Mapping[Language, str] = {"en": "anything else", "zh": "其他"}

PLACE = re.compile(r"\{\{-?\s*(\w+)\s*(?:\|[^{}]*)?-?\}\}")
"""`{{ tool_name }}`, `{{ children | join(', ') }}`: a filter does nothing, lists come joined."""
MARKUP = re.compile(r"\{\{|\{%|\{#")


def texts(
    rules: Sequence[AnyRule], names: Collection[str], language: Language = "en"
) -> tuple[str, ...]:
    """What the prompt says of the rules, in their order; each thing once."""
    said = (text_of(rule, names, language) for rule in rules if rule.tool in names)
    return tuple(dict.fromkeys(text for text in said if text))


def text_of(rule: AnyRule, names: Collection[str], language: Language) -> str:
    """Its own template's text where that can be filled in, ours else; "" where it does nothing."""
    values = values_of(rule, names, language)
    if values is None:
        return ""
    own = rule.prompt_template
    made = None if own is None or not own.strip() else filled(own.strip(), values)
    return TEXTS[language][type(rule)].format_map(values) if made is None else made


def filled(template: str, values: Mapping[str, str]) -> str | None:
    """The template with its places filled in; None: it has something we don't know."""
    if any(place[1] not in values for place in PLACE.finditer(template)):
        return None
    if MARKUP.search(PLACE.sub("", template)):
        return None
    return PLACE.sub(lambda place: values[place[1]], template)


def values_of(rule: AnyRule, names: Collection[str], language: Language) -> dict[str, str] | None:
    """What templates name, under v1's names; None: the rule is about children nobody has."""
    values = {"tool_name": rule.tool}
    match rule:
        case ChildRule() | ParentRule():
            there = [child for child in rule.children if child in names]
            if not there:
                return None
            values["children"] = one_of(there, language)
        case ConditionalRule():
            ways = [(key, to) for key, to in rule.child_output_mapping.items() if to in names]
            said = [f"{json.dumps(key, ensure_ascii=False)} → `{to}`" for key, to in ways]
            if rule.default_child in names:
                said.append(f"{ELSE[language]} → `{rule.default_child}`")
            if not said:
                return None
            values["mapping"] = values["child_output_mapping"] = "; ".join(said)
            values["default_child"] = rule.default_child or ""
        case MaxCountRule():
            values["max_count_limit"] = values["max_count"] = str(rule.max_count)
        case InitRule():
            values["args"] = json.dumps(dict(rule.arguments or {}), ensure_ascii=False)
        case ContinueRule() | TerminalRule() | RequiredBeforeExitRule() | ApprovalRule():
            pass
        case _:
            assert_never(rule)
    return values


def one_of(names: Iterable[str], language: Language) -> str:
    return WORDS[language]["or"].join(f"`{name}`" for name in names)


def ready(names: Iterable[str], language: Language) -> str:
    return WORDS[language]["and"].join(f"`{name}`" for name in names)


def now_words(there: frozenset[str], language: Language) -> str:
    words = WORDS[language]
    return words["now"].format(tools=ready(sorted(there), language)) if there else words["nothing"]
