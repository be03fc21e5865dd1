"""The forms of what is sent to agents, as v1's clients write it; nothing of ours is imported.

Clients may leave out what a form is (`type`): then its fields tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from yiku.server.v1.wire import Cursors, In
from yiku.server.v1.wire_messages import MessageType
from yiku.server.v1.wire_models import Compaction


def without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"there is a NUL character at position {text.index(chr(0))}")
    return text


def telling(default: str, **told_by: str) -> Callable[[Any], str]:
    """Which form of a union a value is: what its `type` says, else the form that has one of the
    fields `told_by` names, else `default`."""

    def kind(value: Any) -> str:
        if not isinstance(value, Mapping):
            return str(getattr(value, "type", default))
        fields = cast("Mapping[str, Any]", value)
        if (said := fields.get("type")) is not None:
            return str(said)
        return next((form for field, form in told_by.items() if field in fields), default)

    return kind


def text_or_parts(value: Any) -> str:
    return "text" if isinstance(value, str) else "parts"


Words = Annotated[str, AfterValidator(without_nul)]
SomeWords = Annotated[str, Field(min_length=1), AfterValidator(without_nul)]
Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(without_nul)]
TextOrParts = Discriminator(text_or_parts)


class TextIn(In):
    text: Words
    type: Literal["text"] = "text"
    signature: str | None = None


class UrlIn(In):
    url: str = Field(pattern=r"^(https?://|data:image/)\S+$")
    type: Literal["url"] = "url"


class Base64In(In):
    data: str = Field(min_length=1, pattern=r"^[A-Za-z0-9+/\s]+={0,2}\s*$")
    media_type: str = Field(pattern=r"^image/[A-Za-z0-9.+-]+$")
    detail: str | None = None
    type: Literal["base64"] = "base64"


SourceIn = Annotated[
    Annotated[UrlIn, Tag("url")] | Annotated[Base64In, Tag("base64")],
    Discriminator(telling("url", data="base64")),
]


class ImageIn(In):
    source: SourceIn
    type: Literal["image"] = "image"


PartIn = Annotated[
    Annotated[TextIn, Tag("text")] | Annotated[ImageIn, Tag("image")],
    Discriminator(telling("text", source="image")),
]
ContentIn = Annotated[
    Annotated[SomeWords, Tag("text")] | Annotated[list[PartIn], Field(min_length=1), Tag("parts")],
    TextOrParts,
]


class MessageIn(In):
    """Words for an agent."""

    role: Literal["user", "system", "assistant"]
    content: ContentIn
    name: Name | None = None
    otid: Name | None = Field(default=None, description="The client's own id for it.")
    sender_id: Name | None = None
    group_id: Name | None = None
    batch_item_id: str | None = None
    type: Literal["message"] | None = "message"


class ApprovalOfCallIn(In):
    """A person's answer to one call."""

    tool_call_id: str
    approve: bool
    reason: Words | None = None
    arguments: dict[str, Any] | Words | None = Field(
        default=None, description="To call the tool with in place of the model's; not in Letta's."
    )
    type: Literal["approval"] = "approval"


class ToolReturnIn(In):
    """What a tool that the client ran returned."""

    tool_call_id: str
    status: Literal["success", "error"]
    tool_return: Annotated[
        Annotated[Words, Tag("text")] | Annotated[list[TextIn], Tag("parts")], TextOrParts
    ]
    stdout: list[Words] | None = None
    stderr: list[Words] | None = None
    type: Literal["tool"] = "tool"


AnswerIn = Annotated[
    Annotated[ApprovalOfCallIn, Tag("approval")] | Annotated[ToolReturnIn, Tag("tool")],
    Discriminator(telling("approval", tool_return="tool", status="tool")),
]


class ApprovalIn(In):
    """Answers to calls that wait; without `approvals`, one answer to all of them."""

    approvals: list[AnswerIn] | None = None
    approve: bool | None = None
    approval_request_id: str | None = None
    reason: Words | None = None
    otid: Name | None = None
    group_id: Name | None = None
    type: Literal["approval"] = "approval"


class ToolReturnsIn(In):
    tool_returns: list[ToolReturnIn] = Field(min_length=1)
    otid: Name | None = None
    group_id: Name | None = None
    type: Literal["tool_return"] = "tool_return"


SentIn = Annotated[
    Annotated[MessageIn, Tag("message")]
    | Annotated[ApprovalIn, Tag("approval")]
    | Annotated[ToolReturnsIn, Tag("tool_return")],
    Discriminator(
        telling("message", tool_returns="tool_return", approvals="approval", approve="approval")
    ),
]


