"""`yiku key create | list | revoke`: on the database of this machine, whoever may open it; with a
URL, on that server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import click

from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.running import is_remote, with_database
from yiku.cli.tenancy.shared import administered, org_option
from yiku.core.ids import ApiKeyId, OrganizationId
from yiku.core.tenant import LOCAL_ACTOR, Scope
from yiku.store import keys, tenants
from yiku.store.database import Tx, Unit
from yiku.tenancy import people
from yiku.tenancy.reach import inside

if TYPE_CHECKING:
    from yiku.client.admin import AdminClient
    from yiku.server.wire_admin import KeyOut, NewKeyOut

T = TypeVar("T")
OWNER = "local"
PAGE = 1000


@click.group(cls=Group)
def key() -> None:
    """Make, list and revoke API keys."""


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
@org_option
@click.pass_obj
def create(
    asked: Asked,
    name: str,
    user_name: str,
    scope: str,
    expires_days: int | None,
    org: str | None,
) -> None:
    """Make a key called NAME, and show it: once, it is kept only as a hash."""
    until = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
    new = people.NewKey(name=name, scope=Scope(scope), user_name=user_name, expires_at=until)
    made = created_there(asked, new, org) if is_remote(asked) else created_here(asked, new, org)
    if asked.as_json:
        output.print_model(made)
    else:
        click.echo(made.key)
        output.note(f"{made.id}, may {scope}. Keep it now: it can't be shown again.")


def created_there(asked: Asked, new: people.NewKey, org: str | None) -> NewKeyOut:
    return administered(
        asked,
        org,
        lambda admin, org: admin.add_key(
            new.name,
            scope=new.scope.value,
            user=new.user_name,
            expires_at=new.expires_at,
            organization_id=org,
        ),
    )


def created_here(asked: Asked, new: people.NewKey, org: str | None) -> NewKeyOut:
    from yiku.server.translate_admin import new_key_out

    return new_key_out(*write(asked, org, lambda tx: people.add_key(tx, new)))


@key.command("list")
@org_option
@click.pass_obj
def list_keys(asked: Asked, org: str | None) -> None:
    """Show the keys there are, not their secrets."""
    found = listed_there(asked, org) if is_remote(asked) else listed_here(asked, org)
    if asked.as_json:
        output.print_json({"keys": [one.model_dump(mode="json") for one in found]})
        return
    output.print_table(
        ["name", "begins", "scope", "made", "state", "id"],
        (
            [
                one.name,
                f"{one.prefix}…",
                one.scope,
                output.moment(one.created_at),
                state(one),
                one.id,
            ]
            for one in found
        ),
    )


def listed_there(asked: Asked, org: str | None) -> list[KeyOut]:
    async def all_of(admin: AdminClient, org: str | None) -> list[KeyOut]:
        page = await admin.keys(limit=PAGE, organization_id=org)
        found = page.keys
        while page.next is not None:
            page = await admin.keys(limit=PAGE, after=page.next, organization_id=org)
            found += page.keys
        return found

    return administered(asked, org, all_of)


def listed_here(asked: Asked, org: str | None) -> list[KeyOut]:
    from yiku.server.translate_admin import key_out

    return [key_out(one) for one in write(asked, org, keys.list_keys)]


@key.command()
@click.argument("key_id")
@org_option
@click.pass_obj
def revoke(asked: Asked, key_id: str, org: str | None) -> None:
    """Refuse the key of this id from now on."""
    if is_remote(asked):
        administered(asked, org, lambda admin, org: admin.revoke_key(key_id, organization_id=org))
    else:
        write(asked, org, lambda tx: people.revoke_key(tx, ApiKeyId(key_id)))
    if asked.as_json:
        output.print_json({"revoked": key_id})
    else:
        click.echo(f"{click.style('revoked', fg='green')}  {key_id}")


def write(asked: Asked, org: str | None, unit: Unit[T]) -> T:
    """On the database itself, which needs no models."""

    def there(tx: Tx) -> T:
        if org is None:
            return unit(inside(tx, None))
        named = tenants.find_organization(tx, org)
        return unit(inside(tx, OrganizationId(org) if named is None else named.id))

    return with_database(asked, lambda database: database.write(LOCAL_ACTOR, there))


def state(one: KeyOut) -> str:
    if one.revoked_at is not None:
        return f"revoked {output.day(one.revoked_at)}"
    if one.expires_at is not None:
        return f"until {output.moment(one.expires_at)}"
    return "valid"
