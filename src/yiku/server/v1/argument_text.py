"""The text of one argument of a tool call, while the call is still being written; pure."""

from __future__ import annotations

import json
import re

PLAIN = re.compile(r'[^"\\]+')
ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|[^u])")
STRUCTURE = re.compile(r'[^"{}\[\]:,]+')
HIGH = range(0xD800, 0xDC00)
LOW = range(0xDC00, 0xE000)


class ArgumentText:
    """Reads the JSON of a call's arguments piece by piece, and gives out what is new of one
    string among them. Each character is looked at once, however the pieces are cut.

    Of broken JSON it gives what comes before the break, or nothing.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._rest = ""
        """An escape that isn't whole yet."""
        self._high = ""
        """The first half of a character that was escaped in two."""
        self._depth = 0
        self._key: list[str] | None = None
        """The key that is being read."""
        self._read_key = ""
        self._in_string = False
        self._is_value = False
        """After the colon of a key."""
        self._done = False

    def feed(self, piece: str) -> str:
        """What is new of the argument; empty where the piece is of something else."""
        if self._done:
            return ""
        text, self._rest, at, new = self._rest + piece, "", 0, list[str]()
        while at < len(text) and not self._done:
            at = self._string(text, at, new) if self._in_string else self._between(text, at)
        return "".join(new)

    def _wanted(self) -> bool:
        return self._depth == 1 and self._is_value and self._read_key == self._name

    def _string(self, text: str, at: int, new: list[str]) -> int:
        """One stretch, escape or end of the string that `at` is in; where that ends."""
        sink = self._key if self._key is not None else new if self._wanted() else None
        if plain := PLAIN.match(text, at):
            self._give(plain[0], sink)
            return plain.end()
        if text[at] == "\\":
            escape = ESCAPE.match(text, at)
            if escape is None:
                if len(text) - at < len("\\u0000"):
                    self._rest = text[at:]  # it goes on in the next piece
                else:
                    self._done = True
                return len(text)
            self._unescape(escape[0], sink)
            return escape.end()
        self._end_string(sink)
        return at + 1

    def _unescape(self, escape: str, sink: list[str] | None) -> None:
        try:
            character: str = json.loads(f'"{escape}"')
        except ValueError:
            self._done = True
            return
        if ord(character) in HIGH:
            self._give("", sink)
            self._high = character
        elif ord(character) in LOW:
            pair, self._high = self._high + character, ""
            self._give(pair.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), sink)
        else:
            self._give(character, sink)

    def _give(self, text: str, sink: list[str] | None) -> None:
        lost, self._high = "\ufffd" if self._high else "", ""
        if sink is not None and lost + text:
            sink.append(lost + text)

    def _end_string(self, sink: list[str] | None) -> None:
        self._give("", sink)
        self._in_string = False
        if self._key is not None:
            self._read_key, self._key = "".join(self._key), None
        elif self._wanted():
            self._done = True

    def _between(self, text: str, at: int) -> int:
        if other := STRUCTURE.match(text, at):
            return other.end()
        match text[at]:
            case '"':
                self._in_string = True
                if self._depth == 1 and not self._is_value:
                    self._key = []
            case "{" | "[":
                self._depth += 1
            case "}" | "]":
                self._depth -= 1
            case ":":
                self._is_value = self._is_value or self._depth == 1
            case _:  # a comma
                self._is_value = self._is_value and self._depth != 1
        return at + 1
