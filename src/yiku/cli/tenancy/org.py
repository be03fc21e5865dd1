"""`yiku org add | list | rename`: organizations, for administrators of the server."""

from __future__ import annotations

import click

from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.tenancy.shared import administered, after_option, done, limit_option, more


@click.group(cls=Group)
def org() -> None:
    """Make, list and rename organizations: whose agents and memories are apart."""


@org.command()
@click.argument("name")
@click.pass_obj
def add(asked: Asked, name: str) -> None:
    """Make an organization called NAME."""
    made = administered(asked, lambda admin: admin.add_organization(name))
    done(asked, "added", made, f"{made.name}  {made.id}")


@org.command("list")
@limit_option
@after_option
@click.pass_obj
def list_organizations(asked: Asked, limit: int, after: str | None) -> None:
    """Show the organizations there are, the oldest first."""
    found = administered(asked, lambda admin: admin.organizations(limit=limit, after=after))
    if asked.as_json:
        output.print_model(found)
        return
    rows = ([one.name, output.moment(one.created_at), one.id] for one in found.organizations)
    output.print_table(["name", "made", "id"], rows)
    more(found.next, "--after")


@org.command()
@click.argument("organization_id")
@click.argument("name")
@click.pass_obj
def rename(asked: Asked, organization_id: str, name: str) -> None:
    """Call the organization of this id NAME."""
    changed = administered(asked, lambda admin: admin.rename_organization(organization_id, name))
    done(asked, "renamed", changed, f"{changed.name}  {changed.id}")
