"""`yiku project add | list | delete`."""

from __future__ import annotations

import click

from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.tenancy.shared import (
    administered,
    after_option,
    done,
    limit_option,
    more,
    org_option,
)

WIDTH = 60


@click.group(cls=Group)
def project() -> None:
    """Make, list and delete projects: names to file agents under."""


@project.command()
@click.argument("name")
@click.option("--slug", help="As it stands in addresses; default: made from the name.")
@click.option("--description", default="", help="What it is about.")
@org_option
@click.pass_obj
def add(asked: Asked, name: str, slug: str | None, description: str, org: str | None) -> None:
    """Make a project called NAME."""
    made = administered(
        asked,
        org,
        lambda admin, org: admin.add_project(
            name, slug=slug, description=description, organization_id=org
        ),
    )
    done(asked, "added", made, f"{made.name}  {made.slug}  {made.id}")


@project.command("list")
@limit_option
@after_option
@org_option
@click.pass_obj
def list_projects(asked: Asked, limit: int, after: str | None, org: str | None) -> None:
    """Show the projects there are, the oldest first."""
    found = administered(
        asked, org, lambda admin, org: admin.projects(limit=limit, after=after, organization_id=org)
    )
    if asked.as_json:
        output.print_model(found)
        return
    rows = (
        [one.name, one.slug, output.one_line(one.description, WIDTH), one.id]
        for one in found.projects
    )
    output.print_table(["name", "slug", "about", "id"], rows)
    more(found.next, "--after")


@project.command()
@click.argument("project_id")
@org_option
@click.pass_obj
def delete(asked: Asked, project_id: str, org: str | None) -> None:
    """Delete the project of this id; the agents that were filed under it stay."""
    administered(
        asked, org, lambda admin, org: admin.delete_project(project_id, organization_id=org)
    )
    if asked.as_json:
        output.print_json({"deleted": project_id})
    else:
        click.echo(f"{click.style('deleted', fg='green')}  {project_id}")
