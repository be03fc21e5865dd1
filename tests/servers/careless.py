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

FIGURES = (
    ("My shoe size is 43", "What is my shoe size?"),
    ("My monthly rent is 1150 euros", "How much is my monthly rent?"),
    ("My parking spot is number 212", "Which number has my parking spot?"),
    ("My hotel room is 408", "What is my hotel room?"),
    ("My bus to work is line 12", "Which line is my bus to work?"),
    ("My flight to Rome leaves at 7:15", "When leaves my flight to Rome?"),
    ("My weight is 71 kilos", "How many kilos is my weight?"),
    ("My train seat is 61", "Which is my train seat?"),
)
FACTS = (
    ("My sister lives in Oslo", "Where does my sister live?", "Your sister lives in Oslo."),
    ("My cat is called Miso", "What's my cat's name?", "Your cat is called Miso."),
    ("My boss is Priya Sharma", "Who is my boss?", "Your boss is Priya Sharma."),
    ("My favourite band is Radiohead", "Which band do I like?", "You like Radiohead the most."),
    ("My home airport is Vienna", "Find me a flight.", "I found one for you from Vienna."),
    ("My instrument is the cello", "What do I play?", "You play the cello."),
)
"""What is told, what is asked of it, and how who knows it answers."""

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
