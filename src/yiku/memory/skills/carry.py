"""A model's operations become changes of the archive: all of them in one transaction, and one entry
of the history, so that one `undo` takes them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from yiku.core.ids import ChangeId, PassageId
from yiku.core.memory import Action, Added, Archive, Draft, Json, Outcome, Passage
from yiku.core.skill import Encoding, EncodingStatus, MemorySkill, Op, Operation
from yiku.core.tenant import Actor
from yiku.memory import ingest
from yiku.memory.archival import ArchivalMemory
from yiku.memory.changes import apply, refound
from yiku.memory.draft import passages_of
from yiku.memory.reindex import Found
from yiku.memory.roles.arrive import hand_down
from yiku.memory.skills.executor import Encoded
from yiku.store import archives, encodings, history, passages
from yiku.store.database import Tx, now_utc

RAW_MARK = "raw"
"""In a passage's metadata: stored as it came, and no model has seen it yet."""
HINTS = "may_supersede"
"""In the metadata of a raw one: ids of memories that it may replace, as far as words tell."""
MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """All that one transaction needs."""

    encoding: Encoding
    """As it was read, pending."""
    skill: MemorySkill
    raw: Passage
    targets: Mapping[PassageId, Passage]
    """The known memories that operations name, as the model was shown them."""
    made: Encoded
    new: ingest.Plan | None
    """What is to be stored, in the order of the operations with a text."""
    plain: Mapping[int, Found]
    """What the raw passage is found by without its mark."""


def plain_metadata(raw: Passage) -> dict[str, Json]:
    return {name: value for name, value in raw.metadata.items() if name not in (RAW_MARK, HINTS)}


async def prepared(
    memory: ArchivalMemory,
    actor: Actor,
    encoding: Encoding,
    skill: MemorySkill,
    found: tuple[Passage, Sequence[Passage], Encoded],
) -> Carried:
    """What can be done before the transaction. `found`: the raw passage, those that were shown as
    known, and what the model made of it."""
    raw, known, made = found
    drafts = [draft_of(one, raw, known, skill) for one in made.operations if one.text]
    new = None
    if drafts:
        wanted = passages_of(drafts, actor, now_utc())
        given = ingest.Given(encoding.archive_id, drafts, wanted, None, ingest.ROUTE)
        new = await ingest.planned(memory, actor, given)
    unmarked = replace(raw, metadata=plain_metadata(raw))
    stays = new is not None and any(link.passage.id == raw.id for link in new.links.values())
    named = {one.target for one in made.operations}
    return Carried(
        encoding=encoding,
        skill=skill,
        raw=raw,
        targets={one.id: one for one in known if one.id in named},
        made=made,
        new=new,
        plain=await refound(memory, actor, [(raw, unmarked)]) if stays else {},
    )


def draft_of(one: Operation, raw: Passage, known: Sequence[Passage], skill: MemorySkill) -> Draft:
    """True from when it was said, not from when it was encoded."""
    old = next((each for each in known if each.id == one.target), None)
    return Draft(
        text=one.text,
        tags=raw.tags or (old.tags if old else ()),
        metadata=plain_metadata(raw),
        at=raw.at,
        valid_from=raw.valid_from + MOMENT,
        speaker=raw.speaker,
        message=raw.message,
        skill_id=skill.id,
    )


def carry_out(tx: Tx, memory: ArchivalMemory, plan: Carried) -> Encoding | None:
    """One transaction. Returns the encoding as it is then; None: it was erased meanwhile.

    Whoever was quicker has it as it is. Raises: StalePassage, StaleRole where something it builds
    on has changed.
    """
    seen = encodings.get_to_change(tx, plan.encoding.id)
    if seen is None or seen.status is not EncodingStatus.PENDING:
        return seen
    passages.demand_unchanged(tx, [plan.raw, *plan.targets.values()])
    added = [] if plan.new is None else ingest.store(tx, memory, plan.new, None)
    work = Work(tx, archives.bump(tx, plan.encoding.archive_id), plan, list(added))
    work.end_targets()
    work.end_raw()
    change_id = work.record()
    made = plan.made
    done = replace(
        seen,
        skill_id=plan.skill.id,
        status=EncodingStatus.ENCODED if change_id or work.raw_stays else EncodingStatus.KEPT,
        operations=made.operations,
        problem="\n".join(made.problems) or None,
        tries=seen.tries + 1,
        model=made.model,
        prompt_tokens=seen.prompt_tokens + made.usage.prompt_tokens,
        completion_tokens=seen.completion_tokens + made.usage.completion_tokens,
        encoded_at=tx.now,
    )
    encodings.put(tx, done)
    encodings.link(tx, done, work.items(change_id))
    return done


