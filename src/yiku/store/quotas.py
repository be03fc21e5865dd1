"""What organizations may have, checked in the transaction that would make it too much.

A limit is the organization's own, or the server's default; 0 is none. Organizations without limits
pay for it with the statement that looks for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from yiku.core.errors import QuotaExceeded
from yiku.core.memory import RECALL, Archive
from yiku.core.quota import Quota, Resource
from yiku.store.admin_tables import daily_usage
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
_COUNT = Select(
    "INSERT INTO daily_usage (organization_id, day, messages, tokens)"
    " VALUES (:organization, :day, :messages, :tokens)"
    " ON CONFLICT (organization_id, day) DO UPDATE SET"
    " messages = daily_usage.messages + excluded.messages,"
    " tokens = daily_usage.tokens + excluded.tokens"
    " RETURNING messages, tokens,"
    " (SELECT most FROM quota WHERE organization_id = :organization"
    f" AND resource = '{Resource.MESSAGES}'),"
    " (SELECT most FROM quota WHERE organization_id = :organization"
    f" AND resource = '{Resource.TOKENS}')"
)


def most(tx: Tx, resource: Resource) -> int:
    """0: no limit."""
    rows = _MOST.rows(tx.connection, organization=tx.actor.organization_id, resource=resource.value)
    return int(rows[0][0]) if rows else tx.limits.get(resource, 0)


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
    """Count what was said to an agent, as the last statement of a transaction: on Postgres the
    day's row is held until its end. `said` 0: only see whether there are tokens left.

    Raises: QuotaExceeded.
    """
    messages, tokens, own_messages, own_tokens = counted(tx, said, 0)
    limit = tx.limits.get(Resource.MESSAGES, 0) if own_messages is None else own_messages
    if limit and said and messages > limit:
        raise exceeded(tx, Resource.MESSAGES, limit, messages - said, said)
    limit = tx.limits.get(Resource.TOKENS, 0) if own_tokens is None else own_tokens
    if limit and tokens >= limit:
        raise exceeded(tx, Resource.TOKENS, limit, tokens, 1)


def count_tokens(tx: Tx, tokens: int) -> bool:
    """Count what a step took, and tell whether it took the last of the day."""
    _, used, _, own = counted(tx, 0, tokens)
    limit = tx.limits.get(Resource.TOKENS, 0) if own is None else own
    return bool(limit) and used >= limit


def counted(tx: Tx, messages: int, tokens: int) -> tuple[int, int, int | None, int | None]:
    """The day's messages and tokens with these, and the organization's own limits of both."""
    [row] = _COUNT.rows(
        tx.connection,
        organization=tx.actor.organization_id,
        day=day_of(tx.now),
        messages=messages,
        tokens=tokens,
    )
    return row[0], row[1], row[2], row[3]


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
    today = tx.connection.execute(
        select(daily_usage.c.messages, daily_usage.c.tokens).where(
            daily_usage.c.organization_id == tx.actor.organization_id,
            daily_usage.c.day == tx.now.astimezone(UTC).date(),
        )
    ).first()
    messages, tokens = (0, 0) if today is None else (today.messages, today.tokens)
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
