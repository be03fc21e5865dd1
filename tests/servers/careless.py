"""A model whose memories are as good as the prompt it is given, whichever call it is.

Told to copy every number, it does; told nothing, it leaves figures out; told to write one word, it
writes one. As a Designer it answers with the templates of `proposals`, the last one ever after.
"""

import json
import re
from typing import Any

from tests.servers.scripted_chat import Answer, Says

PLAIN = "Write the facts of the text down, briefly.\n{{ content }}"
GOOD = "Write the facts of the text down, briefly. Copy every number and date.\n{{ content }}"
WORSE = "Write the subject of the text down in one word.\n{{ content }}"
MARKED = re.compile(r"<(data_\w+)>\n(.*?)\n</\1>", re.DOTALL)


class Careless:
    def __init__(self, *proposals: str) -> None:
        self.proposals = list(proposals or (GOOD,))
        self.raw: str | None = None
        """What the Designer answers instead of JSON."""
        self.asked: dict[str, int] = {"designer": 0, "encode": 0, "refine": 0}
        self.shown: list[str] = []
        """What the Designer was told."""
        none: dict[str, list[str]] = {}
        self.refines = none
        """By a word of the prompt: the queries that a question is refined to."""

    def __call__(self, request: dict[str, Any]) -> Answer:
        system, *rest = [text_of(one) for one in request["messages"]]
        told = "\n".join(rest)
        if system.startswith("You improve the prompt"):
            self.asked["designer"] += 1
            self.shown.append(told)
            return Says(text=self.raw or proposal(self.proposals, self.asked["designer"] - 1))
        found = MARKED.search(told)
        assert found is not None, told
        if "long-term memory of an assistant. You are told how to turn" in system:
            self.asked["encode"] += 1
            return Says(text=json.dumps({"operations": encoded(told, found[2])}))
        self.asked["refine"] += 1
        queries = next((q for word, q in self.refines.items() if word in told), list[str]())
        return Says(text=json.dumps({"queries": queries, "exact": []}))


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(p.get("text", "") for p in content)


def proposal(templates: list[str], place: int) -> str:
    template = templates[min(place, len(templates) - 1)]
    told = {"analysis": "Figures are lost.", "reason": "Figures are to be copied."}
    return json.dumps({**told, "prompt_template": template})


def encoded(told: str, content: str) -> list[dict[str, str]]:
    text = re.sub(r"^My ", "The user's ", content)
    if "one word" in told:
        text = content.split()[1]
    elif "every number" not in told:
        text = re.sub(r"\s*\S*\d\S*", "", text)
    return [{"op": "add", "text": text}]
