"""`yiku org add | list | rename | delete`: organizations, for administrators of the server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.tenancy.shared import (
    administered,
    after_option,
    done,
    limit_option,
    more,
    organization_id,
)

if TYPE_CHECKING:
    from yiku.client.admin import AdminClient
    from yiku.server.wire_admin import OrganizationOut


@click.group(cls=Group)
def org() -> None:
    """Make, list, rename and delete organizations: whose agents and memories are apart."""


@org.command()
@click.argument("name")
@click.pass_obj
def add(asked: Asked, name: str) -> None:
    """Make an organization called NAME."""
    made = administered(asked, None, lambda admin, _: admin.add_organization(name))
    done(asked, "added", made, f"{made.name}  {made.id}")


@org.command("list")
@limit_option
@after_option
@click.pass_obj
def list_organizations(asked: Asked, limit: int, after: str | None) -> None:
    """Show the organizations there are, the oldest first."""
    found = administered(
        asked, None, lambda admin, _: admin.organizations(limit=limit, after=after)
    )
    if asked.as_json:
        output.print_model(found)
        return
    rows = ([one.name, output.moment(one.created_at), one.id] for one in found.organizations)
    output.print_table(["name", "made", "id"], rows)
    more(found.next, "--after")


@org.command()
@click.argument("named", metavar="ORG")
@click.argument("name")
@click.pass_obj
def rename(asked: Asked, named: str, name: str) -> None:
    """Call the organization of this id or name NAME."""

    async def work(admin: AdminClient, _: str | None) -> OrganizationOut:
        return await admin.rename_organization(await organization_id(admin, named), name)

    changed = administered(asked, None, work)
    done(asked, "renamed", changed, f"{changed.name}  {changed.id}")


@org.command()
@click.argument("named", metavar="ORG")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def delete(asked: Asked, named: str, yes: bool) -> None:
    """Delete the organization of this id or name, and erase all that belongs to it, for good.

    Its keys are refused at once; the rest goes in the background, while a server or a worker runs.
    """

    async def work(admin: AdminClient, _: str | None) -> OrganizationOut:
        one = await organization_id(admin, named)
        if not yes:
            confirm_name((await admin.organization(one)).name)
        return await admin.delete_organization(one)

    gone = administered(asked, None, work)
    done(asked, "deleted", gone, f"{gone.name}  {gone.id}")


def confirm_name(name: str) -> None:
    """Raises: UsageError where nobody can be asked, ClickException where it isn't typed."""
    if not sys.stdin.isatty():
        raise click.UsageError(
            "Nobody is there to be asked: give --yes", click.get_current_context()
        )
    told = click.prompt(
        f"All agents, memories, files, users and keys of {output.visible(name)} go, for good."
        " Its name, to do so",
        err=True,
    )
    if told.strip() != name:
        raise click.ClickException("That isn't its name. Nothing was deleted.")
