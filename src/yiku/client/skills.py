"""Memory skills' part of the Python API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal, Unpack

from yiku.client.agents import PATIENCE
from yiku.client.calls import Calls, asked_for, key_header, part, raise_for, sendable, understood
from yiku.client.filters import Filters
from yiku.server import wire
from yiku.server import wire_skills as forms

ROOT = "/memory/skills"


class SkillClient(Calls):
    """The memory skills of an organization: how memories are written and looked up.

    A skill is named by its `name`. What waits for a decision is named by its change's id, or by
    the skill's name. Adding, editing, evolving and deciding are for administrators.
    """

    async def list(
        self, *, skill_type: str | None = None, status: Sequence[str] | None = None
    ) -> forms.SkillsOut:
        """The `skills` there are, by default the active and the canaries, and `problems` of
        files."""
        query = asked_for({"skill_type": skill_type, "status": status})
        return await self._call(forms.SkillsOut, "GET", ROOT, params=query)

    async def get(self, skill: str) -> forms.SkillShownOut:
        """A skill with its versions, by its name or the id of one of them."""
        return await self._call(forms.SkillShownOut, "GET", path_of(skill))

    async def add(
        self,
        name: str | None = None,
        *,
        skill_type: str | None = None,
        description: str | Mapping[str, str] | None = None,
        intent_keywords: Sequence[str] = (),
        prompt_template: str | None = None,
        file: str | None = None,
    ) -> forms.SkillOut:
        """Add a skill, active at once. `file`: the text of its Markdown file, in place of all
        else."""
        given = {
            "name": name,
            "skill_type": skill_type,
            "description": description,
            "intent_keywords": [*intent_keywords] or None,
            "prompt_template": prompt_template,
            "file": file,
        }
        return await self._call(forms.SkillOut, "POST", ROOT, json=asked_for(given))

    async def edit(self, skill: str, *, reason: str = "", **changes: Any) -> forms.SkillOut:
        """Change `description`, `intent_keywords` or `prompt_template`, or all by a `file`: a new
        version, active at once."""
        body = {**sendable(changes), "reason": reason}
        return await self._call(forms.SkillOut, "PATCH", path_of(skill), json=body)

    async def stats(self, skill: str | None = None) -> forms.SkillStatsOut:
        """Each version in figures, jobs that wait, and files that can't be used."""
        query = asked_for({"skill": skill})
        return await self._call(forms.SkillStatsOut, "GET", f"{ROOT}/stats", params=query)

    async def feedback(
        self,
        skill: str,
        *,
        kinds: Sequence[str] | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> forms.SkillFeedbacksOut:
        """Judgements on a version, the newest first, each with what shows it.

        `skill`: the version's id; a name stands for the active version. `before`: the `next` of the
        page before.
        """
        query = asked_for({"kind": kinds, "before": before, "limit": limit})
        path = f"{path_of(skill)}/feedback"
        return await self._call(forms.SkillFeedbacksOut, "GET", path, params=query)

    async def changelog(
        self, skill: str | None = None, *, before: str | None = None, limit: int = 50
    ) -> forms.SkillChangesOut:
        """How skills were changed, the newest first; `before`: the `next` of the page before."""
        query = asked_for({"skill": skill, "before": before, "limit": limit})
        return await self._call(forms.SkillChangesOut, "GET", f"{ROOT}/changelog", params=query)

    async def change(self, change_id: str) -> forms.SkillChangeWholeOut:
        """A change with its report, the prompts' diff, and every pair of its trial."""
        return await self._call(forms.SkillChangeWholeOut, "GET", change_path(change_id))

    async def preview(self, change: str) -> forms.SkillPreviewOut:
        """What approving it would do."""
        path = f"{change_path(change)}/preview"
        return await self._call(forms.SkillPreviewOut, "GET", path)

    async def approve(self, change: str, *, reason: str = "") -> forms.SkillDecidedOut:
        """Make a canary its skill's active version; the one before is deprecated."""
        return await self._decided(f"{change_path(change)}/approve", reason)

    async def reject(self, change: str, *, reason: str = "") -> forms.SkillDecidedOut:
        """Deprecate a canary; what is active stays."""
        return await self._decided(f"{change_path(change)}/reject", reason)

    async def rollback(self, skill: str, *, reason: str = "") -> forms.SkillDecidedOut:
        """Make the version before the active one active again: one step."""
        return await self._decided(f"{path_of(skill)}/rollback", reason)

    async def revert_version(
        self, skill_id: str, *, mode: Literal["restore", "encode"] = "restore"
    ) -> forms.RevertedOut:
        """Take back what a version wrote; asked again, it goes on where it ended.

        `restore`: the originals stand as they came; `encode`: the active version encodes them anew.
        """
        path, body = f"{path_of(skill_id)}/revert", {"mode": mode}
        return await self._call(forms.RevertedOut, "POST", path, json=body, timeout=PATIENCE)

    async def undo_revert(self, skill_id: str) -> forms.RevertedOut:
        """Take the reverting of a version back: what it wrote stands again."""
        path = f"{path_of(skill_id)}/revert/undo"
        return await self._call(forms.RevertedOut, "POST", path, timeout=PATIENCE)

    async def _decided(self, path: str, reason: str) -> forms.SkillDecidedOut:
        return await self._call(forms.SkillDecidedOut, "POST", path, json={"reason": reason})

    async def evolve(self, skill: str | None = None) -> forms.EvolutionOut:
        """Run a cycle of the Designer and wait for its end: of one skill, or of the worst of all.

        What it proposes is a canary: nothing changes before somebody approves it.
        """
        body = {"skill": skill}
        path = f"{ROOT}/evolve"
        return await self._call(forms.EvolutionOut, "POST", path, json=body, timeout=PATIENCE)

    async def evolve_later(self, skill: str | None = None) -> forms.EvolveAskedOut:
        """Have a cycle run in the background; an event tells of its end."""
        body = {"skill": skill, "background": True}
        return await self._call(forms.EvolveAskedOut, "POST", f"{ROOT}/evolve", json=body)

    async def encode_pending(self, limit: int = 20) -> forms.EncodePendingOut:
        """Encode texts that were stored while there was no model, the oldest first.

        Call it again while something is `left` and something was done.
        """
        path, body = f"{ROOT}/encode-pending", {"limit": limit}
        return await self._call(forms.EncodePendingOut, "POST", path, json=body, timeout=PATIENCE)

    async def save(
        self,
        content: str,
        *,
        skill: str | None = None,
        tags: Sequence[str] = (),
        user: str = "",
        archive: str = "default",
        idempotency_key: str | None = None,
    ) -> forms.SkillSavedOut:
        """Remember a text by a skill: it is stored as it came, and encoded after that.

        `skill`: which one encodes it; None: its keywords decide.
        """
        body = {
            "content": content,
            "skill": skill,
            "tags": [*tags],
            "user": user,
            "archive": archive,
        }
        headers, path = key_header(idempotency_key), f"{ROOT}/save"
        return await self._call(
            forms.SkillSavedOut, "POST", path, json=body, headers=headers, timeout=PATIENCE
        )

    async def query(
        self,
        query: str,
        *,
        user: str = "",
        archives: Sequence[str] = (),
        archive_ids: Sequence[str] = (),
        limit: int = 10,
        refine: Literal["auto", "always", "never"] = "auto",
        **filters: Unpack[Filters],
    ) -> forms.SkillFoundOut:
        """Memories that answer a query, by the skill that fits it.

        `refine`: whether a model words it otherwise, too; `auto`: where little is found.
        """
        body = {
            "query": query,
            "user": user,
            "archives": [*archives],
            "archive_ids": [*archive_ids],
            "limit": limit,
            "refine": refine,
            **sendable(filters),
        }
        path = f"{ROOT}/query"
        return await self._call(forms.SkillFoundOut, "POST", path, json=body, timeout=PATIENCE)

    async def forget(
        self,
        memory: str,
        *,
        reason: str | None = None,
        user: str = "",
        archives: Sequence[str] = (),
        archive_ids: Sequence[str] = (),
    ) -> wire.PassageOut:
        """Forget a memory, named by its id or its words; it counts against the skills that wrote it
        and found it. `undo` brings it back."""
        body = {
            "memory": memory,
            "reason": reason,
            "user": user,
            "archives": [*archives],
            "archive_ids": [*archive_ids],
        }
        return await self._call(wire.PassageOut, "POST", f"{ROOT}/forget", json=body)

    async def events(self, after: int | None = None) -> AsyncGenerator[forms.SkillEventOut]:
        """What happens to skills, while it happens; `after`: the number of the last one seen, None:
        new ones alone. It ends now and then; go on with the last one's `id`. A stream that is left
        should be closed: `contextlib.aclosing`."""
        query = asked_for({"after": after})
        with self._reached():
            async with self._http.stream("GET", f"{ROOT}/events", params=query) as response:
                if response.is_error:
                    await response.aread()
                    raise_for(response)
                async for line in response.aiter_lines():
                    name, _, value = line.partition(": ")
                    if name == "data":
                        yield understood(forms.SkillEventOut, value.encode())


def path_of(skill: str) -> str:
    return f"{ROOT}/{part(skill)}"


def change_path(change_id: str) -> str:
    return f"{ROOT}/changelog/{part(change_id)}"
