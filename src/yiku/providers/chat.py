"""Language models behind any endpoint that speaks OpenAI's `/chat/completions`.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from yiku.core.errors import ProviderRefused, ProviderUnavailable
from yiku.core.message import Message
from yiku.providers.connection import Address, Connection, Patience
from yiku.providers.text import replace_surrogates

KEY_SETTING = "YIKU_MODEL_API_KEY"
PATIENCE = Patience(timeout_s=120.0, attempts=3, concurrency=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEndpoint:
    """One language model at one address."""

    provider: str
    model: str  # as the provider calls it
    base_url: str  # `/chat/completions` is added to it
    api_key: str | None = field(default=None, repr=False)
    key_variable: str | None = None  # where people often keep this provider's key


class OpenAICompatibleModel:
    """The LanguageModel port over HTTP."""

    def __init__(
        self,
        endpoint: ChatEndpoint,
        patience: Patience = PATIENCE,
        rng: random.Random | None = None,
    ) -> None:
        """`rng`: as `Connection`. Raises: SettingInvalid when the key can't be one."""
        self._name = endpoint.model
        self._connection = Connection(
            Address(
                provider=endpoint.provider,
                model=endpoint.model,
                kind="a chat model",
                base_url=endpoint.base_url,
                path="chat/completions",
                api_key=endpoint.api_key,
                key_setting=KEY_SETTING,
                key_variable=endpoint.key_variable,
            ),
            patience,
            rng,
        )

    @property
    def model(self) -> str:
        return self._connection.model

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> str:
        """Raises: ProviderUnavailable (after retries), ProviderRefused."""
        body: dict[str, Any] = {
            "model": self._name,
            "messages": [
                {"role": one.role.value, "content": replace_surrogates(one.text)}
                for one in messages
            ],
        }
        options = {"max_tokens": max_tokens, "temperature": temperature}
        body |= {name: value for name, value in options.items() if value is not None}
        response = await self._connection.post(body)
        try:
            answer = response.json()
        except ValueError as error:
            raise ProviderUnavailable(
                f"{self._connection.url} gave an answer that is not JSON. Is the base URL right?"
            ) from error
        return self._reply(answer)

    async def close(self) -> None:
        await self._connection.close()

    def _reply(self, answer: Any) -> str:
        choices = member(answer, "choices")
        if not isinstance(choices, list) or not choices:
            raise ProviderUnavailable(
                f"{self._connection.url} gave an answer without `choices`. Is the base URL right?"
            )
        first = cast("list[Any]", choices)[0]
        message = member(first, "message")
        text = text_of(member(message, "content")).strip()
        if not text:
            why = member(message, "refusal") or member(first, "finish_reason") or "it doesn't say"
            raise ProviderRefused(
                f"{self.model} answered without a text ({str(why)[:200]}).", model=self.model
            )
        return text


def text_of(content: Any) -> str:
    """A text, or the texts of a list of parts; what else there is has no words."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (member(part, "text") for part in cast("list[Any]", content))
    return "".join(part for part in parts if isinstance(part, str))


def member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
