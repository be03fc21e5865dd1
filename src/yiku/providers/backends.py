"""Models of pydantic-ai, made from what is known of a provider. Each client is made once.

Imported before the first call of a model only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx2
from openai import AsyncOpenAI, AsyncStream, NotGiven, Omit, RequestOptions
from openai.resources.chat import AsyncChat
from openai.resources.chat.completions import AsyncCompletions
from openai.types.chat import ChatCompletionChunk
from pydantic import ValidationError
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings

from yiku.core.errors import ProviderRefused
from yiku.providers.access import Access, Target
from yiku.providers.catalog import Quirks
from yiku.providers.chat import body_of

if TYPE_CHECKING:
    from pydantic_ai.providers import Provider

CONNECT_TIMEOUT_S = 10.0
POOL_TIMEOUT_S = 60.0
NO_KEY = "none"
"""What servers that want no key are sent: the library insists on one."""


class Backends:
    """The clients of all providers. Their connections are kept open, and shared by models."""

    def __init__(self, timeout_s: float) -> None:
        """`timeout_s`: for each step of an answer: connecting, each wait for bytes."""
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(
                timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S), pool=POOL_TIMEOUT_S
            ),
            limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=100),
            follow_redirects=True,
        )
        self._timeout_s = timeout_s
        self._providers: dict[str, Provider[Any]] = {}

    def model(self, target: Target) -> Model:
        """Raises: ProviderRefused where the provider's library isn't installed."""
        access = target.access
        provider = self._providers.get(access.name)
        if provider is None:
            provider = self._providers[access.name] = self._provider(access)
        match access.provider.api:
            case "openai":
                return OpenAIChatModel(
                    target.name, provider=provider, profile=openai_profile(target.quirks)
                )
            case "anthropic":
                from pydantic_ai.models.anthropic import AnthropicModel

                return AnthropicModel(target.name, provider=provider, profile=AS_THEY_ARE)
            case "google":
                from pydantic_ai.models.google import GoogleModel

                # Else its library waits for twenty minutes, whatever the client says.
                settings = ModelSettings(timeout=self._timeout_s)
                return GoogleModel(target.name, provider=provider, settings=settings)
            case "bedrock":
                from pydantic_ai.models.bedrock import BedrockConverseModel

                return BedrockConverseModel(target.name, provider=provider)

    async def close(self) -> None:
        await self._http.aclose()

    def _provider(self, access: Access) -> Provider[Any]:
        try:
            match access.provider.api:
                case "openai":
                    return self._openai(access)
                case "anthropic":
                    return self._anthropic(access)
                case "google":
                    return self._google(access)
                case "bedrock":
                    return self._bedrock(access)
        except ImportError as error:
            extra = access.provider.api
            raise ProviderRefused(
                f"{access.provider.title} needs a library that isn't installed:"
                f" pip install 'yiku[{extra}]'."
            ) from error

    def _openai(self, access: Access) -> Provider[Any]:
        client = PlainClient(
            base_url=access.base_url,
            api_key=access.key or NO_KEY,
            http_client=self._http,
            max_retries=0,
            timeout=self._http.timeout,
        )
        if access.name != "openai":
            # Read from OPENAI_ORG_ID and OPENAI_PROJECT_ID: nobody else's business.
            client.organization = client.project = None
        return OpenAICompatibleProvider(
            access.name, openai_client=client, profile=lambda _: OpenAIModelProfile()
        )

    def _anthropic(self, access: Access) -> Provider[Any]:
        from anthropic import AsyncAnthropic
        from pydantic_ai.providers.anthropic import AnthropicProvider

        client = AsyncAnthropic(
            base_url=access.base_url,
            api_key=access.key or NO_KEY,
            http_client=self._http,
            max_retries=0,
            timeout=self._http.timeout,
        )
        return AnthropicProvider(anthropic_client=client)

    def _google(self, access: Access) -> Provider[Any]:
        from pydantic_ai.providers.google import GoogleProvider

        return GoogleProvider(
            api_key=access.key or NO_KEY, base_url=access.base_url, http_client=self._http
        )

    def _bedrock(self, access: Access) -> Provider[Any]:
        from pydantic_ai.providers.bedrock import BedrockProvider

        given: dict[str, Any] = {
            "api_key": access.key,
            "base_url": access.base_url,
            "region_name": access.region,
            "aws_read_timeout": self._timeout_s,
        }
        # Without a key boto3 finds a profile or a role itself.
        return BedrockProvider(**{name: one for name, one in given.items() if one is not None})


class PlainCompletions(AsyncCompletions):
    """Sends a request's fields as they are.

    They are plain JSON, the messages even written already. The library looks at every value in
    case it is of a type that must be changed first: 9 ms for 40 messages and 12 tools.
    """

    async def create(self, **given: Any) -> Any:
        headers: dict[str, str] = given.pop("extra_headers")
        more: dict[str, Any] = given.pop("extra_body") or {}
        fields = {n: one for n, one in given.items() if not isinstance(one, Omit | NotGiven)}
        return await self._client.post(
            "/chat/completions",
            content=body_of({**fields, **more}),
            options=RequestOptions(headers=headers),
            cast_to=ChatCompletionChunk,
            stream=True,
            stream_cls=AsyncStream[ChatCompletionChunk],
        )


class PlainChat(AsyncChat):
    @property
    def completions(self) -> PlainCompletions:
        return PlainCompletions(self._client)


class PlainClient(AsyncOpenAI):
    @property
    def chat(self) -> PlainChat:
        return PlainChat(self)

    def _process_response_data(self, *, data: Any, cast_to: Any, response: Any) -> Any:
        """Chunks are read by pydantic itself; what isn't in order is left to the library.

        Its own way looks at every field's type again for each chunk, 0.15 ms a chunk.
        """
        if cast_to is ChatCompletionChunk:
            try:
                return ChatCompletionChunk.model_validate(data)
            except ValidationError:
                pass
        read: Callable[..., Any] = super()._process_response_data
        return read(data=data, cast_to=cast_to, response=response)


AS_THEY_ARE = ModelProfile(json_schema_transformer=None)
"""Schemas of tools aren't rewritten for each call."""


def openai_profile(quirks: Quirks) -> OpenAIModelProfile:
    profile = OpenAIModelProfile(
        json_schema_transformer=None,
        openai_supports_strict_tool_definition=quirks.strict_tools,
        openai_chat_supports_max_completion_tokens=quirks.max_tokens == "max_completion_tokens",
        openai_chat_streaming_requires_finish_reason=quirks.finishes,
        openai_chat_supports_multiple_system_messages=False,
        ignore_streamed_leading_whitespace=True,
    )
    if quirks.replay == "never":
        profile["openai_chat_send_back_thinking_parts"] = False
    if quirks.reasoning_field:
        profile["openai_chat_thinking_field"] = quirks.reasoning_field
        if quirks.replay == "field":
            profile["openai_chat_send_back_thinking_parts"] = "field"
            profile["openai_chat_thinking_requires_field_on_tool_calls"] = True
            profile["thinking_enabled_by_default"] = quirks.thinks in ("default", "always")
    return profile
