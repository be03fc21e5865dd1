"""Who may administer what: an organization its own matters, who runs the server everybody's."""

from __future__ import annotations

from dataclasses import replace

from yiku.core.errors import Invalid, NotAllowed
from yiku.core.ids import OrganizationId
from yiku.core.tenant import Scope
from yiku.store import tenants
from yiku.store.database import Tx, demand

LONGEST_NAME = 200


def inside(tx: Tx, organization_id: OrganizationId | None) -> Tx:
    """The same transaction, in the organization that is to be administered; None: one's own.

    What is done in it is in that organization's audit log. Raises: NotAllowed,
    OrganizationNotFound, for those that aren't one's own, too.
    """
    demand(tx.actor, Scope.ADMIN)
    if organization_id is None or organization_id == tx.actor.organization_id:
        return tx
    if not tx.actor.runs_server:
        raise tenants.no_organization(organization_id)
    there = tenants.get_organization(tx, organization_id)
    return replace(tx, actor=replace(tx.actor, organization_id=there.id))


def demand_server(tx: Tx) -> None:
    """Raises: NotAllowed."""
    demand(tx.actor, Scope.ADMIN)
    if not tx.actor.runs_server:
        raise NotAllowed(
            "Organizations and their limits are for administrators of the server: admin keys of"
            " the organization it began with."
        )


def checked_name(field: str, name: str) -> str:
    """Without spaces around it. Raises: Invalid."""
    plain = name.strip()
    if not plain or len(plain) > LONGEST_NAME or not plain.isprintable():
        raise Invalid(
            f"`{field}` has 1 to {LONGEST_NAME} characters on one line, not {name!r:.80}.",
            field=field,
        )
    return plain