Changed = tuple[Passage, Mapping[str, Any], Mapping[str, Any]]
"""A passage, its fields before, and after."""


class Work:
    """What the transaction has done so far."""

    def __init__(self, tx: Tx, archive: Archive, plan: Carried, added: list[Added]) -> None:
        self.tx, self.archive, self.plan = tx, archive, plan
        self.operations = plan.made.operations
        results = iter(added)
        self.results = {n: next(results) for n, one in enumerate(self.operations) if one.text}
        """What became of each operation with a text, by its place."""
        self.changed: list[Changed] = []
        self.touched: dict[PassageId, str] = {}
        self.raw_stays = False

    def end_targets(self) -> None:
        for n, one in enumerate(self.operations):
            if n in self.results:
                self.wrote(n, one)
            if one.target is None or one.op is Op.NOTHING:
                continue
            target = self.plan.targets[one.target]
            if one.op is Op.DELETE:
                self.change(target, {"forgotten_at": None}, {"forgotten_at": self.tx.now})
                self.touched[target.id] = Op.DELETE.value
            elif self.results[n].passage.id != target.id:
                self.superseded(target, self.results[n].passage)
                self.touched[target.id] = encodings.SUPERSEDED
                self.inherit(target, n)

    def wrote(self, n: int, one: Operation) -> None:
        result = self.results[n]
        if result.passage.id == self.plan.raw.id:
            self.raw_stays = True
            return
        self.touched.setdefault(result.passage.id, one.op.value)
        if result.outcome is Outcome.ADDED:
            # Taken back, it is as if it had never come: hidden.
            hidden = {"forgotten_at": self.tx.now}
            self.changed.append((result.passage, hidden, {"forgotten_at": None}))

    def end_raw(self) -> None:
        """The raw passage gives way to what was made of it, or known already."""
        raw = self.plan.raw
        if self.raw_stays:
            values = {"metadata": plain_metadata(raw), "skill_id": self.plan.skill.id}
            apply(self.tx, self.archive, [(raw, values)], self.plan.plain)
            return
        if self.results:
            n = min(self.results)
            self.superseded(raw, self.results[n].passage)
            self.inherit(raw, n)
            return
        known = next((one.target for one in self.operations if one.op is Op.NOTHING), None)
        if known is not None:
            self.superseded(raw, self.plan.targets[known])
        elif any(one.op is Op.DELETE for one in self.operations):
            # "Forget that I live in Beijing" says it once more.
            self.change(raw, {"forgotten_at": None}, {"forgotten_at": self.tx.now})

    def superseded(self, old: Passage, by: Passage) -> None:
        end: datetime = self.plan.raw.valid_from + MOMENT
        was = {"valid_to": old.valid_to, "superseded_by": old.superseded_by}
        ended = {"valid_to": min(old.valid_to or end, end), "superseded_by": by.id}
        self.change(old, was, ended)

    def change(self, old: Passage, was: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        passages.change(self.tx, old, self.archive.version, values)
        self.changed.append((old, was, values))

    def inherit(self, old: Passage, n: int) -> None:
        """The roles that somebody gave the old one."""
        plan = self.plan.new
        if plan is None or self.results[n].outcome is not Outcome.ADDED:
            return
        place = sorted(self.results).index(n)
        assigned = plan.routes.assigned.get(place)
        if assigned is not None:
            routes = replace(plan.routes, assigned={0: assigned})
            hand_down(self.tx, self.archive, old, self.results[n].passage, routes)

    def record(self) -> ChangeId | None:
        if not self.changed:
            return None
        skill = self.plan.skill
        forgets = not self.results and all("forgotten_at" in after for _, _, after in self.changed)
        action = Action.FORGET if forgets else Action.SUPERSEDE
        reason = f"Encoded by the memory skill {skill.name}, version {skill.version}."
        return history.record(self.tx, self.archive.id, action, self.changed, reason)

    def items(self, change_id: ChangeId | None) -> list[encodings.Item]:
        kept = self.plan.raw.id
        ended = {one.id for one, _, _ in self.changed}
        items: list[encodings.Item] = [
            (one, op, change_id if one in ended else None)
            for one, op in self.touched.items()
            if one != kept
        ]
        return [(kept, encodings.RAW, change_id if kept in ended else None), *items]
