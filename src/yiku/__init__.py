"""Yiku (忆库): a self-hosted long-term memory server for AI agents."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yiku.client.connect import connect as connect
    from yiku.core.errors import YikuError as YikuError

__all__ = ["YikuError", "connect"]


def __getattr__(name: str) -> object:
    # `import yiku` stays quick; the client's imports take a quarter of a second.
    if name == "connect":
        from yiku.client.connect import connect

        return connect
    if name == "YikuError":
        from yiku.core.errors import YikuError

        return YikuError
    raise AttributeError(f"module 'yiku' has no attribute {name!r}")