class ClientToolIn(In):
    """A tool that the client runs itself."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: Words | None = None
    parameters: dict[str, Any] | None = None


def not_offered(value: Any) -> Any:
    """For what v1 has and we don't: to leave it out, null, false or empty is no request."""
    if value:
        raise ValueError("this isn't offered here; leave it out")
    return None


NotOffered = Annotated[Any, BeforeValidator(not_offered)]


class Telling(In):
    """How an agent's messages are told of."""

    use_assistant_message: bool = Field(
        default=True, description="Calls of the message tool are told of as what they say."
    )
    assistant_message_tool_name: str = "send_message"
    assistant_message_tool_kwarg: str = "message"
    include_return_message_types: list[MessageType] | None = None


class SendIn(Telling):
    """What an agent is sent, and how it is to be run."""

    messages: list[SentIn] | None = Field(default=None, min_length=1)
    input: ContentIn | None = Field(default=None, description="One message of the user.")
    max_steps: int = Field(default=50, ge=1, le=10_000)
    client_tools: list[ClientToolIn] | None = None
    override_model: str | None = None
    override_system: Words | None = None
    include_compaction_messages: bool = False
    enable_thinking: str | bool | None = Field(
        default=None, description="Accepted, and without effect: an agent's own settings decide."
    )
    client_skills: NotOffered = None
    return_logprobs: NotOffered = None
    return_token_ids: NotOffered = None
    top_logprobs: NotOffered = None


class StreamIn(SendIn):
    """And how its run is streamed."""

    streaming: bool = False
    stream_tokens: bool = Field(default=False, description="Piece by piece, as they come.")
    background: bool = False
    include_pings: bool = Field(default=False, description="A sign of life every 15 seconds.")


CallbackIn = Annotated[str, Field(max_length=2000)]


class AsyncIn(SendIn):
    callback_url: CallbackIn | None = Field(
        default=None, description="Where the run's end is told, with a POST."
    )


class CancelIn(In):
    run_ids: list[str] | None = None


class ResetIn(In):
    add_default_initial_messages: bool = Field(
        default=False, description="Without effect: an agent begins with its instructions only."
    )


class SummarizeIn(In):
    compaction_settings: Compaction | None = Field(
        default=None, description="Null: the agent's own."
    )


class ToldPart(Cursors, Telling):
    limit: int = Field(default=100, ge=1, le=10_000)
    order_by: Literal["created_at"] = "created_at"
    group_id: str | None = None
    include_err: bool | None = Field(default=None, description="Without effect.")


class ToldQuery(ToldPart):
    """Which messages of a conversation are listed, and how they are told of."""

    order: Literal["asc", "desc"] = "desc"


SaidOrder = Annotated[
    Literal["asc", "desc"] | None,
    Field(
        description="asc: the oldest first, desc: the newest first. Without it the newest are "
        "told, the oldest of them first; `after` then means said later, `before` said earlier."
    ),
]


class MessageQuery(ToldPart):
    """Which messages of an agent are listed, and how they are told of."""

    order: SaidOrder = None
    conversation_id: str | None = Field(
        default=None, description="Null, `default` or the agent's id: its own conversation."
    )


class EveryMessageQuery(In):
    """Which messages of all agents are listed."""

    limit: int = Field(default=100, ge=1, le=10_000)
    after: str | None = None
    before: str | None = None
    order: SaidOrder = None
    conversation_id: str | None = None
    include_return_message_types: list[MessageType] | None = None


class MessageSearchIn(In):
    """What is looked for in the messages."""

    query: SomeWords
    agent_id: str | None = None
    conversation_id: str | None = None
    search_mode: Literal["vector", "fts", "hybrid"] = Field(
        default="hybrid", description="Without effect: words and meaning both count."
    )
    limit: int = Field(default=50, ge=1, le=100)
    start_date: str | None = None
    end_date: str | None = None


class SystemPatch(In):
    message_type: Literal["system_message"] = "system_message"
    content: SomeWords


class UserPatch(In):
    message_type: Literal["user_message"] = "user_message"
    content: ContentIn


class AssistantPatch(In):
    message_type: Literal["assistant_message"] = "assistant_message"
    content: Annotated[
        Annotated[SomeWords, Tag("text")]
        | Annotated[list[TextIn], Field(min_length=1), Tag("parts")],
        TextOrParts,
    ]


class ReasoningPatch(In):
    message_type: Literal["reasoning_message"] = "reasoning_message"
    reasoning: SomeWords


MessagePatch = Annotated[
    SystemPatch | UserPatch | AssistantPatch | ReasoningPatch, Discriminator("message_type")
]
"""What a message is to say instead."""
