"""Models on the v1 wire: which there are, how an agent's answers, and the older forms of both."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from yiku.server.v1.wire import In, Out

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
Level = Literal["low", "medium", "high", "xhigh", "max"]
Verbosity = Literal["low", "medium", "high"]
Tokens = Annotated[int, Field(ge=1, le=100_000_000)]
Budget = Annotated[int, Field(ge=0, le=100_000_000)]
Window = Annotated[Tokens, Field(json_schema_extra={"minimum": 512})]
"""Of an agent. Only described here, as the next: `agents.check` says in words what is wrong."""
Handle = Annotated[
    str,
    Field(
        description="`<provider>/<model>`.",
        json_schema_extra={"pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}/\S{1,300}$"},
    ),
]
Temperature = Annotated[float, Field(ge=0, le=2)]


class TextFormat(In):
    type: Literal["text"]


class JsonObjectFormat(In):
    type: Literal["json_object"]


class JsonSchemaFormat(In):
    type: Literal["json_schema"]
    json_schema: dict[str, Any]


ResponseFormat = Annotated[
    TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")
]


class Reasoning(In):
    reasoning_effort: Effort | None = None


class Thinking(In):
    type: Literal["enabled", "disabled"] | None = None
    budget_tokens: Budget | None = None
    clear_thinking: bool | None = None


class ThinkingConfig(In):
    include_thoughts: bool | None = None
    thinking_budget: Budget | None = None


class ModelSettings(In):
    """How a model is to answer. One form for all providers: each knows some of the fields."""

    provider_type: str | None = Field(default=None, max_length=100, examples=["openai"])
    max_output_tokens: Tokens | None = None
    temperature: Temperature | None = None
    parallel_tool_calls: bool | None = None
    strict: bool | None = None
    reasoning: Reasoning | None = None
    thinking: Thinking | None = None
    thinking_config: ThinkingConfig | None = None
    effort: Level | None = None
    verbosity: Verbosity | None = None
    response_format: ResponseFormat | None = None
    response_schema: ResponseFormat | None = None
    tool_call_parser: str | None = None


class LlmConfig(In):
    """Deprecated in v1, and still sent by programs: `model` and `model_settings` in one.

    `model_endpoint` is accepted and not called: where a provider is reached is the server's to
    say, or anybody could have its key sent to an address of theirs.
    """

    model: str
    context_window: Window
    model_endpoint_type: str
    model_endpoint: str | None = None
    model_wrapper: str | None = None
    handle: str | None = None
    provider_name: str | None = None
    provider_category: Literal["base", "byok"] | None = None
    display_name: str | None = None
    temperature: Temperature | None = None
    max_tokens: Tokens | None = None
    parallel_tool_calls: bool | None = None
    enable_reasoner: bool | None = None
    reasoning_effort: Effort | None = None
    max_reasoning_tokens: Budget | None = None
    effort: Level | None = None
    verbosity: Verbosity | None = None
    response_format: ResponseFormat | None = None
    strict: bool | None = None
    frequency_penalty: float | None = None
    compatibility_type: Literal["gguf", "mlx"] | None = None
    put_inner_thoughts_in_kwargs: bool | None = None
    return_logprobs: bool | None = None
    return_token_ids: bool | None = None
    top_logprobs: int | None = None
    tier: str | None = None
    tool_call_parser: str | None = None


class EmbeddingConfig(In):
    """Deprecated in v1. The server's embedding model makes all vectors."""

    embedding_model: str
    embedding_dim: int
    embedding_endpoint_type: str
    embedding_endpoint: str | None = None
    embedding_chunk_size: int | None = None
    handle: str | None = None
    batch_size: int | None = None
    azure_endpoint: str | None = None
    azure_version: str | None = None
    azure_deployment: str | None = None


class Compaction(In):
    """How older messages give way to a summary."""

    mode: Literal["all", "sliding_window", "self_compact_all", "self_compact_sliding_window"] = (
        "sliding_window"
    )
    model: str | None = Field(default=None, description="`<provider>/<model>`; null: the agent's.")
    model_settings: ModelSettings | None = None
    prompt: str | None = Field(default=None, max_length=100_000)
    prompt_acknowledgement: bool = False
    clip_chars: int | None = Field(default=50_000, ge=100, le=10_000_000)
    sliding_window_percentage: float = Field(default=0.3, gt=0, le=1)


class LlmConfigOut(Out):
    """As `LlmConfig`."""

    model: str
    display_name: str | None
    context_window: int
    model_endpoint_type: str
    model_endpoint: str | None
    model_wrapper: str | None
    handle: str | None
    provider_name: str | None
    provider_category: str
    temperature: float | None
    max_tokens: int | None
    parallel_tool_calls: bool | None
    enable_reasoner: bool
    reasoning_effort: str | None
    max_reasoning_tokens: int
    effort: str | None
    verbosity: str | None
    response_format: dict[str, Any] | None
    strict: bool
    frequency_penalty: float | None
    compatibility_type: str | None
    put_inner_thoughts_in_kwargs: bool
    return_logprobs: bool
    return_token_ids: bool
    top_logprobs: int | None
    tier: str | None
    tool_call_parser: str | None


class ModelOut(LlmConfigOut):
    """A language model there is."""

    name: str
    max_context_window: int
    provider_type: str
    model_type: Literal["llm"]
    note: str | None = Field(description="What somebody who asks for it should know (ours).")


class EmbeddingConfigOut(Out):
    embedding_model: str
    embedding_dim: int
    embedding_endpoint_type: str
    embedding_endpoint: str | None
    embedding_chunk_size: int | None
    handle: str | None
    batch_size: int
    azure_endpoint: str | None
    azure_version: str | None
    azure_deployment: str | None


class EmbeddingModelOut(EmbeddingConfigOut):
    """An embedding model there is."""

    name: str
    display_name: str
    provider_name: str
    provider_type: str
    model_type: Literal["embedding"]


class ModelQuery(In):
    provider_category: list[Literal["base", "byok"]] | None = None
    provider_name: str | None = None
    provider_type: str | None = None
