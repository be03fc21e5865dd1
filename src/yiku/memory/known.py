"""What an archive knows already of drafts on their way in: duplicates and echoes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from yiku.core.ids import ArchiveId, PassageId
from yiku.core.memory import Archive, Passage, SightingKind
from yiku.memory.archival import ArchivalMemory, Place, Policy
from yiku.memory.duplicates import is_echo, same_meaning
from yiku.memory.text import tokens
from yiku.store import archives, passages, shown
from yiku.store.database import Tx
from yiku.store.roles import Versions, versions

SELF_CONTAINED = 4
"""Different content words from which a text is understood without the turn before it: "I'm allergic
to peanuts" says the same in any conversation, "yes, the second one" does not."""


def after(before: str, text: str) -> str:
    """The text; behind what was said before it, where it has too few words to stand alone."""
    if not before.strip() or len(set(tokens(text))) >= SELF_CONTAINED:
        return text
    return f"{before}\n{text}"


@dataclass(frozen=True, slots=True)
class Known:
    """The archive as it was when the drafts came."""

    speakers: frozenset[str]
    last_turns: Mapping[str, Passage]
    """By conversation."""
    shown: Mapping[str, Sequence[Passage]]
    """What searches put into each conversation lately."""
    like: Mapping[bytes, Sequence[Passage]]
    """Passages by `duplicates.key`, of the drafts' keys."""
    archive: Archive | None = None
    """None: it isn't there yet."""
    roles: Versions = field(default_factory=Versions)
    """How often its roles have changed."""


NOTHING = Known(frozenset(), {}, {}, {})


@dataclass(frozen=True, slots=True)
class Link:
    """A draft that is not stored anew, and the passage that holds it."""

    kind: SightingKind
    passage: Passage


def read_known(
    tx: Tx,
    memory: ArchivalMemory,
    where: Place | ArchiveId,
    new: Sequence[Passage],
    keys: Sequence[bytes],
    *,
    names: bool,
) -> Known:
    """`names`: whether its speakers' names are needed, which loads its index.

    Raises: ArchiveNotFound where an id names none, EmbeddingModelMismatch.
    """
    if isinstance(where, Place):
        archive = archives.find(tx, where.owner, where.name)
    else:
        archive = archives.get(tx, where)
    if archive is None:
        return NOTHING
    archives.same_model(archive, memory.embedder.model)
    conversations = {p.conversation for p in new if p.conversation}
    turns = {c: passages.last_turn(tx, archive.id, c) for c in conversations}
    return Known(
        speakers=speakers_of(tx, memory, archive) if names else frozenset(),
        last_turns={c: turn for c, turn in turns.items() if turn is not None},
        shown=shown_to(tx, memory.policy, archive, conversations),
        like=like(tx, memory.policy, archive, keys),
        archive=archive,
        roles=versions(tx, archive.id),
    )


def speakers_of(tx: Tx, memory: ArchivalMemory, archive: Archive) -> frozenset[str]:
    index = memory.indexes.current(tx, archive)
    return frozenset(index.speakers.names()) if index else frozenset()


def shown_to(
    tx: Tx, policy: Policy, archive: Archive, conversations: set[str]
) -> dict[str, list[Passage]]:
    if not policy.echo_guard:
        return {}
    since = tx.now - policy.echo_guard
    lately = conversations & shown.conversations(tx, archive.id, since) if conversations else ()
    return {c: hits for c in lately if (hits := shown.latest(tx, archive.id, c, since))}


def like(
    tx: Tx, policy: Policy, archive: Archive, keys: Sequence[bytes]
) -> dict[bytes, list[Passage]]:
    """Passages that may mean what one of the drafts means, the oldest first."""
    if policy.duplicates == "keep":
        return {}
    return passages.by_fingerprint(tx, archive.id, keys)


def find_links(
    policy: Policy,
    known: Known,
    new: Sequence[Passage],
    keys: Sequence[bytes],
    contexts: Mapping[PassageId, PassageId],
) -> dict[int, Link]:
    """By position: drafts that say what is known, and where it is. `contexts`: of `new`."""
    links: dict[int, Link] = {}
    here: dict[bytes, list[Passage]] = {}
    for i, (one, key) in enumerate(zip(new, keys, strict=True)):
        link = echo(known, one)
        if link is None and policy.duplicates == "link":
            link = repetition(one, [*known.like.get(key, ()), *here.get(key, ())], contexts)
        if link is None:
            here.setdefault(key, []).append(one)
        else:
            links[i] = link
    return links


def echo(known: Known, one: Passage) -> Link | None:
    injected = known.shown.get(one.conversation or "")
    if not injected:
        return None
    place = is_echo(one.text, [p.text for p in injected])
    return None if place is None else Link(SightingKind.ECHO, injected[place])


def repetition(
    one: Passage, others: Sequence[Passage], contexts: Mapping[PassageId, PassageId]
) -> Link | None:
    """The first of `others` that means the same and may be one memory with it: of one speaker, and
    in one context where that matters. `contexts`: of what isn't stored yet."""
    for other in others:
        if (
            one.speaker == other.speaker
            and same_meaning(one.text, other.text)
            and (
                contexts.get(one.id) == contexts.get(other.id, other.context_id)
                or len(set(tokens(one.text))) >= SELF_CONTAINED
            )
        ):
            return Link(SightingKind.DUPLICATE, other)
    return None
