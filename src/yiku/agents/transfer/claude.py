"""Claude's export: `conversations.json`, and `memories.json`; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from yiku.agents.transfer.carried import CarriedChat, CarriedMessage
from yiku.agents.transfer.chatgpt import as_object
from yiku.core.errors import InvalidImport
from yiku.core.memory import Draft
from yiku.core.message import MessageRole, Text

Json = Mapping[str, Any]
SPEAKERS = {"human": MessageRole.USER, "user": MessageRole.USER, "assistant": MessageRole.ASSISTANT}


def chat_of(value: Any, place: str, left_out: Counter[str]) -> CarriedChat:
    """Raises: InvalidImport."""
    found = as_object(value, place)
    key, listed = found.get("uuid"), found.get("chat_messages")
    if not isinstance(key, str) or not isinstance(listed, list):
        raise InvalidImport(
            f"{place}: a conversation of Claude's has `uuid` and `chat_messages`", place=place
        )
    said = [
        as_object(one, f"{place}.chat_messages[{n}]")
        for n, one in enumerate(cast("list[Any]", listed))
    ]
    branch = path_of(said, found.get("current_leaf_message_uuid"))
    if len(branch) < len(said):
        left_out["messages of branches that were left"] += len(said) - len(branch)
    started = moment(found.get("created_at"))
    made = (message_of(one, started, left_out) for one in branch)
    title = found.get("name")
    return CarriedChat(
        key=key,
        title=title if isinstance(title, str) and title.strip() else None,
        created_at=started,
        messages=tuple(one for one in made if one is not None),
    )


def path_of(said: Sequence[Json], leaf: Any) -> Sequence[Json]:
    """The branch that was shown last; all, where messages don't name those they follow."""
    by_id = {one.get("uuid"): one for one in said}
    if not any(one.get("parent_message_uuid") in by_id for one in said):
        return said
    at = leaf if leaf in by_id else said[-1].get("uuid")
    found: list[Json] = []
    while at in by_id:
        one = by_id.pop(at)  # so that a circle ends
        found.append(one)
        at = one.get("parent_message_uuid")
    return found[::-1]


def message_of(
    one: Json, started: datetime | None, left_out: Counter[str]
) -> CarriedMessage | None:
    """None: nobody said it to anybody."""
    role = SPEAKERS.get(str(one.get("sender")))
    if role is None:
        left_out[f"messages of {one.get('sender')}"] += 1
        return None
    texts = list(texts_of(one, left_out))
    texts += attached(one)
    text = "\n\n".join(part for part in texts if part.strip())
    if not text:
        return None
    return CarriedMessage(
        key=str(one.get("uuid")),
        role=role,
        parts=(Text(text),),
        created_at=moment(one.get("created_at")) or started,
    )


def texts_of(one: Json, left_out: Counter[str]) -> Iterator[str]:
    parts = cast("Sequence[Json]", one.get("content") or ())
    texts = [part for part in parts if part.get("type") == "text"]
    for part in parts:
        if part.get("type") != "text":
            left_out[f"content of the kind {part.get('type')}"] += 1
    if not texts and isinstance(one.get("text"), str):
        yield str(one["text"])
    yield from (str(part.get("text") or "") for part in texts)


def attached(one: Json) -> Iterator[str]:
    """Files whose text is in the export."""
    for file in cast("Sequence[Json]", one.get("attachments") or ()):
        if text := file.get("extracted_content"):
            yield f"[{file.get('file_name') or 'file'}]\n{text}"


def memories_of(value: Any) -> Iterator[tuple[str, Draft]]:
    """What Claude remembers of somebody: a paragraph each."""
    found = cast("Json", value)
    of = str(found.get("account_uuid") or "account")
    texts = {"": found.get("conversations_memory")}
    projects = found.get("project_memories")
    if isinstance(projects, dict):
        texts |= cast("dict[str, Any]", projects)
    for project, text in texts.items():
        paragraphs = str(text or "").split("\n\n")
        for n, paragraph in enumerate(one for one in paragraphs if one.strip()):
            about = {"source": "claude", **({"project": project} if project else {})}
            yield f"{of}:{project}:{n}", Draft(text=paragraph.strip(), metadata=about)


def moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
