"""The working parts of memory skills, which their use cases share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from yiku.core.ids import OrganizationId
from yiku.memory.archival import ArchivalMemory
from yiku.memory.skills.controller import Controllers
from yiku.memory.skills.files import Shelf
from yiku.memory.skills.looking import LookupLog
from yiku.providers.models import Models
from yiku.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What settings decide about memory skills."""

    encoding: Literal["background", "request", "off"] = "background"
    """When a model encodes what agents save."""
    secrets: Literal["refuse", "mask", "keep"] = "mask"
    choose_with_model: bool = False
    """Whether a model may choose the skill where keywords can't."""
    designer_model: str | None = None
    """A handle; None: the default model."""
    designer_base_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skills:
    """An organization's memory skills, what they write to, and the models they ask."""

    database: Database
    memory: ArchivalMemory
    models: Models
    policy: Policy
    folder: Path
    """Where users put skills of their own; it need not be there."""
    designers: Models | None = None
    """Where the Designer's model is asked for; None: where all are."""
    shelf: Shelf = field(init=False)
    ensured: dict[OrganizationId, int] = field(
        init=False, default_factory=dict[OrganizationId, int]
    )
    """Whose rows say what the files say, and as of which of the shelf's editions."""

    controllers: Controllers = field(init=False, default_factory=Controllers)
    looking: LookupLog = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shelf", Shelf(self.folder))
        object.__setattr__(self, "looking", LookupLog(self.database))

    async def close(self) -> None:
        """Write what is being noted."""
        await self.looking.close()
