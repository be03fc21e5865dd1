"""What organizations may have: set by who runs the server, seen by themselves."""

from __future__ import annotations

from yiku.core.audit import Act
from yiku.core.errors import Invalid
from yiku.core.ids import OrganizationId
from yiku.core.quota import Quota, Resource
from yiku.store import audit, quotas
from yiku.store.database import Tx
from yiku.tenancy.reach import demand_server, inside

LARGEST = 2**62


def resource_of(name: str) -> Resource:
    """Raises: Invalid."""
    try:
        return Resource(name)
    except ValueError as error:
        raise Invalid(
            f"There are limits of {', '.join(Resource)}, not of {name!r:.80}.", field="resource"
        ) from error


def put(tx: Tx, organization_id: OrganizationId | None, resource: Resource, most: int) -> Quota:
    """0: no limit, whatever the server's default. Raises: NotAllowed, OrganizationNotFound,
    Invalid."""
    demand_server(tx)
    if not 0 <= most <= LARGEST:
        raise Invalid(f"`most` is 0, for no limit, or more, not {most}.", field="most")
    there = inside(tx, organization_id)
    quotas.put(there, resource, most)
    audit.note(there, Act.QUOTA_SET, resource.value, most=most)
    [found] = quotas.all_of(there, [resource])
    return found


def clear(tx: Tx, organization_id: OrganizationId | None, resource: Resource) -> Quota:
    """Back to the server's default. Raises: NotAllowed, OrganizationNotFound."""
    demand_server(tx)
    there = inside(tx, organization_id)
    if quotas.clear(there, resource):
        audit.note(there, Act.QUOTA_CLEAR, resource.value)
    [found] = quotas.all_of(there, [resource])
    return found
