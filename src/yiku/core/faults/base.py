"""What every error of ours is."""

from __future__ import annotations

import inspect
from typing import Any

from yiku.core.language import Language


class YikuError(Exception):
    """Something went wrong in Yiku."""

    def __init__(
        self, message: str | None = None, *, zh: str | None = None, **facts: object
    ) -> None:
        """`zh`: the message in Chinese, of errors that agents are told."""
        self.facts: dict[str, Any] = facts
        self._zh = zh
        super().__init__(message or inspect.getdoc(type(self)) or type(self).__name__)

    @property
    def message(self) -> str:
        return str(self.args[0])

    def told(self, language: Language) -> str:
        """The message in this language; in English, where it is in no other."""
        return self._zh if language == "zh" and self._zh is not None else self.message
