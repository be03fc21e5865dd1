"""`yiku user add | list | rename | disable | enable`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.tenancy.shared import (
    administered,
    after_option,
    done,
    limit_option,
    moment,
    more,
    org_option,
    user_id,
)

if TYPE_CHECKING:
    from yiku.client.admin import AdminClient
    from yiku.server.wire_admin import UserOut


@click.group(cls=Group)
def user() -> None:
    """Make, list, rename and disable users: whom keys act as."""


@user.command()
@click.argument("name")
@org_option
@click.pass_obj
def add(asked: Asked, name: str, org: str | None) -> None:
    """Make a user called NAME."""
    made = administered(asked, org, lambda admin, org: admin.add_user(name, organization_id=org))
    done(asked, "added", made, f"{made.name}  {made.id}")


@user.command("list")
@limit_option
@after_option
@org_option
@click.pass_obj
def list_users(asked: Asked, limit: int, after: str | None, org: str | None) -> None:
    """Show the users there are, the oldest first."""
    found = administered(
        asked, org, lambda admin, org: admin.users(limit=limit, after=after, organization_id=org)
    )
    if asked.as_json:
        output.print_model(found)
        return
    rows = (
        [one.name, output.moment(one.created_at), moment(one.disabled_at), one.id]
        for one in found.users
    )
    output.print_table(["name", "made", "disabled", "id"], rows)
    more(found.next, "--after")


@user.command()
@click.argument("named", metavar="USER")
@click.argument("name")
@org_option
@click.pass_obj
def rename(asked: Asked, named: str, name: str, org: str | None) -> None:
    """Call the user of this id or name NAME."""

    async def work(admin: AdminClient, org: str | None) -> UserOut:
        one = await user_id(admin, named, org)
        return await admin.change_user(one, name=name, organization_id=org)

    changed = administered(asked, org, work)
    done(asked, "renamed", changed, f"{changed.name}  {changed.id}")


@user.command()
@click.argument("named", metavar="USER")
@org_option
@click.pass_obj
def disable(asked: Asked, named: str, org: str | None) -> None:
    """Refuse all keys of the user of this id or name, from now on."""

    async def work(admin: AdminClient, org: str | None) -> UserOut:
        one = await user_id(admin, named, org)
        return await admin.change_user(one, disabled=True, organization_id=org)

    changed = administered(asked, org, work)
    done(asked, "disabled", changed, f"{changed.name}  {changed.id}")


@user.command()
@click.argument("named", metavar="USER")
@org_option
@click.pass_obj
def enable(asked: Asked, named: str, org: str | None) -> None:
    """Take the keys of the user of this id or name again that aren't revoked or expired."""

    async def work(admin: AdminClient, org: str | None) -> UserOut:
        one = await user_id(admin, named, org)
        return await admin.change_user(one, disabled=False, organization_id=org)

    changed = administered(asked, org, work)
    done(asked, "enabled", changed, f"{changed.name}  {changed.id}")
