"""/v1/models, /v1/tags."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.memory.draft import check_characters
from yiku.server.memory import Asks, Here
from yiku.server.v1 import wire_agents, wire_models
from yiku.server.v1.about import dimension_of
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_models import embedding_model_out, model_out
from yiku.store import agents

router = Routes("models")


@router.get("/v1/models/", response_model=list[wire_models.ModelOut])
async def list_models(
    query: Annotated[wire_models.ModelQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The language models there are: those that providers with a key list, and the offline one."""
    if query.provider_category is not None and "base" not in query.provider_category:
        return answers(())
    found = map(model_out, await app.models.listed())
    return answers(
        one
        for one in found
        if query.provider_name in (None, one.provider_name)
        and query.provider_type in (None, one.provider_type)
    )


@router.get("/v1/models/embedding", response_model=list[wire_models.EmbeddingModelOut])
async def list_embeddings(app: Here, actor: Asks) -> Response:
    """The embedding model that makes all vectors of this server."""
    return answers([embedding_model_out(app.agents.default_embedding, dimension_of(app.agents))])


@router.get("/v1/tags/", response_model=list[str], tags=["tags"])
async def list_tags(
    query: Annotated[wire_agents.TagQuery, Query()], app: Here, actor: Asks
) -> list[str]:
    """The tags that agents have, each once, in the alphabet's order."""
    part = query.name if query.name is not None else query.query_text
    for text in (part, query.after, query.before):
        check_characters("The filter", text or "")
    return await app.database.read(
        actor,
        lambda tx: agents.tags(
            tx,
            name_has=part,
            after=query.after,
            before=query.before,
            limit=query.limit,
            descending=query.order == "desc",
        ),
    )
