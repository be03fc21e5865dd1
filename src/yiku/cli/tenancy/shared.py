"""What the commands of administration share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from yiku.cli import output
from yiku.cli.options import Asked
from yiku.cli.running import with_memory

if TYPE_CHECKING:
    from pydantic import BaseModel

    from yiku.client.admin import AdminClient
    from yiku.client.memory import MemoryClient
    from yiku.server.wire_admin import UsersOut

T = TypeVar("T")


class Page(Protocol):
    @property
    def next(self) -> str | None: ...


class Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


org_option = click.option(
    "--org", help="Another organization, by id or name: for administrators of the server."
)
limit_option = click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many."
)
after_option = click.option("--after", help="Those made after the one of this id.")


def administered(
    asked: Asked, org: str | None, work: Callable[[AdminClient, str | None], Awaitable[T]]
) -> T:
    """Do the work, on the server that was asked for or on this machine's database; it is given the
    id of the organization `org`, which may be named."""

    async def within(memory: MemoryClient) -> T:
        admin = memory.admin
        return await work(admin, None if org is None else await organization_id(admin, org))

    return with_memory(asked, within)


async def organization_id(admin: AdminClient, named: str) -> str:
    """Of the organization of this id or name."""
    return await id_of(named, "org-", admin.organizations, lambda found: found.organizations)


async def user_id(admin: AdminClient, named: str, org: str | None) -> str:
    """Of the user of this id or name."""

    async def pages(**where: Any) -> UsersOut:
        return await admin.users(**where, organization_id=org)

    return await id_of(named, "user-", pages, lambda found: found.users)


async def id_of(
    named: str,
    prefix: str,
    pages: Callable[..., Awaitable[Page]],
    listed: Callable[[Any], Sequence[Named]],
) -> str:
    """What is neither an id nor a name is returned as it is: whom it is shown says that there is
    none."""
    after: str | None = None
    while not named.startswith(prefix):
        found = await pages(limit=1000, after=after)
        for one in listed(found):
            if one.name == named:
                return one.id
        after = found.next
        if after is None:
            break
    return named


def done(asked: Asked, word: str, made: BaseModel, told: str) -> None:
    """What was done, in a line."""
    if asked.as_json:
        output.print_model(made)
    else:
        click.echo(f"{click.style(word, fg='green')}  {output.visible(told)}")


def more(next_id: str | None, option: str) -> None:
    """That there may be more, and how to see it."""
    if next_id is not None:
        output.note(f"There may be more: {option} {next_id}")


def moment(at: datetime | None) -> str:
    return "" if at is None else output.moment(at)
