"""What organizations may have, checked in the transaction that would make it too much.

A limit is the organization's own, or the server's default; 0 is none. Organizations without limits
pay for it with the statement that looks for one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from yiku.core.errors import QuotaExceeded
from yiku.core.memory import RECALL, Archive
from yiku.core.quota import Quota, Resource
from yiku.store.admin_tables import quota as table
from yiku.store.agent_tables import agent
from yiku.store.database import Tx
from yiku.store.hot import Select
from yiku.store.tables import archive, organization, passage

DAY = timedelta(days=1)

_MOST = Select(
    "SELECT most FROM quota WHERE organization_id = :organization AND resource = :resource"
)
_ALL = Select("SELECT resource, most FROM quota WHERE organization_id = :organization")
_NEW = "INSERT INTO daily_usage (organization_id, day, shard, messages, tokens)"
_MORE = (
    " ON CONFLICT (organization_id, day, shard) DO UPDATE SET"
    " messages = daily_usage.messages + excluded.messages,"
    " tokens = daily_usage.tokens + excluded.tokens"
    " RETURNING shard"
)
_COUNT = Select(f"{_NEW} VALUES (:organization, :day, 0, :messages, :tokens){_MORE}")
# A row that nobody else is just counting in, or a new one. Each parameter stands once: Postgres
# wants it to be of one type wherever it stands.
_COUNT_BESIDE = Select(
    "WITH given AS (SELECT CAST(:organization AS VARCHAR) AS id, CAST(:day AS DATE) AS day),"
    " free AS (SELECT shard FROM daily_usage JOIN given ON organization_id = given.id"
    " AND daily_usage.day = given.day WHERE shard > 0"
    " LIMIT 1 FOR UPDATE OF daily_usage SKIP LOCKED)"
    f" {_NEW} SELECT id, day, coalesce((SELECT shard FROM free), :fresh),"
    f" CAST(:messages AS BIGINT), CAST(:tokens AS BIGINT) FROM given{_MORE}"
)
_TODAY = Select(
    "SELECT CAST(sum(messages) AS BIGINT), CAST(sum(tokens) AS BIGINT) FROM daily_usage"
    " WHERE organization_id = :organization AND day = :day"
)
LAST_SHARD = (1 << 62) - 1
"""New rows have any number up to it, so that no two of them have the same one."""


def most(tx: Tx, resource: Resource) -> int:
    """0: no limit."""
    rows = _MOST.rows(tx.connection, organization=tx.actor.organization_id, resource=resource.value)
    return int(rows[0][0]) if rows else tx.limits.get(resource, 0)


def own_or_default(tx: Tx) -> dict[Resource, int]:
    """All limits; 0: none."""
    rows = _ALL.rows(tx.connection, organization=tx.actor.organization_id)
    own = {Resource(name): int(limit) for name, limit in rows}
    return {one: own.get(one, tx.limits.get(one, 0)) for one in Resource}


def demand_agent(tx: Tx) -> None:
    """Raises: QuotaExceeded where there is no room for one more."""
    limit = most(tx, Resource.AGENTS)
    if limit:
        hold(tx)
        demand_room(tx, Resource.AGENTS, limit, agents(tx), 1)


def demand_passages(tx: Tx, where: Archive, more: int) -> None:
    """Raises: QuotaExceeded where there is no room for so many more in this archive.

    What messages are found by isn't counted: who may say something may find it again.
    """
    if not more or where.owner == RECALL:
        return
    limit = most(tx, Resource.PASSAGES)
    if limit:
        hold(tx)
        demand_room(tx, Resource.PASSAGES, limit, passages(tx), more)


def hold(tx: Tx) -> None:
    """Until the commit nobody else of the organization counts: two can't share the last room.
    SQLite has one writer anyway."""
    if tx.postgres:
        query = select(organization.c.id).where(organization.c.id == tx.actor.organization_id)
        tx.connection.execute(query.with_for_update(key_share=True))


def demand_room(tx: Tx, resource: Resource, limit: int, used: int, more: int) -> None:
    """Raises: QuotaExceeded."""
    if used + more > limit:
        raise exceeded(tx, resource, limit, used, more)


def agents(tx: Tx) -> int:
    query = select(func.count()).select_from(agent)
    query = query.where(agent.c.organization_id == tx.actor.organization_id)
    return int(tx.connection.execute(query).scalar_one())


def passages(tx: Tx) -> int:
    """Counted from the index of each archive."""
    ids = select(archive.c.id).where(
        archive.c.organization_id == tx.actor.organization_id, archive.c.owner != RECALL
    )
    query = select(func.count()).select_from(passage).where(passage.c.archive_id.in_(ids))
    return int(tx.connection.execute(query).scalar_one())


def count_messages(tx: Tx, said: int) -> None:
    """Count what was said to an agent, as the last statement of a transaction: where there is a
    limit of messages, those of one organization go one after the other from here to their commit,
    so it is never exceeded. Without one, nobody waits. `said` 0: only see whether there are tokens
    left.

    Raises: QuotaExceeded.
    """
    limits = own_or_default(tx)
    most_messages, most_tokens = limits[Resource.MESSAGES], limits[Resource.TOKENS]
    if said:
        count(tx, messages=said, in_turn=bool(most_messages))
    if not (most_tokens or (said and most_messages)):
        return
    messages, tokens = today(tx)
    if most_messages and said and messages > most_messages:
        raise exceeded(tx, Resource.MESSAGES, most_messages, messages - said, said)
    if most_tokens and tokens >= most_tokens:
        raise exceeded(tx, Resource.TOKENS, most_tokens, tokens, 1)


def count_tokens(tx: Tx, tokens: int) -> bool:
    """Count what a model's answer took, and tell whether it took the last of the day, as far as
    others have told by now: what they haven't committed yet isn't known."""
    if tokens:
        count(tx, tokens=tokens)
    limit = most(tx, Resource.TOKENS)
    return bool(limit) and today(tx)[1] >= limit


def count(tx: Tx, *, messages: int = 0, tokens: int = 0, in_turn: bool = False) -> None:
    """A day of an organization has several rows, whose sum counts; SQLite, which has one writer,
    needs one. `in_turn`: in the row that all who ask for that share, one after the other."""
    values: dict[str, Any] = {
        "organization": tx.actor.organization_id,
        "day": day_of(tx.now),
        "messages": messages,
        "tokens": tokens,
    }
    if tx.postgres and not in_turn:
        _COUNT_BESIDE.rows(tx.connection, **values, fresh=random.randint(1, LAST_SHARD))
    else:
        _COUNT.rows(tx.connection, **values)


def today(tx: Tx) -> tuple[int, int]:
    """Messages and tokens of the day, as far as they are committed, or of this transaction."""
    [(messages, tokens)] = _TODAY.rows(
        tx.connection, organization=tx.actor.organization_id, day=day_of(tx.now)
    )
    return messages or 0, tokens or 0


def day_of(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()


def next_day(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date() + DAY, time(), UTC)


WORDS = {
    Resource.AGENTS: ("agents", "个智能体"),
    Resource.PASSAGES: ("passages", "条记忆"),
    Resource.MESSAGES: ("messages to agents in a day", "条发给智能体的消息(每天)"),
    Resource.TOKENS: ("tokens of language models in a day", "个语言模型的词元(每天)"),
}


def exceeded(tx: Tx, resource: Resource, limit: int, used: int, more: int) -> QuotaExceeded:
    facts: dict[str, Any] = {"resource": resource.value, "limit": limit, "used": used}
    what, what_zh = WORDS[resource]
    words = f"The organization may have {limit:,} {what} and has {used:,}"
    zh = f"该组织最多可有 {limit:,} {what_zh},已有 {used:,}"
    if resource is Resource.PASSAGES and more > 1:
        words += f"; these would be {more:,} more"
        zh += f",这次还要增加 {more:,}"
    if resource.daily:
        resets = next_day(tx.now)
        wait_s = max(1, round((resets - tx.now).total_seconds()))
        facts |= {"resets_at": resets.isoformat(), "retry_after_s": wait_s}
        words += f". Wait until {resets:%Y-%m-%dT%H:%MZ}, when it begins anew"
        zh += f"。{resets:%Y-%m-%dT%H:%MZ} 重新计算"
    else:
        words += ". Delete some for good"
        zh += "。请彻底删除一些"
    words += ", or have the server's administrator raise the limit."
    return QuotaExceeded(words, zh=f"{zh},或请服务器管理员提高上限。", **facts)


def all_of(tx: Tx, resources: Iterable[Resource] = tuple(Resource)) -> list[Quota]:
    """Every limit, and what is used of it."""
    rows = _ALL.rows(tx.connection, organization=tx.actor.organization_id)
    own = {Resource(name): int(limit) for name, limit in rows}
    messages, tokens = today(tx)
    used = {
        Resource.AGENTS: lambda: agents(tx),
        Resource.PASSAGES: lambda: passages(tx),
        Resource.MESSAGES: lambda: messages,
        Resource.TOKENS: lambda: tokens,
    }
    return [
        Quota(
            resource=one,
            most=own.get(one, tx.limits.get(one, 0)),
            used=used[one](),
            own=one in own,
            resets_at=next_day(tx.now) if one.daily else None,
        )
        for one in resources
    ]


def put(tx: Tx, resource: Resource, limit: int) -> None:
    """Give the organization a limit of its own; 0: none, whatever the default is."""
    values = {"most": limit, "updated_at": tx.now, "updated_by": tx.actor.user_id}
    key = (
        table.c.organization_id == tx.actor.organization_id,
        table.c.resource == resource.value,
    )
    if tx.connection.execute(update(table).where(*key).values(values)).rowcount:
        return
    organization_id = tx.actor.organization_id
    tx.connection.execute(
        insert(table).values(organization_id=organization_id, resource=resource.value, **values)
    )


def clear(tx: Tx, resource: Resource) -> bool:
    """Back to the default; False: it had no limit of its own."""
    gone = tx.connection.execute(
        delete(table)
        .where(
            table.c.organization_id == tx.actor.organization_id,
            table.c.resource == resource.value,
        )
        .returning(table.c.resource)
    ).first()
    return gone is not None
