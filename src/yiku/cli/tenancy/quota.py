"""`yiku quota show | set | clear`: what an organization may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.tenancy.shared import administered, done, moment, org_option
from yiku.core.quota import Resource

if TYPE_CHECKING:
    from yiku.server.wire_admin import QuotaOut

RESOURCE = click.Choice([one.value for one in Resource])


@click.group(cls=Group)
def quota() -> None:
    """Show and set how many agents, passages, messages and tokens an organization may have."""


@quota.command()
@org_option
@click.pass_obj
def show(asked: Asked, org: str | None) -> None:
    """Show every limit, and what is used of it."""
    found = administered(asked, org, lambda admin, org: admin.quotas(organization_id=org))
    if asked.as_json:
        output.print_json({"quotas": [one.model_dump(mode="json") for one in found]})
        return
    rows = (
        [
            one.resource,
            f"{one.used:,}",
            limit_of(one),
            "its own" if one.own else "the server's",
            moment(one.resets_at),
        ]
        for one in found
    )
    output.print_table(["of", "used", "limit", "whose", "begins anew"], rows)


@quota.command("set")
@click.argument("resource", type=RESOURCE)
@click.argument("most", type=click.IntRange(0))
@org_option
@click.pass_obj
def set_quota(asked: Asked, resource: str, most: int, org: str | None) -> None:
    """Let an organization have MOST of a RESOURCE; 0: no limit."""
    found = administered(
        asked, org, lambda admin, org: admin.set_quota(resource, most, organization_id=org)
    )
    done(asked, "set", found, f"{found.resource}: {limit_of(found)}, used {found.used:,}")


@quota.command()
@click.argument("resource", type=RESOURCE)
@org_option
@click.pass_obj
def clear(asked: Asked, resource: str, org: str | None) -> None:
    """Let the server's default hold again for a RESOURCE."""
    found = administered(
        asked, org, lambda admin, org: admin.clear_quota(resource, organization_id=org)
    )
    done(asked, "cleared", found, f"{found.resource}: {limit_of(found)}, used {found.used:,}")


def limit_of(one: QuotaOut) -> str:
    return f"{one.most:,}" if one.most else "none"
