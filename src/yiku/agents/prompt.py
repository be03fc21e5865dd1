"""From a run's state to what its model is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from yiku.agents import rules
from yiku.agents.begin import Begun
from yiku.agents.instructions import own_language, view_of
from yiku.agents.kinds import KINDS
from yiku.agents.rules import Progress
from yiku.agents.work import Work
from yiku.context.compile import Asking, prompt
from yiku.core.agent import AgentConfig
from yiku.core.ids import RunId
from yiku.core.memory import Json
from yiku.core.message import Message, MessageRole
from yiku.core.model import Prompt, Sampling
from yiku.tools.own import told

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")


def prompt_of(work: Work) -> Prompt:
    """What the model is shown now."""
    names = work.tool_names
    required, language = work.kind.needs_call, own_language(work.state)
    asking = Asking(
        tools=(*(told(one, language) for one in work.state.tools), *work.run.request.client_tools),
        tool_choice=rules.tool_choice(work.rules, work.progress, names, required=required),
        sampling=sampling_of(work.state.agent.config),
    )
    return prompt(
        work.state,
        view_of(work.state),
        work.messages,
        asking,
        summary=work.summary,
        roles=work.roles,
        system=work.run.request.system or work.messages[0].text,
    )


def sampling_of(config: AgentConfig) -> Sampling:
    """What the agent's model settings say, in the form of v1; else what its kind does."""
    usual = KINDS[config.kind].sampling
    settings = config.model_settings
    reasoning, thinking = inner(settings, "reasoning"), inner(settings, "thinking")
    effort = reasoning.get("reasoning_effort", settings.get("effort"))
    if thinking.get("type") == "disabled":
        effort = "none"
    return replace(
        usual,
        max_tokens=whole(settings.get("max_output_tokens")),
        temperature=number(settings.get("temperature")),
        parallel_tool_calls=settings.get("parallel_tool_calls"),
        reasoning_effort=effort if effort in EFFORTS else usual.reasoning_effort,
        thinking_budget=whole(thinking.get("budget_tokens", thinking.get("thinking_budget"))),
        response_format=config.response_format or settings.get("response_format"),
    )


def inner(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Settings come under several names: `reasoning`, `thinking` and `thinking_config`."""
    found = settings.get(name) or settings.get(f"{name}_config")
    return cast("Mapping[str, Json]", found) if isinstance(found, Mapping) else {}


def whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def progress_in(begun: Begun) -> Progress:
    """The calls of a run so far; where it answers calls that waited, those of the run that made
    them, too."""
    config, state = begun.state.agent.config, begun.state
    names = [tool.name for tool in state.tools]
    names += [tool.name for tool in begun.run.request.client_tools]
    of_run = begun.messages[first_of(begun.messages, begun.run.id) :]
    return rules.progress_of(config.tool_rules, names, of_run)


def first_of(messages: Sequence[Message], run_id: RunId | None) -> int:
    """Where a run begins, with those whose calls it answers; behind the end: it said nothing."""
    first = next((at for at, one in enumerate(messages) if one.run_id == run_id), len(messages))
    answers = first < len(messages) and messages[first].role is MessageRole.APPROVAL
    if not answers or not first or messages[first - 1].run_id is None:
        return first
    return first_of(messages[:first], messages[first - 1].run_id)
