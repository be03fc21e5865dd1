"""`yiku model test`: whether a language model answers, streams and uses tools."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from yiku.cli.doctor import Finding
from yiku.core.errors import YikuError
from yiku.core.message import MessageRole, ToolCall, ToolReturn, Utterance, said
from yiku.core.model import Answer, Prompt, Sampling, ToolSpec, asked
from yiku.core.ports import LanguageModel
from yiku.providers.models import Models
from yiku.providers.offline import HANDLE

SAMPLING = Sampling(max_tokens=2000)
"""Enough for a model that thinks first."""
PLAIN = asked("You are being tried out.", "Answer with one word: ready", SAMPLING)
COUNTING = asked("You are being tried out.", "Count from one to twenty in words.", SAMPLING)
WORD = "heron"
LOOKUP = ToolSpec(
    name="look_up_password",
    description="Returns today's password. Nobody knows it without this tool.",
    parameters={
        "type": "object",
        "properties": {"day": {"type": "string", "description": "The day: today"}},
        "required": ["day"],
    },
)
ASKING = Prompt(
    system="You are being tried out. Use the tool.",
    messages=(said(MessageRole.USER, "What is today's password? Say it."),),
    tools=(LOOKUP,),
    sampling=SAMPLING,
)


async def tried(models: Models, handle: str) -> AsyncIterator[Finding]:
    """Each thing that was tried; what fails first ends it, as the rest would fail too."""
    try:
        model = models.get(handle)
        card = models.card(handle)
    except YikuError as error:
        yield Finding("fail", "handle", error.message)
        return
    if card.note:
        yield Finding("warn", "model", card.note)
    if handle == HANDLE:
        return
    try:
        await models.warm(handle)
    except YikuError as error:
        yield Finding("fail", "library", error.message)
        return
    for what, attempt in ATTEMPTS.items():
        try:
            finding = await attempt(model)
        except YikuError as error:
            finding = Finding("fail", what, error.message)
        yield finding
        if finding.state == "fail" and what == "answer":
            return


async def answers(model: LanguageModel) -> Finding:
    started = time.perf_counter()
    answer = await model.complete(PLAIN)
    took = 1000 * (time.perf_counter() - started)
    if not answer.text.strip():
        return Finding(
            "fail",
            "answer",
            f"{model.model} gave no text ({answer.finish.value})",
            "Try another model of this provider: yiku model list",
        )
    return Finding("ok", "answer", f"{answer.text.strip()[:60]!r} in {took:,.0f} ms")


async def streams(model: LanguageModel) -> Finding:
    pieces, first, started = 0, 0.0, time.perf_counter()
    async for piece in model.stream(COUNTING):
        if isinstance(piece, Answer):
            break
        pieces += 1
        first = first or 1000 * (time.perf_counter() - started)
    if pieces < 2:
        return Finding(
            "warn", "streaming", f"the answer came in {pieces} piece", "A proxy may hold it back."
        )
    return Finding("ok", "streaming", f"{pieces} pieces, the first after {first:,.0f} ms")


async def uses_tools(model: LanguageModel) -> Finding:
    answer = await model.complete(ASKING)
    calls = [part for part in answer.parts if isinstance(part, ToolCall)]
    todo = "Agents need a model that calls tools: try another, see yiku model list"
    if not calls:
        return Finding("fail", "tools", f"it called none: {answer.text[:80]!r}", todo)
    returns = tuple(
        ToolReturn(call_id=call.id, name=call.name, ok=True, text=f"The password is {WORD}.")
        for call in calls
    )
    final = await model.complete(
        Prompt(
            system=ASKING.system,
            messages=(
                *ASKING.messages,
                Utterance(MessageRole.ASSISTANT, answer.parts),
                Utterance(MessageRole.TOOL, returns),
            ),
            tools=ASKING.tools,
            sampling=SAMPLING,
        )
    )
    if WORD not in final.text.lower():
        found = f"it did not use what the tool returned: {final.text[:80]!r}"
        return Finding("warn", "tools", found)
    return Finding("ok", "tools", f"it called {calls[0].name} and used what that returned")


ATTEMPTS: Mapping[str, Callable[[LanguageModel], Awaitable[Finding]]] = {
    "answer": answers,
    "streaming": streams,
    "tools": uses_tools,
}
