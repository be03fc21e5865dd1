"""A model for memory skills that answers by what it is shown, and never by which call it is."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.servers.scripted_chat import Answer, Fails

CONTENT = re.compile(r"<(data_[0-9a-f]{16})>\n(.*)\n</\1>", re.DOTALL)
KNOWN = re.compile(r"\[(k\d+)\]\W*[(（][^)）]*[)）]{1,2}\W*(.*)")

Operation = Mapping[str, str]


class Thinking:
    """`encodes` says by content what operations are made of it, each naming what it changes by the
    words of the known memory; `refines` by query, what it is answered with."""

    def __init__(self) -> None:
        self.encodes: dict[str, Sequence[Operation] | str] = {}
        self.refines: dict[str, Mapping[str, Sequence[str]] | str] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        """The contents it was shown, each with the known memories, by id."""
        self.fails = False

    def __call__(self, request: dict[str, Any]) -> Answer:
        text = "\n".join(str(one["content"]) for one in request["messages"])
        found = CONTENT.findall(text)
        content = found[-1][1] if found else ""
        known = {told: alias for alias, told in KNOWN.findall(text)}
        self.seen.append((content, {alias: told for told, alias in known.items()}))
        if self.fails:
            return Fails(status=500)
        answer = self.encodes.get(content, self.refines.get(content, "What?"))
        if isinstance(answer, str):
            return answer
        if isinstance(answer, Mapping):
            return json.dumps(answer, ensure_ascii=False)
        operations = [
            {**one, "target": known.get(one["target"], "k99")} if "target" in one else one
            for one in answer
        ]
        return json.dumps({"operations": operations}, ensure_ascii=False)


def add(text: str) -> Operation:
    return {"op": "add", "text": text}


def supersede(old: str, text: str) -> Operation:
    return {"op": "supersede", "target": old, "text": text}
