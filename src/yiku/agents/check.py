"""Whether an agent can be set to what it is to be set to (pure)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from yiku.core.agent import AgentConfig
from yiku.core.block import BlockContent
from yiku.core.errors import Invalid, checked, checked_each
from yiku.core.rule import AnyRule, ChildRule, ConditionalRule, MaxCountRule, ParentRule
from yiku.memory import blocks
from yiku.memory.draft import check_characters, check_metadata, check_name

MAX_NAME = 200
MAX_SYSTEM = 1_000_000
MAX_DESCRIPTION = 10_000
MAX_TEMPLATE = 10_000
MAX_TAGS = 100
MAX_RULES = 500
MAX_SECRETS = 200
MAX_SECRET = 32_768
MAX_BLOCKS = 200
MAX_TOOLS = 500
MIN_WINDOW = 512
HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}/\S{1,300}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
NAMED = ("project_id", "template_id", "base_template_id", "deployment_id", "entity_id")
"""Fields that name something elsewhere; kept as they came."""


def check(config: AgentConfig) -> None:
    """Raises: Invalid and InvalidText, naming the field."""
    checked("name", lambda: check_name("The name", config.name, MAX_NAME))
    check_length("system", config.system, MAX_SYSTEM)
    check_length("description", config.description or "", MAX_DESCRIPTION)
    check_handle("model", config.model)
    check_handle("embedding", config.embedding)
    check_json("model_settings", config.model_settings)
    check_json("response_format", config.response_format)
    checked("metadata", lambda: check_metadata(config.metadata))
    check_names("tags", "A tag", config.tags)
    for name in NAMED:
        checked(name, lambda name=name: check_name(f"`{name}`", getattr(config, name)))
    check_window(config.context_window)
    check_timezone(config.timezone)
    if config.compaction is not None:
        check_handle("compaction_settings", config.compaction.model)
        check_json("compaction_settings", config.compaction.model_settings)
        check_length("compaction_settings", config.compaction.prompt or "", MAX_SYSTEM)
    check_rules(config.tool_rules)


def check_window(tokens: int) -> None:
    """Raises: Invalid."""
    if tokens < MIN_WINDOW:
        raise Invalid(
            f"A context window of {tokens:,} tokens is too small to hold an agent;"
            f" {MIN_WINDOW:,} are the least.",
            field="context_window_limit",
        )


def check_length(field: str, text: str, longest: int) -> None:
    """Raises: Invalid, InvalidText."""
    if len(text) > longest:
        raise Invalid(
            f"`{field}` is {len(text):,} characters long; {longest:,} are allowed.", field=field
        )
    checked(field, lambda: check_characters(f"`{field}`", text))


def check_names(field: str, what: str, names: Sequence[str]) -> None:
    """Raises: Invalid, InvalidText."""
    if len(names) > MAX_TAGS:
        raise Invalid(f"`{field}` has {len(names)} entries; {MAX_TAGS} are allowed.", field=field)
    for name in names:
        checked(field, lambda name=name: check_name(what, name))


def check_handle(field: str, handle: str | None) -> None:
    """Which providers and models there are changes; what a handle looks like doesn't.

    Raises: Invalid.
    """
    if handle is None or (HANDLE.fullmatch(handle) and handle.isprintable()):
        return
    raise Invalid(
        f"`{field}` is `<provider>/<model>`, like openai/gpt-4o-mini, not {handle[:100]!r}.",
        field=field,
    )


def check_json(field: str, value: Mapping[str, Any] | None) -> None:
    """Raises: Invalid."""
    if value is None:
        return
    try:
        check_metadata(value)
    except Invalid as error:
        words = error.message.replace("The metadata", f"`{field}`").replace(
            "A metadata name", f"A name in `{field}`"
        )
        raise type(error)(words, field=field) from error


def check_secrets(secrets: Mapping[str, str]) -> None:
    """Raises: Invalid, naming no value."""
    if len(secrets) > MAX_SECRETS:
        raise Invalid(
            f"An agent has {MAX_SECRETS} secrets at most, not {len(secrets)}.", field="secrets"
        )
    for name, value in secrets.items():
        if not VARIABLE.fullmatch(name):
            raise Invalid(
                f"{name[:80]!r} can't be an environment variable: letters, digits and `_` can.",
                field="secrets",
            )
        if len(value) > MAX_SECRET:
            raise Invalid(
                f"The value of {name} is {len(value):,} characters long; {MAX_SECRET:,} are"
                " allowed.",
                field="secrets",
            )
        checked("secrets", lambda name=name, value=value: check_characters(name, value))


def check_timezone(name: str) -> None:
    """Raises: Invalid."""
    if not is_timezone(name):
        raise Invalid(
            f"{name[:80]!r} is no time zone; IANA's names are known, like Asia/Shanghai.",
            field="timezone",
        )


@lru_cache(maxsize=1024)
def is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a name; a folder, or too long for a file
        return name == "UTC"  # which a machine without the zones' files has, too
    return True


def check_rules(rules: Sequence[AnyRule]) -> None:
    """Raises: Invalid, InvalidText."""
    if len(rules) > MAX_RULES:
        raise Invalid(f"An agent has {MAX_RULES} tool rules at most.", field="tool_rules")
    for one in rules:
        for name in named_by(one):
            checked("tool_rules", lambda name=name: check_name("A tool's name", name))
        check_length("tool_rules", one.prompt_template or "", MAX_TEMPLATE)
        if isinstance(one, MaxCountRule) and one.max_count < 0:
            raise Invalid("`max_count_limit` is 0 at least.", field="tool_rules")


def named_by(one: AnyRule) -> list[str]:
    """The tools a rule speaks of."""
    match one:
        case ChildRule() | ParentRule():
            arguments = one.child_arguments if isinstance(one, ChildRule) else ()
            return [one.tool, *one.children, *(each.name for each in arguments)]
        case ConditionalRule():
            default = () if one.default_child is None else (one.default_child,)
            return [one.tool, *one.child_output_mapping.values(), *default]
        case _:
            return [one.tool]


def unknown_to(rules: Sequence[AnyRule], names: Collection[str]) -> list[str]:
    """The tools that rules speak of and that aren't among `names`, in their order."""
    said = dict.fromkeys(name for one in rules for name in named_by(one))
    return [name for name in said if name not in names]


def check_blocks(contents: Sequence[BlockContent]) -> None:
    """Raises: Invalid, InvalidText, BlockTooLong."""
    if len(contents) > MAX_BLOCKS:
        raise Invalid(f"An agent has {MAX_BLOCKS} blocks at most.", field="memory_blocks")
    checked_each("memory_blocks", contents, blocks.check)
    labels = [one.label for one in contents]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise Invalid(
            f"Two blocks have the label {twice!r}; an agent tells its blocks apart by them.",
            field="memory_blocks",
        )
