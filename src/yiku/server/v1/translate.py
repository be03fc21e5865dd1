"""Between v1's forms and the domain's nouns; pure."""

from __future__ import annotations

from typing import Any

from yiku.core.block import EDITABLE, Block, BlockContent, BlockFilter, BlockPage
from yiku.core.ids import BlockId
from yiku.server.v1 import wire


def given(form: wire.In) -> dict[str, Any]:
    """The fields that say something: v1's clients send null for what they don't mean."""
    values = {name: getattr(form, name) for name in form.model_fields_set}
    if values.get("tags") is not None:
        values["tags"] = tuple(dict.fromkeys(values["tags"]))
    return {name: value for name, value in values.items() if value is not None}


def block_content(form: wire.BlockIn) -> BlockContent:
    """Raises: BlockTooLong."""
    said = given(form)
    return BlockContent(**{name: value for name, value in said.items() if name in EDITABLE})


def block_out(one: Block) -> wire.BlockOut:
    values = {name: getattr(one.content, name) for name in EDITABLE}
    values |= {"tags": list(one.content.tags), "metadata": dict(one.content.metadata)}
    return wire.BlockOut.of(
        id=one.id, created_by_id=one.created_by, last_updated_by_id=one.updated_by, **values
    )


def block_filter(query: wire.BlockQuery) -> BlockFilter:
    more, less = query.connected_to_agents_count_gt, query.connected_to_agents_count_lt
    exactly = query.connected_to_agents_count_eq
    return BlockFilter(
        label=query.label,
        template_name=query.name,
        project_id=query.project_id,
        templates_only=query.templates_only,
        tags=tuple(query.tags or ()),
        all_tags=query.match_all_tags,
        identity_id=query.identity_id,
        identifier_keys=tuple(query.identifier_keys or ()),
        label_has=query.label_search,
        value_has=query.value_search,
        description_has=query.description_search,
        agents_at_least=None if more is None else more + 1,
        agents_at_most=None if less is None else less - 1,
        agents_exactly=None if exactly is None else tuple(exactly),
    )


def block_page(query: wire.Page) -> BlockPage:
    return BlockPage(
        limit=query.limit,
        after=None if query.after is None else BlockId(query.after),
        before=None if query.before is None else BlockId(query.before),
        newest_first=query.order == "desc",
    )
