"""What somebody who asks for a model should know of it."""

from __future__ import annotations

from yiku.providers.access import Target


def note_of(target: Target) -> str | None:
    known = target.known
    if not known.retired:
        return None
    today = ", ".join(f"{target.access.name}/{name}" for name in known.instead)
    return f"`{target.name}` is {known.retired}; today there are {today}."
