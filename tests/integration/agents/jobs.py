"""Jobs that an agent does in five steps, and the check afterwards that each deed was done once."""

import json
import re
import stat
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from letta_client import Letta

from tests.fixtures.running import summarises
from tests.servers.scripted_chat import Call, Says

STEPS = 5
"""Of a job: two memories into a block, a note by a custom tool, one into the archive, and words."""
NOTE = 1
LAST = STEPS - 1
WAIT_S = 60.0

Trick = Callable[[Says], Says]


@dataclass
class Jobs:
    """What the scripted model says: step for step, as far as the prompt shows that it has come.

    Asked again, it says the same with another call id, as models do: a call that was lost by the
    server and asked for again is another call, with another key.
    """

    tricks: dict[tuple[int, int], Trick] = field(default_factory=dict[tuple[int, int], Trick])
    """By job and step, what happens before the answer, once."""
    asked: Counter[tuple[int, int]] = field(default_factory=Counter[tuple[int, int]])
    order: list[int] = field(default_factory=list[int])
    """Of which job it was asked, each time."""

    def __call__(self, request: dict[str, Any]) -> Says:
        if summarises(request):  # what the worker does meanwhile is no part of any job
            return Says(text="Ann asked for jobs, and they were done.")
        job, step = place(request["messages"])
        self.asked[job, step] += 1
        self.order.append(job)
        call_id = f"call-{job}-{step}-{self.asked[job, step]}"
        says = self._says(job, step, call_id)
        trick = self.tricks.pop((job, step), None)
        return says if trick is None else trick(says)

    def _says(self, job: int, step: int, call_id: str) -> Says:
        match step:
            case 0 | 2:
                inserted = {"label": "human", "new_str": fact(job, step)}
                return Says(calls=(Call("memory_insert", inserted, call_id),))
            case 1:
                return Says(calls=(Call("note", {"job": job}, call_id),))
            case 3:
                kept = {"content": fact(job, step)}
                return Says(calls=(Call("archival_memory_insert", kept, call_id),))
            case _:
                return Says(text=done(job), piece=4)


def place(messages: list[dict[str, Any]]) -> tuple[int, int]:
    """Which job the last user message gives, and how many returns came since."""
    job, step = 0, 0
    for one in messages:
        said = re.search(r"Do job (\d+)\.", json.dumps(one["content"]))
        if one["role"] == "user" and said:
            job, step = int(said[1]), 0
        step += one["role"] == "tool"
    return job, step


def task(job: int) -> str:
    return f"Do job {job}."


def fact(job: int, step: int) -> str:
    """Numbers apart from each other, so that no fact is within another, or nearly the same."""
    return f"Crate {job * 7919 + 10_000} holds {job * 104_729 % 9973} of kind {step}."


def done(job: int) -> str:
    return f"Job {job} is done, and all of it was noted as you asked."


def hold(seconds: float) -> Trick:
    """The model thinks for so long before its first word."""
    return lambda says: replace(says, wait_s=seconds)


def hold_until(happened: threading.Event) -> Trick:
    return lambda says: replace(says, goes_on=happened)


def speak_slowly(gap_s: float) -> Trick:
    return lambda says: replace(says, gap_s=gap_s)


