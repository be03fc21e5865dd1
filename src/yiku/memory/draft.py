"""Drafts on their way in: refused with a reason, or made ready to be stored."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from yiku.core.errors import Invalid, InvalidText, checked
from yiku.core.ids import ArchiveId, PassageId, new_ids
from yiku.core.memory import Draft, Passage
from yiku.core.tenant import Actor
from yiku.memory.text import language
from yiku.memory.when import has_time_words
from yiku.store.index.terms import field_term, pack

MAX_TAGS = 64
MAX_NAME = 512
MAX_LANGUAGE = 35
MAX_ID = 64
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
MAX_METADATA_BYTES = 65_536
MAX_DEPTH = 64
"""Of metadata: what is nested much deeper can be stored, and not written as an answer again."""
STRICT_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
SORTED_JSON = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
QUESTION = 1
TIME_WORDS = 2


def check_text(text: str, max_bytes: int) -> None:
    """Raises: InvalidText, naming what is wrong and where."""
    if not text.strip():
        raise InvalidText(
            "The text is empty; a memory needs at least one visible character.",
            zh="内容是空的；一条记忆至少要有一个可见字符。",
        )
    check_characters("The text", text)
    size = len(text) if text.isascii() else len(text.encode())
    if size > max_bytes:
        raise InvalidText(
            f"The text is {size:,} bytes long; {max_bytes:,} are allowed (YIKU_MAX_TEXT_BYTES)."
            " Split it into several passages.",
            zh=f"内容有 {size:,} 字节，上限是 {max_bytes:,}（YIKU_MAX_TEXT_BYTES）。请分成几条。",
        )


def check_characters(what: str, text: str) -> None:
    """What one of the databases couldn't give back as it came. Raises: InvalidText."""
    if text.isprintable():
        return  # neither a NUL nor half a character is
    if "\0" in text:
        raise InvalidText(
            f"{what} has a NUL character at position {text.index(chr(0))}.",
            zh=f"内容的第 {text.index(chr(0))} 个位置有空字符（NUL），不能存储。",
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidText(
            f"{what} has half a character (a lone surrogate, U+{ord(text[error.start]):04X}) at"
            f" position {error.start}; it isn't valid Unicode."
        ) from error


def check_name(what: str, name: str | None, longest: int = MAX_NAME) -> None:
    """Names of archives, speakers, conversations, tags … Raises: Invalid."""
    if name is None:
        return
    if not name.strip():
        raise Invalid(
            f"{what} is empty; leave it out or name it.", zh="名称或标签是空的；请省略它或写上。"
        )
    if len(name) > longest:
        raise Invalid(
            f"{what} is {len(name)} characters long; {longest} are allowed.",
            zh=f"名称或标签有 {len(name)} 个字符，上限是 {longest}。",
        )
    check_characters(what, name)


def check(draft: Draft, max_text_bytes: int) -> None:
    """Raises: Invalid, InvalidText, naming the field."""
    checked("text", lambda: check_text(draft.text, max_text_bytes))
    if draft.route_as is not None:
        check_text(draft.route_as, max_text_bytes)
    check_name("The speaker", draft.speaker)
    check_name("The conversation", draft.conversation)
    check_name("The message", draft.message)
    check_name("The language", draft.language, MAX_LANGUAGE)
    check_name("The skill's id", draft.skill_id, MAX_ID)
    checked("tags", lambda: check_tags(draft.tags))
    checked("metadata", lambda: check_metadata(draft.metadata))
    check_moment("at", draft.at)
    check_moment("valid_from", draft.valid_from)
    check_moment("valid_to", draft.valid_to)


def check_moment(what: str, moment: datetime | None) -> None:
    """Raises: Invalid."""
    if moment is None:
        return
    if moment.tzinfo is None:
        raise Invalid(f"`{what}` needs a time zone, like 2026-05-07T12:00:00+08:00.", field=what)
    if not EARLIEST <= moment <= LATEST:
        raise Invalid(f"`{what}` is {moment.isoformat()}; years 1 to 9999 can be kept.", field=what)


def check_tags(tags: Sequence[str]) -> None:
    """Raises: Invalid."""
    if len(tags) > MAX_TAGS:
        raise Invalid(
            f"A passage has at most {MAX_TAGS} tags, not {len(tags)}.",
            zh=f"一条记忆最多有 {MAX_TAGS} 个标签，而不是 {len(tags)} 个。",
        )
    for tag in tags:
        check_name("A tag", tag)


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raises: Invalid."""
    if not metadata:
        return
    for name in metadata:
        check_name("A metadata name", name)
    if not is_shallow(metadata, MAX_DEPTH):
        raise Invalid(f"The metadata is nested deeper than {MAX_DEPTH} levels.")
    try:
        written = STRICT_JSON.encode(dict(metadata))
    except (TypeError, ValueError) as error:
        raise Invalid(f"The metadata can't be written as JSON: {error}.") from error
    check_characters("The metadata", written.replace("\\u0000", "\0"))
    if len(written) > MAX_METADATA_BYTES:
        raise Invalid(
            f"The metadata is {len(written):,} characters long; {MAX_METADATA_BYTES:,} are allowed."
        )


def is_shallow(value: Any, depth: int) -> bool:
    """Whether lists and objects are nested in each other `depth` times at most."""
    if not isinstance(value, dict | list):
        return True
    inner = cast("Iterable[Any]", value.values() if isinstance(value, dict) else value)
    return depth > 0 and all(is_shallow(one, depth - 1) for one in inner)


def passages_of(drafts: Sequence[Draft], actor: Actor, now: datetime) -> list[Passage]:
    """Raises: Invalid where one would end before it begins."""
    ids = cast(list[PassageId], new_ids("passage", len(drafts)))
    return [passage_of(draft, actor, now, id) for draft, id in zip(drafts, ids, strict=True)]


def passage_of(draft: Draft, actor: Actor, now: datetime, id: PassageId) -> Passage:
    """The passage a draft will be; its archive, number and version are given when it is stored.

    Raises: Invalid where it would end before it begins.
    """
    at = draft.at or now
    # What is said of tomorrow is known today: a clock that runs ahead must not hide a memory.
    valid_from = draft.valid_from or min(at, now)
    if draft.valid_to is not None and draft.valid_to <= valid_from:
        raise Invalid(
            f"`valid_to` ({draft.valid_to.isoformat()}) is not after `valid_from`"
            f" ({valid_from.isoformat()})."
        )
    return Passage(
        id=id,
        seq=0,
        organization_id=actor.organization_id,
        archive_id=ArchiveId(""),
        version=0,
        text=draft.text,
        language=draft.language or language(draft.text),
        tags=tuple(dict.fromkeys(draft.tags)),
        metadata=dict(draft.metadata),
        at=at,
        created_at=now,
        created_by=actor.user_id,
        speaker=draft.speaker,
        conversation=draft.conversation,
        message=draft.message,
        context_id=None,
        valid_from=valid_from,
        valid_to=draft.valid_to,
        superseded_by=None,
        skill_id=draft.skill_id,
        forgotten_at=None,
    )


def scalar(value: Any) -> str:
    """A metadata value as the field term holds it: 1 and true stay apart from "1" and "true"."""
    if isinstance(value, str):
        return f'"{value}'
    if type(value) is int:
        return str(value)
    if isinstance(value, float) and value.is_integer() and math.isfinite(value):
        value = int(value)  # 1.0 == 1, in JSON and for people
    return SORTED_JSON.encode(value)


def fields_of(one: Passage) -> list[str]:
    """The field terms a filter finds the passage by; speaker and conversation are columns."""
    fields = [] if one.message is None else [field_term("message", one.message)]
    fields.append(field_term("language", one.language))
    fields += [field_term("tag", tag) for tag in one.tags]
    for name, value in one.metadata.items():
        for member in value if isinstance(value, list) else (value,):
            fields.append(field_term(f"metadata.{name}", scalar(member)))
    return list(dict.fromkeys(fields))


def terms_of(one: Passage, own: Sequence[str], context: Sequence[str]) -> bytes:
    """What the lexical index holds of a passage: its `own` tokens, those of the turn before it,
    `context`, and its fields."""
    flags = QUESTION if one.text.rstrip().endswith(("?", "？")) else 0
    if has_time_words(one.text):
        flags |= TIME_WORDS
    return pack(own, context, fields_of(one), flags)
