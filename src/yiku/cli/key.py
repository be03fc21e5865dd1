"""`yiku key create | list | revoke`: on the database of this machine, whoever may open it."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

import click

from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.running import with_database
from yiku.core.ids import ApiKeyId
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION, ApiKey, Scope
from yiku.store import tenants
from yiku.store.database import Tx, Unit

T = TypeVar("T")
OWNER = "local"


@click.group(cls=Group)
def key() -> None:
    """Make, list and revoke API keys of the local database."""


@key.command()
@click.argument("name")
@click.option("--user-name", default=OWNER, show_default=True, help="Who it acts as.")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.WRITE.value,
    show_default=True,
    help="What it may do: each includes those before it.",
)
@click.option("--expires-days", type=click.IntRange(1, 36_500), help="Default: it doesn't expire.")
@click.pass_obj
def create(asked: Asked, name: str, user_name: str, scope: str, expires_days: int | None) -> None:
    """Make a key called NAME, and show it: once, it is kept only as a hash."""

    def unit(tx: Tx) -> tuple[ApiKey, str]:
        owner = tenants.find_user(tx, LOCAL_ORGANIZATION, user_name) or tenants.add_user(
            tx, LOCAL_ORGANIZATION, user_name
        )
        expires = None if expires_days is None else tx.now + timedelta(days=expires_days)
        return tenants.add_key(tx, owner, name, Scope(scope), expires)

    made, secret = write(asked, unit)
    if asked.as_json:
        output.print_json({**public(made), "key": secret})
    else:
        click.echo(secret)
        output.note(f"{made.id}, may {scope}. Keep it now: it can't be shown again.")


@key.command("list")
@click.pass_obj
def list_keys(asked: Asked) -> None:
    """Show the keys there are, not their secrets."""
    found = write(asked, tenants.list_keys)
    if asked.as_json:
        output.print_json({"keys": [public(one) for one in found]})
        return
    output.print_table(
        ["name", "begins", "scope", "made", "state", "id"],
        (
            [
                one.name,
                f"{one.prefix}…",
                one.scope.value,
                output.moment(one.created_at),
                state(one),
                one.id,
            ]
            for one in found
        ),
    )


@key.command()
@click.argument("key_id")
@click.pass_obj
def revoke(asked: Asked, key_id: str) -> None:
    """Refuse the key of this id from now on."""
    write(asked, lambda tx: tenants.revoke_key(tx, ApiKeyId(key_id)))
    if asked.as_json:
        output.print_json({"revoked": key_id})
    else:
        click.echo(f"{click.style('revoked', fg='green')}  {key_id}")


def write(asked: Asked, unit: Unit[T]) -> T:
    return with_database(asked, lambda database: database.write(LOCAL_ACTOR, unit))


def public(one: ApiKey) -> dict[str, str | None]:
    def iso(name: str) -> str | None:
        value = getattr(one, name)
        return None if value is None else value.isoformat()

    moments = {name: iso(name) for name in ("created_at", "expires_at", "revoked_at")}
    return {
        "id": one.id,
        "name": one.name,
        "prefix": one.prefix,
        "scope": one.scope.value,
        "user_id": one.user_id,
        **moments,
    }


def state(one: ApiKey) -> str:
    if one.revoked_at is not None:
        return f"revoked {output.day(one.revoked_at)}"
    if one.expires_at is not None:
        return f"until {output.moment(one.expires_at)}"
    return "valid"
