"""Which passages a search may find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict


class Filters(TypedDict, total=False):
    """Which passages a search may find; see `Filter` in the docs."""

    tags: Sequence[str]
    speakers: Sequence[str]
    conversations: Sequence[str]
    messages: Sequence[str]
    languages: Sequence[str]
    metadata: Mapping[str, Any]
    roles: Sequence[str] | None
    since: datetime | str | None
    until: datetime | str | None
    as_of: datetime | str | None
    superseded: bool
