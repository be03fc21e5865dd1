"""What agents' columns keep as JSON comes back as it was."""

import json
from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from yiku.core.agent import AgentConfig, AgentKind, Compaction
from yiku.core.message import Approval, Image, Part, Reasoning, Text, ToolCall, ToolReturn
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
from yiku.store import agent_config, parts
from yiku.store.hot import dumped

words = st.text(max_size=8)
perhaps = st.none() | words
lines = st.lists(words, max_size=2).map(tuple)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=5,
)
objects = st.dictionaries(words, json_values, max_size=2)


def some(of: type[Any], /, **strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Of every field of the class, so that a new one can't be forgotten."""
    assert set(strategies) == {one.name for one in fields(of)}
    return st.builds(of, **strategies)


every_part: st.SearchStrategy[Part] = st.one_of(
    some(Text, text=words),
    some(Image, url=perhaps, data=perhaps, media_type=perhaps),
    some(
        Reasoning,
        text=words,
        signature=perhaps,
        id=perhaps,
        provider=perhaps,
        hidden=st.sampled_from([None, "redacted", "omitted"]),
        details=objects,
    ),
    some(
        ToolCall,
        id=words,
        name=words,
        arguments=words,
        waits=st.sampled_from([None, "approval", "client"]),
    ),
    some(
        ToolReturn,
        call_id=words,
        name=words,
        ok=st.booleans(),
        text=words,
        stdout=lines,
        stderr=lines,
    ),
    some(Approval, call_id=words, approve=st.booleans(), reason=perhaps, arguments=perhaps),
)

of_rule = {"tool": words, "prompt_template": perhaps}
every_rule: st.SearchStrategy[AnyRule] = st.one_of(
    some(InitRule, **of_rule, arguments=st.none() | objects),
    some(
        ChildRule,
        **of_rule,
        children=lines,
        child_arguments=st.lists(
            some(ChildArguments, name=words, arguments=objects), max_size=2
        ).map(tuple),
    ),
    some(ParentRule, **of_rule, children=lines),
    some(
        ConditionalRule,
        **of_rule,
        child_output_mapping=st.dictionaries(words, words, max_size=2),
        default_child=perhaps,
        require_output_mapping=st.booleans(),
    ),
    some(MaxCountRule, **of_rule, max_count=st.integers()),
    *(
        some(kind, **of_rule)
        for kind in (ContinueRule, TerminalRule, RequiredBeforeExitRule, ApprovalRule)
    ),
)
compactions = some(
    Compaction,
    mode=st.sampled_from(["all", "sliding_window"]),
    model=perhaps,
    model_settings=st.none() | objects,
    prompt=perhaps,
    prompt_acknowledgement=st.booleans(),
    clip_chars=st.none() | st.integers(),
    sliding_window_percentage=st.floats(0, 1),
)
configs = some(
    AgentConfig,
    name=words,
    kind=st.sampled_from(AgentKind),
    model_settings=objects,
    context_window=st.integers(),
    tool_rules=st.lists(every_rule, max_size=3).map(tuple),
    compaction=st.none() | compactions,
    response_format=st.none() | objects,
    secrets=st.dictionaries(words, words, max_size=2),
    tags=lines,
    metadata=objects,
    message_buffer_autoclear=st.booleans(),
    enable_sleeptime=st.booleans(),
    role_memory=st.booleans(),
    max_files_open=st.none() | st.integers(),
    per_file_view_window_char_limit=st.none() | st.integers(),
    hidden=st.none() | st.booleans(),
    identity_ids=lines,
    **dict.fromkeys(("system", "timezone"), words),
    **dict.fromkeys("description model embedding project_id template_id".split(), perhaps),
    **dict.fromkeys("base_template_id deployment_id entity_id".split(), perhaps),
)


@given(st.lists(every_part, max_size=4).map(tuple))
def test_parts_come_back_as_they_were(given_parts: tuple[Part, ...]) -> None:
    assert parts.of_json(json.loads(dumped(parts.to_json(given_parts)))) == given_parts


@given(configs)
def test_a_configuration_comes_back_as_it_was(config: AgentConfig) -> None:
    written = json.loads(dumped(agent_config.to_json(config)))
    columns = {name: getattr(config, name) for name in (*agent_config.COLUMNS, "kind")}
    assert agent_config.of_json(written, columns, config.tags, config.identity_ids) == config
    assert agent_config.APART.isdisjoint(written)
