"""What an MCP tool answers, as text for a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from yiku.core.mcp import Answered

if TYPE_CHECKING:
    import mcp_types


def told(result: mcp_types.CallToolResult) -> Answered:
    """Texts as they are; of what no text can hold, what it is. What is structured is told where
    there is nothing else: servers repeat it as text."""
    parts = [text_of(one) for one in result.content]
    text = "\n".join(part for part in parts if part)
    if not text and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    return Answered(text=text or "None", ok=not result.is_error)


def text_of(part: mcp_types.ContentBlock) -> str:
    match part.type:
        case "text":
            return part.text
        case "image" | "audio":
            return f"[{part.type}: {part.mime_type}, {len(part.data) * 3 // 4:,} bytes]"
        case "resource_link":
            about = f": {part.description}" if part.description else ""
            return f"[{part.name}{about}]({part.uri})"
        case "resource":
            inner = part.resource
            text = getattr(inner, "text", None)
            if isinstance(text, str):
                return text
            return f"[resource: {inner.uri}, {inner.mime_type or 'unknown type'}]"
