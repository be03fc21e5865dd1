"""Callbacks of v1: a POST to the address that a client named, when its run or batch has ended.

It is sent at least once: until somebody has taken it (any status of 2xx), `outbox.MOST_TRIES` times
at the most, the worker's pauses between them. Each try is noted with the run or the batch. A
redirect isn't followed; where the host is this machine or its network, nothing is sent unless pages
are fetched there, too.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from yiku.agents.callbacks import JOB
from yiku.app import App
from yiku.core.errors import BatchNotFound, CallbackFailed, Invalid, RunNotFound
from yiku.core.ids import BatchId, RunId
from yiku.core.message import MessageFilter, MessagePage
from yiku.core.run import Callback, Run
from yiku.core.skill import Job
from yiku.core.tenant import Actor
from yiku.server.v1 import wire_messages
from yiku.server.v1.translate_batches import batch_out
from yiku.server.v1.translate_messages import form_of, listed_out, roles_of
from yiku.server.v1.translate_runs import run_out, stop_reason_out, usage_out
from yiku.store import batches, messages, outbox, runs
from yiku.store.database import Tx, now_utc

if TYPE_CHECKING:
    import httpx

    from yiku.tools.outside import Address

TIMEOUT_S = 10.0
"""Of a try, from the name of the host to the answer's status."""
AGENT = "Yiku (self-hosted memory server; tells what it was asked to tell)"
MOST_MESSAGES = 100
"""Of a run, told with its end: the first."""
GIVEN_UP = f" That was the last of {outbox.MOST_TRIES} tries."
Carried = Callable[[Actor, Job], Any]


@dataclass(frozen=True, slots=True)
class Letter:
    """What is told, and where."""

    url: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a try."""

    note: Callback
    final: bool
    """It was taken, or will never be."""


def handlers(app: App) -> dict[str, Carried]:
    """For the worker: the jobs that this door carries out."""

    async def told(actor: Actor, job: Job) -> object:
        return await carry_out(app, actor, job)

    return {JOB: told}


async def carry_out(app: App, actor: Actor, job: Job) -> None:
    """Raises: CallbackFailed where it is to be tried again, StoreError."""
    letter = await app.database.read(actor, lambda tx: letter_of(tx, job.key))
    if letter is None:
        return
    sent = await post(letter, allowed_by(app))
    error, last = sent.note.error, job.tries >= outbox.MOST_TRIES
    if error is not None and last and not sent.final:
        error += GIVEN_UP
    note = Callback(sent_at=sent.note.sent_at, status_code=sent.note.status_code, error=error)
    await app.database.write(actor, lambda tx: keep(tx, job.key, note))
    if error is not None and not sent.final and not last:
        raise CallbackFailed(error)


def allowed_by(app: App) -> Callable[[Address], bool]:
    # An HTTP client, which few servers ever need.
    from yiku.tools.outside import anywhere, is_public

    return anywhere if app.settings.fetch_private else is_public


def demand_callable(app: App, url: str | None) -> str | None:
    """What can be known of a callback's address before it is called. Raises: Invalid."""
    if not url:
        return None
    from yiku.tools.outside import Noun, checked, refused

    try:
        asked = checked(url, Noun("a callback", "回调"))
        literal = ipaddress.ip_address(asked.host)
    except Invalid as error:
        raise Invalid(error.message, field="callback_url") from error
    except ValueError:
        return url  # a name: what it means is seen when it is called
    if not allowed_by(app)(literal):
        raise Invalid(refused(asked).message, field="callback_url")
    return url


def letter_of(tx: Tx, key: str) -> Letter | None:
    """None: what has ended was erased, and nobody is told of it any more."""
    try:
        return of_batch(tx, BatchId(key)) if key.startswith("batch-") else of_run(tx, RunId(key))
    except (RunNotFound, BatchNotFound):
        return None


def of_run(tx: Tx, run_id: RunId) -> Letter | None:
    """Raises: RunNotFound."""
    run = runs.get(tx, run_id)
    if run.request.callback_url is None or not run.status.ended:
        return None
    out = run_out(run)
    result = wire_messages.AnswerOut.model_construct(
        messages=said(tx, run), stop_reason=stop_reason_out(run), usage=usage_out(run)
    )
    told = {
        "run_id": run.id,
        "status": out.status,
        "completed_at": None if run.completed_at is None else run.completed_at.isoformat(),
        "metadata": {**out.metadata, "result": json.loads(result.model_dump_json())},
    }
    return Letter(run.request.callback_url, encoded(told))


def said(tx: Tx, run: Run) -> list[wire_messages.AnyMessageOut]:
    form = form_of(run.request.wire)
    wanted = MessageFilter(run_id=run.id, all_conversations=True, roles=roles_of(form.types))
    page = MessagePage(limit=MOST_MESSAGES, newest_first=False)
    return listed_out(messages.page(tx, wanted, page), form, page.newest_first)


def of_batch(tx: Tx, batch_id: BatchId) -> Letter | None:
    """Raises: BatchNotFound."""
    batch = batches.get(tx, batch_id)
    if batch.callback_url is None or not batch.status.ended:
        return None
    out = batch_out(batch, batches.counts(tx, [batch_id])[batch_id])
    told = {
        "job_id": batch.id,
        "status": out.status,
        "completed_at": None if batch.completed_at is None else batch.completed_at.isoformat(),
        "metadata": out.metadata,
    }
    return Letter(batch.callback_url, encoded(told))


def encoded(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode()


def keep(tx: Tx, key: str, note: Callback) -> None:
    if key.startswith("batch-"):
        batches.note_callback(tx, BatchId(key), note)
    else:
        runs.note_callback(tx, RunId(key), note)


async def post(letter: Letter, allowed: Callable[[Address], bool]) -> Sent:
    import httpx

    from yiku.tools.outside import addresses, checked, refused

    at = now_utc()
    try:
        asked = checked(letter.url)
        async with asyncio.timeout(TIMEOUT_S):
            found = await addresses(asked)
            if not all(map(allowed, found)):
                return Sent(Callback(sent_at=at, error=refused(asked).message), final=True)
            status = await answered(asked, found[0], letter.body)
    except TimeoutError:
        error = f"No answer within {TIMEOUT_S:g} s."
        return Sent(Callback(sent_at=at, error=error), final=False)
    except Invalid as problem:
        return Sent(Callback(sent_at=at, error=problem.message), final=False)
    except httpx.HTTPError as problem:
        error = f"It could not be sent: {str(problem) or type(problem).__name__}."
        return Sent(Callback(sent_at=at, error=error), final=False)
    if 200 <= status < 300:
        return Sent(Callback(sent_at=at, status_code=status), final=True)
    error = f"It was answered with {status}, and isn't taken: an answer of 2xx is."
    return Sent(Callback(sent_at=at, status_code=status, error=error), final=False)


async def answered(asked: httpx.URL, address: Address, body: bytes) -> int:
    """The status; nothing else of the answer is read. Raises: httpx.HTTPError."""
    import httpx

    from yiku.tools.outside import pinned

    to = pinned(asked, address)
    headers = {"Host": to.host, "User-Agent": AGENT, "Content-Type": "application/json"}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S, follow_redirects=False) as client,
        client.stream(
            "POST", to.url, content=body, headers=headers, extensions={**to.extensions}
        ) as answer,
    ):
        return answer.status_code
