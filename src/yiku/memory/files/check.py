"""Whether a folder can be as somebody says."""

from __future__ import annotations

from yiku.core.errors import Invalid, checked
from yiku.core.file import FolderContent
from yiku.memory.draft import check_characters, check_metadata, check_name


def check_folder(content: FolderContent) -> FolderContent:
    """Raises: Invalid, InvalidText."""
    checked("name", lambda: check_name("The folder's name", content.name))
    checked("name", lambda: check_path(content.name))
    checked("embedding", lambda: check_name("The embedding", content.embedding))
    for name in ("description", "instructions"):
        text: str = getattr(content, name) or ""
        checked(name, lambda name=name, text=text: check_characters(f"The {name}", text))
    checked("metadata", lambda: check_metadata(content.metadata))
    return content


def check_path(name: str) -> None:
    """Files are called by their folder's name. Raises: Invalid."""
    if "/" in name or any(ord(one) < 32 for one in name):
        raise Invalid(f"A folder's name has no `/` and no control character: {name!r:.80}.")
