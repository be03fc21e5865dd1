"""Callbacks: who asked for it is told of the end of a run, or of a batch.

The transaction that ends it asks for the job, so none is forgotten, whatever dies next. The door
whose words are told carries it out (`server/v1/callbacks.py`).
"""

from __future__ import annotations

from yiku.core.batch import Batch
from yiku.core.run import Run
from yiku.store import outbox
from yiku.store.database import Tx

JOB = "callback"
"""The job that tells of an end; its key is the id of what has ended."""


def ask(tx: Tx, ended: Run) -> None:
    """Ask for the callback of a run that ends with this transaction, if it has one."""
    if ended.request.callback_url is not None:
        outbox.put(tx, JOB, ended.id)


def ask_of_batch(tx: Tx, ended: Batch) -> None:
    if ended.callback_url is not None:
        outbox.put(tx, JOB, ended.id)
