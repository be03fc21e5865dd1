"""Which models providers have, as they say themselves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from yiku.providers.access import Access

logger = logging.getLogger(__name__)

TIMEOUT_S = 4.0
WINDOW_FIELDS = (
    "context_length",
    "context_window",
    "max_model_len",
    "loaded_context_length",
    "max_context_length",
    "inputTokenLimit",
    "max_input_tokens",
)
"""What providers call the context window in their lists."""
MAX_TOKENS_FIELDS = ("max_completion_tokens", "outputTokenLimit", "max_output_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A model in a provider's list."""

    name: str
    window: int | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    found: Mapping[str, tuple[Access, Found]]
    """By handle."""
    failed: Mapping[str, str]
    """Why, by the provider's name."""


async def list_models(accesses: Sequence[Access], is_chat: Callable[[str], bool]) -> Listed:
    """Asks all at once. Where one doesn't answer, the models we know of it stand in."""
    answers = await asyncio.gather(*(models_of(access) for access in accesses))
    found: dict[str, tuple[Access, Found]] = {}
    failed: dict[str, str] = {}
    for access, answer in zip(accesses, answers, strict=True):
        if isinstance(answer, str):
            if not access.provider.local:  # a server that isn't running is no failure
                failed[access.name] = answer
            logger.info(
                "models not listed",
                extra={"action": "models_not_listed", "provider": access.name, "why": answer},
            )
            answer = [Found(name=name) for name in access.provider.current]
        for one in answer:
            if is_chat(one.name):
                found[f"{access.name}/{one.name}"] = (access, one)
    return Listed(found, failed)


async def models_of(access: Access) -> list[Found] | str:
    """The list, or why there is none."""
    if not access.provider.lists or access.base_url is None:
        return [Found(name=name) for name in access.provider.current]
    import httpx  # takes 60 ms

    url, headers = asked_at(access)
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=True) as client:
            answer = await client.get(url, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{url} can't be reached ({type(error).__name__})"
    if answer.is_error:
        return f"{url} answered {answer.status_code}"
    try:
        return read_list(answer.json())
    except ValueError:
        return f"{url} gave an answer that is not JSON"


def asked_at(access: Access) -> tuple[str, dict[str, str]]:
    base = (access.base_url or "").rstrip("/")
    match access.provider.api:
        case "anthropic":
            version = {"anthropic-version": "2023-06-01"}
            return f"{base}/v1/models?limit=200", version | {"x-api-key": access.key or ""}
        case "google":
            return f"{base}/v1beta/models?pageSize=200", {"x-goog-api-key": access.key or ""}
        case _:
            bearer = {"Authorization": f"Bearer {access.key}"} if access.key else {}
            return f"{base}/models", {**access.headers, **bearer}


def read_list(answer: Any) -> list[Found]:
    """OpenAI's `data`, Google's `models`, or a plain list; entries without a name are left out."""
    if isinstance(answer, dict):
        table = cast("dict[str, Any]", answer)
        answer = table.get("data", table.get("models"))
    if not isinstance(answer, list):
        return []
    entries = [cast("dict[str, Any]", one) for one in answer if isinstance(one, dict)]  # pyright: ignore[reportUnknownVariableType] # of JSON
    return [found for one in entries if (found := read_entry(one)) is not None]


def read_entry(entry: Mapping[str, Any]) -> Found | None:
    name = entry.get("id") or entry.get("name")
    methods = entry.get("supportedGenerationMethods", ["generateContent"])
    if not isinstance(name, str) or "generateContent" not in methods:
        return None
    return Found(
        name=name.removeprefix("models/"),
        window=number(entry, WINDOW_FIELDS),
        max_tokens=number(entry, MAX_TOKENS_FIELDS),
    )


def number(entry: Mapping[str, Any], names: Sequence[str]) -> int | None:
    found = (entry.get(name) for name in names)
    return next((one for one in found if isinstance(one, int) and one > 0), None)
