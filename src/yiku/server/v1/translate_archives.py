"""Between v1's forms of archives and passages and ours; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel

from yiku.core.errors import Invalid
from yiku.core.ids import ArchiveId
from yiku.core.memory import Archive, Draft, Filter, Hit, Passage
from yiku.server.v1 import wire_archives as wire
from yiku.server.v1.translate_models import embedding_out
from yiku.server.v1.wire_models import EmbeddingConfigOut
from yiku.store.archive_lists import Part, PassageFilter


def archive_out(one: Archive, vectors: EmbeddingConfigOut) -> wire.ArchiveOut:
    if one.embedding_model is not None and one.dimension is not None:
        vectors = embedding_out(one.embedding_model.partition("@")[0], one.dimension)
    return wire.ArchiveOut.model_construct(
        id=one.id,
        name=one.name,
        description=one.description or None,
        created_at=one.created_at,
        created_by_id=None,
        updated_at=None,
        last_updated_by_id=None,
        metadata={},
        embedding_config=vectors,
        vector_db_provider="native",
    )


def passage_out(one: Passage, vectors: EmbeddingConfigOut) -> wire.PassageOut:
    """v1's `created_at` is when it was said, which whoever adds it may say."""
    return wire.PassageOut.model_construct(
        id=one.id,
        text=one.text,
        archive_id=one.archive_id,
        tags=list(one.tags),
        metadata=dict(one.metadata),
        created_at=one.at,
        created_by_id=one.created_by,
        updated_at=None,
        last_updated_by_id=None,
        is_deleted=one.forgotten,
        embedding=None,
        embedding_config=vectors,
        file_id=None,
        file_name=None,
        source_id=None,
    )


def draft_of(form: wire.PassageIn) -> Draft:
    metadata = form.metadata if isinstance(form, wire.ArchivePassageIn) else None
    return Draft(
        text=form.text,
        at=form.created_at,
        tags=tuple(dict.fromkeys(form.tags or ())),
        metadata=metadata or {},
    )


def archive_part(query: wire.ArchiveQuery) -> Part:
    return Part(
        limit=query.limit,
        after=query.after,
        before=query.before,
        newest_first=query.order == "desc",
    )


def passage_part(query: wire.PassageQuery) -> Part:
    return Part(
        limit=query.limit,
        after=query.after,
        before=query.before,
        newest_first=not query.ascending,
    )


def check_order(form: BaseModel, since: str, until: str) -> None:
    """Raises: Invalid, naming the fields as v1 does."""
    first, last = getattr(form, since), getattr(form, until)
    if first and last and first >= last:
        raise Invalid(f"`{since}` must come before `{until}`.", field=since)


def recall_filter(query: wire.RecallQuery) -> Filter:
    """Raises: Invalid."""
    check_order(query, "start_datetime", "end_datetime")
    found = Filter(since=query.start_datetime, until=query.end_datetime)
    return with_tags(found, query)


def search_filter(body: wire.PassageSearchIn) -> Filter:
    """Raises: Invalid."""
    check_order(body, "start_date", "end_date")
    return with_tags(Filter(since=body.start_date, until=body.end_date), body)


def with_tags(wanted: Filter, form: wire.Tagged) -> Filter:
    tags = tuple(form.tags or ())
    if form.tag_match_mode == "all":
        return replace(wanted, tags=tags)
    return replace(wanted, any_tags=tags)


def listing_filter(body: wire.PassageSearchIn, places: Sequence[ArchiveId]) -> PassageFilter:
    """Of a search without a query. Raises: Invalid."""
    check_order(body, "start_date", "end_date")
    return PassageFilter(
        archive_ids=places,
        tags=tuple(body.tags or ()),
        all_tags=body.tag_match_mode == "all",
        since=body.start_date,
        until=body.end_date,
    )


def recalled_out(hits: list[Hit]) -> wire.RecallOut:
    results = [
        wire.RecalledOut.model_construct(
            id=hit.passage.id,
            content=hit.passage.text,
            timestamp=hit.passage.at.isoformat(),
            tags=list(hit.passage.tags),
        )
        for hit in hits
    ]
    return wire.RecallOut.model_construct(results=results, count=len(results))


def hit_out(hit: Hit, vectors: EmbeddingConfigOut) -> wire.PassageHitOut:
    return wire.PassageHitOut.model_construct(
        passage=passage_out(hit.passage, vectors),
        score=hit.score,
        metadata={"parts": dict(hit.parts), "ranks": dict(hit.ranks)},
    )


def listed_out(one: Passage, vectors: EmbeddingConfigOut) -> wire.PassageHitOut:
    return wire.PassageHitOut.model_construct(
        passage=passage_out(one, vectors), score=0.0, metadata={}
    )
