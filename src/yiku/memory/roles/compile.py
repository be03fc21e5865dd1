"""Active roles' memories, rendered for a prompt: within a budget, and stable in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from yiku.core.errors import Invalid
from yiku.core.ids import PassageId
from yiku.core.memory import Filter, Passage
from yiku.core.role import Role
from yiku.core.tenant import Actor, Scope
from yiku.core.tokens import estimated_tokens
from yiku.memory.archival import ArchivalMemory
from yiku.memory.draft import check_name
from yiku.memory.roles.assign import demand_known
from yiku.memory.roles.pool import Current
from yiku.memory.roles.route import CONTEXT_CHARACTERS, Where, roles_here
from yiku.memory.search import search
from yiku.store import memberships, passages, role_blocks, shown
from yiku.store.database import Tx, demand
from yiku.store.role_blocks import ROLE

BUDGET = 2_000
PER_ROLE = 50
"""Memories considered for each role."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What goes into the prompt."""

    text: str
    tokens: int
    """Estimated; at most the budget, and what the roles' own blocks take."""
    roles: tuple[str, ...]
    shown: tuple[PassageId, ...]
    """The memories it shows, for feedback and the echo guard."""
    left_out: int
    """Memories that were considered and had no room."""

    def __str__(self) -> str:
        return self.text


async def compile_roles(
    memory: ArchivalMemory,
    actor: Actor,
    where: Where,
    active: Sequence[str],
    *,
    context: str | None = None,
    budget: int = BUDGET,
    conversation: str | None = None,
) -> Compiled:
    """The memories of the `active` roles that matter most to `context`, within `budget` tokens;
    those of a role below what it notes for itself.

    Without a context, a role's best are shown. Roles come in the order they were made and
    memories in the order they were stored, whatever their rank, so the same choice gives the same
    text and a provider's prompt cache hits. A memory of several roles is shown once, with the
    first. `conversation` is told to the echo guard.

    Raises: Invalid, RoleNotFound, ProviderError, StoreError.
    """
    if budget < 1:
        raise Invalid(f"`budget` is a number of tokens from 1, not {budget}.", field="budget")
    if conversation is not None:
        demand(actor, Scope.WRITE)  # it remembers what was shown
        check_name("The conversation", conversation)
    current = await roles_here(memory, actor, where)
    demand_known([one.role_id for one in current.state.roles], active)
    if context is not None:
        context = context[-CONTEXT_CHARACTERS:]  # what gating looks at: one embedding for both
    chosen = [one for one in current.state.roles if one.role_id in set(active)]
    ranked: dict[str, list[Passage]] = {}
    for role in chosen:
        ranked[role.role_id] = await best_of(memory, actor, current, role, context)
    made = fitted(chosen, ranked, budget, await notes_of(memory, actor, current, chosen))
    if conversation is not None and made.shown:
        injected = [p for found in ranked.values() for p in found if p.id in set(made.shown)]
        once = list({one.id: one for one in injected}.values())
        await memory.database.write(actor, lambda tx: shown.add(tx, once, conversation))
    return made


async def notes_of(
    memory: ArchivalMemory, actor: Actor, current: Current, chosen: Sequence[Role]
) -> dict[str, str]:
    """What roles note for themselves: the texts of their own blocks, by `role_id`."""
    labels = [ROLE + one.role_id for one in chosen]
    found = await memory.database.read(
        actor, lambda tx: role_blocks.find(tx, current.archive.id, labels)
    )
    return {one.label.removeprefix(ROLE): one.value.strip() for one in found}


async def best_of(
    memory: ArchivalMemory, actor: Actor, current: Current, role: Role, context: str | None
) -> list[Passage]:
    """A role's memories, the most relevant first."""
    if context is not None and context.strip():
        wanted = Filter(roles=(role.role_id,))
        hits = await search(
            memory, actor, [current.archive.id], context, filter=wanted, limit=PER_ROLE
        )
        return [hit.passage for hit in hits]

    def unit(tx: Tx) -> list[Passage]:
        held = [one for one in memberships.held(tx, role.key) if one.current]
        best = sorted(held, key=lambda one: (one.taught, one.score, one.seq), reverse=True)
        seqs = [one.seq for one in best[:PER_ROLE]]
        there = passages.get_by_seq(tx, seqs)
        return [there[seq] for seq in seqs if seq in there]

    return await memory.database.read(actor, unit)


def fitted(
    chosen: Sequence[Role],
    ranked: Mapping[str, Sequence[Passage]],
    budget: int,
    notes: Mapping[str, str],
) -> Compiled:
    """Roles take turns, each with its best next memory, until the budget is spent."""
    picked: dict[str, list[Passage]] = {one.role_id: [] for one in chosen}
    seen: set[PassageId] = set()
    considered = {one.id for found in ranked.values() for one in found}
    spent = estimated_tokens(rendered(chosen, picked, {}))
    depth = max((len(found) for found in ranked.values()), default=0)
    for place in range(depth):
        for role in chosen:
            found = ranked[role.role_id]
            if place >= len(found) or found[place].id in seen:
                continue
            cost = estimated_tokens(line_of(found[place]))
            if spent + cost > budget:
                continue
            spent += cost
            seen.add(found[place].id)
            picked[role.role_id].append(found[place])
    some = [one for one in chosen if picked[one.role_id] or one.role_id in notes]
    text = rendered(some, picked, notes)
    return Compiled(
        text=text,
        tokens=estimated_tokens(text),
        roles=tuple(one.role_id for one in chosen),
        shown=tuple(one.id for role in some for one in stable(picked[role.role_id])),
        left_out=len(considered) - len(seen),
    )


def stable(memories: Sequence[Passage]) -> list[Passage]:
    return sorted(memories, key=lambda one: one.seq)


def rendered(
    chosen: Sequence[Role], picked: Mapping[str, Sequence[Passage]], notes: Mapping[str, str]
) -> str:
    if not chosen:
        return ""
    lines = ["<role_memory>"]
    for role in chosen:
        named = f"id={quoteattr(role.role_id)} name={quoteattr(role.config.role_name)}"
        lines.append(f"<role {named}>")
        if role.role_id in notes:
            lines.append(f"<notes>{escape(notes[role.role_id])}</notes>")
        lines += [line_of(one) for one in stable(picked[role.role_id])]
        lines.append("</role>")
    return "\n".join([*lines, "</role_memory>"])


def line_of(one: Passage) -> str:
    """One line, whatever the memory holds: it is text to the model, never markup."""
    said = f"{one.at:%Y-%m-%d}" + (f" {one.speaker}" if one.speaker else "")
    return f"- [{escape(said)}] {escape(' '.join(one.text.split()))}"
