"""The roles of an archive as one process has them: loaded, calibrated, and kept up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from yiku.core.ids import ArchiveId, RoleKey
from yiku.core.memory import Archive, Passage
from yiku.core.role import EmbeddingRoleConfig, Role
from yiku.memory.roles.calibrate import Usual, usual_of
from yiku.memory.roles.cohort import Cohort, codes_of, cohort_tokens
from yiku.memory.roles.experts import Experts, Kind, Phrases
from yiku.memory.text import tokens
from yiku.store import memberships, passages, roles
from yiku.store.database import Tx

Floats = NDArray[np.float32]

REFUSALS = 48
"""Texts a role refuses, the newest that somebody took out of it."""
EXEMPLARS = 48
"""Accepted texts a role learns from: the newest it was given or corrected about, then routed."""
LEARN_FROM = 0.8
"""Calibrated score from which a role learns from what was routed to it: from nothing doubtful."""
TURNOVER = 0.2
"""Share of a role's exemplars that may be new before its expert is made anew."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the database has of an archive's roles."""

    archive_id: ArchiveId
    versions: roles.Versions
    archive_version: int
    roles: Sequence[Role]
    embedded: Mapping[RoleKey, roles.Embedded]
    members: Mapping[RoleKey, dict[int, memberships.Seen]]
    """By role, its memories by row number."""
    examples: Mapping[RoleKey, Sequence[Example]]

    @property
    def dimension(self) -> int:
        """Of the roles' vectors, once they are embedded."""
        return next(iter(self.embedded.values())).vectors.shape[1]

    @property
    def unembedded(self) -> list[Role]:
        """Roles whose phrases this model hasn't seen, or only those of an older version."""
        return [
            one
            for one in self.roles
            if (found := self.embedded.get(one.key)) is None or found.version != one.version
        ]


@dataclass(frozen=True, slots=True)
class Example:
    """A text that a role accepted, or refuses."""

    passage: Passage
    vector: Floats
    refused: bool


def load(tx: Tx, archive: Archive, versions: roles.Versions) -> Loaded:
    """Everything there is of an archive's roles."""
    model, dimension = archive.embedding_model, archive.dimension
    found = roles.list_all(tx, archive.id)
    members: dict[RoleKey, dict[int, memberships.Seen]] = {one.key: {} for one in found}
    for seen in memberships.all_of(tx, archive.id):
        members[seen.key][seen.seq] = seen
    there = roles.embedded(tx, archive.id, model, dimension) if model and dimension else {}
    refused = memberships.refusals(tx, archive.id)
    picked = {
        one.key: (exemplars(members[one.key].values()), refused.get(one.key, [])[-REFUSALS:])
        for one in found
    }
    seqs = {seq for accepted, denied in picked.values() for seq in (*accepted, *denied)}
    texts = passages.get_by_seq(tx, list(seqs)) if seqs else {}
    vectors = passages.vectors_of(tx, list(seqs), model) if seqs and model else {}
    examples = {
        key: [
            Example(texts[seq], vectors[seq], refused)
            for some, refused in ((accepted, False), (denied, True))
            for seq in some
            if seq in texts and seq in vectors
        ]
        for key, (accepted, denied) in picked.items()
    }
    return Loaded(archive.id, versions, archive.version, found, there, members, examples)


def exemplars(members: Iterable[memberships.Seen]) -> list[int]:
    """Row numbers of what a role learns from, the best teachers first."""
    taught = [one.seq for one in members if one.why in memberships.TAUGHT]
    sure = [
        one.seq for one in members if one.why not in memberships.TAUGHT and one.score >= LEARN_FROM
    ]
    return [*sorted(taught, reverse=True), *sorted(sure, reverse=True)][:EXEMPLARS]


