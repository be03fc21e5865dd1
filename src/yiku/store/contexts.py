"""Conversations that were read before: only what is new in them is read whole.

Each message is compared with its row, so what another process wrote is seen at once. Measured on
SQLite with a window of 600 messages: 8.2 ms to read it, 0.6 to compare it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from yiku.core.ids import AgentId, ConversationId
from yiku.core.message import Message
from yiku.store import messages
from yiku.store.database import Tx
from yiku.store.hot import Select

MESSAGES = 20_000
"""Kept of all conversations together."""

_PARTS = Select(
    "SELECT seq, parts FROM message"
    " WHERE agent_id = :agent AND organization_id = :organization"
    " AND conversation_id = :conversation AND NOT is_archived ORDER BY seq"
)
"""Of what a message is shown as, only its parts ever change."""

Kept = dict[int, tuple[Any, Message]]
"""By row number: the parts as the driver gave them, and the message."""
Place = tuple[str, AgentId, ConversationId | None]


class Contexts:
    """Those that were read last. Any thread may read."""

    def __init__(self, limit: int = MESSAGES) -> None:
        self._limit = limit
        self._kept: OrderedDict[Place, Kept] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def read(
        self, tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None
    ) -> list[Message]:
        """As `messages.in_context`."""
        place = (tx.actor.organization_id, agent_id, conversation_id)
        known = self._kept.get(place, {})
        rows = _PARTS.rows(tx.connection, **messages.place(tx, agent_id, conversation_id))
        new = [seq for seq, parts in rows if seq not in known or known[seq][0] != parts]
        read = messages.get_by_seq(tx, new)
        kept = {seq: (parts, read[seq]) if seq in read else known[seq] for seq, parts in rows}
        self._keep(place, kept)
        return [message for _, message in kept.values()]

    def drop(self, agent_id: AgentId) -> None:
        """Nothing of an agent's stays: its messages were erased."""
        with self._lock:
            for place in [one for one in self._kept if one[1] == agent_id]:
                self._count -= len(self._kept.pop(place))

    def _keep(self, place: Place, kept: Kept) -> None:
        with self._lock:
            self._count += len(kept) - len(self._kept.pop(place, {}))
            self._kept[place] = kept
            while self._count > self._limit and len(self._kept) > 1:
                self._count -= len(self._kept.popitem(last=False)[1])
