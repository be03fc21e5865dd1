"""Role memories and agents ready to use, in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict, Unpack

from yiku.app import App
from yiku.core.errors import Invalid
from yiku.core.ports import LanguageModel
from yiku.core.role import Routing
from yiku.core.tenant import Actor
from yiku.roles.agent import EmbeddingMoEAgent
from yiku.roles.blocks import HUMAN, PERSONA
from yiku.roles.embedding import member, text_given
from yiku.roles.memory import EmbeddingMoEMemory


class Options(TypedDict, total=False):
    """As `EmbeddingMoEMemory` takes them."""

    app: App | None
    url: str | None
    home: Path | str | None
    routing_threshold: float
    max_active_roles: int
    routing: Routing | str


async def create_embedding_moe_memory_async(
    persona: str = "",
    human: str = "",
    agent_type: str = "all",
    embedding_config: Any = None,
    actor: Actor | None = None,
    *,
    user: str = "",
    archive: str = "default",
    **options: Unpack[Options],
) -> EmbeddingMoEMemory:
    """A role memory with the roles of a template or a set of them, and two core blocks.

    `agent_type` names the template or set. Called again, it makes nothing twice: roles that are
    there stay as they are, a block whose text is another is edited, an empty one left alone.

    Raises: Invalid, TemplateNotFound, ModelNotFound, SettingInvalid, ProviderError, StoreError.
    """
    texts = {PERSONA: text_given(PERSONA, persona), HUMAN: text_given(HUMAN, human)}
    memory = EmbeddingMoEMemory(
        embedding_config,
        roles=[text_given("agent_type", agent_type)],
        user=user,
        archive=archive,
        actor=actor,
        **options,
    )
    try:
        await memory.app_async()
        for label, text in texts.items():
            if text.strip():
                await memory.set_block_async(label, text)
    except BaseException:
        await memory.close()
        raise
    return memory


async def create_embedding_moe_agent_async(
    agent_state: Any,
    role_template: str = "professional_assistant",
    user: Actor | str | None = None,
    *,
    model: LanguageModel | None = None,
    conversation: str | None = None,
    **options: Unpack[Options],
) -> EmbeddingMoEAgent:
    """An agent with role memory of its own: the archive named by its id.

    `agent_state` is an object or a dict with `id`, and where it has them `name`, `system` and
    `embedding_config`. Where it is the state of an agent that is there, it is this agent, and its
    memory is where it has been. `role_template` names a template or a set of them. `user` is the
    name of the person whose memory it is, or an Actor who asks. Called again, it makes nothing
    twice.

    Raises: Invalid, TemplateNotFound, ModelNotFound, SettingInvalid, ProviderError, StoreError.
    """
    agent_id, name, system = (member(agent_state, one) for one in ("id", "name", "system"))
    if not isinstance(agent_id, str) or not agent_id.strip():
        raise Invalid(
            "`agent_state` is an object or a dict with an `id`, and where it has them `name`,"
            " `system` and `embedding_config`.",
            field="agent_state",
        )
    owner = user if isinstance(user, str) else ""
    asking: Any = None if isinstance(user, str) else user
    memory = EmbeddingMoEMemory(
        member(agent_state, "embedding_config"),
        roles=[text_given("role_template", role_template)],
        user=owner,
        archive=agent_id,
        actor=asking,
        **options,
    )
    agent = EmbeddingMoEAgent(
        memory,
        model=model,
        agent_id=agent_id,
        name=name or "assistant",
        system=system or "",
        conversation=conversation,
    )
    try:
        await memory.use_archive_of(agent_id)
        await agent.state_async()
    except BaseException:
        await memory.close()
        raise
    return agent
