"""Role memory: a mixture of experts over embeddings."""

from yiku.core.role import EmbeddingRoleConfig, RoleType
from yiku.memory.roles.templates import get_role_template, get_role_template_set
from yiku.roles.agent import EmbeddingMoEAgent
from yiku.roles.factories import (
    create_embedding_moe_agent_async,
    create_embedding_moe_memory_async,
)
from yiku.roles.memory import EmbeddingMoEMemory
from yiku.roles.repository import EmbeddingRoleMemoryRepository

__all__ = [
    "EmbeddingMoEAgent",
    "EmbeddingMoEMemory",
    "EmbeddingRoleConfig",
    "EmbeddingRoleMemoryRepository",
    "RoleType",
    "create_embedding_moe_agent_async",
    "create_embedding_moe_memory_async",
    "get_role_template",
    "get_role_template_set",
]
