"""What was asked can't be done as asked."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from yiku.core.faults.base import YikuError

S = TypeVar("S")
T = TypeVar("T")


class Invalid(YikuError):
    """The request can't be carried out as it stands."""


def checked(field: str, test: Callable[[], T]) -> T:
    """What `test` returns. Raises: what `test` raises, with the field it is about."""
    try:
        return test()
    except Invalid as error:
        error.facts["field"] = field
        raise


def checked_each(field: str, given: Iterable[S], test: Callable[[S], T]) -> list[T]:
    """What `test` returns of each. Raises: what `test` raises, with the one it is about."""
    found: list[T] = []
    for n, one in enumerate(given):
        try:
            found.append(test(one))
        except Invalid as error:
            error.facts["within"] = (field, n)
            raise
    return found


class InvalidText(Invalid):
    """The text can't be stored."""


class InvalidFilter(Invalid):
    """The filter can't be applied."""


class InvalidFile(Invalid):
    """The file can't be used."""


class BlockTooLong(Invalid):
    """The block's value would be longer than its limit."""


class EditRefused(Invalid):
    """The edit of the block can't be made as it was asked for."""


class InvalidTool(Invalid):
    """The tool can't be made, or called, like this."""


class InvalidSkill(Invalid):
    """The memory skill can't be used as it is written."""


class SecretRefused(Invalid):
    """The text holds a secret, which is never stored."""


class InvalidSchedule(Invalid):
    """The schedule can't be kept."""


class InvalidMcpServer(Invalid):
    """The MCP server can't be used as it is described."""


class InvalidImport(Invalid):
    """What was to be imported can't be read."""


class SettingInvalid(Invalid):
    """A setting has a value that can't be used."""
