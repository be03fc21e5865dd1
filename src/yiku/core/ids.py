"""Ids: one `NewType` per noun, `<noun>-<uuid4>`; random, so that nobody can guess another's."""

from typing import NewType
from uuid import uuid4

OrganizationId = NewType("OrganizationId", str)
UserId = NewType("UserId", str)
ApiKeyId = NewType("ApiKeyId", str)
ArchiveId = NewType("ArchiveId", str)
PassageId = NewType("PassageId", str)
ChangeId = NewType("ChangeId", str)
SightingId = NewType("SightingId", str)
RoleKey = NewType("RoleKey", str)
"""A role's own id; its `role_id` is a name that its archive's user gave it."""
DecisionId = NewType("DecisionId", str)


def new_id(noun: str) -> str:
    """`noun` and a random UUID: `passage-0b9c…`."""
    return f"{noun}-{uuid4()}"
