"""Load from a process of its own, by a client that does as little as can be.

python -m bench.agent_load crowd URL SECONDS AGENT…     all at once, each waiting for its answers
python -m bench.agent_load talk URL COUNT AGENT         one agent, COUNT messages

Prints a JSON list: for each message when it was sent and when its answer was there, in nanoseconds
of the machine's clock. letta-client spends milliseconds of processor time on a call; sixteen at
once would measure the client.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence

import httpx

from bench.place import ROOT, say

LIMIT_S = 120.0
FACTS = (
    "The tea from Hangzhou stands on the second shelf in the kitchen.",
    "我下周三要去上海出差，记得提醒我带护照。",
    "My sister moved to Porto last spring, and works in a bookshop near the river.",
    "The build fails on Fridays when the cache of the compiler is cleared.",
    "Remember that the meeting with Dr. Okafor was moved to a quarter past nine.",
)
Span = tuple[int, int]


def said(number: int) -> str:
    return f"{number}. {FACTS[number % len(FACTS)]}"


async def send(client: httpx.AsyncClient, agent: str, text: str) -> Span:
    sent = time.monotonic_ns()
    body = {"messages": [{"role": "user", "content": text}]}
    answer = await client.post(f"/v1/agents/{agent}/messages", json=body)
    done = time.monotonic_ns()
    answer.raise_for_status()
    reason = answer.json()["stop_reason"]["stop_reason"]
    assert reason == "end_turn", f"the message {text!r} ended with {reason}: {answer.text}"
    return sent, done


async def crowd(client: httpx.AsyncClient, agents: Sequence[str], seconds: float) -> list[Span]:
    """Messages that began within `seconds`; the last of each agent ends later."""
    end = time.monotonic() + seconds

    async def talks(agent: str) -> list[Span]:
        spans: list[Span] = []
        while time.monotonic() < end:
            spans.append(await send(client, agent, said(len(spans))))
        return spans

    found = await asyncio.gather(*(talks(agent) for agent in agents))
    return [span for spans in found for span in spans]


async def talk(client: httpx.AsyncClient, agent: str, count: int) -> list[Span]:
    spans: list[Span] = []
    for number in range(count):
        spans.append(await send(client, agent, said(number)))
        if (number + 1) % 1000 == 0:
            say(f"agents: {number + 1:,} messages of one agent")
    return spans


async def main(kind: str, url: str, amount: str, *agents: str) -> None:
    limits = httpx.Limits(max_connections=len(agents), max_keepalive_connections=len(agents))
    async with httpx.AsyncClient(base_url=url, timeout=LIMIT_S, limits=limits) as client:
        for agent in agents:  # each is known to the server, and each connection open
            await send(client, agent, "Hello.")
        if kind == "crowd":
            spans = await crowd(client, agents, float(amount))
        else:
            spans = await talk(client, agents[0], int(amount))
    print(json.dumps(spans), flush=True)


def loaded(kind: str, url: str, amount: float, agents: Iterable[str]) -> list[Span]:
    """The spans of a load in a process of its own, in the order of their beginnings."""
    command = [sys.executable, "-m", "bench.agent_load", kind, url, str(amount), *agents]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return sorted((sent, came) for sent, came in json.loads(done.stdout))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
