"""`yiku user add | list | rename | disable | enable`."""

from __future__ import annotations

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
)


@click.group(cls=Group)
def user() -> None:
    """Make, list, rename and disable users: whom keys act as."""


@user.command()
@click.argument("name")
@org_option
@click.pass_obj
def add(asked: Asked, name: str, org: str | None) -> None:
    """Make a user called NAME."""
    made = administered(asked, lambda admin: admin.add_user(name, organization_id=org))
    done(asked, "added", made, f"{made.name}  {made.id}")


@user.command("list")
@limit_option
@after_option
@org_option
@click.pass_obj
def list_users(asked: Asked, limit: int, after: str | None, org: str | None) -> None:
    """Show the users there are, the oldest first."""
    found = administered(
        asked, lambda admin: admin.users(limit=limit, after=after, organization_id=org)
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
@click.argument("user_id")
@click.argument("name")
@org_option
@click.pass_obj
def rename(asked: Asked, user_id: str, name: str, org: str | None) -> None:
    """Call the user of this id NAME."""
    changed = administered(
        asked, lambda admin: admin.change_user(user_id, name=name, organization_id=org)
    )
    done(asked, "renamed", changed, f"{changed.name}  {changed.id}")


@user.command()
@click.argument("user_id")
@org_option
@click.pass_obj
def disable(asked: Asked, user_id: str, org: str | None) -> None:
    """Refuse all keys of the user of this id, from now on."""
    changed = administered(
        asked, lambda admin: admin.change_user(user_id, disabled=True, organization_id=org)
    )
    done(asked, "disabled", changed, f"{changed.name}  {changed.id}")


@user.command()
@click.argument("user_id")
@org_option
@click.pass_obj
def enable(asked: Asked, user_id: str, org: str | None) -> None:
    """Take the user's keys again that aren't revoked or expired."""
    changed = administered(
        asked, lambda admin: admin.change_user(user_id, disabled=False, organization_id=org)
    )
    done(asked, "enabled", changed, f"{changed.name}  {changed.id}")
