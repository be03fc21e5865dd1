"""From a text to memories: stored as it came at once, and encoded by a skill after that.

What is saved is durable before any model is asked. The model's operations come later, all of them
or none; until then, and where no model will have it, the text itself is the memory.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from yiku.core.errors import (
    ArchiveNotFound,
    Invalid,
    InvalidSkill,
    ProviderError,
    StalePassage,
    StaleRole,
)
from yiku.core.ids import AgentId, ArchiveId, EncodingId, MessageId, PassageId, RunId
from yiku.core.language import language_of
from yiku.core.memory import Draft, Json, Passage
from yiku.core.ports import LanguageModel
from yiku.core.skill import Encoding, EncodingStatus, MemorySkill, SkillType
from yiku.core.tenant import Actor, Scope
from yiku.memory import search
from yiku.memory.archival import Place
from yiku.memory.counted import CountedModel
from yiku.memory.skills import executor, registry
from yiku.memory.skills.carry import HINTS, RAW_MARK, carry_out, prepared
from yiku.memory.skills.controller import FALLBACK, Chosen
from yiku.memory.skills.feedback import count_corrections
from yiku.memory.skills.hints import also_asked, may_supersede, tells_of_change
from yiku.memory.skills.prompts import known_of
from yiku.memory.skills.saving import Origin, Saved, Saving, saved_before, stored
from yiku.memory.skills.secrets import guard
from yiku.memory.skills.shared import Skills
from yiku.providers.offline import HANDLE as OFFLINE
from yiku.store import encodings, passages
from yiku.store import skills as rows
from yiku.store.database import Tx, demand

logger = logging.getLogger(__name__)

KNOWN = 8
"""Memories that a text is compared with: the most like it."""
OF_SUBJECT = 3
"""And those of each subject that it tells a change of."""
ASKED = 2_000
"""Characters of a text that they are looked for by."""
MAX_CONTENT = 16_000
"""Characters that a model is asked to encode; a longer text stays as it came."""
TRIES = 3
"""A text whose surroundings change while the model thinks is encoded anew this often."""
PAGE = 50


async def save(
    skills: Skills,
    actor: Actor,
    where: Place | ArchiveId,
    content: str,
    *,
    skill_name: str | None = None,
    tags: Sequence[str] = (),
    agent_id: AgentId | None = None,
    run_id: RunId | None = None,
    message_id: MessageId | None = None,
    key: str | None = None,
) -> Saved:
    """Store a text as it came, and have it encoded: in the background, or before this returns where
    `YIKU_SKILL_ENCODING` says so.

    `skill_name`: the skill to encode it by; None, or one that isn't active: by its keywords.
    `message_id`: the message it was said in. `key`: a call with the same one again stores nothing.

    Raises: SecretRefused, and as `ingest.add`.
    """
    demand(actor, Scope.WRITE)
    guarded = guard(content, skills.policy.secrets)
    chosen = await choice(skills, actor, guarded.text, skill_name)
    model = model_of(skills, actor)
    hints = [] if model else await hinted(skills, actor, where, guarded.text)
    metadata: dict[str, Json] = {RAW_MARK: True}
    if hints:
        metadata[HINTS] = [one.id for one in hints]
    draft = Draft(
        text=guarded.text,
        tags=tuple(guard(tag, skills.policy.secrets).text for tag in tags),
        metadata=metadata,
        message=message_id,
        skill_id=chosen.skill.id,
    )
    work = Saving(
        draft=draft,
        skill_id=chosen.skill.id,
        origin=Origin(agent_id, run_id, message_id),
        key=key,
        content_hash=hashed(draft.text, draft.tags, skill_name),
        job=None if model is None else skills.policy.encoding,
    )
    added, encoding = await stored(skills, actor, where, work)
    if added is None:
        return await saved_before(skills, actor, work)
    if work.job == "request" and encoding is not None:
        encoding = await run_or_leave(skills, actor, encoding)
    return Saved(
        passage=added.passage,
        outcome=added.outcome,
        encoding=encoding,
        masked=guarded.found,
        may_supersede=tuple(hints),
    )


def hashed(*told: object) -> str:
    return hashlib.sha256(repr(told).encode("utf-8", "replace")).hexdigest()


async def run_or_leave(skills: Skills, actor: Actor, pending: Encoding) -> Encoding:
    """Encode it now; where that fails, the job is there still."""
    try:
        return await run(skills, actor, pending.id) or pending
    except (ProviderError, StalePassage, StaleRole) as error:
        return replace(pending, tries=pending.tries + 1, problem=error.message)


async def choice(skills: Skills, actor: Actor, text: str, name: str | None) -> Chosen:
    """The skill to encode it by; no model is asked for that while somebody waits.

    Raises: Invalid where no skill encodes.
    """
    active = await registry.active(skills, actor)
    controller = skills.controllers.of(active)
    chosen = controller.named(SkillType.ENCODING, name) if name else None
    chosen = chosen or await controller.select_skill(SkillType.ENCODING, text)
    if chosen is None:
        raise Invalid("No memory skill that encodes is active; nothing can be saved by one.")
    return chosen


def model_of(skills: Skills, actor: Actor) -> LanguageModel | None:
    """What encodes for somebody; None: nothing does. Raises: Invalid, SettingInvalid."""
    if skills.policy.encoding == "off" or skills.models.default == OFFLINE:
        return None
    return CountedModel(skills.models.get(), skills.database, actor)


async def hinted(
    skills: Skills, actor: Actor, where: Place | ArchiveId, text: str
) -> list[Passage]:
    if not text.strip() or not tells_of_change(text):
        return []
    try:
        known = await known_to(skills, actor, where, text)
    except ArchiveNotFound:
        return []  # saving makes it
    return may_supersede(text, known)


async def known_to(
    skills: Skills,
    actor: Actor,
    where: Place | ArchiveId,
    text: str,
    before: datetime | None = None,
) -> list[Passage]:
    """The memories that a text is compared with: those most like it, and where it tells of a change
    those of its subject. `before`: what was said later can't be changed by what was said before.

    Raises: as `search.search`.
    """
    found: dict[PassageId, Passage] = {}
    asked = [(text[:ASKED], KNOWN), *((one, OF_SUBJECT) for one in also_asked(text))]
    for query, most in asked:
        hits = await search.search(skills.memory, actor, [where], query, limit=most + 1)
        fitting = [hit.passage for hit in hits if before is None or hit.passage.valid_from < before]
        found |= {one.id: one for one in fitting[:most]}
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Seen:
    """An encoding that is to be carried out, as one state of the database has it."""

    encoding: Encoding
    raw: Passage | None
    skill: MemorySkill


async def run(skills: Skills, actor: Actor, encoding_id: EncodingId) -> Encoding | None:
    """Have the model encode a pending text, and carry out what it says. The job's handler: what was
    done before is left as it is. None: it was erased.

    Without a model it stays pending. Raises: ProviderError, which is noted with it; StalePassage
    where what it builds on changes again and again; SettingInvalid.
    """
    model = model_of(skills, actor)
    for attempt in range(TRIES):
        seen = await skills.database.read(actor, lambda tx: read(tx, encoding_id))
        if seen is None or seen.encoding.status is not EncodingStatus.PENDING:
            return None if seen is None else seen.encoding
        if model is None:
            return seen.encoding
        reason = unfit(seen)
        if reason is not None or seen.raw is None:
            return await kept(skills, actor, seen.encoding, reason or GONE)
        try:
            return await encoded(skills, actor, model, seen.encoding, seen.raw)
        except (StalePassage, StaleRole):
            if attempt == TRIES - 1:
                raise
        except ProviderError as error:
            await failed(skills, actor, seen.encoding, error.message)
            raise
    raise AssertionError("unreachable")


GONE = "Its text was deleted before a model had seen it."


def read(tx: Tx, encoding_id: EncodingId) -> Seen | None:
    encoding = encodings.get(tx, encoding_id)
    if encoding is None:
        return None
    raw = passages.get_by_id(tx, [encoding.raw_id] if encoding.raw_id else [])
    chosen = rows.get(tx, encoding.skill_id)
    return Seen(encoding, raw.get(encoding.raw_id or PassageId("")), chosen)


def unfit(seen: Seen) -> str | None:
    """Why a model is not asked about it any more."""
    raw = seen.raw
    if raw is None:
        return GONE
    if raw.forgotten:
        return "It was forgotten before a model had seen it."
    if raw.superseded_by is not None:
        return "It was superseded before a model had seen it."
    if raw.text != seen.encoding.content:
        return "It was edited before a model had seen it."
    if len(raw.text) > MAX_CONTENT:
        return f"It has more than {MAX_CONTENT:,} characters."
    return None


async def encoded(
    skills: Skills, actor: Actor, model: LanguageModel, encoding: Encoding, raw: Passage
) -> Encoding | None:
    """Raises: ProviderError, StalePassage, StaleRole."""
    chosen = await current(skills, actor, encoding, model)
    skill = chosen.skill
    known = await known_to(skills, actor, encoding.archive_id, raw.text, raw.valid_from)
    try:
        made = await executor.encode(
            model,
            skill,
            encoding.content,
            known=known_of(known),
            language=language_of([encoding.content]),
            now=raw.at,
        )
    except InvalidSkill as error:
        return await kept(skills, actor, encoding, error.message)
    made = replace(made, usage=made.usage + chosen.usage)
    plan = await prepared(skills.memory, actor, encoding, skill, (raw, known, made))

    def unit(tx: Tx) -> Encoding | None:
        done = carry_out(tx, skills.memory, plan)
        if done is not None:
            count_corrections(tx, done)
        return done

    return await skills.database.write(actor, unit)


async def current(skills: Skills, actor: Actor, encoding: Encoding, model: LanguageModel) -> Chosen:
    """The version that is active now, of the skill that was chosen; where keywords couldn't tell
    and it may, the model chooses anew."""
    active = await registry.active(skills, actor)
    was = await skills.database.read(actor, lambda tx: rows.get(tx, encoding.skill_id))
    controller = skills.controllers.of(active)
    if skills.policy.choose_with_model and was.name == FALLBACK[SkillType.ENCODING]:
        asking = controller.with_model(model)
        chosen = await asking.select_skill(SkillType.ENCODING, encoding.content)
    else:
        chosen = controller.named(SkillType.ENCODING, was.name)
        chosen = chosen or await controller.select_skill(SkillType.ENCODING, encoding.content)
    return chosen or Chosen(skill=was, why="named")


async def kept(skills: Skills, actor: Actor, encoding: Encoding, reason: str) -> Encoding | None:
    """It stays as it came, and isn't asked about again."""

    def unit(tx: Tx) -> Encoding | None:
        seen = encodings.get_to_change(tx, encoding.id)
        if seen is None or seen.status is not EncodingStatus.PENDING:
            return seen
        done = replace(seen, status=EncodingStatus.KEPT, problem=reason)
        encodings.put(tx, done)
        return done

    return await skills.database.write(actor, unit)