def phrases_of(config: EmbeddingRoleConfig) -> list[tuple[Kind, str]]:
    """What of a role is embedded, in order, after its whole description."""
    lines = [line.strip() for line in config.role_description.splitlines() if line.strip()]
    return [
        *((Kind.DESCRIPTION, line) for line in lines),
        *((Kind.KEYWORDS, word) for word in config.keywords),
        *((Kind.EXAMPLES, example) for example in config.examples),
    ]


def texts_of(config: EmbeddingRoleConfig) -> list[str]:
    """The texts whose vectors `store.roles.Embedded` holds: the whole description, then phrases."""
    return [config.role_description, *(text for _, text in phrases_of(config))]


@dataclass(frozen=True, slots=True)
class RoleState:
    """An archive's roles, ready to take texts."""

    loaded: Loaded
    cohort: Cohort
    experts: Experts
    usual: Usual
    descriptions: Floats
    """(R, d): of the whole descriptions, for the baseline."""
    known: Sequence[Phrases]
    texts: Sequence[Sequence[str]]
    """By role, what its vectors are of: its phrases, and ids of passages it learned from."""
    learned: Mapping[RoleKey, frozenset[int]]
    """By role, row numbers of the memories it learned from."""

    @property
    def roles(self) -> Sequence[Role]:
        return self.loaded.roles

    def outgrown(self, members: Mapping[RoleKey, dict[int, memberships.Seen]]) -> bool:
        """Whether so much came or went that an expert is to be made anew."""
        for one in self.roles:
            now = frozenset(exemplars(members[one.key].values()))
            before = self.learned[one.key]
            if len(now ^ before) > TURNOVER * max(len(before), len(now)):
                return True
        return False


def build(loaded: Loaded, cohort: Cohort) -> RoleState:
    """The experts of loaded roles; takes 20 ms for four, a second for a thousand."""
    known: list[Phrases] = []
    texts: list[list[str]] = []
    for one in loaded.roles:
        made, own = phrases_known(one, loaded, cohort)
        known.append(made)
        texts.append(own)
    experts = Experts(known, cohort_tokens())
    return RoleState(
        loaded=loaded,
        cohort=cohort,
        experts=experts,
        usual=usual_of(experts, cohort, cohort_tokens()),
        descriptions=np.stack([loaded.embedded[one.key].vectors[0] for one in loaded.roles]),
        known=known,
        texts=texts,
        learned={
            key: frozenset(one.passage.seq for one in examples if not one.refused)
            for key, examples in loaded.examples.items()
        },
    )


def as_told(state: RoleState) -> RoleState:
    """The experts by their descriptions and what people taught them, without what they accepted by
    themselves: in whether a role keeps a memory, that memory has no say."""
    loaded = state.loaded
    told = {
        key: [
            one
            for one in examples
            if one.refused or loaded.members[key][one.passage.seq].why in memberships.TAUGHT
        ]
        for key, examples in loaded.examples.items()
    }
    if all(len(told[key]) == len(examples) for key, examples in loaded.examples.items()):
        return state
    return build(replace(loaded, examples=told), state.cohort)


def phrases_known(one: Role, loaded: Loaded, cohort: Cohort) -> tuple[Phrases, list[str]]:
    """A role's own phrases and what it learned, with how explanations name each.

    An explanation outlives the passage it speaks of, so it names a passage by its id alone.
    """
    phrases = phrases_of(one.config)
    examples = loaded.examples[one.key]
    texts = [text for _, text in phrases] + [example.passage.text for example in examples]
    kinds = [kind for kind, _ in phrases]
    kinds += [Kind.REFUSED if example.refused else Kind.LEARNED for example in examples]
    vectors = loaded.embedded[one.key].vectors[1:]
    if examples:
        vectors = np.concatenate([vectors, np.stack([example.vector for example in examples])])
    words = [
        [] if kind == Kind.REFUSED else tokens(text)
        for kind, text in zip(kinds, texts, strict=True)
    ]
    centred = cohort.centred(vectors, codes_of(texts))
    names = [text for _, text in phrases] + [example.passage.id for example in examples]
    return Phrases(centred, np.array(kinds, np.int8), words), names
