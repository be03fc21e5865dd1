"""Searching the web through a provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx

from yiku.core.errors import Invalid, ProviderUnavailable
from yiku.tools.search_engine import Provider, SearchEngine

TIMEOUT_S = 20.0
SHORT = 300
"""Characters of a result's text where only an excerpt is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    title: str
    url: str
    text: str
    date: str | None


async def search(engine: SearchEngine, given: Mapping[str, Any]) -> list[Found]:
    """`given` has v1's names: `query`, `num_results`, `include_domains` …

    Raises: Invalid, ProviderUnavailable.
    """
    one = engine.provider
    headers = {"Accept": "application/json"}
    if one.header:
        headers[one.header] = f"{one.scheme}{engine.key}"
    count = min(int(given.get("num_results", 10)), one.most)
    asked = {**one.fixed, **question(one, given, count)}
    sent: dict[str, Any] = {"params": asked} if one.method == "GET" else {"json": asked}
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            answer = await client.request(one.method, engine.url, headers=headers, **sent)
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        raise ProviderUnavailable(
            f"The search provider {one.name} can't be reached: {why}.",
            zh=f"无法访问搜索服务 {one.name}：{why}。",
        ) from error
    return read(one, answer)[:count]


def question(one: Provider, given: Mapping[str, Any], count: int) -> dict[str, Any]:
    """As the provider wants it. Domains that it has no field for go into the query, as most
    understand them; what else it hasn't is left out."""
    values = {name: value for name, value in given.items() if value}
    values["query"] = " ".join([str(given["query"]), *sites(one, values)])
    values["count"] = count
    return {its: values[ours] for ours, its in one.ask.items() if ours in values}


def sites(one: Provider, values: Mapping[str, Any]) -> list[str]:
    wanted, unwanted = values.get("include_domains"), values.get("exclude_domains")
    found: list[str] = []
    if wanted and "include_domains" not in one.ask:
        among = " OR ".join(f"site:{domain}" for domain in wanted)
        found.append(f"({among})" if len(wanted) > 1 else among)
    if unwanted and "exclude_domains" not in one.ask:
        found += [f"-site:{domain}" for domain in unwanted]
    return found


def read(one: Provider, answer: httpx.Response) -> list[Found]:
    """Raises: Invalid, ProviderUnavailable."""
    if answer.status_code in (401, 403):
        raise Invalid(
            f"The search provider {one.name} refuses this server's key ({answer.status_code}). Tell"
            " the user; don't try again.",
            zh=f"搜索服务 {one.name} 拒绝了服务器的密钥（{answer.status_code}）。"
            "请告诉用户，不要再试。",
        )
    if answer.status_code == 429:
        raise ProviderUnavailable(
            f"The search provider {one.name} has had too many questions; try again later.",
            zh=f"搜索服务 {one.name} 的请求过多，请稍后再试。",
        )
    if answer.is_error:
        raise ProviderUnavailable(
            f"The search provider {one.name} answered {answer.status_code}.",
            zh=f"搜索服务 {one.name} 返回了 {answer.status_code}。",
        )
    try:
        told: Any = answer.json()
    except ValueError as error:
        raise ProviderUnavailable(
            f"The search provider {one.name} answered with what is no JSON.",
            zh=f"搜索服务 {one.name} 返回的不是 JSON。",
        ) from error
    for name in one.results:
        told = cast("Mapping[str, Any]", told).get(name) if isinstance(told, Mapping) else None
    rows = cast("list[Any]", told) if isinstance(told, list) else []
    return [found_in(one, cast("Any", row)) for row in rows if isinstance(row, dict)]


def found_in(one: Provider, row: Mapping[str, Any]) -> Found:
    def first(field_name: str) -> str:
        values = (row.get(name) for name in one.tell[field_name])
        return next((str(value) for value in values if value), "")

    return Found(
        title=first("title"), url=first("url"), text=first("text"), date=first("date") or None
    )