async def failed(skills: Skills, actor: Actor, encoding: Encoding, reason: str) -> None:
    """It is pending still."""

    def unit(tx: Tx) -> None:
        seen = encodings.get_to_change(tx, encoding.id)
        if seen is not None and seen.status is EncodingStatus.PENDING:
            encodings.put(tx, replace(seen, tries=seen.tries + 1, problem=reason))

    await skills.database.write(actor, unit)
    logger.warning(
        "a text was not encoded",
        extra={"action": "encoding_failed", "encoding": encoding.id},  # why is with it
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """What `encode_pending` did."""

    encoded: int
    kept: int
    """As they came: what was made of them was refused, or they had changed since."""
    failed: int
    left: int
    """Pending still, the failed among them; 100 stands for that and more."""


Progress = Callable[[Encoding], None]


async def encode_pending(
    skills: Skills, actor: Actor, limit: int | None = None, progress: Progress | None = None
) -> Caught:
    """Encode what was stored while there was no model, the oldest first.

    It ends at three failures in a row: the model isn't there. `progress`: after each.
    Raises: Invalid where there is no model, or encoding is off.
    """
    demand(actor, Scope.WRITE)
    if model_of(skills, actor) is None:
        raise Invalid(
            "Nothing can be encoded: "
            + (
                "YIKU_SKILL_ENCODING is `off`."
                if skills.policy.encoding == "off"
                else "no language model is configured (YIKU_MODEL)."
            )
        )
    counts = {"encoded": 0, "kept": 0, "failed": 0}
    after, in_a_row, done = 0, 0, 0
    while in_a_row < 3 and (limit is None or done < limit):
        size = PAGE if limit is None else min(PAGE, limit - done)
        part = await skills.database.read(
            actor, lambda tx, a=after, n=size: encodings.pending(tx, a, n)
        )
        if not part:
            break
        for one in part:
            after = one.seq
            now = await run_or_leave(skills, actor, one)
            name = "failed" if now.status is EncodingStatus.PENDING else now.status.value
            counts[name if name in counts else "kept"] += 1
            in_a_row = in_a_row + 1 if name == "failed" else 0
            done += 1
            if progress is not None:
                progress(now)
            if in_a_row == 3:
                break
    left = await skills.database.read(actor, lambda tx: len(encodings.pending(tx, 0, 100)))
    return Caught(**counts, left=left)
