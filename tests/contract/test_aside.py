"""A long text is taken beside the event loop: who asks something else meanwhile is answered."""

import threading
from dataclasses import replace
from pathlib import Path

from yiku.app import build
from yiku.core.memory import Draft
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import changes, ingest
from yiku.memory.archival import Place
from yiku.memory.aside import LONG
from yiku.settings import load

PLACE = Place("", "notes")


async def test_long_texts_are_read_in_a_thread(tmp_path: Path, yiku_home: Path) -> None:
    loop = threading.get_ident()
    in_loop: list[bool] = []

    def gloss(text: str) -> str:
        in_loop.append(threading.get_ident() == loop)
        return text[:100]

    settings = load(home=yiku_home, database_url=f"sqlite:///{tmp_path / 'yiku.db'}")
    async with build(settings) as app:
        memory = replace(app.memory, gloss=gloss)
        short, long = "今天下雨。", "今天下雨。" * LONG
        await ingest.add(memory, LOCAL_ACTOR, PLACE, [Draft(text=short)])
        [added] = await ingest.add(memory, LOCAL_ACTOR, PLACE, [Draft(text=long)])
        await changes.edit(memory, LOCAL_ACTOR, added.passage.id, {"text": long[5:]})
        await changes.edit(memory, LOCAL_ACTOR, added.passage.id, {"text": short})
    assert in_loop == [True, False, False, True]
