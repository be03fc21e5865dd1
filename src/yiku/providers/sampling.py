"""How a model is to answer, in the fields its API has for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings, ThinkingLevel

from yiku.core.model import Prompt, Sampling, ToolSpec
from yiku.providers.access import Target
from yiku.providers.catalog import Quirks

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Least first."""
LEAST_THINKING_BUDGET = 1024  # of Anthropic's
ANSWER_BESIDE_THINKING = 4096


def chosen_tools(prompt: Prompt, quirks: Quirks) -> tuple[Sequence[ToolSpec], str]:
    """The tools to offer, and the choice to ask for: what can't be asked for is left to the model.

    Where a tool can't be forced it is the only one offered, so that there is hardly another way.
    """
    choice = prompt.tool_choice
    if choice == "auto" or not prompt.tools:
        return prompt.tools, "auto"
    forceable = quirks.tool_choice
    if not quirks.forced_thinking and will_think(prompt.sampling, quirks):
        forceable = "auto"
    if choice == "none":
        return ((), "auto") if quirks.tool_choice == "auto" else (prompt.tools, "none")
    named = [tool for tool in prompt.tools if tool.name == choice]
    if choice != "required" and not named:
        return prompt.tools, "auto"
    if forceable == "any" or (forceable == "named" and named):
        return prompt.tools, choice
    if forceable == "named" and len(prompt.tools) == 1:
        return prompt.tools, prompt.tools[0].name
    return named or prompt.tools, "auto"


def will_think(sampling: Sampling, quirks: Quirks) -> bool:
    if quirks.thinks in ("never", "always"):
        return quirks.thinks == "always"
    if sampling.reasoning_effort is None and sampling.thinking_budget is None:
        return quirks.thinks == "default"
    return sampling.reasoning_effort != "none"


def settings_of(sampling: Sampling, target: Target) -> ModelSettings:
    quirks, api = target.quirks, target.access.provider.api
    settings: dict[str, Any] = {}
    if sampling.max_tokens is not None:
        settings["max_tokens"] = sampling.max_tokens
    elif api == "anthropic" and target.known.max_tokens:
        settings["max_tokens"] = min(target.known.max_tokens, 16_384)  # the API insists on one
    fixed = quirks.temperature == "never" or (
        quirks.temperature == "unthinking" and will_think(sampling, quirks)
    )
    if sampling.temperature is not None and not fixed:
        settings["temperature"] = sampling.temperature
    if sampling.parallel_tool_calls is not None and quirks.parallel:
        settings["parallel_tool_calls"] = sampling.parallel_tool_calls
    if api == "openai":
        body = {**quirks.body, **thinking_body(sampling, quirks)}
        effort = body.pop("reasoning_effort", None)
        if effort is not None:
            settings["openai_reasoning_effort"] = effort
        if sampling.response_format is not None:
            body["response_format"] = sampling.response_format
        if body:
            settings["extra_body"] = body
    else:
        settings |= thinking_settings(sampling, api, settings.get("max_tokens"))
    if target.access.headers:
        settings["extra_headers"] = dict(target.access.headers)
    return cast("ModelSettings", settings)


def thinking_body(sampling: Sampling, quirks: Quirks) -> Mapping[str, Any]:
    """Fields of a request that switch thinking on or off, and say how much."""
    wanted, budget = sampling.reasoning_effort, sampling.thinking_budget
    if quirks.thinking == "none" or (wanted is None and budget is None):
        return {}
    if wanted == "none":
        return no_thinking(quirks)
    effort = nearest(wanted or "medium", quirks)
    match quirks.thinking:
        case "effort":
            return {"reasoning_effort": effort}
        case "type":
            return {"thinking": {"type": "enabled"}}
        case "type+effort":
            return {"thinking": {"type": "enabled"}, "reasoning_effort": effort}
        case "enable":
            return {"enable_thinking": True} | ({"thinking_budget": budget} if budget else {})
        case "template":
            return {"chat_template_kwargs": {"enable_thinking": True}}
        case "reasoning":
            return {"reasoning": {"max_tokens": budget} if budget else {"effort": effort}}


def no_thinking(quirks: Quirks) -> Mapping[str, Any]:
    """Where it can't be switched off: as little as there is."""
    has_effort = quirks.thinking in ("effort", "type+effort")
    if quirks.thinks == "always" or (quirks.thinking == "effort" and "none" not in quirks.efforts):
        least = {"reasoning_effort": nearest("minimal", quirks)}
        return least if has_effort and quirks.thinks in ("always", "default") else {}
    match quirks.thinking:
        case "effort":
            return {"reasoning_effort": "none"}
        case "type" | "type+effort":
            return {"thinking": {"type": "disabled"}}
        case "enable":
            return {"enable_thinking": False}
        case "template":
            return {"chat_template_kwargs": {"enable_thinking": False}}
        case _:
            return {"reasoning": {"enabled": False}}


def nearest(effort: str, quirks: Quirks) -> str:
    """The effort itself; else the next one up that the model knows, else its highest."""
    known = [one for one in quirks.efforts if effort == "none" or one != "none"]
    enough = [one for one in known if EFFORTS.index(one) >= EFFORTS.index(effort)]
    return (enough or known)[0 if enough else -1]


def thinking_settings(sampling: Sampling, api: str, max_tokens: int | None) -> Mapping[str, Any]:
    """As pydantic-ai calls it; it knows which model of these providers takes what."""
    budget, effort = sampling.thinking_budget, sampling.reasoning_effort
    if effort == "none":
        return {"thinking": False}
    if budget is None:
        return {} if effort is None else {"thinking": cast("ThinkingLevel", effort)}
    if api == "google":
        config = {"thinking_budget": budget, "include_thoughts": True}
        return {"google_thinking_config": config}
    if api == "anthropic":
        budget = max(budget, LEAST_THINKING_BUDGET)
        return {
            "anthropic_thinking": {"type": "enabled", "budget_tokens": budget},
            "max_tokens": max(max_tokens or 0, budget + ANSWER_BESIDE_THINKING),
        }
    return {"thinking": cast("ThinkingLevel", effort or "medium")}


def structured(form: Mapping[str, Any] | None, parameters: ModelRequestParameters) -> None:
    """OpenAI's `response_format`, for APIs that have other words for it."""
    schema = (form or {}).get("json_schema")
    if not form or form.get("type") != "json_schema" or not isinstance(schema, dict):
        return
    described = cast("dict[str, Any]", schema)
    parameters.output_mode = "native"
    parameters.output_object = OutputObjectDefinition(
        json_schema=described.get("schema", {}), name=described.get("name")
    )
