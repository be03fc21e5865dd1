"""`yiku audit`: who did what."""

from __future__ import annotations

import json
from datetime import datetime

import click

from yiku.cli import output
from yiku.cli.options import Asked, Command, When
from yiku.cli.tenancy.shared import administered, limit_option, more, org_option

WIDTH = 60


@click.command(cls=Command)
@click.option("--action", help="An act, `key.create`, or what several begin with, `key`.")
@click.option("--user-id", help="Whose acts.")
@click.option("--key-id", help="What was done with this key.")
@click.option("--target", help="What was done to this id.")
@click.option("--since", type=When(), help="From then on.")
@click.option("--until", type=When(), help="Before then.")
@limit_option
@click.option("--before", help="Those before the act of this id.")
@org_option
@click.pass_obj
def audit(
    asked: Asked,
    action: str | None,
    user_id: str | None,
    key_id: str | None,
    target: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    before: str | None,
    org: str | None,
) -> None:
    """Show who did what to keys, users, limits, skills, agents and archives, the newest first."""
    found = administered(
        asked,
        org,
        lambda admin, org: admin.audit(
            action=action,
            user_id=user_id,
            key_id=key_id,
            target=target,
            since=since,
            until=until,
            limit=limit,
            before=before,
            organization_id=org,
        ),
    )
    if asked.as_json:
        output.print_model(found)
        return
    rows = (
        [
            output.moment(one.at),
            one.action,
            one.target or "",
            one.user_id if one.key_id is None else f"{one.user_id} {one.key_id}",
            output.one_line(json.dumps(one.facts, ensure_ascii=False), WIDTH),
        ]
        for one in found.events
    )
    output.print_table(["at", "act", "of", "by", "facts"], rows, whole=("act", "at", "of", "by"))
    more(found.next, "--before")