class Notes:
    """A file that the custom tool appends to, the call's key before each note."""

    def __init__(self) -> None:
        # Not in pytest's folder: a tool runs as a user who owns nothing.
        self._folder = Path(tempfile.mkdtemp(prefix="yiku-notes-"))
        self._folder.chmod(stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
        self.path = self._folder / "notes"
        self.path.touch()
        self.path.chmod(0o666)

    def source(self, first_pause_s: float) -> str:
        return f'''
import os, time

def note(job: int) -> str:
    """Note that a job is being done.

    Args:
        job (int): its number
    """
    with open({str(self.path)!r}, "a") as file:
        first = file.tell() == 0
        file.write(os.environ["YIKU_IDEMPOTENCY_KEY"] + f" {{job}}\\n")
    if first:
        time.sleep({first_pause_s})
    return f"noted {{job}}"
'''

    def keys(self, job: int) -> list[str]:
        lines = [line.split() for line in self.path.read_text().splitlines()]
        return [key for key, noted in lines if int(noted) == job]

    def remove(self) -> None:
        self.path.unlink()
        self._folder.rmdir()


def new_agent(client: Letta, notes: Notes, first_pause_s: float = 0.0) -> str:
    """An agent that can do jobs. `first_pause_s`: as long the first note takes, of all."""
    tool = client.tools.upsert(source_code=notes.source(first_pause_s))
    agent = client.agents.create(
        model="openai/scripted",
        embedding="local/all-minilm-l6-v2",
        memory_blocks=[{"label": "human", "value": "Ann keeps crates.", "limit": 20_000}],
        tools=["memory_insert", "archival_memory_insert"],
        tool_ids=[tool.id],
    )
    return agent.id


def give(client: Letta, agent: str, job: int) -> Any:
    """Let the agent do a job, and wait for its end."""
    return client.agents.messages.create(agent, messages=[{"role": "user", "content": task(job)}])


def give_in_background(client: Letta, agent: str, job: int) -> Any:
    """On return it is acknowledged: the job must be done, whatever happens."""
    return client.agents.messages.create_async(
        agent, messages=[{"role": "user", "content": task(job)}]
    )


def until_idle(client: Letta, agent: str) -> list[Any]:
    """The agent's runs, once all have ended."""
    end = time.monotonic() + WAIT_S
    while True:
        runs = list(client.runs.list(agent_id=agent, limit=100))
        going_on = [run for run in runs if run.status in ("created", "running")]
        if not going_on:
            return runs
        assert time.monotonic() < end, f"runs go on after {WAIT_S} s: {going_on}"
        time.sleep(0.05)


def assert_done_once(client: Letta, agent: str, jobs: Iterable[int], notes: Notes) -> None:
    """Every message is there once, in its place, and every deed was done once."""
    told = list(client.agents.messages.list(agent, order="asc", limit=100))
    said = Counter(
        one.content for one in told if one.message_type in ("user_message", "assistant_message")
    )
    calls = [
        call.tool_call_id
        for one in told
        if one.message_type == "tool_call_message"
        for call in (one.tool_calls if isinstance(one.tool_calls, list) else [one.tool_call])
    ]
    returns = [one for one in told if one.message_type == "tool_return_message"]
    assert len(calls) == len(set(calls)), calls
    assert sorted(one.tool_call_id for one in returns) == sorted(calls)
    assert [one.tool_return for one in returns if one.status != "success"] == []
    block = client.agents.blocks.retrieve("human", agent_id=agent).value
    archived = Counter(one.text for one in client.agents.passages.list(agent, limit=1000))
    for job in jobs:
        assert (said[task(job)], said[done(job)]) == (1, 1), said
        assert [call for call in calls if call.startswith(f"call-{job}-")] == sorted(
            call for call in calls if call.startswith(f"call-{job}-")
        )
        assert sum(call.startswith(f"call-{job}-") for call in calls) == STEPS - 1, calls
        assert (block.count(fact(job, 0)), block.count(fact(job, 2))) == (1, 1), block
        assert archived[fact(job, 3)] == 1, archived
        assert len(set(notes.keys(job))) == 1, notes.keys(job)
    assert_runs_are_whole(told)


def assert_runs_are_whole(told: list[Any]) -> None:
    """Messages of one run stand together: no other run's are among them."""
    assert_in_blocks([one.run_id for one in told if one.run_id is not None])


def assert_in_blocks(order: Sequence[object]) -> None:
    changes = [one for at, one in enumerate(order) if at == 0 or order[at - 1] != one]
    assert len(changes) == len(set(changes)), changes


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < end, f"it didn't happen within {WAIT_S} s"
        time.sleep(0.002)
